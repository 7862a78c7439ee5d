r"""Pace: how fast each arm trains, and the time that is left.

.. math:: \text{time of a run} = \text{beginning} + \text{steps} \, (\text{training per step} + \text{rest per step})

The rest is measuring and storing.  Compiling comes once for each arm and is counted apart, so it slows no step.
A run may stop early, so its steps are not known before.  Those of an arm are expected from its seeds that have ended;
the range says how far off that may be.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import NamedTuple, TypeAlias

SPREAD = 1.3
"""Three standard errors, where the steps of runs differ by 40 %."""
SOONEST = 0.25
"""The part of the budget that a run takes at least, as long as no run of its arm has ended."""
UNSEEN = 1.3
"""By what factor the cost of an arm may differ from that of the others, as long as it has not trained."""

Seconds: TypeAlias = Callable[[], float]
"""A clock, or a count of seconds that were spent on something."""


def nothing() -> float:
    """Counts nothing."""
    return 0.0


@dataclasses.dataclass
class Spent:
    """What an arm has taken so far, in seconds, with the steps and the beginnings of runs that they were taken for."""

    steps: int = 0
    training: float = 0.0
    rest: float = 0.0
    begun: int = 0
    beginning: float = 0.0
    compiling: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        """Both together."""
        ours, theirs = dataclasses.astuple(self), dataclasses.astuple(other)
        return Spent(*(a + b for a, b in zip(ours, theirs, strict=True)))

    @property
    def per_step(self) -> float:
        """Seconds of one step, with the rest."""
        return max(self.training + self.rest, 0.0) / self.steps if self.steps else 0.0

    @property
    def per_run(self) -> float:
        """Seconds before the first step of a run, compiling left out."""
        return max(self.beginning, 0.0) / self.begun if self.begun else 0.0


class Pace:
    """Splits the time between updates into training, the rest, and compiling.

    Args:
        clock: Seconds.
        compiled: Seconds that were spent on compiling, in all.
    """

    def __init__(self, clock: Seconds = time.monotonic, compiled: Seconds = nothing):
        self.clock, self.compiled = clock, compiled
        self.began = self.last = clock()
        self.seen = compiled()
        self.seconds: dict[tuple[str, int], float] = {}
        self.arms: dict[str, Spent] = {}

    def note(self, arm: str, seed: int, step: int, steps: int, seconds: float) -> None:
        """A run was updated at `step`, so many `steps` after its update before.

        `seconds` are those in its training program since its start, compilation not counted.  Where several runs train
        together, they are this run's share.
        """
        now, run, compiled = self.clock(), (arm, seed), self.compiled()
        begun = run not in self.seconds
        before = self.seconds.get(run, seconds * (1 - steps / step) if step else 0.0)  # it may go on from a checkpoint
        between, training, compiling = now - self.last, seconds - before, compiled - self.seen
        rest = between - compiling - training  # negative for a run that trained together with the one before
        spent = self.arms.setdefault(arm, Spent())
        spent.steps += steps
        spent.training += training
        spent.compiling += compiling
        spent.begun += begun
        if begun and not steps:
            spent.beginning += rest
        else:
            spent.rest += rest
        self.last, self.seen, self.seconds[run] = now, compiled, seconds

    @property
    def all(self) -> Spent:
        """What all arms have taken."""
        return sum(self.arms.values(), Spent())

    @property
    def steps_per_second(self) -> float | None:
        """Of all runs together, in the training program; None before the first step."""
        spent = self.all
        return spent.steps / max(spent.training, 1e-9) if spent.steps else None

    def of(self, arm: str) -> Spent:
        """What an arm has taken, or all arms where it has not trained yet."""
        spent = self.arms.get(arm, Spent())
        return spent if spent.steps else self.all


class Left(NamedTuple):
    """Seconds to the end.

    Attributes:
        low: The least that is expected.
        high: The most that is expected.
        about: The estimate between them; None where no run has ended yet, so that nothing says how soon they end.
    """

    low: float
    high: float
    about: float | None

    def after(self, waited: float) -> Left:
        """The same, so many seconds later; it never says that nothing is left."""
        low, high, about = (x and max(x - waited, x / 10) for x in self)
        return Left(low or 0.0, high or 0.0, about)


class Ahead(NamedTuple):
    """What is ahead of one arm.

    Attributes:
        name: The arm.
        taken: Steps that each run which has not ended has taken; 0 for one that has not begun.
        waiting: How many of them have not begun.
        ended: Steps of the runs that have ended.
    """

    name: str
    taken: Sequence[float]
    waiting: int
    ended: Sequence[float]


def time_left(arms: Sequence[Ahead], budget: int, pace: Pace) -> Left | None:
    """How long it may take; None before the first step.

    A run is expected to take as many steps as its arm's ended runs took on average, those that took fewer than it has
    taken left out; where all took fewer, a quarter more than it has taken.  With n runs ended and m to come the range
    is a factor 1 + 1.3 sqrt(1/n + 1/m) either way.  An arm without an ended run may take the whole budget.

    Args:
        arms: What is ahead of each.
        budget: Steps of a run at most.
        pace: How fast it goes.
    """
    if pace.steps_per_second is None:
        return None
    everywhere = [steps for arm in arms for steps in arm.ended]
    soonest = min([SOONEST * budget, *(steps / 2 for steps in everywhere)])
    low = high = about = expected = most = 0.0
    known = sum(len(arm.ended) for arm in arms if arm.taken)
    coming = sum(len(arm.taken) for arm in arms if arm.ended)
    for arm in arms:
        spent = pace.of(arm.name)
        unsure = 1.0 if arm.name in pace.arms else UNSEEN
        begin = spent.per_run * arm.waiting
        whole = spent.per_step * sum(budget - step for step in arm.taken) + begin
        usual = spent.per_step * sum(_ahead(step, arm.ended or everywhere, budget) for step in arm.taken) + begin
        about += usual
        if arm.ended:
            expected, most = expected + usual, most + whole
        else:
            low += (spent.per_step * sum(max(soonest - step, 0.0) for step in arm.taken) + begin) / unsure
            high += whole * unsure
    if known and coming:
        factor = 1 + SPREAD * math.sqrt(1 / known + 1 / coming)
        low, high = low + expected / factor, high + min(expected * factor, most)
    each, unbegun = _compiling(arms, pace), sum(bool(arm.taken) and arm.name not in pace.arms for arm in arms)
    low, high, about = low + each * unbegun / UNSEEN, high + each * unbegun * UNSEEN, about + each * unbegun
    return Left(low, max(high, low), min(max(about, low), high) if everywhere else None)


def _ahead(step: float, ended: Sequence[float], budget: int) -> float:
    """Steps that a run at this step is expected to take still; nothing is expected where no run has ended."""
    longer = [end for end in ended if end > step]
    return fmean(longer) - step if longer else min(step / 4, budget - step)


def _compiling(arms: Sequence[Ahead], pace: Pace) -> float:
    """Seconds to compile for one arm: those of arms with an ended run, since the last measurement is compiled too."""
    ended = {arm.name for arm in arms if arm.ended}
    each = [spent.compiling for name, spent in pace.arms.items() if name in ended]
    return fmean(each or [spent.compiling for spent in pace.arms.values()] or [0.0])
