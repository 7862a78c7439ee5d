"""The one timing core: alternatives take turns, and what counts is their ratio within a round.

A machine is never equally fast for long: it heats up, others use it, its clock changes.  So no alternative is timed
alone.  In each *round* all of them are measured, in an order that the next round reverses.  Over such a pair of rounds
each stands as early as late, so a steady drift cancels.  The estimate is the median over rounds of the ratio within a
round, with a 95 % interval from order statistics, which asks nothing of the noise but independent rounds.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from scipy.stats import quantile_test

Value: TypeAlias = "float | Mapping[str, float]"
"""What one measurement gives: a number, or several by name (a whole process, and the same without its start)."""
Measure: TypeAlias = Callable[[], Value]
PAUSE = 0.02
"""Seconds of rest before each measurement: the threads of the one before stop to spin."""


class Summary(NamedTuple):
    """Several measurements of one thing.

    Attributes:
        median: Their median.
        low: Lower end of its 95 % interval; None with fewer than six, which have no such interval.
        high: Upper end.
        least: The smallest.
        most: The largest.
        n: How many.
    """

    median: float
    low: float | None
    high: float | None
    least: float
    most: float
    n: int

    @property
    def half_width(self) -> float | None:
        """Half of the interval's width."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


def summary(values: Sequence[float]) -> Summary:
    """The median of some values with its interval.

    Raises:
        ValueError: If there are none.

    Example:
        >>> summary([3.0, 1.0, 2.0])
        Summary(median=2.0, low=None, high=None, least=1.0, most=3.0, n=3)
    """
    if not values:
        raise ValueError("expected at least one measurement, got none")
    ends = quantile_test(values, p=0.5).confidence_interval(0.95)
    known = not (math.isnan(ends.low) or math.isnan(ends.high))
    low, high = (float(ends.low), float(ends.high)) if known else (None, None)
    return Summary(statistics.median(values), low, high, min(values), max(values), len(values))


def paired(over: Sequence[float], under: Sequence[float]) -> Summary:
    """The ratio `over` / `under`, formed within each round.

    Raises:
        ValueError: If they are not of the same rounds, or of none.
    """
    if len(over) != len(under):
        raise ValueError(f"expected as many rounds on both sides, got {len(over)} and {len(under)}")
    return summary([a / b for a, b in zip(over, under, strict=True)])


def decision(ratio: Summary, limit: float) -> Literal["at most", "above", "cannot decide"]:
    """Whether a ratio is known to be at most a limit, or known to be above it."""
    if ratio.low is None or ratio.high is None:
        return "cannot decide"
    if ratio.high <= limit:
        return "at most"
    return "above" if ratio.low > limit else "cannot decide"


def orders(names: Sequence[str], rounds: int, rng: random.Random) -> Iterator[list[str]]:
    """The order of each round: a random one, then the same reversed, then another random one."""
    order = list(names)
    for turn in range(rounds):
        if turn % 2:
            order = order[::-1]
        else:
            rng.shuffle(order)
        yield list(order)


def interleaved(
    measures: Mapping[str, Measure],
    rounds: int,
    *,
    most_seconds: float = math.inf,
    seed: int = 0,
    pause: float = PAUSE,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, list[float]]:
    """Measure every alternative once per round.

    Args:
        measures: By name; each has been run before, so that nothing is compiled in it.
        rounds: How many rounds.
        most_seconds: No round begins after so long; the first two are always measured where `rounds` has them.
        seed: Of the orders.
        pause: Seconds of rest before each measurement.
        clock: Tells how long it has taken so far.
        sleep: Rests.

    Returns:
        The values by name, one per round.  Where a measurement has several values, each is ``NAME, ITS NAME``.
    """
    values: dict[str, list[float]] = {}
    begun = clock()
    for turn, order in enumerate(orders(list(measures), rounds, random.Random(seed))):
        if turn >= 2 and clock() - begun > most_seconds:
            break
        for name in order:
            sleep(pause)
            value = measures[name]()
            parts = {f"{name}, {key}": part for key, part in value.items()} if isinstance(value, Mapping) else None
            for key, part in ({name: value} if parts is None else parts).items():
                values.setdefault(key, []).append(float(part))
    return {key: values[key] for key in sorted(values, key=lambda key: _place(key, list(measures)))}


def _place(key: str, names: Sequence[str]) -> int:
    """Place of a value among the alternatives as they were given; the longest name that it begins with is its own."""
    return names.index(max((name for name in names if key == name or key.startswith(f"{name}, ")), key=len))


def steps_for(seconds_of: Callable[[int], float], wanted: float, *, least: int = 1) -> int:
    """How many steps take about `wanted` seconds.

    Args:
        seconds_of: Runs so many steps and gives the seconds; it has been run before.
        wanted: Seconds of one measurement.
        least: Steps at least.
    """
    steps = least
    while (seconds := seconds_of(steps)) < wanted / 4 and steps < 2**20:
        steps *= 4
    return max(least, round(steps * wanted / max(seconds, 1e-9)))
