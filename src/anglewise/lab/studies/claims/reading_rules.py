"""Rules on what was read of the networks: a ratio between two arms, a level of one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np

from anglewise.errors import SpecError
from anglewise.lab.report.format import number
from anglewise.lab.stats.estimate import mean_interval
from anglewise.lab.studies.claims.decision import (
    Decision,
    Word,
    ends,
    exponential,
    margin,
    quoted,
    settled,
    shortfall,
    undecided,
)
from anglewise.lab.studies.claims.rows import Curve, Sample

At: TypeAlias = Literal["start", "early", "mean", "end", "equal loss"]
LOSS = "hessian_loss"
"""The training loss that is read together with the curvature."""


@dataclasses.dataclass(frozen=True)
class Read:
    """What is read of a run, and when.

    Args:
        name: Of the value, for instance ``radius``.
        site: Where; empty for the whole network.
        at: ``start``: the first measurement; ``early``: the second; ``mean``: over all after the first; ``end``: the
            last; ``equal loss``: the first at which the training loss is at or below the least that both arms of the
            pair reach.
    """

    name: str
    site: str = ""
    at: At = "end"

    def of(self, curve: Curve) -> float:
        """The number; NaN where there is none."""
        values = curve.values
        if self.at == "start":
            return float(values[0])
        if self.at == "early":
            return float(values[1]) if len(values) > 1 else math.nan
        later = values[1:] if self.at == "mean" else values[-1:]
        later = later[np.isfinite(later)]
        return float(later.mean()) if later.size else math.nan

    @property
    def called(self) -> str:
        """In words."""
        where = f" at {self.site}" if self.site else ""
        when = {
            "start": "before the first step", "early": "early in training", "mean": "on average over training",
            "end": "at the end", "equal loss": "at equal training loss",
        }[self.at]  # fmt: skip
        return f"{self.name.replace('_', ' ')}{where}, {when}"


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Something read of one arm is larger, or smaller, than of another: the paired ratio.

    Args:
        read: What, where and when.
        arm: The arm.
        baseline: What it is compared with.
        claimed: The ratio that was claimed: at least (if `larger`) or at most.
        larger: Whether the arm's is claimed to be the larger one.
        least: Ratio that the interval must lie beyond.
    """

    read: Read
    arm: str
    baseline: str
    claimed: float
    larger: bool
    least: float = 1.0

    @property
    def arms(self) -> tuple[str, ...]:
        """Both."""
        return (self.baseline, self.arm)

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """The geometric mean of paired ratios with Student's interval on the logarithm."""
        logs = [math.log(own / base) for base, own in _both(sample, self.read, self.arms) if min(own, base) > 0]
        unit = f"times the {self.read.called}"
        if not logs:
            return undecided(sample, self.arms, 0, least_pairs, unit)
        estimate = exponential(mean_interval(logs, len(logs)))
        says = f"{quoted(self.arm)} had {ends(estimate)} times the {self.read.called} of {quoted(self.baseline)}."
        word = margin(estimate, self.claimed, self.least, self.larger)
        short = shortfall(sample, self.arms, len(logs), least_pairs)
        return settled(word, estimate, unit, len(logs), says, short=short, claimed=number(self.claimed))


@dataclasses.dataclass(frozen=True)
class Close:
    """Something read of two arms is alike: the paired ratio lies within a factor.

    Supported where the whole interval does, refuted where none of it does.

    Args:
        read: What, where and when.
        arm, baseline: The two.
        within: The factor, above 1.
    """

    read: Read
    arm: str
    baseline: str
    within: float

    @property
    def arms(self) -> tuple[str, ...]:
        """Both."""
        return (self.baseline, self.arm)

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """The paired ratio against both ends of the range."""
        pair = Ratio(self.read, self.arm, self.baseline, 1.0, True).decide(sample, least_pairs)
        estimate = pair.estimate
        needs = shortfall(sample, self.arms, pair.n, least_pairs)
        if estimate is None or estimate.low is None or estimate.high is None or needs:
            return pair._replace(word="inconclusive", needs=needs or "more seeds")
        word: Word = "inconclusive"
        if 1 / self.within < estimate.low and estimate.high < self.within:
            word = "supported"
        elif estimate.low > self.within or estimate.high < 1 / self.within:
            word = "refuted"
        needs = "more seeds: the interval crosses an end of the range" if word == "inconclusive" else ""
        return pair._replace(word=word, needs=needs)


@dataclasses.dataclass(frozen=True)
class Level:
    """Something read of an arm lies above, or below, a level.

    Args:
        read: What, where and when.
        arm: The arm.
        claimed: The level.
        larger: Whether it is claimed to lie above.
        factor: What the reading is multiplied with before.
        unit: What the number then counts; empty for the reading's name.
    """

    read: Read
    arm: str
    claimed: float
    larger: bool
    factor: float = 1.0
    unit: str = ""

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.read.at == "equal loss":
            raise SpecError(f"{self.read.name} of one arm cannot be read at equal loss, which takes two: use Ratio")

    @property
    def arms(self) -> tuple[str, ...]:
        """The one."""
        return (self.arm,)

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """The mean over seeds with Student's interval."""
        found = []
        for seed in sample.of(self.arm):
            curve = sample.curve(self.arm, seed, self.read.name, self.read.site)
            if curve is not None and math.isfinite(x := self.read.of(curve)):
                found.append(self.factor * x)
        unit = self.unit or self.read.called
        if not found:
            return undecided(sample, self.arms, 0, least_pairs, unit)
        estimate = mean_interval(found, len(found))
        says = f"{quoted(self.arm)}: {ends(estimate)} ({unit})."
        word = margin(estimate, self.claimed, self.claimed, self.larger)
        short = shortfall(sample, self.arms, len(found), least_pairs)
        return settled(word, estimate, unit, len(found), says, short=short, claimed=number(self.claimed))


def _both(sample: Sample, read: Read, arms: tuple[str, ...]) -> Iterator[tuple[float, float]]:
    """Numbers of two arms, seed by seed, where both have one."""
    for seed in sorted(sample.of(arms[0]).keys() & sample.of(arms[1]).keys()):
        curves = [sample.curve(arm, seed, read.name, read.site) for arm in arms]
        if curves[0] is None or curves[1] is None:
            continue
        if read.at == "equal loss":
            pair = _matched(sample, arms, seed, (curves[0], curves[1]))
        else:
            pair = (read.of(curves[0]), read.of(curves[1]))
        if pair is not None and all(map(math.isfinite, pair)):
            yield pair


def _matched(
    sample: Sample, arms: tuple[str, ...], seed: int, curves: tuple[Curve, Curve]
) -> tuple[float, float] | None:
    """Numbers of both arms where the training loss first falls to the least that both reach; None without losses."""
    losses = [sample.curve(arm, seed, LOSS, "") for arm in arms]
    if losses[0] is None or losses[1] is None:
        return None
    reached = [loss.values[np.isfinite(loss.values)] for loss in losses if loss is not None]
    if not all(values.size for values in reached):
        return None
    level = max(float(np.min(values)) for values in reached)
    pair = []
    for loss, curve in zip(losses, curves, strict=True):
        assert loss is not None
        at = loss.steps[np.flatnonzero(loss.values <= level)[0]]
        here = np.flatnonzero(curve.steps == at)
        if not here.size:
            return None
        pair.append(float(curve.values[here[0]]))
    return pair[0], pair[1]
