"""The early-warning study as one page and as a figure for a paper: a row per predictor, a colour per split."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Any, NamedTuple

from anglewise.lab.report.format import label
from anglewise.lab.report.html.document import document, write_file
from anglewise.lab.report.plots.paper import TWO_COLUMNS, checked, save, stroke, styled
from anglewise.lab.report.plots.style import Panel, axes, colour, rule
from anglewise.lab.stats.estimate import Interval
from anglewise.lab.stats.warning_score import FALSE_ALARMS, Score, Split
from anglewise.lab.studies.early_warning.analysis import ASKED, HORIZONS, SPLITS, Study, summary
from anglewise.lab.studies.early_warning.tables import by_task, tables

HELD_OUT = {"seeds": "held-out seeds", "arms": "held-out arms", "tasks": "held-out tasks"}
COMPARED = ("baseline", "reference")
"""Kinds that only serve to compare: hollow marks."""
EDGES = (-0.04, 1.04)
"""Of every axis."""


class Column(NamedTuple):
    """One number of every predictor, with its interval."""

    id: str
    title: str
    of: Callable[[Score], Interval | None]
    line: float


COLUMNS = (
    Column("auc", "AUC, equal steps", lambda score: score.auc_same_step, 0.5),
    Column("twins", "AUC, only seeds differ", lambda score: score.auc_twins, 0.5),
    Column("in-time", "share alarmed in time", lambda score: score.in_time, 0.0),
    Column("lead", "lead over time to generalise", lambda score: score.lead_share, 0.0),
    Column("false-rule", "false alarms, with a rule", lambda score: score.false_structured, FALSE_ALARMS),
    Column("false-random", "false alarms, random labels", lambda score: score.false_control, FALSE_ALARMS),
)


def write_page(made: Study, path: str | os.PathLike[str], command: str = "") -> Path:
    """Write the study as one self-contained page; an old one is replaced in one move.

    Raises:
        AnglewiseError: If the file cannot be written.
    """
    return write_file(page(made, command), path)


def page(made: Study, command: str = "") -> str:
    """The whole page as text.

    Args:
        made: The study.
        command: What reproduces it; empty for none.
    """
    panels = [_forest(made, column) for column in COLUMNS]
    return document(
        "early-warning",
        panels,
        figures=panels,
        summary=summary(made),
        asked=ASKED,
        splits=[HELD_OUT[split] for split in SPLITS],
        tables={horizon: tables(made, horizon) for horizon in HORIZONS},
        by_task=by_task(made),
        command=command,
    )


def save_figure(made: Study, path: str | os.PathLike[str]) -> Path:
    """Draw the study; the ending of `path` (.svg, .pdf or .png) is the format, equal studies give equal bytes in SVG.

    Raises:
        AnglewiseError: If the file cannot be written, or its ending is none of the three.
    """
    path = checked(path)
    with styled():
        return save(figure(made), path)


def figure(made: Study) -> Any:
    """The same as a figure of matplotlib."""
    from matplotlib.figure import Figure

    names = _names(made)
    drawn = Figure(figsize=(TWO_COLUMNS, 0.9 + 0.21 * len(names)), layout="constrained")
    columns = drawn.subplots(1, len(COLUMNS), sharey=True)
    for axis, column in zip(columns, COLUMNS, strict=True):
        axis.set_title(textwrap.fill(column.title, 15), fontsize=7)
        axis.axvline(column.line, color="#888", lw=0.8, ls=":")
        for i, split in enumerate(SPLITS):
            placed = [(s, y + 0.24 * (i - 1), found) for s, y, found in _placed(made, split, column, names)]
            bars = [(*_bar(f), at) for _, at, f in placed]
            x, y = [
                [v for low, high, _ in bars for v in (low, high, nan)],
                [v for *_, at in bars for v in (at, at, nan)],
            ]
            axis.plot(x, y, color=colour(i), lw=0.9)
            for hollow in (False, True):
                shown = [(at, found.value) for score, at, found in placed if (score.kind in COMPARED) == hollow]
                fill = "white" if hollow else colour(i)
                axis.plot(
                    [v for _, v in shown], [at for at, _ in shown], "o", color=colour(i), ms=2.6, mfc=fill, mew=0.7
                )
        axis.set_xlim(*EDGES)
        axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    columns[0].set_yticks(range(len(names)), names)
    columns[0].set_ylim(len(names) - 0.4, -0.6)
    handles = [stroke(colour(i), "-", "o") for i in range(len(SPLITS))]
    drawn.legend(handles, list(HELD_OUT.values()), loc="outside lower center", ncols=len(SPLITS), fontsize=7)
    return drawn


def _forest(made: Study, column: Column) -> Panel:
    names = _names(made)
    data = []
    for i, split in enumerate(SPLITS):
        points = [
            (y + 0.24 * (i - 1), found, score.predictor) for score, y, found in _placed(made, split, column, names)
        ]
        symbols = [
            "circle-open" if score.kind in COMPARED else "circle" for score, *_ in _placed(made, split, column, names)
        ]
        ends = [_bar(found) for _, found, _ in points]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [found.value for _, found, _ in points],
                "y": [y for y, _, _ in points],
                "text": [label(name) for *_, name in points],
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [high - found.value for (_, found, _), (_, high) in zip(points, ends, strict=True)],
                    "arrayminus": [found.value - low for (_, found, _), (low, _) in zip(points, ends, strict=True)],
                    "color": colour(i),
                    "thickness": 1.4,
                    "width": 0,
                },
                "marker": {"color": colour(i), "size": 7, "symbol": symbols},
                "meta": {"arm": i, "layer": "median"},
                "hovertemplate": f"%{{text}}<br>{column.title} %{{x:.2f}}<extra>{HELD_OUT[split]}</extra>",
            }
        )
    layout = axes("", 90 + 26 * len(names), column.title)
    layout["xaxis"] |= {"range": list(EDGES)}
    layout["yaxis"] |= {"tickvals": list(range(len(names))), "ticktext": [label(name) for name in names]}
    layout["yaxis"] |= {"range": [len(names) - 0.4, -0.6]}
    layout["margin"] = layout["margin"] | {"l": 160}
    line = rule(0)
    layout["shapes"] = [line | {"xref": "x", "x0": column.line, "x1": column.line, "yref": "paper", "y0": 0, "y1": 1}]
    return Panel(f"warning-{column.id}", column.title, data, layout)


def _names(made: Study) -> list[str]:
    return list(dict.fromkeys(score.predictor for score in made.scores))


def _placed(made: Study, split: Split, column: Column, names: Sequence[str]) -> list[tuple[Score, int, Interval]]:
    """Scores that have a number in a column, with their row and the number; a lead of most missed is none."""
    found = [(score, names.index(score.predictor), column.of(score)) for score in made.of(split)]
    return [(score, y, value) for score, y, value in found if value is not None and isfinite(value.value)]


def _bar(found: Interval) -> tuple[float, float]:
    """Ends of the bar to draw: of no length without an interval, and to the edge of the axis for a missed alarm."""
    if found.low is None or found.high is None:
        return found.value, found.value
    return max(found.low, EDGES[0]), max(found.high, EDGES[0])
