"""Rules on times, and rules that rest on others: sooner, how many generalise, all of some parts, at least some."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from anglewise.lab.report.format import number, percent
from anglewise.lab.stats import share, speed_up
from anglewise.lab.studies.claims.decision import (
    Decision,
    Rule,
    Word,
    ends,
    margin,
    quoted,
    settled,
    shortfall,
    undecided,
)
from anglewise.lab.studies.claims.rows import Crossing, Sample


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
            return undecided(sample, self.arms, 0, least_pairs, "times as fast")
        run = sample.of(self.arm)[seeds[0]]
        epochs = f"{number(run.budget / run.epoch)} epochs"
        never = [sum(times[seed] is None for seed in seeds) for times in (base, own)]
        bound = {(False, False): "", (True, False): ">= ", (False, True): "<= ", (True, True): "~ "}[
            bool(never[0]), bool(never[1])
        ]
        estimate = speed_up(
            [base[seed] for seed in seeds], [own[seed] for seed in seeds], budget=run.budget, grid=run.every
        )
        short = shortfall(sample, self.arms, len(seeds), least_pairs)
        if estimate is None:
            return Decision(
                "inconclusive", None, "times as fast", "", len(seeds),
                f"No run of {quoted(self.arm)} or {quoted(self.baseline)} generalised in {epochs}.",
                short or f"a budget of more than {epochs}: no run of either arm generalised in it",
            )  # fmt: skip
        told = _cut(sample, self, seeds, never, epochs)
        says = f"{quoted(self.arm)} was {bound}{ends(estimate)} times as fast as {quoted(self.baseline)}{told}."
        word = margin(estimate, self.claimed, self.least)
        if (word == "supported" and bound in ("<= ", "~ ")) or (word == "refuted" and bound in (">= ", "~ ")):
            word, short = "inconclusive", short or f"a budget of more than {epochs}: runs of an arm spent it"
        claimed = number(self.claimed)
        return settled(word, estimate, "times as fast", len(seeds), says, short=short, claimed=claimed, bound=bound)


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
            return undecided(sample, self.arms, 0, least_pairs, "share of runs")
        run = next(iter(sample.of(self.arm).values()))
        did = sum(t is not None for t in times)
        count = did if self.claimed == "does" else len(times) - did
        estimate = share(count, len(times))
        says = (
            f"{did} of {len(times)} runs of {quoted(self.arm)} generalised within "
            f"{number(run.budget / run.epoch)} epochs."
        )
        word: Word = "supported" if estimate.value >= self.share else "inconclusive"
        if estimate.high is not None and estimate.high < self.share:
            word = "refuted"
        short = shortfall(sample, self.arms, len(times), least_pairs)
        claimed = f"{percent(self.share)} %"
        return settled(word, estimate, "share of runs", len(times), says, short=short, claimed=claimed)


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


def _cut(sample: Sample, rule: Sooner, seeds: Sequence[int], never: Sequence[int], epochs: str) -> str:
    """How many runs never got there, as the rest of a sentence."""
    parts = [
        f"{count} of {len(seeds)} runs of {quoted(arm)} did not generalise in {epochs}"
        for arm, count in zip(rule.arms, never, strict=True)
        if count
    ]
    return f" ({'; '.join(parts)})" if parts else ""
