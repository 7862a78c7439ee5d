r"""What training costs: a step in the compiled program, what is done beside it, and the compilation for an arm.

.. math:: \text{time of an arm} = \text{compiling} + \text{steps} \, (\text{training per step} + \text{rest per step})

An arm's programs are compiled during its first run: at its start, at its first measurements and at its end.  So what
that run takes beyond its steps says nothing about the arm's later runs.  The rest is measuring and storing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import fmean, median
from typing import NamedTuple


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
        shares = [share for found in self.compiling.values() for share in found if share.steps]
        return median(share.beside / share.steps for share in shares) if shares else 0.0

    def per_step(self, arm: str) -> float:
        """Seconds that a step takes, with the rest; the training of all arms where this one has not trained yet."""
        share, pace = self.arms.get(arm, Share()), self.steps_per_second
        training = share.training / share.steps if share.steps else 1 / pace if pace else 0.0
        return training + self.rest_per_step

    def to_compile(self, arms: int) -> float:
        """Seconds to compile for so many arms that have not begun."""
        each = [
            max(sum(share.beside - self.rest_per_step * share.steps for share in found), 0.0)
            for found in self.compiling.values()
        ]
        return arms * fmean(each) if each else 0.0
