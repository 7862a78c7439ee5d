r"""Decision rules: from rows to ``supported``, ``refuted`` or ``inconclusive``, by margins that were fixed before.

A rule asks for an *effect*: a ratio of times, a ratio or a level of something read, or a share of runs.  It has two
margins.  ``claimed`` is the least effect that still counts as what was claimed.  ``least`` is what the interval must
lie beyond, so that there is an effect at all.  With the estimate x and its 95 % interval [l, u], for an effect that is
claimed to be large:

- supported: :math:`x \ge \text{claimed}` and :math:`l > \text{least}`;
- refuted: :math:`u < \text{claimed}`;
- inconclusive otherwise, also with fewer pairs than :data:`PAIRS`, or a planned run that is missing.

Where a run spent its budget, the estimate is a bound.  A bound from above can refute and not support; a bound from
below can support and not refute.  Rules nest: :class:`AllOf` and :class:`AtLeast` decide by the decisions of others.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from anglewise.errors import SpecError
from anglewise.lab.report.format import number, percent
from anglewise.lab.stats import Interval, share, speed_up
from anglewise.lab.stats.estimate import mean_interval
from anglewise.lab.studies.claims.rows import Crossing, Curve, Sample

Word: TypeAlias = Literal["supported", "refuted", "inconclusive"]
PAIRS: Mapping[str, int] = {"likely": 10, "grid": 3}
"""Fewest paired seeds for a decision, in the likely reading and in another world of the grid."""


class Decision(NamedTuple):
    """What a rule says of a sample.

    Attributes:
        word: The verdict.
        estimate: The effect with its interval; None where there is none.
        unit: What the estimate counts, for instance ``times as fast``.
        bound: ``"<= "`` or ``">= "`` where the estimate is a bound, ``"~ "`` where both sides were cut off.
        n: Paired seeds behind it.
        says: One sentence with the numbers.
        needs: What it would take to decide; empty where it is decided.
        parts: Decisions that it rests on, by name.
    """

    word: Word
    estimate: Interval | None
    unit: str
    bound: str
    n: int
    says: str
    needs: str = ""
    parts: tuple[tuple[str, Decision], ...] = ()


@runtime_checkable
class Rule(Protocol):
    """Decides a sample."""

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms that it looks at."""

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """The decision of a sample; `least_pairs` is the fewest paired seeds that decide."""


@dataclasses.dataclass(frozen=True)
class Sooner:
    """One arm generalises sooner than another: the ratio of their times, seed by seed.

    Args:
        arm: The arm that is claimed to be faster.
        baseline: The arm that it is compared with.
        claimed: Least ratio that counts as what was claimed.
        least: Ratio that the interval must lie above.
        crossing: Which crossing of the threshold is the time.
    """

    arm: str
    baseline: str
    claimed: float
    least: float = 1.0
    crossing: Crossing = "sustained"

    @property
    def arms(self) -> tuple[str, ...]:
        """Both."""
        return (self.baseline, self.arm)

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """The ratio of times with Student's interval on its logarithm."""
        base, own = sample.times(self.baseline, self.crossing), sample.times(self.arm, self.crossing)
        seeds = sorted(base.keys() & own.keys())
        if not seeds:
            return _undecided(sample, self.arms, 0, least_pairs, "times as fast")
        run = sample.of(self.arm)[seeds[0]]
        epochs = f"{number(run.budget / run.epoch)} epochs"
        never = [sum(times[seed] is None for seed in seeds) for times in (base, own)]
        bound = {(False, False): "", (True, False): ">= ", (False, True): "<= ", (True, True): "~ "}[
            bool(never[0]), bool(never[1])
        ]
        estimate = speed_up(
            [base[seed] for seed in seeds], [own[seed] for seed in seeds], budget=run.budget, grid=run.every
        )
        short = _short(sample, self.arms, len(seeds), least_pairs)
        if estimate is None:
            return Decision(
                "inconclusive", None, "times as fast", "", len(seeds),
                f"No run of {_named(self.arm)} or {_named(self.baseline)} generalised in {epochs}.",
                short or f"a budget of more than {epochs}: no run of either arm generalised in it",
            )  # fmt: skip
        told = _cut(sample, self, seeds, never, epochs)
        says = f"{_named(self.arm)} was {bound}{ends(estimate)} times as fast as {_named(self.baseline)}{told}."
        word = margin(estimate, self.claimed, self.least)
        if (word == "supported" and bound in ("<= ", "~ ")) or (word == "refuted" and bound in (">= ", "~ ")):
            word, short = "inconclusive", short or f"a budget of more than {epochs}: runs of an arm spent it"
        needs = short or (f"more seeds: the interval holds {number(self.claimed)}" if word == "inconclusive" else "")
        return Decision("inconclusive" if needs else word, estimate, "times as fast", bound, len(seeds), says, needs)


@dataclasses.dataclass(frozen=True)
class Generalises:
    """A share of an arm's runs generalises within the budget, or does not.

    Args:
        arm: The arm.
        share: The share, in (0, 1].
        claimed: Whether at least this share generalises, or at least this share does not.
        crossing: Which crossing counts.
    """

    arm: str
    share: float
    claimed: Literal["does", "does not"] = "does"
    crossing: Crossing = "sustained"

    @property
    def arms(self) -> tuple[str, ...]:
        """The one."""
        return (self.arm,)

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """The share of runs with its exact interval; the share itself decides, the interval is shown."""
        times = list(sample.times(self.arm, self.crossing).values())
        if not times:
            return _undecided(sample, self.arms, 0, least_pairs, "share of runs")
        run = next(iter(sample.of(self.arm).values()))
        did = sum(t is not None for t in times)
        count = did if self.claimed == "does" else len(times) - did
        estimate = share(count, len(times))
        says = (
            f"{did} of {len(times)} runs of {_named(self.arm)} generalised within "
            f"{number(run.budget / run.epoch)} epochs."
        )
        word: Word = "supported" if estimate.value >= self.share else "inconclusive"
        if estimate.high is not None and estimate.high < self.share:
            word = "refuted"
        needs = _short(sample, self.arms, len(times), least_pairs)
        if not needs and word == "inconclusive":
            needs = f"more seeds: the interval holds {percent(self.share)} %"
        return Decision("inconclusive" if needs else word, estimate, "share of runs", "", len(times), says, needs)


At: TypeAlias = Literal["start", "early", "mean", "end", "equal loss"]


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
            return _undecided(sample, self.arms, 0, least_pairs, unit)
        mean = mean_interval(logs, len(logs))
        estimate = exponential(mean)
        says = f"{_named(self.arm)} had {ends(estimate)} times the {self.read.called} of {_named(self.baseline)}."
        needs = _short(sample, self.arms, len(logs), least_pairs)
        word = margin(estimate, self.claimed, self.least, self.larger)
        if not needs and word == "inconclusive":
            needs = f"more seeds: the interval holds {number(self.claimed)}"
        return Decision("inconclusive" if needs else word, estimate, unit, "", len(logs), says, needs)


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
        needs = _short(sample, self.arms, pair.n, least_pairs)
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
            return _undecided(sample, self.arms, 0, least_pairs, unit)
        estimate = mean_interval(found, len(found))
        says = f"{_named(self.arm)}: {ends(estimate)} ({unit})."
        needs = _short(sample, self.arms, len(found), least_pairs)
        word = margin(estimate, self.claimed, self.claimed, self.larger)
        if not needs and word == "inconclusive":
            needs = f"more seeds: the interval holds {number(self.claimed)}"
        return Decision("inconclusive" if needs else word, estimate, unit, "", len(found), says, needs)


@dataclasses.dataclass(frozen=True)
class AllOf:
    """Every part is claimed: supported where all are, refuted where one is.

    Args:
        parts: Rules by what they say, in plain words.
    """

    parts: tuple[tuple[str, Rule], ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """Of all parts, each once."""
        return tuple(dict.fromkeys(arm for _, rule in self.parts for arm in rule.arms))

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """By the parts."""
        return joined(self.parts, len(self.parts), sample, least_pairs)


@dataclasses.dataclass(frozen=True)
class AtLeast:
    """Some parts are claimed: supported where so many are, refuted where so many no longer can be.

    Args:
        count: How many.
        parts: Rules by what they say, in plain words.
    """

    count: int
    parts: tuple[tuple[str, Rule], ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """Of all parts, each once."""
        return tuple(dict.fromkeys(arm for _, rule in self.parts for arm in rule.arms))

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """By the parts."""
        return joined(self.parts, self.count, sample, least_pairs)


def joined(parts: Sequence[tuple[str, Rule]], count: int, sample: Sample, least_pairs: int) -> Decision:
    """The decision where at least `count` of some parts must hold; none while a planned run of any part is missing."""
    decided = tuple((name, rule.decide(sample, least_pairs)) for name, rule in parts)
    words = [decision.word for _, decision in decided]
    held, failed = words.count("supported"), words.count("refuted")
    word: Word = "inconclusive"
    if held >= count:
        word = "supported"
    elif len(words) - failed < count:
        word = "refuted"
    says = " ".join(decision.says for _, decision in decided)
    if sample.missing([arm for _, rule in parts for arm in rule.arms]):
        word = "inconclusive"
    needs = "; ".join(f"{name}: {d.needs}" for name, d in decided if d.needs) if word == "inconclusive" else ""
    first = decided[0][1]
    n = min(decision.n for _, decision in decided)
    return Decision(word, first.estimate, first.unit, first.bound, n, says, needs, decided)


def margin(estimate: Interval, claimed: float, least: float, larger: bool = True) -> Word:
    """The word for an estimate; without an interval there is none.

    Example:
        >>> margin(Interval(4.0, 3.5, 4.6, "t"), claimed=3.0, least=1.5)
        'supported'
        >>> margin(Interval(2.0, 1.6, 2.5, "t"), claimed=3.0, least=1.5)
        'refuted'
        >>> margin(Interval(0.2, 0.1, 0.4, "t"), claimed=0.5, least=1.0, larger=False)
        'supported'
    """
    if estimate.low is None or estimate.high is None:
        return "inconclusive"
    if larger:
        if estimate.value >= claimed and estimate.low > least:
            return "supported"
        return "refuted" if estimate.high < claimed else "inconclusive"
    if estimate.value <= claimed and estimate.high < least:
        return "supported"
    return "refuted" if estimate.low > claimed else "inconclusive"


def exponential(interval: Interval) -> Interval:
    """An estimate on the logarithm as a ratio."""
    low, high = (None if x is None else math.exp(x) for x in (interval.low, interval.high))
    return Interval(math.exp(interval.value), low, high, interval.method)


def ends(interval: Interval) -> str:
    """An estimate and its interval as text.

    Example:
        >>> ends(Interval(2.0, 1.5, 2.6, "t"))
        '2 [1.50, 2.60]'
    """
    if interval.low is None or interval.high is None:
        return f"{number(interval.value)} [no interval]"
    return f"{number(interval.value)} [{number(interval.low)}, {number(interval.high)}]"


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


LOSS = "hessian_loss"
"""The training loss that is read together with the curvature."""


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


def _short(sample: Sample, arms: Sequence[str], n: int, least_pairs: int) -> str:
    """What is missing for a decision: planned runs that are not there, or too few pairs."""
    missing = sample.missing(arms)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return f"the missing runs: {missing[0]}{more}"
    return f"{least_pairs} paired seeds, there are {n}" if n < least_pairs else ""


def _undecided(sample: Sample, arms: Sequence[str], n: int, least_pairs: int, unit: str) -> Decision:
    """The decision without a single number."""
    needs = _short(sample, arms, n, least_pairs)
    return Decision("inconclusive", None, unit, "", n, "There is no number to decide by.", needs)


def _cut(sample: Sample, rule: Sooner, seeds: Sequence[int], never: Sequence[int], epochs: str) -> str:
    """How many runs never got there, as the rest of a sentence."""
    parts = [
        f"{count} of {len(seeds)} runs of {_named(arm)} did not generalise in {epochs}"
        for arm, count in zip(rule.arms, never, strict=True)
        if count
    ]
    return f" ({'; '.join(parts)})" if parts else ""


def _named(arm: str) -> str:
    return f"'{arm}'"
