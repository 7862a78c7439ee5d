r"""Rules that compare more than two arms, or two times of one run.

:class:`Alike` asks for no difference, :class:`Selected` lets both sides choose their best arm on seeds that do not
decide, :class:`Interior` asks whether the best of a sweep lies inside it, :class:`Interaction` whether two speed-ups
differ, :class:`Precedes` whether one event comes before another, :class:`Apart` whether two recorded estimates are
apart.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from anglewise.lab.report.format import number
from anglewise.lab.stats import Interval, censored_median, share
from anglewise.lab.stats.estimate import mean_interval
from anglewise.lab.studies.claims.decision import Decision, Word, ends, exponential, settled, shortfall, undecided
from anglewise.lab.studies.claims.rows import Crossing, Sample
from anglewise.lab.studies.claims.rules import Sooner


@dataclasses.dataclass(frozen=True)
class Alike:
    """Two arms take as long as each other: the ratio of times lies within a factor.

    Supported where the whole interval does, refuted where none of it does.

    Args:
        arm, baseline: The two.
        within: The factor, above 1.
        crossing: Which crossing is the time.
    """

    arm: str
    baseline: str
    within: float
    crossing: Crossing = "sustained"

    @property
    def arms(self) -> tuple[str, ...]:
        """Both."""
        return (self.baseline, self.arm)

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """The ratio of times against both ends of the range."""
        pair = Sooner(self.arm, self.baseline, claimed=1.0, crossing=self.crossing).decide(sample, least_pairs)
        estimate = pair.estimate
        if estimate is None or estimate.low is None or estimate.high is None:
            return pair._replace(word="inconclusive", needs=pair.needs or "more seeds")
        short = shortfall(sample, self.arms, pair.n, least_pairs)
        word: Word = "inconclusive"
        if 1 / self.within < estimate.low and estimate.high < self.within and not pair.bound:
            word = "supported"
        elif (estimate.low > self.within and pair.bound in ("", ">= ")) or (
            estimate.high < 1 / self.within and pair.bound in ("", "<= ")
        ):
            word = "refuted"
        if not short and word == "inconclusive":
            x = number(self.within)
            cut = "a larger budget: runs of an arm spent it"
            short = cut if pair.bound else f"more seeds: the interval crosses an end of 1/{x} to {x}"
        return pair._replace(word="inconclusive" if short else word, needs=short)


@dataclasses.dataclass(frozen=True)
class Selected:
    """Two families of arms: each chooses its fastest arm on the first seeds, and the others compare the two chosen.

    Args:
        family: Arms that are claimed to be faster.
        rivals: Arms to compare with: as many, or those of the family and further ones.
        selection: Number of seeds that choose; they do not decide.
        claimed: Least ratio that counts as what was claimed.
        least: Ratio that the interval must lie above.
    """

    family: tuple[str, ...]
    rivals: tuple[str, ...]
    selection: int
    claimed: float
    least: float = 1.0

    @property
    def arms(self) -> tuple[str, ...]:
        """All of both families."""
        return (*self.rivals, *self.family)

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """The comparison of the two that were chosen, on the remaining seeds."""
        missing = shortfall(sample, self.arms, least_pairs, least_pairs)
        if not sample.runs:
            return undecided(sample, self.arms, 0, least_pairs, "times as fast")
        chosen = [self._best(sample, family) for family in (self.rivals, self.family)]
        left = {arm: seeds[self.selection :] for arm, seeds in sample.planned.items()}
        rest = dataclasses.replace(sample, planned=left)
        decision = Sooner(chosen[1], chosen[0], self.claimed, self.least).decide(rest, least_pairs)
        says = (
            f"On {self.selection} seeds '{chosen[0]}' was the fastest of {len(self.rivals)} and '{chosen[1]}' of "
            f"{len(self.family)}. On {decision.n} others: {decision.says}"
        )
        if missing:
            return decision._replace(word="inconclusive", says=says, needs=missing)
        return decision._replace(says=says)

    def _best(self, sample: Sample, family: Sequence[str]) -> str:
        """The arm with the lowest median on the seeds that choose; the earlier one of equals."""

        def middle(arm: str) -> float:
            own = sample.times(arm)
            times = [own[seed] for seed in sample.planned[arm][: self.selection] if seed in own]
            found = censored_median(times) if times else None
            return math.inf if found is None else found

        return min(family, key=middle)


@dataclasses.dataclass(frozen=True)
class Interior:
    """The fastest arm of a sweep lies inside it: it is faster than the arms at both ends.

    Args:
        sweep: Arms in the order of what is swept, at least three.
        best: The arm that is claimed to be the fastest.
    """

    sweep: tuple[str, ...]
    best: str

    @property
    def arms(self) -> tuple[str, ...]:
        """All."""
        return self.sweep

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """The claimed best arm against both ends: supported where it is faster than both."""
        ends_of = (self.sweep[0], self.sweep[-1])
        pairs = [(end, Sooner(self.best, end, 1.0).decide(sample, least_pairs)) for end in ends_of]
        words = [decision.word for _, decision in pairs]
        word: Word = "inconclusive"
        if words == ["supported", "supported"]:
            word = "supported"
        elif "refuted" in words:
            word = "refuted"
        medians = {arm: censored_median(list(times.values())) for arm in self.sweep if (times := sample.times(arm))}
        told = "; ".join(f"'{arm}' {'never' if t is None else number(t)}" for arm, t in medians.items())
        says = " ".join([*(decision.says for _, decision in pairs), f"Median steps: {told}."])
        needs = "; ".join(decision.needs for _, decision in pairs if decision.needs) if word == "inconclusive" else ""
        first = pairs[0][1]
        missing = shortfall(sample, self.arms, first.n, least_pairs)
        if missing:
            word, needs = "inconclusive", missing
        return first._replace(word=word, says=says, needs=needs, parts=tuple(pairs))


@dataclasses.dataclass(frozen=True)
class Interaction:
    """What one change adds differs from what it adds elsewhere: the ratio of two speed-ups, seed by seed.

    Args:
        here: (without, with) the change where the gain is claimed to be smaller or equal.
        there: (without, with) the change elsewhere.
        claimed: Largest ratio of the gain here over the gain there that counts as what was claimed.
        crossing: Which crossing is the time.
    """

    here: tuple[str, str]
    there: tuple[str, str]
    claimed: float
    crossing: Crossing = "sustained"

    @property
    def arms(self) -> tuple[str, ...]:
        """All four."""
        return (*self.here, *self.there)

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """The geometric mean of the ratio with Student's interval; only seeds on which all four generalised count."""
        times = [sample.times(arm, self.crossing) for arm in self.arms]
        logs = []
        for seed in sorted(set.intersection(*(set(t) for t in times))):
            four = [t[seed] for t in times]
            if all(t is not None for t in four):
                a, b, c, d = (math.log(t) for t in four if t is not None)
                logs.append((a - b) - (c - d))
        unit = "times the speed-up"
        if not logs:
            return undecided(sample, self.arms, 0, least_pairs, unit)
        mean = mean_interval(logs, len(logs))
        estimate = exponential(mean)
        says = (
            f"From '{self.here[0]}' to '{self.here[1]}' the speed-up was {ends(estimate)} times that from "
            f"'{self.there[0]}' to '{self.there[1]}'."
        )
        short = shortfall(sample, self.arms, len(logs), least_pairs)
        word: Word = "inconclusive"
        if estimate.high is not None and estimate.high < self.claimed:
            word = "supported"
        elif estimate.low is not None and estimate.low > self.claimed:
            word = "refuted"
        return settled(word, estimate, unit, len(logs), says, short=short, claimed=number(self.claimed))


@dataclasses.dataclass(frozen=True)
class Precedes:
    """In each run something read passes a level no later than the run generalises.

    Args:
        name: Of the value.
        site: Where; empty for the whole network.
        level: What it must reach.
        arm: The arm.
        claimed: Share of the runs that generalised in which it must come first or at the same time.
    """

    name: str
    site: str
    level: float
    arm: str
    claimed: float = 1.0

    @property
    def arms(self) -> tuple[str, ...]:
        """The one."""
        return (self.arm,)

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """The share of runs with its exact interval; a value is known at the measurement at or after the crossing."""
        before, both = 0, 0
        for seed, t in sample.times(self.arm).items():
            curve = sample.curve(self.arm, seed, self.name, self.site)
            if t is None or curve is None:
                continue
            both += 1
            passed = curve.steps[curve.values >= self.level]
            known = curve.steps[curve.steps >= t]
            before += bool(passed.size and passed[0] <= (known[0] if known.size else t))
        if not both:
            return undecided(sample, self.arms, 0, least_pairs, "share of runs")
        estimate = share(before, both)
        says = (
            f"In {before} of {both} runs of '{self.arm}' that generalised, {self.name.replace('_', ' ')} reached "
            f"{number(self.level)} no later than the accuracy its threshold."
        )
        word: Word = "supported" if estimate.value >= self.claimed else "inconclusive"
        if estimate.high is not None and estimate.high < self.claimed:
            word = "refuted"
        short = shortfall(sample, self.arms, both, least_pairs)
        return settled(word, estimate, "share of runs", both, says, short=short, claimed=number(self.claimed))


@dataclasses.dataclass(frozen=True)
class Halves:
    """A control of the machinery: one arm against itself on other seeds must not be found faster.

    The first half of the seeds stands for one arm and the second half for another, as if they were paired.  Nothing
    differs, so whatever a rule finds here it finds by chance.  Supported where the interval holds 1, refuted where it
    does not.

    Args:
        arm: The arm; it needs an even number of seeds.
        crossing: Which crossing is the time.
    """

    arm: str
    crossing: Crossing = "sustained"

    @property
    def arms(self) -> tuple[str, ...]:
        """The one."""
        return (self.arm,)

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """The ratio of times of the two halves."""
        seeds = sample.planned[self.arm]
        half = len(seeds) // 2
        names = (f"{self.arm}, first half of the seeds", f"{self.arm}, second half")
        runs = {
            (names[i // half], i % half): sample.runs[self.arm, seed]
            for i, seed in enumerate(seeds[: 2 * half])
            if (self.arm, seed) in sample.runs
        }
        both = dataclasses.replace(sample, planned=dict.fromkeys(names, tuple(range(half))), runs=runs)
        pair = Sooner(names[1], names[0], claimed=1.0).decide(both, least_pairs)
        missing = shortfall(sample, self.arms, half, least_pairs)
        if missing or pair.estimate is None or pair.estimate.low is None or pair.estimate.high is None:
            return pair._replace(word="inconclusive", needs=missing or pair.needs)
        word: Word = "supported" if pair.estimate.low <= 1 <= pair.estimate.high else "refuted"
        return pair._replace(word=word, needs="")


@dataclasses.dataclass(frozen=True)
class Apart:
    """A recorded estimate lies above another one: their intervals do not overlap.

    The rows hold, for each of the two, the values ``NAME``, ``NAME_low``, ``NAME_high`` and ``seeds``.

    Args:
        name: Of the value.
        arm: What is claimed to lie above.
        baseline: What it is compared with.
        unit: What the number counts.
    """

    name: str
    arm: str
    baseline: str
    unit: str

    @property
    def arms(self) -> tuple[str, ...]:
        """Both."""
        return (self.baseline, self.arm)

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """Supported where the arm's interval lies above the baseline's, refuted where it lies below."""
        below, above = (self._interval(sample, arm) for arm in self.arms)
        if below is None or above is None:
            return Decision("inconclusive", None, self.unit, "", 0, "There is no number to decide by.", "the record")
        n = int(min(self._number(sample, arm, "seeds") or 0 for arm in self.arms))
        says = f"'{self.arm}': {ends(above)}; '{self.baseline}': {ends(below)} ({self.unit})."
        word: Word = "inconclusive"
        if above.low is not None and below.high is not None and above.low > below.high:
            word = "supported"
        elif above.high is not None and below.low is not None and above.high < below.low:
            word = "refuted"
        needs = "" if word != "inconclusive" else "more seeds: the intervals overlap"
        if n < least_pairs:
            needs = f"{least_pairs} seeds, there are {n}"
        return Decision("inconclusive" if needs else word, above, self.unit, "", n, says, needs)

    def _number(self, sample: Sample, arm: str, name: str) -> float | None:
        curve = sample.curve(arm, 0, name, "")
        return None if curve is None else float(curve.values[-1])

    def _interval(self, sample: Sample, arm: str) -> Interval | None:
        value, low, high = (self._number(sample, arm, self.name + end) for end in ("", "_low", "_high"))
        return None if value is None else Interval(value, low, high, "jackknife")
