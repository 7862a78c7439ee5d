r"""Contrasts: the questions that an experiment asks, each about two arms that differ in one change, and the answers.

The number is the paired ratio of :mod:`anglewise.lab.report.comparison`, the arm without the change over the arm with
it: above 1 the change makes runs generalise sooner.  p-values are adjusted by Holm's method for the contrasts of the
experiment.  A comparison across two changes would mix their effects, so none is made here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from anglewise.lab.report.checks import matched
from anglewise.lab.report.comparison import ArmSummary, Criterion, adjusted, against
from anglewise.lab.report.format import fixed, number, plain
from anglewise.lab.report.results import Results
from anglewise.lab.report.runs import Runs, runs_of
from anglewise.lab.spec import Contrast

Verdict: TypeAlias = Literal["faster", "slower", "open", "one-seed", "neither", "missing"]
ALPHA = 0.05
WORDS: Mapping[Verdict, str] = {
    "faster": "Yes, faster",
    "slower": "No, slower",
    "open": "Not shown",
    "one-seed": "One seed: an illustration",
    "neither": "Neither got there",
    "missing": "Not enough runs yet",
}
"""Each verdict as the first words of an answer."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came out of one contrast.

    Args:
        contrast: What was asked.
        arm: The arm with the change, by the first crossing; its speed-up is over the arm without.
        without: The arm without the change.
        threshold: Test accuracy that counts as a crossing.
        budget: Steps at most.
        family: Number of contrasts that p-values are adjusted for.
        sustained: The verdict by the sustained crossing, adjusted in the same way.
        names: What people call the two arms; their names where empty.
    """

    contrast: Contrast
    arm: ArmSummary
    without: ArmSummary
    threshold: float
    budget: int
    family: int
    sustained: Verdict = "missing"
    names: tuple[str, str] = ("", "")

    @property
    def called(self) -> tuple[str, str]:
        """What people call the arm with the change and the one without, in quotes."""
        with_change, without = self.names
        return _quote(with_change or self.contrast.arm), _quote(without or self.contrast.without)

    @property
    def verdict(self) -> Verdict:
        """The answer in a word; faster or slower only where interval and adjusted p-value both say so."""
        return verdict_of(self.arm, self.without)

    @property
    def question(self) -> str:
        """What is asked."""
        return self.contrast.question or "Is {} faster than {}?".format(*self.called)

    @property
    def answer(self) -> str:
        """The first words of the answer, with the number where there is one."""
        words = WORDS[self.verdict]
        return f"{words}: {self.factor}" if self.verdict in ("faster", "slower") else words

    @property
    def factor(self) -> str:
        """The ratio in words, without its interval."""
        estimate = self.arm.speed_up
        if estimate is None:
            return ""
        bound = {"\u2264 ": "at most ", "\u2265 ": "at least ", "\u2248 ": "about "}.get(self.arm.bound, "")
        return f"{bound}{fixed(estimate.value, 2)} times as fast"

    @property
    def detail(self) -> str:
        """One sentence in plain text: both medians, the ratio with its interval, p-value and number of pairs."""
        level = f"{100 * self.threshold:g} % test accuracy"
        if self.verdict == "missing":
            return f"{self.arm.pairs} of {self.arm.planned} paired seeds have finished."
        if self.verdict == "neither":
            pairs = "pair" if self.arm.pairs == 1 else "pairs"
            return f"No run of either reached {level} within {self.budget:,} steps ({self.arm.pairs} {pairs})."
        medians = f"{_steps(self.arm, self.budget).capitalize()} steps instead of {_steps(self.without, self.budget)}"
        if self.verdict == "one-seed":
            return f"{medians} to {level}: {self.factor}. One seed says nothing of the next."
        return f"{medians} to {level} (medians): {self.factor} {interval(self.arm)}. {self._test}"

    @property
    def _test(self) -> str:
        estimate, p = self.arm.speed_up, self.arm.p_holm
        assert estimate is not None
        pairs = f"{self.arm.pairs} paired seeds"
        if p is None:
            return f"{pairs[0].upper()}{pairs[1:]}, no test."
        sign, several = (
            "\u2264" if p.at_most else "=",
            f" after correction for {self.family} questions" if self.family > 1 else "",
        )
        text = f"p {sign} {number(p.value, 2)}{several}; {pairs}"
        smallest = min(1.0, 2.0 ** (1 - self.arm.telling) * self.family)
        if self.verdict == "open" and smallest > ALPHA:
            text += f", which cannot give less than {number(smallest, 2)}"
        return f"{text}."

    @property
    def notes(self) -> list[str]:
        """What else a reader must know, each a sentence."""
        notes = []
        if self.arm.bound and self.verdict not in ("missing", "neither"):
            notes.append("A run that never got there counts as the budget.")
        for arm, called in zip((self.arm, self.without), self.called, strict=True):
            lost = arm.outcomes["reached-not-held"]
            if lost:
                notes.append(f"{lost} of {arm.finished} runs of {called} reached it and fell below it again.")
        if self.verdict in ("faster", "slower") and self.sustained != self.verdict:
            notes.append(f"{self.called[0]}, by the sustained crossing: {WORDS[self.sustained].lower()}.")
        if self.arm.unmatched:
            notes.append(f"{self.called[0]} is no control here: {self.arm.unmatched}.")
        return notes

    @property
    def sentence(self) -> str:
        """Question, answer and detail in one line."""
        return f"{self.question} {WORDS[self.verdict]}. {self.detail}"


def verdict_of(arm: ArmSummary, without: ArmSummary) -> Verdict:
    """What may be said of an arm against another, from the summary whose speed-up is over that one."""
    estimate = arm.speed_up
    if not arm.pairs:
        return "missing"
    if estimate is None:
        return "neither" if not arm.reached and not without.reached else "missing"
    if arm.pairs == 1:
        return "one-seed"
    shown = arm.p_holm is not None and arm.p_holm.value <= ALPHA and not arm.unmatched
    if shown and estimate.low is not None and estimate.low > 1:
        return "faster"
    if shown and estimate.high is not None and estimate.high < 1:
        return "slower"
    return "open"


def answers(results: Results) -> list[Answer]:
    """The answer to every contrast of an experiment, in the order asked; none without a threshold."""
    return results.once("answers", _answers)


def _answers(results: Results) -> list[Answer]:
    contrasts = contrasts_of(results)
    if not results.threshold:
        return []
    runs, failed = results.once("runs", runs_of), results.once("matched", matched)
    first, sustained = (compared(runs, contrasts, criterion, failed) for criterion in ("first", "sustained"))
    return [
        Answer(
            contrast, arm, without, results.threshold, results.budget, len(contrasts), verdict_of(*held),
            (results.labels[contrast.arm], results.labels[contrast.without]),
        )
        for contrast, (arm, without), held in zip(contrasts, first, sustained, strict=True)
    ]  # fmt: skip


def compared(
    runs: Runs,
    contrasts: Sequence[Contrast],
    criterion: Criterion = "first",
    failed: Mapping[str, str | None] = MappingProxyType({}),
) -> list[tuple[ArmSummary, ArmSummary]]:
    """Each contrast's arm with the change and the one without, p-values adjusted for one another.

    Args:
        runs: Of the experiment.
        contrasts: Between its arms.
        criterion: Which time is compared.
        failed: By control, in what it does not match what it was to match.
    """
    found = [against(runs, each.arm, each.without, criterion) for each in contrasts]
    arms = adjusted([dataclasses.replace(arm, unmatched=failed.get(arm.arm) or "") for arm in found])
    others = [against(runs, each.without, each.without, criterion) for each in contrasts]
    return list(zip(arms, others, strict=True))


def contrasts_of(results: Results) -> tuple[Contrast, ...]:
    """The contrasts that an experiment declares, of arms that are shown; without any, those that its arms make.

    Where methods are unknown, every arm is compared with the baseline.
    """
    arms = _arms(results)
    there = {arm["name"] for arm in arms}
    declared = [each for each in results.spec.get("contrasts") or () if {each["arm"], each["without"]} <= there]
    contrasts = [Contrast(each["arm"], each["without"], each.get("question", "")) for each in declared]
    methods = {arm["name"]: arm["methods"] for arm in arms if arm.get("methods")}
    if not contrasts and methods:
        contrasts = list(one_change({arm: methods[arm] for arm in results.arms if arm in methods}, results.baseline))
    elif not contrasts:  # of curves from elsewhere nobody knows in what they differ
        contrasts = [Contrast(arm, results.baseline) for arm in results.arms if arm != results.baseline]
    return tuple(each for each in contrasts if {each.arm, each.without} <= set(results.arms))


def _arms(results: Results) -> list[Mapping[str, Any]]:
    return [arm for arm in results.spec.get("arms") or () if isinstance(arm, Mapping) and "name" in arm]


def one_change(methods: Mapping[str, Sequence[Any]], baseline: str = "") -> Iterator[Contrast]:
    """For each arm, the arm that it differs from in one change.

    One more method comes before another method in the place of one, which comes before other numbers in one.  Of
    several such arms, the baseline comes first, then the order of the arms.  An arm with no such other is left out, and
    two arms are compared once.

    Args:
        methods: Of every arm by its name, in order, as JSON values.
        baseline: Name of the arm that is preferred.

    Example:
        >>> adamw, radial = {"is": "AdamW", "lr": 0.1}, {"is": "RadialPenalty"}
        >>> [(each.arm, each.without) for each in one_change({"a": [adamw], "a+r": [adamw, radial]})]
        [('a+r', 'a')]
    """
    order = sorted(methods, key=lambda name: name != baseline)
    asked: set[frozenset[str]] = set()
    for arm, chain in methods.items():
        ranked = [(_change(chain, methods[other]), k, other) for k, other in enumerate(order) if other != arm]
        kind, _, without = min(ranked, default=(9, 0, ""))
        if kind < 3 and arm != baseline and frozenset((arm, without)) not in asked:
            asked.add(frozenset((arm, without)))
            yield Contrast(arm, without)


def _change(chain: Sequence[Any], other: Sequence[Any]) -> int:
    """0: one method more than the other; 1: another method in one place; 2: other numbers in one; 9: anything else."""
    if len(chain) == len(other) + 1:
        return 0 if any([*chain[:i], *chain[i + 1 :]] == list(other) for i in range(len(chain))) else 9
    differ = [(x, y) for x, y in zip(chain, other, strict=False) if x != y]
    if len(chain) != len(other) or len(differ) != 1:
        return 9
    (x, y), = differ  # fmt: skip
    return 2 if x.get("is") == y.get("is") else 1


def interval(arm: ArmSummary) -> str:
    """The ends of a ratio's interval."""
    estimate = arm.speed_up
    if estimate is None or estimate.low is None or estimate.high is None:
        return "(no interval)"
    return f"[{fixed(estimate.low, 2)}, {fixed(estimate.high, 2)}]"


def _steps(arm: ArmSummary, budget: int) -> str:
    return f"more than {budget:,}" if arm.median is None else number(arm.median)


def _quote(name: str) -> str:
    return f"\u201c{plain(name)}\u201d"
