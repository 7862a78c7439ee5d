"""How a number of ours is computed from rows: each class is one way, and says so where there is nothing to compute.

A time is the median over seeds with the interval from order statistics.  A reading is the mean over seeds with
Student's interval.  Ratios are geometric means of paired ratios.  Intervals are of 95 %.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal, NamedTuple, Protocol

import numpy as np

from anglewise.lab.report.format import Estimate, fixed, number, within
from anglewise.lab.stats import Interval, mean_interval, median_interval
from anglewise.lab.studies.claims import reading_rules, rules
from anglewise.lab.studies.claims.paper.pool import Pool
from anglewise.lab.studies.claims.paper.systems import PROBES
from anglewise.lab.studies.claims.rows import Crossing, Ran, Sample, median_epochs
from anglewise.lab.studies.claims.worlds import LIKELY

Unit = Literal["epochs", "steps"]
RUNS = {"desk": "not run: no time on two cores", "paper": "not run at full size: no time on two cores"}
"""Where no run is there, by scale."""


class Found(NamedTuple):
    """What a cell of ours holds.

    Attributes:
        cell: What is shown.
        interval: The number with its interval; infinite where the median lies beyond the budget, None for no number.
        n: Runs, or pairs of runs, behind it.
        scale: ``desk`` or ``paper``; empty where nothing was run.
        budget: Steps or epochs beyond which nothing is known.
        bound: ``">= "`` or ``"<= "`` where the number is a bound, ``"~ "`` where both sides were cut off.
    """

    cell: Estimate | str
    interval: Interval | None = None
    n: int = 0
    scale: str = ""
    budget: float = math.inf
    bound: str = ""


class Ours(Protocol):
    """A way to compute a cell."""

    def of(self, pool: Pool) -> Found:
        """The cell from the rows."""


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why there is no number of ours.

    Args:
        text: The reason.
    """

    text: str

    def of(self, pool: Pool) -> Found:
        """The reason, whatever the rows are."""
        return Found(self.text)


@dataclasses.dataclass(frozen=True)
class Known:
    """A number that follows without a run.

    Args:
        text: As it is shown.
        value: The number.
    """

    text: str
    value: float

    def of(self, pool: Pool) -> Found:
        """The number, whatever the rows are."""
        return Found(self.text, Interval(self.value, None, None, "none"))


@dataclasses.dataclass(frozen=True)
class Where:
    """Which runs: the place that all ways below share."""

    system: str = "mlp"
    scale: str = "desk"
    world: str = LIKELY

    def sample(self, pool: Pool) -> Sample:
        """The runs there."""
        return pool.sample(self.system, self.scale, self.world)


MLP = Where()
FULL = Where(scale="paper")
READ = Where("mlp, read")


@dataclasses.dataclass(frozen=True)
class Time:
    """Median time to generalise.

    Args:
        arm: The arm.
        where: Which runs.
        crossing: Which crossing.
        unit: Epochs, or optimiser steps.
    """

    arm: str
    where: Where = MLP
    crossing: Crossing = "sustained"
    unit: Unit = "epochs"

    def of(self, pool: Pool) -> Found:
        """The median, or that it lies beyond the budget, and for how many runs."""
        sample = self.where.sample(pool)
        if self.arm not in sample.planned:
            return Found(RUNS[self.where.scale])
        runs = list(sample.of(self.arm).values())
        interval = median_epochs(sample, self.arm, self.crossing)
        assert interval is not None
        factor = runs[0].epoch if self.unit == "steps" else 1
        interval = scaled(interval, 1 / factor)
        budget = runs[0].budget / runs[0].epoch * factor
        never = sum(t is None for t in sample.times(self.arm, self.crossing).values())
        return _time(interval, budget, never, len(runs), self.where.scale, self.unit)


def _time(interval: Interval, budget: float, never: int, n: int, scale: str, unit: Unit) -> Found:
    """A median time as a cell."""
    if math.isinf(interval.value):
        by = "" if never == n else f" by {never} of {n}"
        return Found(f"not reached in {number(budget)} {unit}{by}", interval, n, scale, budget)
    return Found(Estimate(interval, within(round(budget))), interval, n, scale, budget)


@dataclasses.dataclass(frozen=True)
class Sooner:
    """How many times sooner one arm generalises than another.

    Args:
        baseline, arm: The two.
        where: Which runs.
        crossing: Which crossing.
    """

    baseline: str
    arm: str
    where: Where = MLP
    crossing: Crossing = "sustained"

    def of(self, pool: Pool) -> Found:
        """The geometric mean of paired ratios."""
        sample = self.where.sample(pool)
        if not {self.arm, self.baseline} <= sample.planned.keys():
            return Found(RUNS[self.where.scale])
        found = rules.Sooner(self.arm, self.baseline, 1.0, crossing=self.crossing).decide(sample, 1)
        if found.estimate is None:
            run = sample.any_run()
            text = f"neither generalised in {number(run.budget / run.epoch)} epochs"
            return Found(text if found.n else RUNS[self.where.scale], None, found.n, self.where.scale)
        shown = Estimate(found.estimate, mark=found.bound, unit="x")
        return Found(shown, found.estimate, found.n, self.where.scale, bound=found.bound)


@dataclasses.dataclass(frozen=True)
class Mean:
    """Mean over seeds of something read.

    Args:
        arm: The arm.
        read: What is read, where and when.
        where: Which runs.
        of_all: What the number is a share of, such as the layer's width; 0 for none.  The share is what is compared.
        factor: Scales the number.
        percent: Whether it is shown in percent.
    """

    arm: str
    read: reading_rules.Read
    where: Where = READ
    of_all: float = 0.0
    factor: float = 1.0

    def of(self, pool: Pool) -> Found:
        """The mean with Student's interval."""
        sample = self.where.sample(pool)
        seeds = sample.planned.get(self.arm, ())
        curves = [sample.curve(self.arm, seed, self.read.name, self.read.site) for seed in seeds]
        numbers = [self.factor * self.read.of(curve) for curve in curves if curve is not None]
        numbers = [x for x in numbers if math.isfinite(x)]
        if not numbers:
            return Found(RUNS[self.where.scale])
        interval = mean_interval(numbers, len(numbers))
        unit = f" of {number(self.of_all)}" if self.of_all else ""
        return Found(Estimate(interval, note=unit), scaled(interval, self.of_all), len(numbers), self.where.scale)


def scaled(interval: Interval, of_all: float) -> Interval:
    """An interval as a share, where it is one."""
    if not of_all:
        return interval
    value, low, high = (None if x is None else x / of_all for x in interval[:3])
    assert value is not None
    return Interval(value, low, high, interval.method)


@dataclasses.dataclass(frozen=True)
class Ratio:
    """How many times as large something read is in one arm as in another.

    Args:
        above, below: The arms whose ratio it is.
        read: What is read, where and when.
        where: Which runs.
    """

    above: str
    below: str
    read: reading_rules.Read
    where: Where = READ

    def of(self, pool: Pool) -> Found:
        """The geometric mean of paired ratios."""
        sample = self.where.sample(pool)
        if not {self.above, self.below} <= sample.planned.keys():
            return Found(RUNS[self.where.scale])
        rule = reading_rules.Ratio(self.read, self.above, self.below, 1.0, larger=True)
        found = rule.decide(sample, 1)
        if found.estimate is None:
            return Found(RUNS[self.where.scale])
        return Found(Estimate(found.estimate, unit="x"), found.estimate, found.n, self.where.scale)


@dataclasses.dataclass(frozen=True)
class Passes:
    """Median epoch at which something read first reaches a level.

    Args:
        arm: The arm.
        name, site: What is read, and where.
        level: What it must reach.
        where: Which runs.
    """

    arm: str
    name: str
    site: str
    level: float
    where: Where = READ

    def of(self, pool: Pool) -> Found:
        """The median over seeds, known to the measurements."""
        sample = self.where.sample(pool)
        times: list[float | None] = []
        grid = 0.0
        for seed, run in sample.of(self.arm).items() if self.arm in sample.planned else ():
            curve = sample.curve(self.arm, seed, self.name, self.site)
            if curve is None:
                continue
            passed = curve.steps[np.flatnonzero(curve.values >= self.level)]
            times.append(float(passed[0]) / run.epoch if passed.size else None)
            grid = max(grid, float(np.diff(curve.steps).max(initial=0.0)) / run.epoch)
        if not times:
            return Found(RUNS[self.where.scale])
        run = sample.any_run()
        budget = run.budget / run.epoch
        interval = median_interval(times, grid=grid)
        return _time(interval, budget, sum(t is None for t in times), len(times), self.where.scale, "epochs")


@dataclasses.dataclass(frozen=True)
class Final:
    """Mean test accuracy at the end, in percent.

    Args:
        arm: The arm.
        where: Which runs.
        part: ``final`` for the test examples, ``train`` for the training examples.
    """

    arm: str
    where: Where = MLP
    part: Literal["final", "train"] = "final"

    def of(self, pool: Pool) -> Found:
        """The mean with Student's interval."""
        runs = _runs(self.where.sample(pool), self.arm)
        if not runs:
            return Found(RUNS[self.where.scale])
        interval = mean_interval([100 * getattr(run, self.part) for run in runs], len(runs), bounds=(0, 100))
        return Found(Estimate(interval, lambda x: fixed(x, 1), unit=" %"), interval, len(runs), self.where.scale)


@dataclasses.dataclass(frozen=True)
class Budget:
    """Our budget in epochs.

    Args:
        arm: The arm.
        where: Which runs.
    """

    arm: str
    where: Where = MLP

    def of(self, pool: Pool) -> Found:
        """The budget; it is the same for all seeds."""
        runs = _runs(self.where.sample(pool), self.arm)
        if not runs:
            return Found(RUNS[self.where.scale])
        epochs = runs[0].budget / runs[0].epoch
        return Found(f"{number(epochs)} epochs", Interval(epochs, None, None, "none"), len(runs), self.where.scale)


@dataclasses.dataclass(frozen=True)
class Probed:
    """The Hessian's trace with so many probes, or its relative standard error in percent.

    The error with k probes follows from that with all K: it is sqrt(K / k) times as large.

    Args:
        probes: k.
        relative: Whether it is the relative error.
        arm: The arm.
        where: Which runs.
    """

    probes: int
    relative: bool = False
    arm: str = "decay .001 + penalty"
    where: Where = Where("mlp, probed")

    def of(self, pool: Pool) -> Found:
        """The mean over networks of the trace, with the error that so many probes give; or of the relative error."""
        sample = self.where.sample(pool)
        pairs = []
        for seed in sample.planned.get(self.arm, ()):
            trace, error = (sample.curve(self.arm, seed, f"hessian_trace{end}", "") for end in ("", "_se"))
            if trace is not None and error is not None:
                pairs.append((trace.values[-1], error.values[-1] * math.sqrt(PROBES / self.probes)))
        if not pairs:
            return Found(RUNS[self.where.scale])
        if self.relative:
            shares = mean_interval([100 * error / trace for trace, error in pairs], len(pairs))
            return Found(Estimate(shares, unit=" %"), shares, len(pairs), self.where.scale)
        mean, half = (float(x) for x in np.mean(pairs, axis=0) * (1, 1.96))
        interval = Interval(mean, mean - half, mean + half, "normal")
        return Found(Estimate(interval), interval, len(pairs), self.where.scale)


def _runs(sample: Sample, arm: str) -> list[Ran]:
    """Finished runs of an arm; none where it was not trained."""
    return list(sample.of(arm).values()) if arm in sample.planned else []
