r"""What the radial penalty adds to a method: at the setting found without it, and at the one found with it.

With :math:`T_s` the steps to a crossing of seed s, each effect is the paired ratio

.. math:: \exp \Bigl(\frac{1}{n} \sum_s \log \frac{T_s^{\text{without}}}{T_s^{\text{with}}}\Bigr),

above 1 where the penalty is faster, of the first crossing and of the sustained one.  A run that never reached the
threshold counts as the budget.  All p-values of a column are Holm-adjusted together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from anglewise.lab.report.comparison import ArmSummary, adjusted, compare
from anglewise.lab.report.format import Estimate, within
from anglewise.lab.report.runs import Runs
from anglewise.lab.report.summary import explained, ratio
from anglewise.lab.report.table import Cell, Column, Name, Table
from anglewise.lab.stats import Interval, median_interval
from anglewise.lab.studies.leaderboard.analysis import CROSSINGS, Crossing, held


class FourArms(NamedTuple):
    """Names of a method's four arms, (without the penalty, with it), by where the setting was found."""

    name: str
    alone: tuple[str, str]
    joint: tuple[str, str]


class Effect(NamedTuple):
    """The penalty's effect at one setting.

    Attributes:
        method: What the penalty is added to.
        found: Where the setting comes from: a search ``alone`` or ``with the penalty``.
        arms: Without the penalty, with it.
        medians: Steps to the first crossing of both, with intervals; infinite beyond the budget.
        sides: Without the penalty and with it, by crossing (``first``, ``sustained``); the second has the comparison.
    """

    method: str
    found: str
    arms: tuple[str, str]
    medians: tuple[Interval | None, Interval | None]
    sides: Mapping[Crossing, tuple[ArmSummary, ArmSummary]]


def effects(runs: Runs, methods: Sequence[FourArms]) -> list[Effect]:
    """Two effects for every method, in order.

    Args:
        runs: Finished runs of the methods' arms, from a store or a record.
        methods: The arms of each.
    """
    pairs = [
        (method.name, where, arms)
        for method in methods
        for where, arms in (("alone", method.alone), ("with the penalty", method.joint))
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
    "method", Column("setting found", words=True), "without the penalty (steps)", "with it (steps)",
    "speed-up, first [95 %]", "p, first (Holm)", "speed-up, sustained [95 %]", "p, sustained (Holm)",
)  # fmt: skip
SPARE = (HEAD[7], HEAD[6], HEAD[5])
"""Columns that a narrow terminal leaves out, the first of them first."""
NOTE = (
    "Medians of the first crossing with intervals (95 %); > means beyond the budget; in brackets the runs that got "
    "there, where not all did; held: runs with a sustained crossing, without the penalty and with it. Speed-up by the "
    "penalty (baseline: without it): geometric mean of paired ratios with Student's t on the logarithms, a run that "
    "never got there counting as the budget; sign-flip p, Holm-adjusted over the table."
)


def table(measured: Sequence[Effect], runs: Runs) -> Table:
    """Every effect, one a row."""
    rows: list[list[Cell]] = []
    for effect in measured:
        first, sustained = effect.sides["first"][1], effect.sides["sustained"]
        rows.append([
            Name(effect.method), effect.found, *(_median(effect, i, runs.budget) for i in range(2)),
            ratio(first), first.p_holm,
            ratio(sustained[1], note=held(*sustained)), sustained[1].p_holm,
        ])  # fmt: skip
    return Table(HEAD, rows, note=explained(NOTE, runs.every), spare=SPARE)


def _median(effect: Effect, i: int, budget: int) -> Estimate:
    side = effect.sides["first"][i]
    some = f" ({side.reached} of {side.finished})" if side.reached < side.finished else ""
    return Estimate(effect.medians[i], within(budget), note=some if effect.medians[i] is not None else "")
