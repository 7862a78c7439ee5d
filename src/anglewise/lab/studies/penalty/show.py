r"""What the radial penalty adds to a recipe: at the setting found without it, and at the one found with it.

With :math:`T_s` the steps to a crossing of seed s, a run that never got there counting as the budget, each effect is
the paired ratio

.. math:: \exp \Bigl(\frac{1}{n} \sum_s \log \frac{T_s^{\text{without}}}{T_s^{\text{with}}}\Bigr),

above 1 where the penalty is faster, of the first crossing and of the sustained one.  All p-values of a column are
Holm-adjusted together.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from anglewise.lab.report.comparison import ArmSummary, adjusted, compare
from anglewise.lab.report.format import Estimate, within
from anglewise.lab.report.plots.paper import TWO_COLUMNS, checked, save, styled
from anglewise.lab.report.plots.style import COLOURS
from anglewise.lab.report.runs import Runs
from anglewise.lab.report.summary import explained, ratio
from anglewise.lab.report.table import Cell, Column, Name, Table
from anglewise.lab.stats import Interval, median_interval
from anglewise.lab.studies.leaderboard.analysis import CROSSINGS, Crossing, held
from anglewise.lab.studies.leaderboard.show import ticks_to


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
        sides: Without the penalty and with it, by crossing (``first``, ``sustained``); the second has the comparison.
    """

    recipe: str
    found: str
    arms: tuple[str, str]
    medians: tuple[Interval | None, Interval | None]
    sides: Mapping[Crossing, tuple[ArmSummary, ArmSummary]]


def effects(runs: Runs, recipes: Sequence[Recipe]) -> list[Effect]:
    """Two effects of every recipe, in order.

    Args:
        runs: Finished runs of the recipes' arms, from a store or a record.
        recipes: Which arms make up a recipe.
    """
    pairs = [
        (recipe.name, where, arms)
        for recipe in recipes
        for where, arms in (("alone", recipe.alone), ("with the penalty", recipe.joint))
    ]
    sides: dict[Crossing, list[tuple[ArmSummary, ArmSummary]]] = {}
    for crossing in CROSSINGS:
        both = [compare(runs.only(arms), crossing) for _, _, arms in pairs]
        with_it = adjusted([second for _, second in both])
        sides[crossing] = [(first, second) for (first, _), second in zip(both, with_it, strict=True)]
    return [
        Effect(
            name, where, arms, (_middle(runs, arms[0]), _middle(runs, arms[1])),
            {crossing: sides[crossing][i] for crossing in CROSSINGS},
        )
        for i, (name, where, arms) in enumerate(pairs)
    ]  # fmt: skip


def _middle(runs: Runs, arm: str) -> Interval | None:
    times = [run.first for run in runs.of(arm).values()]
    return median_interval(times, grid=runs.every) if times else None


HEAD = (
    "recipe", Column("setting found", words=True), "without the penalty (steps)", "with it (steps)",
    "speed-up, first [95 %]", "p, first (Holm)", "speed-up, sustained [95 %]", "p, sustained (Holm)",
)  # fmt: skip
NOTE = (
    "Medians of the first crossing with intervals (95 %); > means beyond the budget; in brackets the runs that got "
    "there, where not all did; held: runs with a sustained crossing, without the penalty and with it. Speed-up by the "
    "penalty (baseline: without it): geometric mean of paired ratios with Student's t on the logarithms, a run that "
    "never got there counting as the budget; sign-flip p, Holm-adjusted over the table."
)


def table(found: Sequence[Effect], runs: Runs) -> Table:
    """Every effect, one a row."""
    rows: list[list[Cell]] = []
    for effect in found:
        first, sustained = effect.sides["first"][1], effect.sides["sustained"]
        rows.append([
            Name(effect.recipe), effect.found, *(_median(effect, i, runs.budget) for i in range(2)),
            ratio(first), first.p_holm,
            ratio(sustained[1], note=held(*sustained)), sustained[1].p_holm,
        ])  # fmt: skip
    return Table(HEAD, rows, note=explained(NOTE, runs.every))


def _median(effect: Effect, i: int, budget: int) -> Estimate:
    side = effect.sides["first"][i]
    some = f" ({side.reached} of {side.finished})" if side.reached < side.finished else ""
    return Estimate(effect.medians[i], within(budget), note=some if effect.medians[i] is not None else "")


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
                side = effect.sides["first"][j]
                never = side.finished - side.reached
                if never:
                    axis.text(
                        1.05 * runs.budget, i + shift, f"{never} of {side.finished} never", fontsize=5, va="center",
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
        everybody = all(side.reached == side.finished for effect in found for side in effect.sides["first"])
        axis.set_xlim(0.85 * soonest, 1.15 * latest if everybody else 1.6 * runs.budget)
        axis.set_xlabel("steps to 95 % test accuracy, first crossing; small marks are seeds, large ones medians")
        beside = axis.secondary_yaxis("right")
        beside.set_yticks(range(len(found)), [str(ratio(effect.sides["first"][1])) for effect in found], fontsize=6)
        beside.set_ylabel("times as fast with the penalty [95 %]", fontsize=7)
        handles = [
            axis.plot([], [], mark, color=ink, ms=5, mec="white", mew=0.7, label=name)[0] for name, ink, mark, _ in ways
        ]
        drawn.legend(handles=handles, loc="outside upper center", ncols=2)
        return save(drawn, path)
