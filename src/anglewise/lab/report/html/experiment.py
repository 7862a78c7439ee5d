"""The report of an experiment: one HTML file that holds everything and begins with the result."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from anglewise.lab.outcome import MEANINGS
from anglewise.lab.report.comparison import CRITERIA, summaries, time_of
from anglewise.lab.report.contrasts import answers
from anglewise.lab.report.format import DASH, count_of
from anglewise.lab.report.headline import headline, missing, no_control
from anglewise.lab.report.html.document import brief, document, write_file
from anglewise.lab.report.html.run import SHORT, page_name, run_page
from anglewise.lab.report.html.themes import Theme, panels_of, themes
from anglewise.lab.report.plots import phase, still, strip
from anglewise.lab.report.plots.bands import CAPTION
from anglewise.lab.report.plots.curves import accuracy, radius, survival, targets
from anglewise.lab.report.plots.panel import web
from anglewise.lab.report.plots.style import FEW_ARMS
from anglewise.lab.report.results import Key, Results, load
from anglewise.lab.report.summary import summary
from anglewise.lab.report.table import Cell, Name, Table

RunPages: TypeAlias = Literal["typical", "all", "none"]
RUNS = 400
"""Runs that the report lists."""
PAGES = 8
"""Arms of which a run has its page without being asked for."""
START = ("radial_energy", "effective_rank", "angular_displacement", "radial_displacement", "weight_norm", "logit_norm")
"""Readings that a newcomer looks at first."""


def write_report(
    reader: Any,
    experiment_id: str | None,
    path: str | os.PathLike[str],
    *,
    command: str | None = None,
    baseline: str | None = None,
    run_pages: RunPages = "none",
    results: Results | None = None,
) -> Path:
    """Write the report of one experiment; an old one is replaced in one move.

    Args:
        reader: A store's reader.
        experiment_id: Which experiment; None where the store holds only one.
        path: Where to; folders are made.
        command: What reproduces the experiment; None for what the store says.
        baseline: The arm that speed-ups refer to; None for the experiment's.
        run_pages: Whose pages are written beside the report and linked there: of each arm's run with the median time,
            of all runs, or of none.  Pages that are there already are linked in any case.
        results: The experiment, where it was loaded already; `experiment_id` and `baseline` then say nothing.

    Returns:
        The path.

    Raises:
        StoreError: If there is no such experiment.
        AnglewiseError: If a file cannot be written.
    """
    path, results = Path(path), load(reader, experiment_id, baseline) if results is None else results
    wanted = {"typical": typical(results), "all": list(results.ended), "none": []}[run_pages]
    for key in wanted:
        write_file(run_page(results, key), path.parent / page_name(results, key))
    there = set(os.listdir(path.parent)) if path.parent.is_dir() else set()
    pages = {key: name for key in results.ended if (name := page_name(results, key)) in there}
    return write_file(page(results, command=command, pages=pages), path)


def typical(results: Results) -> list[Key]:
    """Of each arm, the finished run whose time to generalise is the median, or the one before it."""
    keys = []
    for arm in results.arms[:PAGES]:
        times = sorted((time_of(run, "first") or math.inf, seed) for seed, run in results.finished(arm).items())
        keys += [(arm, times[(len(times) - 1) // 2][1])] if times else []
    return keys


def page(results: Results, *, command: str | None = None, pages: Mapping[Key, str] | None = None) -> str:
    """The whole report as text.

    Args:
        results: The experiment.
        command: What reproduces it; None for what the store says.
        pages: Addresses of the pages of runs, relative to the report's.
    """
    tables, found = summaries(results), answers(results)
    first = tables["first"]
    ran = any(arm.finished for arm in first)
    evaluated = bool(results.curves.get("test_accuracy"))
    curve, circles = results.once("accuracy", accuracy), results.once("radius", radius)
    radii = [web(plot) for plot in circles]
    portraits, (groups, constant) = [phase.web(plot) for plot in phase.data(results)], themes(results)
    curves = web(curve) if evaluated else None
    left = web(survival(results)) if ran and results.threshold else None
    plotted = strip.data(results, found) if ran and results.threshold else None
    names = {name for name, _ in results.readings}
    endings = [(results.labels[arm.arm], arm.outcomes + Counter(missing=arm.missing)) for arm in first]
    reached = any(arm.reached for arm in first)
    told = [*missing(first), *no_control(first, found)] if found and reached else headline(results, tables, found)
    runs, more = _runs(results, pages or {})
    return document(
        "experiment",
        [*filter(None, (curves,)), *radii, *portraits, *filter(None, (left,)), *panels_of(groups)],
        results=results,
        inks=results.inks,
        sections=_sections(ran=ran, curves=evaluated, portraits=bool(portraits), runs=len(runs), themes=groups),
        counts=count_of(sum(arm.finished for arm in first), sum(arm.planned for arm in first)),
        answers=found if reached else [],
        lines=told,
        drawings=None if plotted is None else strip.drawings(plotted),
        rows=plotted.rows if plotted is not None else [],
        evaluated=evaluated,
        accuracy=curves,
        stills=[still.draw(plot) for plot in (curve, *circles[:1])] if evaluated else [],
        survival=left,
        caption=CAPTION,
        few=len(results.arms) <= FEW_ARMS,
        several=len(results.seeds(results.arms[0])) > 1,
        radii=radii,
        spread=bool(names & {"radius_q05", "radius_q95"}),
        balance="balance_radius" in names,
        target=any(targets(results, arm, panel.site) for arm in results.arms for panel in radii),
        portraits=portraits,
        ran=ran,
        tables=[summary(results, criterion, tables[criterion]) for criterion in CRITERIA],
        endings=endings,
        kinds=[kind for kind in (*MEANINGS, "missing") if any(counted[kind] for _, counted in endings)]
        + sorted({kind for _, counted in endings for kind in counted} - {*MEANINGS, "missing"}),
        runs=runs,
        more=more,
        pages=pages,
        themes=groups,
        constant=constant,
        start=[part for theme in groups for part in theme.parts if part.name in START],
        reached=reached,
        settings=settings(results),
        shared={key: results.spec[key] for key in ("task", "model", "training") if key in results.spec},
        specification=json.dumps(results.spec, indent=2, ensure_ascii=False),
        command=results.command if command is None else command,
        provenance=provenance(results),
    )


class RunRow(NamedTuple):
    """A finished run in the report's list."""

    ink: int
    label: str
    arm: str
    seed: int
    outcome: str
    first: int | None
    sustained: int | None
    steps: int
    seconds: float
    id: str
    page: str


def _runs(results: Results, pages: Mapping[Key, str]) -> tuple[list[RunRow], int]:
    """The finished runs, at most so many, and how many more there are."""
    rows = [
        RunRow(results.arms.index(key[0]), results.labels[key[0]], *key, run.outcome, run.first, run.sustained,
               run.steps, run.seconds, results.runs.get(key, "")[:SHORT], pages.get(key, ""))
        for key in results.planned
        if (run := results.ended.get(key)) is not None
    ]  # fmt: skip
    return rows[:RUNS], max(0, len(rows) - RUNS)


def _sections(*, ran: bool, curves: bool, portraits: bool, runs: int, themes: Sequence[Theme]) -> list[tuple[str, str]]:
    """Ids and names of the page's parts."""
    readings = sum(len(theme.parts) for theme in themes)
    parts = [
        ("answer", "Answer", True),
        ("times", "Times", True),
        ("endings", "How runs ended", True),
        ("curves", "Learning curves", curves),
        ("radius", "Radius", True),
        ("portrait", "Phase portrait", portraits),
        ("runs", f"Runs ({runs})", ran),
        ("readings", f"Readings ({readings})", bool(themes)),
        ("settings", "Settings", True),
        ("reproduce", "Reproduce", True),
    ]
    return [(id, name) for id, name, there in parts if there]


def settings(results: Results) -> Table:
    """Hyper-parameters of all arms side by side; rows that differ between arms are marked."""
    arms = [arm for arm in results.spec.get("arms", ()) if isinstance(arm, Mapping)]
    columns = [_hyper_parameters(arm.get("methods", ())) for arm in arms]
    keys = list(dict.fromkeys(key for column in columns for key in column))
    rows: list[list[Cell]] = [[Name(key), *(column.get(key, DASH) for column in columns)] for key in keys]
    marked = frozenset(i for i, row in enumerate(rows) if len(set(row[1:])) > 1)
    return Table(
        ["", *(str(arm.get("name")) for arm in arms)], rows, "Arms; rows that differ are marked", marked=marked
    )


def _hyper_parameters(methods: Sequence[Any]) -> dict[str, str]:
    values: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for method in methods:
        name = str(method.get("is", "method"))
        seen[name] += 1
        prefix = name if seen[name] == 1 else f"{name} #{seen[name]}"
        fields = {f"{prefix}.{key}": brief(value) for key, value in method.items() if key != "is"}
        values |= fields or {prefix: "yes"}
    return values


def provenance(results: Results) -> Table:
    """Where the numbers come from; a value that differs between runs says for how many it holds."""
    rows = []
    for key, counts in results.provenance.items():
        values = [f"{value} ({n} runs)" if len(counts) > 1 else value for value, n in counts.most_common(3)]
        more = f"; {len(counts) - 3} more values" if len(counts) > 3 else ""
        rows.append((Name(key), "; ".join(values) + more))
    return Table(("", ""), rows)
