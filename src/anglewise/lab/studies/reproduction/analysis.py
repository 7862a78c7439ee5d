"""Methods at their published settings: what their authors report, beside what we get.

Ours is shown with its interval where there are seeds enough for one, with its range otherwise, and with the grid of its
evaluations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from anglewise.lab.report.format import Estimate, fixed, number, within
from anglewise.lab.report.table import Cell, Column, Name, Table
from anglewise.lab.spec import Training
from anglewise.lab.stats import Interval, median_interval
from anglewise.lab.stats.reported import Reported

HEAD = (
    "method", Column("theirs [steps]", words=True), "ours [steps]: median [95 %] or (range)", "runs that got there",
    "ours / theirs", Column("the same?", words=True), Column("why it may differ", words=True),
)  # fmt: skip


class Comparison(NamedTuple):
    """One method at its published setting.

    Attributes:
        name: Of the reproduction.
        theirs: What they report.
        training: How we train.
        ours: Our steps, one per finished run in order, None last for beyond the budget.
    """

    name: str
    theirs: Reported
    training: Training
    ours: tuple[float | None, ...]

    @property
    def ratio(self) -> float:
        """Of ours to theirs, 1 within what they report; infinite where half of ours did not get there."""
        return self.theirs.ratio(self.ours)

    @property
    def median(self) -> Interval:
        """Our median number of steps, infinite for beyond the budget, with its interval."""
        return median_interval(self.ours, grid=self.training.every)

    @property
    def same(self) -> bool:
        """Whether the ratio lies within the tolerance."""
        return self.theirs.same(self.ratio)


def table(rows: Sequence[Comparison]) -> Table:
    """Theirs and ours, a row for each."""
    return Table(HEAD, list(map(_row, rows)))


def _row(one: Comparison) -> list[Cell]:
    theirs, training, median = one.theirs, one.training, one.median
    low, high = theirs.steps
    form = within(training.budget)
    shortest, longest = (form(math.inf if t is None else t) for t in (one.ours[0], one.ours[-1]))
    span = f" ({shortest} to {longest})" if median.low is None and shortest != longest else ""
    every = f", evaluated every {training.every}" if training.every > 1 else ""
    return [
        Name(one.name),
        f"{number(low) if low == high else f'{number(low)} to {number(high)}'}: {theirs.of} ({theirs.source})",
        Estimate(median, form, note=span + every),
        f"{sum(t is not None for t in one.ours)} of {len(one.ours)}",
        fixed(one.ratio, 2) if math.isfinite(one.ratio) else "-",
        f"yes, within {theirs.tolerance:g}" if one.same else f"no, beyond {theirs.tolerance:g}",
        theirs.unstated or "-",
    ]
