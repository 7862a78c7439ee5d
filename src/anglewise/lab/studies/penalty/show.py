"""What the radial penalty adds, as a table in the terminal, as Markdown, as runs in a file, or as a figure."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anglewise.lab.report.comparison import ArmSummary
from anglewise.lab.report.html.document import write_file
from anglewise.lab.report.labels import spoken
from anglewise.lab.report.plots.inks import ink
from anglewise.lab.report.plots.paper import TWO_COLUMNS, checked, save, styled
from anglewise.lab.report.results import load
from anglewise.lab.report.runs import Runs, runs_of, write_runs
from anglewise.lab.report.summary import ratio
from anglewise.lab.report.table import markdown, printed
from anglewise.lab.studies.leaderboard.show import draw_axes
from anglewise.lab.studies.penalty.analysis import Effect, effects, table
from anglewise.lab.studies.penalty.plan import PenaltyPlan

ENDINGS = (".md", ".csv", ".svg", ".pdf", ".png")


def terminal(plan: PenaltyPlan, reader: Any) -> str:
    """The table for a terminal."""
    runs = runs_of(load(reader, plan.experiment.experiment_id))
    return printed(table(effects(runs, plan.methods), runs))


def facts(plan: PenaltyPlan, reader: Any) -> dict[str, Any]:
    """The effects as values by name: of each method and setting the arms without the penalty and with it."""
    runs = runs_of(load(reader, plan.experiment.experiment_id))
    return {
        "experiment_id": plan.experiment.experiment_id,
        "budget": runs.budget,
        "effects": effects(runs, plan.methods),
    }


def write(plan: PenaltyPlan, reader: Any, to: Path) -> Path:
    """Write the effects; the ending of `to` is the format.

    Raises:
        AnglewiseError: If the file cannot be written.
    """
    runs = runs_of(load(reader, plan.experiment.experiment_id))
    if to.suffix == ".csv":
        return write_file(write_runs(runs.finished), to)
    rows = effects(runs, plan.methods)
    return write_file(markdown(table(rows, runs)), to) if to.suffix == ".md" else save_figure(runs, rows, to)


def finding(measured: Sequence[Effect]) -> str:
    """The title of the figure: at how many settings the interval shows what."""
    ratios = [effect.sides["first"][1] for effect in measured]
    faster = sum(_beyond(side, "\u2264 ", faster=True) for side in ratios)
    slower = sum(_beyond(side, "\u2265 ", faster=False) for side in ratios)
    rest = len(ratios) - faster - slower
    shown = f"faster at {faster} of {len(ratios)} settings, slower at {slower}"
    return f"With the penalty: {shown}, no difference shown at {rest}"


def _beyond(side: ArmSummary, opposed: str, *, faster: bool) -> bool:
    """Whether an interval lies on one side of 1, and its estimate is no bound on the other side."""
    speed = side.speed_up
    if speed is None or speed.low is None or speed.high is None or side.bound == opposed:
        return False
    return round(speed.low, 2) > 1 if faster else round(speed.high, 2) < 1


def save_figure(runs: Runs, measured: Sequence[Effect], path: str | os.PathLike[str]) -> Path:
    """Draw the effects for a paper: .svg, .pdf or .png.

    Raises:
        AnglewiseError: If the file cannot be written, or its ending is none of the three.
    """
    from matplotlib.figure import Figure

    path = checked(path)
    without, penalty = ink().colour, ink("radial penalty").colour
    ways = (("without the penalty", without, "o", -0.16), ("with it", penalty, "D", 0.16))
    with styled():
        drawing = Figure(figsize=(TWO_COLUMNS, 1.5 + 0.27 * len(measured)), layout="constrained")
        axis = drawing.subplots()
        for i, effect in enumerate(measured):
            for j, (_, colour, mark, shift) in enumerate(ways):
                first = [run.first for run in runs.finished if run.arm == effect.arms[j] and run.first is not None]
                axis.plot(first, [i + shift] * len(first), mark, color=colour, ms=2.2, alpha=0.4, mew=0)
                middle = effect.medians[j]
                if middle is not None and math.isfinite(middle.value):
                    axis.plot([middle.value], [i + shift], mark, color=colour, ms=5, mec="white", mew=0.7)
                side = effect.sides["first"][j]
                if never := side.finished - side.reached:
                    text = f"{never} of {side.finished} never"
                    axis.text(1.05 * runs.budget, i + shift, text, fontsize=5, va="center", color=colour)
            if i and effect.method != measured[i - 1].method:
                axis.axhline(i - 0.5, color="#c8ccd0", lw=0.6)
        heads = [f"{spoken(effect.method)}\n" * (effect.found == "alone") for effect in measured]
        names = [f"{head}found {effect.found}" for head, effect in zip(heads, measured, strict=True)]
        firsts = [run.first for run in runs.finished if run.first]
        everybody = all(side.reached == side.finished for effect in measured for side in effect.sides["first"])
        latest = 1.15 * max(firsts, default=runs.budget) if everybody else 1.6 * runs.budget
        title = "steps to 95 % test accuracy, first crossing; small marks are seeds, large ones medians"
        draw_axes(axis, names, runs.budget, (0.85 * min(firsts, default=10), latest), title)
        axis.grid(axis="y", visible=False)
        axis.set_ylim(len(measured) - 0.5, -0.5)
        ratios = [str(ratio(effect.sides["first"][1])) for effect in measured]
        beside = axis.secondary_yaxis("right")
        beside.set_yticks(range(len(measured)), ratios, fontsize=6)
        beside.set_ylabel("times as fast with the penalty [95 %]", fontsize=7)
        drawing.suptitle(finding(measured), x=0.005, ha="left", fontsize=8.5, fontweight="bold")
        handles = [
            axis.plot([], [], mark, color=colour, ms=5, mec="white", mew=0.7, label=name)[0]
            for name, colour, mark, _ in ways
        ]
        drawing.legend(handles=handles, loc="outside lower center", ncols=2)
        return save(drawing, path)
