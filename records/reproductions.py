"""Methods at their published settings: our runs, from the rows of a record, beside what others report."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

from anglewise.lab.experiments.reproduce import REPRODUCTIONS
from anglewise.lab.report.format import number
from anglewise.lab.report.runs import Finish, read_runs
from anglewise.lab.report.table import Table, markdown
from anglewise.lab.studies.reproduction.analysis import Comparison, table
from anglewise.lab.studies.reproduction.plan import from_times
from records.rows import joined


@dataclasses.dataclass(frozen=True)
class Reproductions:
    """Runs by method.

    Args:
        runs: The rows; the arm is the method.
        untraced: Numbers of which no rows were kept, by method, as an earlier page gave them.
    """

    runs: tuple[Finish, ...]
    untraced: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, text: str, untraced: Mapping[str, Any]) -> Reproductions:
        """From CSV."""
        made = cls(tuple(read_runs(text)), untraced)
        both = sorted(made.rows.keys() & untraced.keys())
        if both:
            raise ValueError(f"{', '.join(both)} have rows: take them out of the untraced numbers")
        return made

    @functools.cached_property
    def rows(self) -> dict[str, Comparison]:
        """Every method that has rows, in the order of the experiments."""
        return {name: from_times(name, times) for name in REPRODUCTIONS if (times := self._times(name))}

    def _times(self, name: str) -> list[float | None]:
        """Steps by the criterion that the method's experiment names; None for beyond the budget."""
        criterion = "sustained" if REPRODUCTIONS[name].experiment.training.sustain > 1 else "first"
        return [getattr(run, criterion) for run in self.runs if run.arm == name]

    def table(self) -> str:
        """Theirs and ours, of methods with rows."""
        return markdown(table(list(self.rows.values()))).rstrip()

    def untraced_table(self) -> str:
        """Theirs, and numbers of ours that no rows carry."""
        head = ("method", "theirs [steps]", "ours, as an earlier page gave it", "runs that got there")
        rows = [(name, _span(name), own["ours"], own["reached"]) for name, own in self.untraced.items()]
        return markdown(Table(head, rows)).rstrip()

    def undecided(self) -> str:
        """Methods of which the interval of our median (the range, where there are too few runs) holds both verdicts."""
        return joined([name for name, row in self.rows.items() if len({_same(row, t) for t in _ends(row)}) > 1])

    def with_verdict(self, same: bool) -> str:
        """Methods of which our median lies within the tolerance, or does not."""
        return joined([name for name, row in self.rows.items() if row.same is same])


def _ends(row: Comparison) -> list[float]:
    """The lower end, the median and the upper end of our steps; infinite for beyond the budget."""
    ours = [math.inf if t is None else float(t) for t in row.ours]
    low, high = row.median.low, row.median.high
    return [ours[0] if low is None else low, row.median.value, ours[-1] if high is None else high]


def _same(row: Comparison, steps: float) -> bool:
    """Whether a number of steps of ours lies within the tolerance of theirs."""
    if math.isinf(steps):
        return False
    return from_times(row.name, [steps]).same


def _span(name: str) -> str:
    low, high = REPRODUCTIONS[name].theirs.steps
    return number(low) if low == high else f"{number(low)} to {number(high)}"
