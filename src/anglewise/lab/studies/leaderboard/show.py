"""A leaderboard in the terminal, as a page, as Markdown, as runs in a file, or as a figure.

In figures a row is an arm, a dot is a seed, and the median stands on top.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from anglewise.lab.report.format import label, number
from anglewise.lab.report.html.document import document, write_file
from anglewise.lab.report.html.experiment import provenance
from anglewise.lab.report.labels import spoken
from anglewise.lab.report.plots.inks import KINDS, Ink, ink, kind_of
from anglewise.lab.report.plots.paper import TWO_COLUMNS, checked, save, styled
from anglewise.lab.report.plots.style import Panel, axes, packed
from anglewise.lab.report.results import Results, load
from anglewise.lab.report.runs import Finish, Runs, every_of, finishes, runs_of, write_runs
from anglewise.lab.report.summary import explained
from anglewise.lab.report.table import Column, Name, Table, markdown, printed
from anglewise.lab.studies.leaderboard.analysis import (
    CRITERIA,
    NARROW,
    NOTE,
    Row,
    by_criterion,
    published,
    ranking,
    without,
)
from anglewise.lab.studies.leaderboard.analysis import rows as rows_of
from anglewise.lab.studies.leaderboard.plan import LeaderboardPlan

ENDINGS = (".html", ".md", ".csv", ".svg", ".pdf", ".png")
SHOWN = ("first", "sustained")
MAIN, OTHERS = (0, 1, 2, 3, 4, 5, 11, 12, 9, 10), (0, 1, 6, 13, 14, 7, 8, 15)
"""Columns of the page's two tables: of the first crossing, and of the others and what came after."""
GREY = "#9aa3ad"


def terminal(plan: LeaderboardPlan, reader: Any) -> str:
    """The table for a terminal."""
    results, rows = _read(plan, reader)
    table = ranking(rows, results.budget, plan.notes, explained(NOTE, every_of(results))).only(NARROW)
    return printed(dataclasses.replace(table, title=results.title)) + without(plan.refused)


def facts(plan: LeaderboardPlan, reader: Any) -> dict[str, Any]:
    """The ranking as values by name: arms, the fastest first, with why one has no place or was not tuned."""
    results, rows = _read(plan, reader)
    arms = [{**row._asdict(), "note": plan.notes.get(row.arm, "")} for row in rows]
    return {
        "experiment_id": results.experiment_id, "baseline": results.baseline, "budget": results.budget, "arms": arms,
        "refused": plan.refused,
    }  # fmt: skip


def write(plan: LeaderboardPlan, reader: Any, to: Path) -> Path:
    """Write a leaderboard; the ending of `to` is the format.

    Raises:
        AnglewiseError: If the file cannot be written.
    """
    results, rows = _read(plan, reader)
    if to.suffix == ".html":
        text = page(
            results, rows, track=plan.track, notes=plan.notes, settings=plan.settings,
            refused=plan.refused,
        )  # fmt: skip
    elif to.suffix == ".md":
        text = markdown(ranking(rows, results.budget, plan.notes)) + without(plan.refused, start="\n", end="\n")
    elif to.suffix == ".csv":
        text = write_runs(finishes(results))
    else:
        return save_figure(runs_of(results), rows, to)
    return write_file(text, to)


def _read(plan: LeaderboardPlan, reader: Any) -> tuple[Results, list[Row]]:
    results = load(reader, plan.experiment.experiment_id)
    rule, n = plan.experiment.training, plan.experiment.task.sizes[0]
    size = min(rule.batch or n, n)
    per_step = float(size) if rule.order == "replacement" or size == n else n / -(-n // size)
    return results, rows_of(runs_of(results), per_step)


def kinds_of(results: Results, rows: Sequence[Row]) -> dict[str, Ink]:
    """The ink of each arm's kind; rows are named, so that arms of one kind need no variants."""
    inks = dict(zip(results.arms, results.inks, strict=True))
    return {row.arm: ink(inks[row.arm].kind) for row in rows}


def legend_of(inks: Mapping[str, Ink]) -> list[Ink]:
    """The kinds that some arms have, in the order of the table of kinds."""
    found = {one.kind: one for one in inks.values()}
    return [found[kind] for kind in KINDS if kind in found]


def ticks_to(budget: int) -> dict[int, str]:
    """Steps to write at a logarithmic axis that ends at the budget, each with its text."""
    steps = (10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10000)
    return {step: f"{step:,}" for step in steps if step <= budget}


def draw_axes(axis: Any, names: Sequence[str], budget: int, limits: tuple[float, float], title: str) -> None:
    """Draw the axes that figures of steps share: one row per name, and logarithmic steps between `limits`."""
    axis.set_xscale("log")
    axis.set_xticks(*zip(*ticks_to(budget).items(), strict=True))
    axis.minorticks_off()
    axis.set_xlim(*limits)
    axis.set_xlabel(title)
    axis.set_yticks(range(len(names)), names, fontsize=6)


def page(
    results: Results, rows: Sequence[Row], *, track: str = "",
    notes: Mapping[str, str] = MappingProxyType({}), settings: Mapping[str, str] = MappingProxyType({}),
    refused: Mapping[str, str] = MappingProxyType({}),
) -> str:  # fmt: skip
    """A leaderboard as one self-contained page.

    Args:
        results: The track's experiment.
        rows: Its arms, ranked.
        track: Its name, for published records.
        notes: Why an arm stands outside the ranking.
        settings: Where each arm's setting comes from.
        refused: Who has no row, and why.
    """
    runs = finishes(results)
    panels = [_strip(results, rows, runs, criterion) for criterion in SHOWN]
    ranked = ranking(rows, results.budget, notes, f"{explained(NOTE, every_of(results))} {without(refused)}")
    return document(
        "leaderboard",
        panels,
        results=results,
        figures=panels,
        arms=len(rows),
        finished=sum(row.n for row in rows),
        planned=sum(row.planned for row in rows),
        inks=legend_of(kinds_of(results, rows)),
        ranking=ranked.only(MAIN),
        others=ranked.only(OTHERS),
        note=ranked.note,
        orders=orders(rows),
        published=published(track),
        settings=Table(
            ("", Column("", words=True)), [(Name(row.arm), settings[row.arm]) for row in rows if row.arm in settings]
        ),
        provenance=provenance(results),
    )


def orders(rows: Sequence[Row]) -> Table:
    """The ten fastest arms by each criterion."""
    names = {**CRITERIA, "seconds": "seconds to 95 %"}
    lines = [(Name(names[criterion]), ", ".join(order[:10])) for criterion, order in by_criterion(rows).items()]
    return Table(("", Column("", words=True)), lines, note="The ten fastest by each, by medians.")


def _strip(results: Results, rows: Sequence[Row], runs: Sequence[Finish], criterion: str) -> Panel:
    """One dot per run, one row per arm."""
    inks, edge = kinds_of(results, rows), results.budget * 1.06
    data: list[dict[str, Any]] = []
    for i, row in enumerate(rows):
        times = [(getattr(run, criterion), run.seed) for run in runs if run.arm == row.arm]
        for reached, symbol, what in (
            (True, inks[row.arm].symbol, "step %{x}"),
            (False, "x-thin-open", "not within the budget"),
        ):
            some = [(edge if time is None else time, seed) for time, seed in times if (time is not None) == reached]
            if some:
                x, seeds = np.array(some, float).T
                data.append({
                    "type": "scatter", "mode": "markers", "x": packed(x),
                    "y": packed(i + 0.25 * np.sin(12.9898 * seeds + 1.7)), "customdata": seeds.astype(int).tolist(),
                    "marker": {"color": inks[row.arm].colour, "size": 5, "symbol": symbol, "opacity": 0.55},
                    "meta": {"arm": 0, "layer": "median"},
                    "hovertemplate": f"{what}<br>seed %{{customdata}}<extra>{label(row.arm)}</extra>",
                })  # fmt: skip
        middle = row.medians[criterion].value if criterion in row.medians else math.inf
        if math.isfinite(middle):
            data.append({
                "type": "scatter", "mode": "lines", "x": [middle, middle], "y": [i - 0.38, i + 0.38],
                "line": {"color": "#222", "width": 2.4}, "meta": {"arm": 0, "layer": "median"},
                "hovertemplate": f"median {middle:g} steps<extra>{label(row.arm)}</extra>",
            })  # fmt: skip
    layout = axes("", 90 + 19 * len(rows), f"steps to {CRITERIA[criterion]} crossing (logarithmic)")
    ticks = ticks_to(results.budget)
    layout["xaxis"] |= {"type": "log", "tickvals": list(ticks), "ticktext": list(ticks.values())}
    layout["xaxis"].pop("rangemode", None)
    layout["yaxis"] |= {"tickvals": list(range(len(rows))), "ticktext": [label(row.arm) for row in rows]}
    layout["yaxis"] |= {"range": [len(rows) - 0.4, -0.6]}
    layout["margin"] = layout["margin"] | {"l": max(90, 20 + 7 * max((len(row.arm) for row in rows), default=0))}
    return Panel(f"steps-{criterion}", CRITERIA[criterion], data, layout)


def finding(rows: Sequence[Row], baseline: str) -> str:
    """The title of the figure: who has the lowest median, and what the baseline has; empty without a median."""
    medians = {row.arm: row.medians["first"].value for row in rows if "first" in row.medians}
    lowest = min(medians.values(), default=math.inf)
    if not math.isfinite(lowest):
        return ""
    best = [spoken(arm) for arm, steps in medians.items() if steps == lowest]
    names = " and ".join(best) if len(best) < 3 else f"{len(best)} arms"
    text = (
        f"{names[0].upper()}{names[1:]} {'has' if len(best) == 1 else 'have'} the lowest median: {number(lowest)} steps"
    )
    own = medians.get(baseline, lowest)
    if own == lowest:
        return text
    return f"{text}. {spoken(baseline)}: {number(own) if math.isfinite(own) else 'beyond the budget'}"


def save_figure(runs: Runs, rows: Sequence[Row], path: str | os.PathLike[str]) -> Path:
    """Draw the first crossings for a paper: .svg, .pdf or .png.

    Args:
        runs: Of a store or of a record.
        rows: Their arms, ranked.
        path: Where to.

    Raises:
        AnglewiseError: If the file cannot be written, or its ending is none of the three.
    """
    from matplotlib.figure import Figure

    path, inks = checked(path), {row.arm: ink(kind_of(row.arm)) for row in rows}
    with styled():
        drawing = Figure(figsize=(TWO_COLUMNS, 1.0 + 0.145 * len(rows)), layout="constrained")
        axis = drawing.subplots()
        for i, row in enumerate(rows):
            reached = [run.first for run in runs.of(row.arm).values() if run.first is not None]
            never = row.n - len(reached)
            axis.plot(reached, [i] * len(reached), **inks[row.arm].mark, ls="", ms=2.6, alpha=0.5, mew=0)
            middle = row.medians["first"].value if row.medians else math.inf
            if math.isfinite(middle):
                axis.plot([middle, middle], [i - 0.4, i + 0.4], color="#222", lw=1.4)
            if never or not row.n:
                text = f"{never} of {row.n} not in budget" if row.n else "not trained"
                axis.text(runs.budget * 1.04, i, text, fontsize=5, va="center", color=GREY)
        soonest = min((run.first for run in runs.finished if run.first), default=10)
        title = f"steps to {100 * runs.threshold:g} % test accuracy, first crossing; dots are seeds, bars medians"
        names = [spoken(row.arm) for row in rows]
        draw_axes(axis, names, runs.budget, (0.8 * soonest, 1.9 * runs.budget), title)
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.grid(axis="x", color="#ececec", lw=0.6)
        if said := finding(rows, runs.baseline):
            drawing.suptitle(said, x=0.005, ha="left", fontsize=8.5, fontweight="bold")
        handles = [axis.plot([], [], **one.mark, ls="", ms=3, label=one.kind)[0] for one in legend_of(inks)]
        drawing.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=6)
        return save(drawing, path)
