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
from anglewise.lab.report.plots.inks import ink
from anglewise.lab.report.plots.paper import TWO_COLUMNS, checked, handle, save, styled
from anglewise.lab.report.plots.style import Panel, axes, rule
from anglewise.lab.stats.estimate import Interval
from anglewise.lab.stats.warning_score import FALSE_ALARMS, Score
from anglewise.lab.studies.early_warning.analysis import ASKED, HORIZONS, SPLITS, Study, summary
from anglewise.lab.studies.early_warning.tables import by_task, estimate, tables

HELD_OUT = {"seeds": "held-out seeds", "arms": "held-out arms", "tasks": "held-out tasks"}
COMPARED = ("baseline", "reference")
"""Kinds that only serve to compare: hollow marks."""
INKS = (ink("weights"), ink("activations"), ink("optimiser or gradient"))
"""Of the splits, which are no arms; the colours of kinds that this study does not train."""
EDGES = (-0.04, 1.04)
"""Of every axis."""


class Column(NamedTuple):
    """One number of every predictor, with its interval, and a line at what knowing nothing gives."""

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


def write_page(study: Study, path: str | os.PathLike[str], command: str = "") -> Path:
    """Write the study as one self-contained page; an old one is replaced in one move.

    Raises:
        AnglewiseError: If the file cannot be written.
    """
    return write_file(page(study, command), path)


def page(study: Study, command: str = "") -> str:
    """The whole page as text.

    Args:
        study: What came out.
        command: What reproduces it; empty for none.
    """
    panels = [_forest(study, column) for column in COLUMNS]
    return document(
        "early-warning",
        panels,
        figures=panels,
        inks=INKS,
        summary=summary(study),
        asked=ASKED,
        splits=[HELD_OUT[split] for split in SPLITS],
        tables={horizon: tables(study, horizon) for horizon in HORIZONS},
        by_task=by_task(study),
        command=command,
    )


def save_figure(study: Study, path: str | os.PathLike[str]) -> Path:
    """Draw the study; the ending of `path` (.svg, .pdf or .png) is the format, equal studies give equal bytes in SVG.

    Raises:
        AnglewiseError: If the file cannot be written, or its ending is none of the three.
    """
    path = checked(path)
    with styled():
        return save(figure(study), path)


def finding(study: Study) -> str:
    """The title of the figure: which predictor ranks runs best on tasks that it has not seen, if any does."""
    scores = [one for one in study.of("tasks") if one.kind not in COMPARED and one.auc_same_step is not None]
    best = max(scores, key=lambda one: _value(one.auc_same_step), default=None)
    if best is None or not isfinite(_value(best.auc_same_step)):
        return ""
    auc = estimate("auc_same_step", best.auc_same_step)
    return f"Of {len(scores)} predictors, {best.predictor} has the highest AUC at equal steps on held-out tasks: {auc}"


def _value(interval: Interval | None) -> float:
    return -1.0 if interval is None or not isfinite(interval.value) else interval.value


def figure(study: Study) -> Any:
    """The same as a figure of matplotlib."""
    from matplotlib.figure import Figure

    names = _names(study)
    drawing = Figure(figsize=(TWO_COLUMNS, 1.25 + 0.21 * len(names)), layout="constrained")
    axes_ = drawing.subplots(1, len(COLUMNS), sharey=True)
    for axis, column in zip(axes_, COLUMNS, strict=True):
        axis.set_title(textwrap.fill(column.title, 15), fontsize=7)
        axis.axvline(column.line, color="#888", lw=0.8, ls=":")
        for i in range(len(SPLITS)):
            bars = _bars(study, i, column, names)
            x = [end for bar in bars for end in (bar.low, bar.high, nan)]
            axis.plot(x, [at for bar in bars for at in (bar.at, bar.at, nan)], color=INKS[i].colour, lw=0.9)
            for hollow in (False, True):
                some = [bar for bar in bars if bar.hollow == hollow]
                x, y = [bar.value for bar in some], [bar.at for bar in some]
                face = "white" if hollow else INKS[i].colour
                axis.plot(x, y, **INKS[i].mark | {"mfc": face}, ls="", ms=2.8, mew=0.7)
        axis.set_xlim(*EDGES)
        axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    drawing.suptitle(textwrap.fill(finding(study), 95), x=0.005, ha="left", fontsize=8.5, fontweight="bold")
    axes_[0].set_yticks(range(len(names)), names)
    axes_[0].set_ylim(len(names) - 0.4, -0.6)
    handles = [handle(one) for one in INKS]
    drawing.legend(handles, list(HELD_OUT.values()), loc="outside lower center", ncols=len(SPLITS), fontsize=7)
    return drawing


def _forest(study: Study, column: Column) -> Panel:
    names = _names(study)
    data = []
    for i, split in enumerate(SPLITS):
        bars = _bars(study, i, column, names)
        error = {
            "type": "data", "symmetric": False, "color": INKS[i].colour, "thickness": 1.4, "width": 0,
            "array": [bar.high - bar.value for bar in bars], "arrayminus": [bar.value - bar.low for bar in bars],
        }  # fmt: skip
        symbols = [INKS[i].shape + "-open" * bar.hollow for bar in bars]
        data.append({
            "type": "scatter", "mode": "markers", "x": [bar.value for bar in bars], "y": [bar.at for bar in bars],
            "text": [label(bar.predictor) for bar in bars], "error_x": error,
            "marker": {"color": INKS[i].colour, "size": 7, "symbol": symbols}, "meta": {"arm": i, "layer": "median"},
            "hovertemplate": f"%{{text}}<br>{column.title} %{{x:.2f}}<extra>{HELD_OUT[split]}</extra>",
        })  # fmt: skip
    layout = axes("", 90 + 26 * len(names), column.title)
    layout["xaxis"] |= {"range": list(EDGES)}
    layout["yaxis"] |= {"tickvals": list(range(len(names))), "ticktext": list(map(label, names))}
    layout["yaxis"] |= {"range": [len(names) - 0.4, -0.6]}
    layout["margin"] = layout["margin"] | {"l": 160}
    upright = {"xref": "x", "x0": column.line, "x1": column.line, "yref": "paper", "y0": 0, "y1": 1}
    layout["shapes"] = [rule(0) | upright]
    return Panel(f"warning-{column.id}", column.title, data, layout)


class Bar(NamedTuple):
    """One number of one predictor as drawn."""

    predictor: str
    hollow: bool
    at: float
    value: float
    low: float
    high: float


def _bars(study: Study, split: int, column: Column, names: Sequence[str]) -> list[Bar]:
    """Predictors that have a number; without an interval the bar has no length, a missed alarm lies at the edge."""
    bars = []
    for score in study.of(SPLITS[split]):
        number = column.of(score)
        if number is None or not isfinite(number.value):
            continue
        ends = (number.value, number.value) if number.low is None or number.high is None else (number.low, number.high)
        at = names.index(score.predictor) + 0.24 * (split - 1)
        bars.append(
            Bar(score.predictor, score.kind in COMPARED, at, number.value, *(max(end, EDGES[0]) for end in ends))
        )
    return bars


def _names(study: Study) -> list[str]:
    return list(dict.fromkeys(score.predictor for score in study.scores))
