"""A leaderboard as one page and as a figure: a row per arm, a dot per seed, the median on top."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from anglewise.lab.report.format import label
from anglewise.lab.report.html.document import document
from anglewise.lab.report.html.experiment import provenance
from anglewise.lab.report.plots.paper import TWO_COLUMNS, checked, save, styled
from anglewise.lab.report.plots.style import COLOURS, Panel, axes, packed
from anglewise.lab.report.results import Results
from anglewise.lab.report.runs import Finish, every_of, finishes
from anglewise.lab.report.summary import explained
from anglewise.lab.report.table import Column, Name, Table
from anglewise.lab.studies.leaderboard.analysis import CRITERIA, NOTE, Row, by_criterion, published, ranking, without

SHOWN = ("first", "sustained")
GREY = "#9aa3ad"


def groups_of(rows: Sequence[Row], changes: Mapping[str, str]) -> list[str]:
    """What arms change, in the order of the colours."""
    return list(dict.fromkeys(sorted(changes.get(row.arm, "") or "other" for row in rows)))


def ticks_to(budget: int) -> list[int]:
    """Steps to write at a logarithmic axis that ends at the budget."""
    return [t for t in (10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10000) if t <= budget]


def page(
    results: Results, rows: Sequence[Row], *, track: str = "", changes: Mapping[str, str] = MappingProxyType({}),
    notes: Mapping[str, str] = MappingProxyType({}), found: Mapping[str, str] = MappingProxyType({}),
    refused: Mapping[str, str] = MappingProxyType({}),
) -> str:  # fmt: skip
    """A leaderboard as one self-contained page.

    Args:
        results: The track's experiment.
        rows: Its arms, ranked.
        track: Its name, for published records.
        changes: What each arm changes: the colour of its dots.
        notes: Why an arm stands outside the ranking.
        found: How each arm's setting was found.
        refused: Who has no row, and why.
    """
    runs = finishes(results)
    panels = [_strip(results, rows, runs, criterion, changes) for criterion in SHOWN]
    return document(
        "leaderboard",
        panels,
        results=results,
        figures=panels,
        arms=len(rows),
        finished=sum(row.n for row in rows),
        planned=sum(row.planned for row in rows),
        groups=groups_of(rows, changes),
        ranking=ranking(rows, results.budget, notes, f"{explained(NOTE, every_of(results))} {without(refused)}"),
        orders=orders(rows),
        published=published(track),
        settings=Table(
            ("", Column("", words=True)), [(Name(row.arm), found[row.arm]) for row in rows if row.arm in found]
        ),
        provenance=provenance(results),
    )


def orders(rows: Sequence[Row]) -> Table:
    """The ten fastest arms by each criterion."""
    names = {**CRITERIA, "seconds": "seconds to 95 %"}
    lines = [(Name(names[criterion]), ", ".join(order[:10])) for criterion, order in by_criterion(rows).items()]
    return Table(("", Column("", words=True)), lines, note="The ten fastest by each, by medians.")


def _strip(
    results: Results, rows: Sequence[Row], runs: Sequence[Finish], criterion: str, changes: Mapping[str, str]
) -> Panel:
    """One dot per run, one row per arm."""
    import numpy as np

    groups, names = groups_of(rows, changes), [row.arm for row in rows]
    edge = results.budget * 1.06
    data: list[dict[str, Any]] = []
    for i, row in enumerate(rows):
        own = [run for run in runs if run.arm == row.arm]
        ink = COLOURS[groups.index(changes.get(row.arm, "") or "other") % len(COLOURS)]
        reached = [(getattr(run, criterion), run.seed) for run in own if getattr(run, criterion) is not None]
        never = [run.seed for run in own if getattr(run, criterion) is None]
        for x, seeds, symbol, what in (
            ([t for t, _ in reached], [s for _, s in reached], "circle", "step %{x}"),
            ([edge] * len(never), never, "x-thin-open", "not within the budget"),
        ):
            if seeds:
                jitter = 0.25 * np.sin(12.9898 * np.array(seeds) + 1.7)
                data.append({
                    "type": "scatter", "mode": "markers", "x": packed(np.array(x, float)),
                    "y": packed(i + jitter), "customdata": seeds,
                    "marker": {"color": ink, "size": 5, "symbol": symbol, "opacity": 0.55},
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
    layout["xaxis"] |= {"type": "log", "tickvals": ticks, "ticktext": [f"{t:,}" for t in ticks]}
    layout["xaxis"].pop("rangemode", None)
    layout["yaxis"] |= {"tickvals": list(range(len(names))), "ticktext": [label(name) for name in names]}
    layout["yaxis"] |= {"range": [len(names) - 0.4, -0.6]}
    layout["margin"] = layout["margin"] | {"l": max(90, 20 + 7 * max(map(len, names), default=0))}
    return Panel(f"board-{criterion}", f"{CRITERIA[criterion]}", data, layout)


def save_figure(
    results: Results, rows: Sequence[Row], path: str | os.PathLike[str], changes: Mapping[str, str]
) -> Path:
    """Draw the first crossings for a paper: .svg, .pdf or .png.

    Raises:
        AnglewiseError: If the file cannot be written, or its ending is none of the three.
    """
    from matplotlib.figure import Figure

    path, groups, runs = checked(path), groups_of(rows, changes), finishes(results)
    with styled():
        drawn = Figure(figsize=(TWO_COLUMNS, 0.8 + 0.145 * len(rows)), layout="constrained")
        axis = drawn.subplots()
        for i, row in enumerate(rows):
            ink = COLOURS[groups.index(changes.get(row.arm, "") or "other") % len(COLOURS)]
            own = [run for run in runs if run.arm == row.arm]
            reached = [run.first for run in own if run.first is not None]
            never = len(own) - len(reached)
            axis.plot(reached, [i] * len(reached), "o", color=ink, ms=2.4, alpha=0.5, mew=0)
            middle = row.medians["first"].value if row.medians else math.inf
            if math.isfinite(middle):
                axis.plot([middle, middle], [i - 0.4, i + 0.4], color="#222", lw=1.4)
            if never or not own:
                text = f"{never} of {len(own)} not in budget" if own else "not trained"
                axis.text(results.budget * 1.04, i, text, fontsize=5, va="center", color=GREY)
        axis.set_xscale("log")
        ticks = ticks_to(results.budget)
        axis.set_xticks(ticks, [f"{t:,}" for t in ticks])
        axis.minorticks_off()
        axis.set_yticks(range(len(rows)), [row.arm for row in rows], fontsize=6)
        axis.set_ylim(len(rows) - 0.4, -0.6)
        soonest = min((run.first for run in runs if run.first), default=10)
        axis.set_xlim(0.8 * soonest, 1.9 * results.budget)
        axis.set_xlabel("steps to 95 % test accuracy, first crossing; dots are seeds, bars medians")
        axis.grid(axis="x", color="#ececec", lw=0.6)
        handles = [
            axis.plot([], [], "o", color=COLOURS[i % len(COLOURS)], ms=3, label=name)[0]
            for i, name in enumerate(groups)
        ]
        drawn.legend(handles=handles, loc="outside upper center", ncols=min(len(groups), 5), fontsize=6)
        return save(drawn, path)
