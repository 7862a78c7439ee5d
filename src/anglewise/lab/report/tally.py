"""A tally of an experiment while it trains: what each run showed last, how many have ended, what goes on now."""

from __future__ import annotations

import dataclasses
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any, NamedTuple

from anglewise.lab.report.pace import Ahead, Left, Pace, Seconds, nothing, time_left


class Seed(NamedTuple):
    """What one run showed last, or the median of several; NaN where nothing was shown."""

    step: float
    train_accuracy: float
    test_accuracy: float
    radius: Mapping[str, float]


class Times(NamedTuple):
    """Steps to the threshold of the runs that have ended: median, least and most; infinite for beyond the budget."""

    median: float
    least: float
    most: float
    n: int


@dataclasses.dataclass
class Arm:
    """One arm's seeds: how many are planned, how many needed no training, and those that train or have ended.

    Attributes:
        crossings: Steps to the threshold of the runs that have ended; infinite for beyond the budget.
    """

    name: str
    total: int
    before: int
    running: dict[int, Seed] = dataclasses.field(default_factory=dict)
    ended: dict[int, Seed] = dataclasses.field(default_factory=dict)
    outcomes: Counter[str] = dataclasses.field(default_factory=Counter)
    crossings: list[float] = dataclasses.field(default_factory=list)

    @property
    def done(self) -> int:
        """Seeds that need no training any more."""
        return self.before + len(self.ended)

    @property
    def waiting(self) -> int:
        """Seeds that have not begun."""
        return self.total - self.done - len(self.running)

    @property
    def times(self) -> Times | None:
        """Steps to the threshold so far; None before a run has ended."""
        some = sorted(self.crossings)
        if not some:
            return None
        low, high = some[(len(some) - 1) // 2], some[len(some) // 2]
        return Times((low + high) / 2, some[0], some[-1], len(some))

    @property
    def now(self) -> Seed:
        """Medians over the seeds that are training, or over the ended ones when none is."""
        shown = list((self.running or self.ended).values())
        sites = dict.fromkeys(site for seed in shown for site in seed.radius)
        return Seed(
            _median(seed.step for seed in shown),
            _median(seed.train_accuracy for seed in shown),
            _median(seed.test_accuracy for seed in shown),
            {site: _median(seed.radius.get(site, math.nan) for seed in shown) for site in sites},
        )

    @property
    def ahead(self) -> Ahead:
        """What is left of it."""
        taken = [seed.step for seed in self.running.values()] + [0.0] * self.waiting
        return Ahead(self.name, taken, self.waiting, [seed.step for seed in self.ended.values()])


class Tally:
    """Counts progress events; draws nothing.

    Args:
        arms: What is planned.
        budget: Steps at most.
        threshold: Test accuracy that counts as reached; 0 for none.
        clock: Seconds, for the pace.
        compiled: Seconds that were spent on compiling, in all.
    """

    def __init__(
        self, arms: Iterable[Arm], budget: int, threshold: float = 0.0,
        clock: Seconds = time.monotonic, compiled: Seconds = nothing,
    ):  # fmt: skip
        self.arms = {arm.name: arm for arm in arms}
        self.budget, self.threshold = budget, threshold
        self.pace = Pace(clock, compiled)
        self.to_train = sum(arm.waiting > 0 for arm in self.arms.values())

    def update(self, arm: str, seed: int, now: Seed, steps: int, seconds: float) -> None:
        """A seed shows this, so many steps after its update before; `seconds` as for :meth:`Pace.note`."""
        self.arms[arm].running[seed] = now
        self.pace.note(arm, seed, int(now.step), steps, seconds)

    def finish(self, arm: str, seed: int, outcome: Any) -> None:
        """A seed has ended."""
        runs = self.arms[arm]
        runs.ended[seed] = runs.running.pop(seed, Seed(self.budget, math.nan, math.nan, {}))
        runs.outcomes[outcome.outcome] += 1
        if self.threshold:
            never = outcome.first is None or outcome.outcome == "diverged"
            runs.crossings.append(math.inf if never else outcome.first)

    @property
    def runs(self) -> tuple[int, int]:
        """How many runs are done, of how many."""
        return sum(arm.done for arm in self.arms.values()), sum(arm.total for arm in self.arms.values())

    @property
    def done(self) -> bool:
        """Whether nothing is left to train."""
        return not any(arm.waiting or arm.running for arm in self.arms.values())

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return self.pace.clock() - self.pace.began

    @property
    def state(self) -> str:
        """What goes on now, in words.

        Programs are compiled for an arm before its first step.  So between two runs, and as long as an arm is left
        that has not begun, the next arm is compiled.
        """
        begun = len(self.pace.arms)
        if self.done:
            return "done"
        if not any(arm.running for arm in self.arms.values()) and begun < self.to_train:
            return f"compiling arm {begun + 1} of {self.to_train}"
        return "training"

    def left(self) -> Left | None:
        """How long it may take; None before the first step."""
        left = time_left([arm.ahead for arm in self.arms.values()], self.budget, self.pace)
        return left and left.after(self.pace.clock() - self.pace.last)


def _median(values: Iterable[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(median(finite)) if finite else math.nan
