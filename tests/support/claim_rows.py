"""Rows and samples of claims that are made by hand, so that the right decision is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from anglewise.lab.studies.claims.rows import Ran, Sample, Value, sample

BUDGET, EVERY, EPOCH = 10_000, 10, 10
WHERE = ("toy", "desk", "likely")
GONE = -1
"""Stands for a run that is missing."""
N = 10
"""Seeds of a sample."""
STEADY = (0.97, 0.98, 0.99, 1.0, 1.01, 1.02, 1.03, 0.99, 1.01, 1.0)
"""Factors that scatter by 2 %."""


def times(median: float, factors: Sequence[float] = STEADY) -> list[int]:
    """Times of ten seeds."""
    return [round(median * x) for x in factors]


def ran(arm: str, seed: int, t: int | None, *, where=WHERE, budget: int = BUDGET, every: int = EVERY, **fields) -> Ran:
    """A run that generalised at step `t`, or never."""
    row = Ran(
        *where, arm, seed, "memorised" if t is None else "grokked", EPOCH, every, budget, 0.9,
        budget if t is None else t, t, t, t, 0.1 if t is None else 0.95, 1.0, 2.0, 5.0, f"{arm}-{seed}",
    )  # fmt: skip
    return row._replace(**fields)


def runs_of(times: Mapping[str, Sequence[int | None]], **fields) -> list[Ran]:
    """Runs by arm: the time of every seed, None for never; :data:`GONE` is left out."""
    return [ran(arm, s, t, **fields) for arm, some in times.items() for s, t in enumerate(some) if t != GONE]


def sample_of(times: Mapping[str, Sequence[int | None]], values: Iterable[Value] = (), **fields) -> Sample:
    """A sample in which all given seeds were planned."""
    planned = {arm: range(len(some)) for arm, some in times.items()}
    return sample(runs_of(times, **fields), values, system="toy", scale="desk", world="likely", planned=planned)


def read(arm: str, seed: int, name: str, points: Mapping[int, float] | float, site: str = "") -> list[Value]:
    """What was read of a run, by step; one number stands for one measurement at step 0."""
    by_step = points if isinstance(points, Mapping) else {0: points}
    return [Value(*WHERE, arm, seed, name, site, step, value) for step, value in by_step.items()]


def readings(numbers: Mapping[str, Sequence[float]], name: str = "x") -> Sample:
    """A sample with one number for every arm and seed."""
    values = [v for arm, some in numbers.items() for s, x in enumerate(some) for v in read(arm, s, name, x)]
    return sample_of({arm: [100] * len(some) for arm, some in numbers.items()}, values)


def log_normal(rng: np.random.Generator, medians: Mapping[str, float], n: int, *, budget: float, spread=0.3, own=0.2):
    """Times of arms on a grid: a seed's own factor, shared by its runs, and a run's own; None beyond the budget."""
    shared = spread * rng.standard_normal(n)
    found = {}
    for arm, median in medians.items():
        exact = median * np.exp(shared + own * rng.standard_normal(n))
        steps = EVERY * np.ceil(exact / EVERY).astype(int)
        found[arm] = [int(t) if t <= budget else None for t in steps]
    return found
