r"""What the radial penalty adds to a recipe: at the setting found without it, and at the one found with it.

With :math:`T_s` the steps to the first crossing of seed s, a run that never got there counting as the budget, each
effect is the paired ratio

.. math:: \exp \operatorname{mean}_s \log \frac{T_s^{\text{without}}}{T_s^{\text{with}}},

above 1 where the penalty is faster.  All p-values of a table are Holm-adjusted together.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from anglewise.lab.report.leaderboard_page import ticks_to
from anglewise.lab.report.paper import TWO_COLUMNS, checked, save, styled
from anglewise.lab.report.runs import Runs
from anglewise.lab.report.summary import compare
from anglewise.lab.report.text import DASH, number, plain
from anglewise.lab.report.traces import COLOURS
from anglewise.lab.stats import Interval, holm, median_interval


class Recipe(NamedTuple):
    """Names of a recipe's four arms, (without the penalty, with it), by where the setting was found."""

    name: str
    alone: tuple[str, str]
    joint: tuple[str, str]


class Effect(NamedTuple):
    """The penalty's effect at one setting.

    Attributes:
        recipe: What it is added to.
        found: Where the setting comes from: a search ``alone`` or ``with the penalty``.
        arms: Without the penalty, with it.
        medians: Steps to the first crossing of both, with intervals; infinite beyond the budget.
        reached: Runs of both that got there.
        n: Finished runs of both.
        speed_up: By the penalty, with its interval; None without common seeds.
        bound: What its estimate is where only one of the two spent its budget.
        p_holm: Adjusted p-value.
    """

    recipe: str
    found: str
    arms: tuple[str, str]
    medians: tuple[Interval | None, Interval | None]
    reached: tuple[int, int]
    n: tuple[int, int]
    speed_up: Interval | None
    bound: str
    p_holm: float | None


def effects(runs: Runs, recipes: Sequence[Recipe]) -> list[Effect]:
    """Two effects of every recipe, in order.

    Args:
        runs: Finished runs of the recipes' arms, from a store or a record.
        recipes: Which arms make up a recipe.
    """
    found, ps = [], []
    for recipe in recipes:
        for where, arms in (("alone", recipe.alone), ("with the penalty", recipe.joint)):
            summary = compare(runs.only(arms), "first")[1]
            own = [[run.first for run in runs.of(arm).values()] for arm in arms]
            without, with_it = (median_interval(times) if times else None for times in own)
            reached = [sum(t is not None for t in times) for times in own]
            found.append(
                Effect(
                    recipe.name, where, arms, (without, with_it), (reached[0], reached[1]), (len(own[0]), len(own[1])),
                    summary.speed_up, summary.bound, None,
                )
            )  # fmt: skip
            ps.append(summary.p)
    tested = [i for i, p in enumerate(ps) if p is not None]
    for i, p in zip(tested, holm([ps[i] or 0.0 for i in tested]), strict=True):
        found[i] = found[i]._replace(p_holm=p)
    return found


HEAD = ("recipe", "setting found", "without the penalty (steps)", "with it (steps)", "speed-up [95 %]", "p (Holm)")
NOTE = (
    "Medians of the first crossing with intervals (95 %); > means beyond the budget; in brackets the runs that got "
    "there, where not all did. Speed-up by the penalty: geometric mean of paired ratios, a run that never got there "
    "counting as the budget; sign-flip p, Holm-adjusted over the table."
)


def markdown(found: Sequence[Effect], budget: int) -> str:
    """The table for a README."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for effect in found:
        times = [_median(effect, i, budget) for i in range(2)]
        p = DASH if effect.p_holm is None else number(effect.p_holm, 2)
        cells = [plain(effect.recipe), effect.found, *times, ratio(effect), p]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def ratio(effect: Effect) -> str:
    """A speed-up and its interval as text."""
    own = effect.speed_up
    if own is None:
        return DASH
    ends = "" if own.low is None or own.high is None else f" [{own.low:.2f}, {own.high:.2f}]"
    return f"{effect.bound}{own.value:.2f}{ends}"


def _median(effect: Effect, i: int, budget: int) -> str:
    found = effect.medians[i]
    if found is None:
        return DASH
    text = [f"> {budget:,}" if math.isinf(x) else number(x) for x in (found.value, found.low or 0, found.high or 0)]
    some = f" ({effect.reached[i]} of {effect.n[i]})" if effect.reached[i] < effect.n[i] else ""
    return f"{text[0]} [{text[1]}, {text[2]}]{some}"


def save_figure(runs: Runs, found: Sequence[Effect], path: str | os.PathLike[str]) -> Path:
    """Draw the effects for a paper: .svg, .pdf or .png.

    Raises:
        AnglewiseError: If the file cannot be written, or its ending is none of the three.
    """
    from matplotlib.figure import Figure

    path = checked(path)
    ways = (("without the penalty", COLOURS[0], "o", -0.16), ("with it", COLOURS[1], "D", 0.16))
    with styled():
        drawn = Figure(figsize=(TWO_COLUMNS, 1.3 + 0.27 * len(found)), layout="constrained")
        axis = drawn.subplots()
        for i, effect in enumerate(found):
            for j, (_, ink, mark, shift) in enumerate(ways):
                first = [run.first for run in runs.finished if run.arm == effect.arms[j] and run.first is not None]
                axis.plot(first, [i + shift] * len(first), mark, color=ink, ms=2.2, alpha=0.4, mew=0)
                middle = effect.medians[j]
                if middle is not None and math.isfinite(middle.value):
                    axis.plot([middle.value], [i + shift], mark, color=ink, ms=5, mec="white", mew=0.7)
                never = effect.n[j] - effect.reached[j]
                if never:
                    axis.text(
                        1.05 * runs.budget, i + shift, f"{never} of {effect.n[j]} never", fontsize=5, va="center",
                        color=ink,
                    )  # fmt: skip
            if i and effect.recipe != found[i - 1].recipe:
                axis.axhline(i - 0.5, color="#c8ccd0", lw=0.6)
        axis.set_xscale("log")
        ticks = ticks_to(runs.budget)
        axis.set_xticks(ticks, [f"{t:,}" for t in ticks])
        axis.minorticks_off()
        axis.grid(axis="y", visible=False)
        names = [
            f"{effect.recipe}\nfound {effect.found}" if effect.found == "alone" else f"found {effect.found}"
            for effect in found
        ]
        axis.set_yticks(range(len(found)), names, fontsize=6)
        axis.set_ylim(len(found) - 0.5, -0.5)
        soonest = min((run.first for run in runs.finished if run.first), default=10)
        latest = max((run.first for run in runs.finished if run.first), default=runs.budget)
        everybody = all(effect.reached == effect.n for effect in found)
        axis.set_xlim(0.85 * soonest, 1.15 * latest if everybody else 1.6 * runs.budget)
        axis.set_xlabel("steps to 95 % test accuracy, first crossing; small marks are seeds, large ones medians")
        beside = axis.secondary_yaxis("right")
        beside.set_yticks(range(len(found)), [ratio(effect) for effect in found], fontsize=6)
        beside.set_ylabel("times as fast with the penalty [95 %]", fontsize=7)
        handles = [
            axis.plot([], [], mark, color=ink, ms=5, mec="white", mew=0.7, label=name)[0] for name, ink, mark, _ in ways
        ]
        drawn.legend(handles=handles, loc="outside upper center", ncols=2)
        return save(drawn, path)
