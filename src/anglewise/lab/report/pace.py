r"""What training costs: a step in the compiled program, what is done beside it, and the beginning of a run.

.. math:: \text{time of a run} = \text{beginning} + \text{steps} \, (\text{training per step} + \text{rest per step})

Compilation falls into the beginning of an arm's first run, and would otherwise be taken for slow steps.  The rest is
what goes into measuring and storing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable


class Pace:
    """Splits the time between two updates into training, rest and beginnings.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock, self.last = clock, clock()
        self.seen: dict[tuple[str, int], float] = {}
        self.training: dict[str, tuple[float, int]] = {}
        self.rest, self.rest_steps = 0.0, 0
        self.first: list[float] = []
        self.later: list[float] = []

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
        between, self.last = now - self.last, now
        before = self.seen.get(run, seconds * (1 - steps / step) if step else 0.0)  # a run may go on from a checkpoint
        trained = seconds - before
        beside = between - trained  # of members that train together, the first is told all the time of a segment
        if run in self.seen:
            self.rest, self.rest_steps = self.rest + beside, self.rest_steps + steps
        else:
            (self.later if arm in self.training else self.first).append(beside)
        self.seen[run] = seconds
        so_far = self.training.get(arm, (0.0, 0))
        self.training[arm] = so_far[0] + trained, so_far[1] + steps

    @property
    def steps_per_second(self) -> float | None:
        """Of all runs together, in the training program; None before the first step."""
        seconds, steps = (sum(part) for part in zip((0.0, 0), *self.training.values(), strict=True))
        return steps / max(seconds, 1e-9) if steps else None

    def per_step(self, arm: str) -> float:
        """Seconds that a step takes, with the rest; those of all arms where this one has not trained yet."""
        seconds, steps = self.training.get(arm, (0.0, 0))
        pace = self.steps_per_second
        training = seconds / steps if steps else 1 / pace if pace else 0.0
        return training + max(self.rest, 0.0) / max(self.rest_steps, 1)

    def beginnings(self, waiting: dict[str, int]) -> float:
        """Seconds to begin runs.

        Args:
            waiting: Number of runs that have not begun, by arm; the first of an arm compiles its program.
        """
        new = sum(arm not in self.training and number > 0 for arm, number in waiting.items())
        return new * _mean(self.first) + (sum(waiting.values()) - new) * _mean(self.later)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return max(sum(found), 0.0) / max(len(found), 1)
