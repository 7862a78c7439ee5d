"""What a page may say of a record's runs: counts, medians and comparisons, each computed from the rows.

*Reached* is the first evaluation at the threshold, *held* the first of several such in a row.  A comparison of two arms
is the paired ratio of their times with its 95 % interval.  Its word, :func:`word`, claims no more than that interval.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from anglewise.lab.report.comparison import ArmSummary, compare
from anglewise.lab.report.contrasts import compared
from anglewise.lab.report.format import DASH, Estimate, chance, fixed, number, within
from anglewise.lab.report.labels import spoken
from anglewise.lab.report.runs import Runs
from anglewise.lab.report.summary import ratio
from anglewise.lab.report.table import Table, markdown, markdown_line
from anglewise.lab.spec import Contrast
from anglewise.lab.stats import Interval, median_interval
from anglewise.lab.studies.leaderboard import analysis as leaderboard
from anglewise.lab.studies.penalty import analysis as penalty
from anglewise.lab.studies.penalty.analysis import FourArms

CRITERIA = ("first", "sustained")
NO_DIFFERENCE = "no difference shown"
WITHIN = "within the budget"
UNDECIDED = "not decided"


def word(speed_up: Interval | None, bound: str = "") -> str:
    """What an interval shows of a speed-up: faster, slower, no difference shown, or not decided.

    Args:
        speed_up: How many times as fast, with its interval.
        bound: What the estimate is where runs spent their budget: a bound from above, from below, or a ratio of capped
            times.

    Returns:
        ``faster`` only where the whole interval, as it is printed, lies above 1, ``slower`` only where it lies below.
        ``not decided``
        where there is no interval, or where the estimate is a bound on the other side.  ``within the budget`` is added
        where runs of both arms spent theirs, since the ratio then is of capped times.

    Example:
        >>> word(Interval(1.4, 1.2, 1.6, "t")), word(Interval(1.4, 0.9, 2.1, "t"))
        ('faster', 'no difference shown')
    """
    if speed_up is None or speed_up.low is None or speed_up.high is None:
        return UNDECIDED
    low, high = (float(fixed(end, 2)) for end in (speed_up.low, speed_up.high))
    if low <= 1 <= high:
        return NO_DIFFERENCE
    shown, opposed = ("faster", "\u2264") if low > 1 else ("slower", "\u2265")
    if bound.strip() == opposed:
        return UNDECIDED
    return f"{shown} {WITHIN}" if bound.strip() == "\u2248" else shown


@dataclasses.dataclass(frozen=True)
class Rows:
    """The runs of one file of a record.

    Args:
        runs: The rows, with what it takes to compare them.
        names: By arm, the words for it in a sentence.
        notes: By arm, why it stands outside a ranking.
        with_penalty: Arms that have the radial penalty in them.
        samples: Training examples that one step sees.
    """

    runs: Runs
    names: Mapping[str, str]
    notes: Mapping[str, str]
    with_penalty: Sequence[str] = ()
    samples: float = math.nan
    NO_DIFFERENCE: ClassVar[str] = NO_DIFFERENCE
    UNDECIDED: ClassVar[str] = UNDECIDED

    @property
    def n(self) -> int:
        """Seeds per arm, the same for all."""
        (n,) = {len(self.runs.of(arm)) for arm in self.runs.arms}
        return n

    @property
    def cadence(self) -> str:
        """Steps between two evaluations."""
        return f"{self.runs.every} step{'s' if self.runs.every > 1 else ''}"

    @property
    def arms(self) -> int:
        """Number of arms."""
        return len(self.runs.arms)

    def times(self, arm: str, criterion: str = "first") -> list[float | None]:
        """Steps of every run of an arm; None for never."""
        if arm not in self.runs.arms:
            raise KeyError(f"no arm {arm!r}: expected one of {', '.join(self.runs.arms)}")
        return [getattr(run, criterion) for run in self.runs.of(arm).values()]

    def count(self, arm: str, criterion: str = "first") -> int:
        """Runs that got there."""
        return sum(t is not None for t in self.times(arm, criterion))

    def reached(self, arm: str) -> str:
        """Runs that reached the threshold, of how many."""
        return f"{self.count(arm)} of {len(self.times(arm))}"

    def held(self, arm: str) -> str:
        """Runs that held the threshold, of how many."""
        return f"{self.count(arm, 'sustained')} of {len(self.times(arm))}"

    def outcomes(self, arm: str, outcome: str) -> int:
        """Runs of an arm that ended in one way."""
        return sum(run.outcome == outcome for run in self.runs.of(arm).values())

    def p(self, arm: str, than: str, pairs: Sequence[tuple[str, str]]) -> str:
        """The p-value of an arm against another, adjusted for all `pairs` (arm, other) that are asked about."""
        found = compared(self.runs, [Contrast(one, other) for one, other in pairs])
        return chance(found[pairs.index((arm, than))][0].p_holm)

    def middle(self, arm: str, criterion: str = "first") -> float:
        """Median steps as a number; infinite for beyond the budget."""
        return self._interval(arm, criterion).value

    def _interval(self, arm: str, criterion: str) -> Interval:
        return median_interval(self.times(arm, criterion), grid=self.runs.every)

    def median(self, arm: str, criterion: str = "first") -> str:
        """Median steps."""
        return within(self.runs.budget)(self.middle(arm, criterion))

    def median_with_interval(self, arm: str, criterion: str = "first") -> str:
        """Median steps and its interval from order statistics."""
        return str(Estimate(self._interval(arm, criterion), within(self.runs.budget)))

    def extremes(self, arm: str, criterion: str = "first") -> str:
        """Fewest and most steps among runs that got there."""
        reached = [t for t in self.times(arm, criterion) if t is not None]
        return f"{number(min(reached))} to {number(max(reached))}" if reached else DASH

    def lowest(self, arm: str) -> str:
        """Lowest test accuracy after the threshold was held, median over seeds."""
        own = [run.lowest for run in self.runs.of(arm).values() if run.lowest is not None]
        return f"{fixed(100 * float(np.median(own)), 1)} %" if own else DASH

    def without_penalty(self) -> list[str]:
        """Ranked arms that have no radial penalty in them."""
        return [arm for arm in self.runs.arms if arm not in self.notes and arm not in self.with_penalty]

    def summary(self, arm: str, than: str, criterion: str = "first") -> ArmSummary:
        """One arm against another, seed by seed."""
        for name in (arm, than):
            self.times(name)
        return compare(self.runs.only([than, arm]), criterion)[1]  # type: ignore[arg-type]

    def speed_up(self, arm: str, than: str, criterion: str = "first") -> str:
        """How many times as fast, with its interval."""
        return str(ratio(self.summary(arm, than, criterion)))

    def word(self, arm: str, than: str, criterion: str = "first") -> str:
        """What the interval shows."""
        summary = self.summary(arm, than, criterion)
        return word(summary.speed_up, summary.bound)

    def says(self, arm: str, than: str) -> str:
        """One or two sentences without numbers: what both criteria show of an arm against another."""
        a, b = self.names.get(arm, f"*{arm}*"), self.names.get(than, f"*{than}*")
        reach, hold = self.word(arm, than), self.word(arm, than, "sustained")
        if reach == hold:
            return f"{_says(reach, a, b)}."
        return f"{_says(reach, a, b)} in reaching {self.share}. {_says(hold, a, b)} in holding it."

    def claim(self, arm: str, than: str) -> str:
        """The same with the numbers behind it."""
        return (
            f"{self.says(arm, than)} Times as fast: {self.speed_up(arm, than)} to reach {self.share}, "
            f"{self.speed_up(arm, than, 'sustained')} to hold it ({self.summary(arm, than).pairs} pairs)."
        )

    def with_word(self, wanted: str, than: str, criterion: str = "first", among: Sequence[str] = ()) -> list[str]:
        """Arms of which the interval shows `wanted` against `than`, in the order of their medians."""
        arms = [arm for arm in (among or self.runs.arms) if arm != than]
        kept = [arm for arm in arms if self.word(arm, than, criterion).startswith(wanted)]
        return sorted(kept, key=lambda arm: self.middle(arm, criterion))

    def no_later_than(self, middle: float) -> list[str]:
        """Ranked arms whose median to reach the threshold is `middle` steps or fewer."""
        kept = [arm for arm in self.runs.arms if arm not in self.notes and self.middle(arm) <= middle]
        return sorted(kept, key=self._rank)

    def ahead_of(self, arm: str) -> str:
        """Which ranked methods without the penalty are faster than an arm, and of which that is not decided."""
        among, b = self.without_penalty(), self.names.get(arm, f"*{arm}*")
        ahead, open_ = (self.with_word(what, arm, among=among) for what in ("faster", UNDECIDED))
        counted = f"Of {len(among)} ranked methods without the penalty, {len(ahead)} are faster than {b}"
        undecided = f"Not decided, since some of their runs never got there: {joined(open_)}."
        return f"{counted} in reaching {self.share}: {joined(ahead)}. {undecided}"

    def leader(self) -> str:
        """The ranked arm with the lowest median to reach the threshold."""
        return min((arm for arm in self.runs.arms if arm not in self.notes), key=self._rank)

    def least_p(self, n: int) -> str:
        """The smallest p-value that n pairs allow after Holm's adjustment over all arms: every sign the same."""
        return number(min(1.0, 2.0 ** (1 - n) * (self.arms - 1)), 2)

    def later_than(self, step: int, arm: str) -> str:
        """How many runs of an arm reach the threshold after a step, or never."""
        times = self.times(arm)
        return f"{sum(t is None or t > step for t in times)} of {len(times)}"

    @property
    def share(self) -> str:
        """The threshold."""
        return f"{100 * self.runs.threshold:g} %"

    def arms_table(self, ratios: bool = True) -> str:
        """Every arm by both criteria, in the order of the medians; with `ratios`, against the baseline."""
        head = ["arm", "reached", "held", "steps to reach [95 %]", "steps to hold [95 %]"]
        if ratios:
            head += ["times as fast to reach [95 %]", "p (Holm)", "times as fast to hold [95 %]", "p (Holm)"]
        compared = {c: {row.arm: row for row in compare(self.runs, c)} for c in CRITERIA} if ratios else {}
        lines = []
        for arm in sorted(self.runs.arms, key=self._rank):
            cells = [self.reached(arm), self.held(arm), *(self.median_with_interval(arm, c) for c in CRITERIA)]
            for rows in compared.values():
                base = arm == self.runs.baseline
                cells += [DASH, DASH] if base else [_shown(rows[arm]), chance(rows[arm].p_holm)]
            lines.append([spoken(arm), *cells])
        return markdown_table(head, lines)

    def _rank(self, arm: str) -> tuple[float, float, int]:
        return (self.middle(arm), self.middle(arm, "sustained"), -self.count(arm))

    def contrasts(self, pairs: Sequence[tuple[str, str]]) -> str:
        """Comparisons, one a line: how many times as fast an arm is as another, and what that shows."""
        head = ("arm", "against", "pairs", "times as fast to reach [95 %]", "times as fast to hold [95 %]")
        lines = [self.contrast_line([spoken(arm), spoken(than)], arm, than) for arm, than in pairs]
        return "\n".join([markdown_table(head, []), *lines])

    def verdicts(self, questions: Sequence[tuple[str, str, str]]) -> str:
        """Questions, one a line: arm, against what, and the words for both criteria."""
        head = ("question", "arm", "against", f"to reach {self.share}", "to hold it")
        lines = [
            [
                question,
                self.names.get(arm, arm),
                self.names.get(than, than),
                *(self.word(arm, than, c) for c in CRITERIA),
            ]
            for question, arm, than in questions
        ]
        return markdown_table(head, lines)

    def leaderboard(self) -> str:
        """Every arm by every criterion, ranked."""
        rows = leaderboard.rows(self.runs, self.samples)
        return markdown(leaderboard.ranking(rows, self.runs.budget, self.notes)).rstrip()

    def effects(self) -> list[penalty.Effect]:
        """What the penalty adds to each method: arms stand four by four, as they were crossed."""
        return penalty.effects(self.runs, self.methods)

    def put_in(self, label: str) -> str:
        """Lines of a table: the penalty put into each method's own setting, nothing else changed."""
        return "\n".join(self.pair_line(label, *method.alone) for method in self.methods)

    def pair_line(self, label: str, without: str, with_it: str) -> str:
        """A line of that table: medians without and with, and both ratios."""
        medians = [f"{self.median(arm)} ({self.reached(arm)})" for arm in (without, with_it)]
        ratios = [_shown(self.summary(with_it, without, c)) for c in CRITERIA]
        return markdown_line([label, without, str(self.summary(with_it, without).pairs), *medians, *ratios])

    def short_line(self, labels: Sequence[str], without: str, with_it: str) -> str:
        """A line of a table: labels, pairs, medians, and both ratios."""
        medians = [self.median(arm) for arm in (without, with_it)]
        ratios = [_shown(self.summary(with_it, without, c)) for c in CRITERIA]
        return markdown_line([*labels, str(self.summary(with_it, without).pairs), *medians, *ratios])

    def contrast_line(self, labels: Sequence[str], arm: str, than: str) -> str:
        """A line of a table: labels, pairs, and both ratios."""
        ratios = [_shown(self.summary(arm, than, c)) for c in CRITERIA]
        return markdown_line([*labels, str(self.summary(arm, than).pairs), *ratios])

    @property
    def methods(self) -> list[FourArms]:
        """The four arms of each method: alone, penalty put in, penalty taken out, joint."""
        arms = self.runs.arms
        return [FourArms(arms[i], (arms[i], arms[i + 1]), (arms[i + 2], arms[i + 3])) for i in range(0, len(arms), 4)]

    def crossing(self) -> str:
        """The table of those effects."""
        return markdown(penalty.table(self.effects(), self.runs)).rstrip()

    def effects_with(self, wanted: str, where: str, criterion: str = "first") -> list[str]:
        """Methods on which the penalty's interval shows `wanted`, at the setting found ``alone`` or ``joint``."""
        kept = []
        for method in self.methods:
            without, with_it = getattr(method, where)
            if self.word(with_it, without, criterion).startswith(wanted):
                kept.append(method.name)
        return kept


def fitted(curves: Sequence[Mapping[str, str]], level: float = 0.99) -> str:
    """Fewest and most steps until a run got so many of its training examples right.

    Example:
        >>> fitted([{"arm": "a", "seed": "0", "step": "20", "train_accuracy": "1.0"}])
        '20'
    """
    first: dict[tuple[str, str], int] = {}
    for one in curves:
        if float(one["train_accuracy"]) >= level:
            first.setdefault((one["arm"], one["seed"]), int(one["step"]))
    low, high = min(first.values()), max(first.values())
    return number(low) if low == high else f"{number(low)} to {number(high)}"


def joined(names: Sequence[str]) -> str:
    """Names in a sentence: 'a, b and c'; 'none' for none."""
    shown = [f"*{name}*" for name in names]
    if not shown:
        return "none"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def markdown_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table of text cells."""
    return markdown(Table(head, lines)).rstrip()


def _says(what: str, a: str, b: str) -> str:
    first = a[0].upper() + a[1:]
    if what == NO_DIFFERENCE:
        return f"No difference is shown between {a} and {b}"
    if what == UNDECIDED:
        return f"Whether {a} or {b} is faster is not decided"
    return f"{first} is {what} than {b}"


def by_word(cases: Sequence[tuple[Rows, str, str, str]]) -> str:
    """What several comparisons show, those of one word together.

    Args:
        cases: Rows, an arm, the arm that it is compared with, and what the comparison is called.

    Returns:
        One item of a list for each word, in the order in which the words come.
    """
    called: dict[str, list[str]] = {}
    for rows, arm, than, name in cases:
        called.setdefault(rows.word(arm, than), []).append(name)
    return "\n".join(["", *(f"- {what} on {' and on '.join(names)}" for what, names in called.items()), ""])


def _shown(summary: ArmSummary) -> str:
    """An estimate, its interval, and its word."""
    return f"{ratio(summary)}, {word(summary.speed_up, summary.bound)}"
