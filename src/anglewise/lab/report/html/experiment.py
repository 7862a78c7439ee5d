"""The report of an experiment: one HTML file that holds everything and begins with the result."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anglewise.lab.report.comparison import CRITERIA, summaries
from anglewise.lab.report.format import DASH, count_of
from anglewise.lab.report.headline import headline
from anglewise.lab.report.html.document import brief, document, write_file
from anglewise.lab.report.html.themes import panels_of, themes
from anglewise.lab.report.plots import phase
from anglewise.lab.report.plots.bands import CAPTION
from anglewise.lab.report.plots.curves import accuracy, radius, survival, targets
from anglewise.lab.report.plots.panel import web
from anglewise.lab.report.plots.style import FEW_ARMS
from anglewise.lab.report.results import Results, load
from anglewise.lab.report.summary import summary
from anglewise.lab.report.table import Cell, Name, Table


def write_report(
    reader: Any,
    experiment_id: str | None,
    path: str | os.PathLike[str],
    *,
    command: str | None = None,
    baseline: str | None = None,
) -> Path:
    """Write the report of one experiment; an old one is replaced in one move.

    Args:
        reader: A store's reader.
        experiment_id: Which experiment; None where the store holds only one.
        path: Where to; folders are made.
        command: What reproduces the experiment; None for what the store says.
        baseline: The arm that speed-ups refer to; None for the experiment's.

    Returns:
        The path.

    Raises:
        StoreError: If there is no such experiment.
        AnglewiseError: If the file cannot be written.
    """
    return write_file(page(load(reader, experiment_id, baseline), command=command), path)


def page(results: Results, *, command: str | None = None) -> str:
    """The whole report as text."""
    tables = summaries(results)
    first = tables["first"]
    ran = any(arm.finished for arm in first)
    evaluated = bool(results.curves.get("test_accuracy"))
    radii = [web(plot) for plot in radius(results)]
    portraits, groups = [phase.web(plot) for plot in phase.data(results)], themes(results)
    figures = [web(accuracy(results))] if evaluated else []
    figures += radii + portraits + ([web(survival(results))] if ran else [])
    names = {name for name, _ in results.readings}
    return document(
        "experiment",
        figures + panels_of(groups),
        results=results,
        inks=results.inks,
        counts=count_of(sum(arm.finished for arm in first), sum(arm.planned for arm in first)),
        headline=headline(results, tables),
        evaluated=evaluated,
        caption=CAPTION,
        few=len(results.arms) <= FEW_ARMS,
        radii=radii,
        spread=bool(names & {"radius_q05", "radius_q95"}),
        balance="balance_radius" in names,
        target=any(targets(results, arm, panel.site) for arm in results.arms for panel in radii),
        portraits=portraits,
        ran=ran,
        tables=[summary(results, criterion, tables[criterion]) for criterion in CRITERIA],
        endings=[(arm.arm, arm.outcomes + Counter(missing=arm.missing)) for arm in first],
        themes=groups,
        reached=any(run.first is not None for run in results.ended.values()),
        settings=settings(results),
        shared={key: results.spec[key] for key in ("task", "model", "training") if key in results.spec},
        specification=json.dumps(results.spec, indent=2, ensure_ascii=False),
        command=results.command if command is None else command,
        provenance=provenance(results),
    )


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
