r"""Pace: what each run showed last, how fast training goes, and the time left.

.. math:: \text{time of an arm} = \text{compiling} + \text{steps} \, (\text{training per step} + \text{rest per step})

The rest is measuring and storing.  An arm's programs are compiled during its first run: at its start, at its first
measurements and at its end.  So what that run takes beyond its steps says nothing about the arm's later runs.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from statistics import fmean, median
from typing import NamedTuple

import numpy as np


class Share(NamedTuple):
    """What one or several updates took.

    Args:
        between: Seconds since the update before.
        training: Seconds of them in the training program.
        steps: Steps trained.
    """

    between: float = 0.0
    training: float = 0.0
    steps: int = 0

    @property
    def beside(self) -> float:
        """Seconds that were not training."""
        return max(self.between - self.training, 0.0)

    def plus(self, other: Share) -> Share:
        """Both together."""
        return Share(self.between + other.between, self.training + other.training, self.steps + other.steps)


class Pace:
    """Splits the time between updates into training, the rest, and compiling.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock, self.last = clock, clock()
        self.seconds: dict[tuple[str, int], float] = {}
        self.first: dict[str, int] = {}
        self.arms: dict[str, Share] = {}
        self.segment, self.of = Share(), ""
        self.compiling: dict[str, list[Share]] = {}
        self.usual = Share()

    def note(self, arm: str, seed: int, step: int, steps: int, seconds: float) -> None:
        """A run was updated.

        Args:
            arm: Of the run.
            seed: Of the run.
            step: Its last step.
            steps: How many were trained since its update before.
            seconds: In its training program since its start, compilation not counted; this run's share, where
                several train together.
        """
        now, run = self.clock(), (arm, seed)
        before = self.seconds.get(run, seconds * (1 - steps / step) if step else 0.0)  # it may go on from a checkpoint
        share = Share(now - self.last, seconds - before, steps)
        self.last, self.seconds[run] = now, seconds
        if share.between >= share.training:  # else it trained together with the run before, in the same time
            self._settle()
        self.segment = self.segment.plus(share)
        if self.first.setdefault(arm, seed) == seed:
            self.of = arm
        self.arms[arm] = self.arms.get(arm, Share()).plus(share)

    def _settle(self) -> None:
        """Book the last segment: to an arm whose first run is in it, or as the usual."""
        if self.of:
            self.compiling.setdefault(self.of, []).append(self.segment)
        else:
            self.usual = self.usual.plus(self.segment)
        self.segment, self.of = Share(), ""

    @property
    def steps_per_second(self) -> float | None:
        """Of all runs together, in the training program; None before the first step."""
        steps = sum(share.steps for share in self.arms.values())
        return steps / max(sum(share.training for share in self.arms.values()), 1e-9) if steps else None

    @property
    def rest_per_step(self) -> float:
        """Seconds beside training; until an arm has a second run, the median, which compilation does not move."""
        if self.usual.steps:
            return self.usual.beside / self.usual.steps
        shares = [share for segments in self.compiling.values() for share in segments if share.steps]
        return median(share.beside / share.steps for share in shares) if shares else 0.0

    def per_step(self, arm: str) -> float:
        """Seconds that a step takes, with the rest; the training of all arms where this one has not trained yet."""
        share, pace = self.arms.get(arm, Share()), self.steps_per_second
        training = share.training / share.steps if share.steps else 1 / pace if pace else 0.0
        return training + self.rest_per_step

    def to_compile(self, arms: int) -> float:
        """Seconds to compile for so many arms that have not begun."""
        each = [
            max(sum(share.beside - self.rest_per_step * share.steps for share in segments), 0.0)
            for segments in self.compiling.values()
        ]
        return arms * fmean(each) if each else 0.0


class Seed(NamedTuple):
    """What one run showed last."""

    step: int
    train_accuracy: float
    test_accuracy: float
    radius: Mapping[str, float]


class Left(NamedTuple):
    """Seconds to the end.

    Args:
        about: The estimate; None where no run has ended yet, so that nothing says how soon they end.
        most: If every run took the whole budget.
    """

    about: float | None
    most: float


class Line(NamedTuple):
    """One arm now; medians are over the seeds that are training, or over the ended ones when none is."""

    arm: str
    done: int
    total: int
    running: bool
    step: float | None
    train_accuracy: float | None
    test_accuracy: float | None
    radius: dict[str, float]
    outcomes: Counter[str]


class Tally:
    """Counts progress events; draws nothing.

    Args:
        totals: Seeds planned, by arm.
        done: Seeds that need no training, by arm.
        budget: Steps at most.
        clock: Seconds, for the pace.
    """

    def __init__(
        self,
        totals: Mapping[str, int],
        done: Mapping[str, int],
        budget: int,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.totals, self.before, self.budget = dict(totals), dict(done), budget
        self.running: dict[str, dict[int, Seed]] = {arm: {} for arm in totals}
        self.ended: dict[str, dict[int, Seed]] = {arm: {} for arm in totals}
        self.outcomes: dict[str, Counter[str]] = {arm: Counter() for arm in totals}
        self.pace = Pace(clock)

    def update(self, arm: str, seed: int, now: Seed, steps: int, seconds: float) -> None:
        """A seed shows this.

        Args:
            arm: Its arm.
            seed: Which.
            now: What it shows.
            steps: How many it has trained since its update before.
            seconds: In its training program since its start; see :meth:`Pace.note`.
        """
        self.running[arm][seed] = now
        self.pace.note(arm, seed, now.step, steps, seconds)

    def finish(self, arm: str, seed: int, outcome: str) -> None:
        """A seed has ended."""
        self.ended[arm][seed] = self.running[arm].pop(seed, Seed(self.budget, np.nan, np.nan, {}))
        self.outcomes[arm][outcome] += 1

    @property
    def waiting(self) -> dict[str, int]:
        """Seeds that have not begun, by arm."""
        begun = {arm: self.before.get(arm, 0) + len(self.ended[arm]) + len(self.running[arm]) for arm in self.totals}
        return {arm: total - begun[arm] for arm, total in self.totals.items()}

    @property
    def done(self) -> bool:
        """Whether nothing is left to train."""
        return not any(self.waiting.values()) and not any(self.running.values())

    def left(self) -> Left | None:
        """How long it may take, None before the first step.

        A seed is expected to take as many steps as its arm's ended seeds took on average, those that took fewer than
        it has taken left out; where all took fewer, a quarter more than it has taken.  An arm without an ended seed is
        expected to take as long as those of the other arms.
        """
        if self.pace.steps_per_second is None:
            return None
        everywhere = [seed.step for ended in self.ended.values() for seed in ended.values()]
        new = sum(waiting > 0 and arm not in self.pace.arms for arm, waiting in self.waiting.items())
        about = most = self.pace.to_compile(new)
        for arm, waiting in self.waiting.items():
            ended = [seed.step for seed in self.ended[arm].values()] or everywhere
            running = [seed.step for seed in self.running[arm].values()]
            each = self.pace.per_step(arm)
            about += each * waiting * self._ahead(0, ended) + each * sum(self._ahead(step, ended) for step in running)
            most += each * (waiting * self.budget + sum(self.budget - step for step in running))
        return Left(about if everywhere else None, most)

    def _ahead(self, step: int, ended: list[int]) -> float:
        """Steps that a seed at this step is expected to take still."""
        longer = [end for end in ended if end > step]
        return float(np.mean(longer)) - step if longer else min(step / 4, self.budget - step)

    def line(self, arm: str) -> Line:
        """One arm now."""
        shown = list((self.running[arm] or self.ended[arm]).values())
        sites = dict.fromkeys(site for seed in shown for site in seed.radius)
        return Line(
            arm,
            self.before.get(arm, 0) + len(self.ended[arm]),
            self.totals[arm],
            bool(self.running[arm]),
            _median([s.step for s in shown]),
            _median([s.train_accuracy for s in shown]),
            _median([s.test_accuracy for s in shown]),
            {site: _number(_median([s.radius.get(site, np.nan) for s in shown])) for site in sites},
            self.outcomes[arm],
        )


def _median(values: list[float] | list[int]) -> float | None:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else None


def _number(value: float | None) -> float:
    return np.nan if value is None else value
