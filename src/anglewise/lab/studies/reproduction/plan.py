r"""Rivals held against their own numbers: does a setting that others published give here what they report?

For each, the ratio of our median to theirs,

.. math:: q = \frac{T}{\operatorname{clip}(T, [\ell, u])}

with T our median number of steps and :math:`[\ell, u]` what they report; :math:`q = 1` within it, and it is the *same*
number where :math:`1/\tau \le q \le \tau` for the tolerance that was set with the experiment.  Ours is shown with its
interval where there are seeds enough for one, with its range otherwise, and with the grid of its evaluations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from anglewise.errors import SpecError, unknown
from anglewise.lab.experiments.reproduce import REPRODUCTIONS, Reproduction
from anglewise.lab.report.comparison import Criterion, time_of
from anglewise.lab.report.format import Estimate, fixed, number, within
from anglewise.lab.report.results import Results, load
from anglewise.lab.report.table import Cell, Column, Name, Table
from anglewise.lab.stats import Interval, censored_median, median_interval

HEAD = (
    "rival", Column("theirs [steps]", words=True), "ours [steps]: median [95 %] or (range)", "runs that got there",
    "ours / theirs", Column("the same?", words=True), Column("why it may differ", words=True),
)  # fmt: skip


class Compared(NamedTuple):
    """One rival at its published setting.

    Attributes:
        name: Of the reproduction.
        made: The experiment, and what they report.
        ours: Our steps, one per finished run in order, None last for beyond the budget.
        ratio: Of ours to theirs, 1 within what they report; infinite where half of ours did not get there.
    """

    name: str
    made: Reproduction
    ours: tuple[float | None, ...]
    ratio: float

    @property
    def median(self) -> Interval:
        """Our median number of steps, infinite for beyond the budget, with its interval."""
        return median_interval(self.ours, grid=self.made.experiment.training.every)

    @property
    def same(self) -> bool:
        """Whether it lies within the tolerance."""
        return 1 / self.made.theirs.tolerance <= self.ratio <= self.made.theirs.tolerance


def chosen(names: Sequence[str]) -> list[str]:
    """Names of reproductions, all for none given.

    Raises:
        SpecError: For an unknown one.
    """
    for name in names:
        if name not in REPRODUCTIONS:
            raise SpecError(unknown("reproduction", name, REPRODUCTIONS))
    return list(names) or list(REPRODUCTIONS)


def compared(name: str, results: Results) -> Compared:
    """A rival's finished runs beside its published number."""
    criterion: Criterion = "sustained" if results.sustain > 1 else "first"
    return from_times(name, [time_of(run, criterion) for run in results.ended.values()])


def from_times(name: str, times: Sequence[float | None]) -> Compared:
    """A rival's times, None for beyond the budget, beside its published number."""
    made = REPRODUCTIONS[name]
    ours = sorted(times, key=lambda t: (t is None, t))
    if not ours:
        return Compared(name, made, (), math.nan)
    (low, high), middle = made.theirs.steps, censored_median(ours)
    return Compared(name, made, tuple(ours), math.inf if middle is None else middle / min(max(middle, low), high))


def read(reader: Any, names: Sequence[str] = ()) -> list[Compared]:
    """Every reproduction that a store holds finished runs of.

    Raises:
        SpecError: For an unknown one.
    """
    there = {row["experiment_id"] for row in reader.query("SELECT DISTINCT experiment_id FROM experiments").to_pylist()}
    ids = {name: REPRODUCTIONS[name].experiment.experiment_id for name in chosen(names)}
    made = [compared(name, load(reader, known)) for name, known in ids.items() if known in there]
    return [one for one in made if one.ours]


def table(rows: Sequence[Compared]) -> Table:
    """Theirs and ours, a row for each."""
    return Table(HEAD, list(map(_row, rows)))


def _row(one: Compared) -> list[Cell]:
    theirs, training, median = one.made.theirs, one.made.experiment.training, one.median
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
