r"""Pace: what each run showed last, how fast training goes, and the time left.

.. math:: \text{time of an arm} = \text{compiling} + \text{steps} \, (\text{training per step} + \text{rest per step})

The rest is measuring and storing.  An arm's programs are compiled during its first run: at its start, at its first
measurements and at its end.  So what that run takes beyond its steps says nothing about the arm's later runs.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean, median
from typing import NamedTuple

import numpy as np


class Share(NamedTuple):
    """What updates took: seconds since the update before, those of them in the training program, steps trained."""

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
    """Splits the time between updates, in seconds of a clock, into training, the rest, and compiling."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock, self.last = clock, clock()
        self.seconds: dict[tuple[str, int], float] = {}
        self.first: dict[str, int] = {}
        self.arms: dict[str, Share] = {}
        self.segment, self.of = Share(), ""
        self.compiling: dict[str, list[Share]] = {}
        self.usual = Share()

    def note(self, arm: str, seed: int, step: int, steps: int, seconds: float) -> None:
        """A run was updated at `step`, so many `steps` after its update before.

        `seconds` are those in its training program since its start, compilation not counted.  Where several runs train
        together, they are this run's share.
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
    """What one run showed last, or the median of several; NaN where nothing was shown."""

    step: float
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


@dataclasses.dataclass
class Arm:
    """One arm's seeds: how many are planned, how many needed no training, and those that train or have ended."""

    name: str
    total: int
    before: int
    running: dict[int, Seed] = dataclasses.field(default_factory=dict)
    ended: dict[int, Seed] = dataclasses.field(default_factory=dict)
    outcomes: Counter[str] = dataclasses.field(default_factory=Counter)

    @property
    def done(self) -> int:
        """Seeds that need no training any more."""
        return self.before + len(self.ended)

    @property
    def waiting(self) -> int:
        """Seeds that have not begun."""
        return self.total - self.done - len(self.running)

    @property
    def now(self) -> Seed:
        """Medians over the seeds that are training, or over the ended ones when none is."""
        shown = list((self.running or self.ended).values())
        sites = dict.fromkeys(site for seed in shown for site in seed.radius)
        return Seed(
            _median(seed.step for seed in shown),
            _median(seed.train_accuracy for seed in shown),
            _median(seed.test_accuracy for seed in shown),
            {site: _median(seed.radius.get(site, np.nan) for seed in shown) for site in sites},
        )


class Tally:
    """Counts progress events; draws nothing.

    Args:
        arms: What is planned.
        budget: Steps at most.
        clock: Seconds, for the pace.
    """

    def __init__(self, arms: Iterable[Arm], budget: int, clock: Callable[[], float] = time.monotonic):
        self.arms, self.budget, self.pace = {arm.name: arm for arm in arms}, budget, Pace(clock)

    def update(self, arm: str, seed: int, now: Seed, steps: int, seconds: float) -> None:
        """A seed shows this, so many steps after its update before; `seconds` as for :meth:`Pace.note`."""
        self.arms[arm].running[seed] = now
        self.pace.note(arm, seed, int(now.step), steps, seconds)

    def finish(self, arm: str, seed: int, outcome: str) -> None:
        """A seed has ended."""
        runs = self.arms[arm]
        runs.ended[seed] = runs.running.pop(seed, Seed(self.budget, np.nan, np.nan, {}))
        runs.outcomes[outcome] += 1

    @property
    def done(self) -> bool:
        """Whether nothing is left to train."""
        return not any(arm.waiting or arm.running for arm in self.arms.values())

    def left(self) -> Left | None:
        """How long it may take, None before the first step.

        A seed is expected to take as many steps as its arm's ended seeds took on average, those that took fewer than
        it has taken left out; where all took fewer, a quarter more than it has taken.  An arm without an ended seed is
        expected to take as long as those of the other arms.
        """
        if self.pace.steps_per_second is None:
            return None
        everywhere = [seed.step for arm in self.arms.values() for seed in arm.ended.values()]
        about = most = self.pace.to_compile(
            sum(arm.waiting > 0 and arm.name not in self.pace.arms for arm in self.arms.values())
        )
        for arm in self.arms.values():
            ended = [seed.step for seed in arm.ended.values()] or everywhere
            taken = [seed.step for seed in arm.running.values()] + [0.0] * arm.waiting
            each = self.pace.per_step(arm.name)
            about += each * sum(self._ahead(step, ended) for step in taken)
            most += each * sum(self.budget - step for step in taken)
        return Left(about if everywhere else None, most)

    def _ahead(self, step: float, ended: list[float]) -> float:
        """Steps that a seed at this step is expected to take still."""
        longer = [end for end in ended if end > step]
        return float(np.mean(longer)) - step if longer else min(step / 4, self.budget - step)


def _median(values: Iterable[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else np.nan
