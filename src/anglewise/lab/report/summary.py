"""The comparison as text: cells of a table, its headings, and what stands under it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from anglewise.lab.report.checks import matched
from anglewise.lab.report.comparison import CRITERIA, ArmSummary, Criterion, compare
from anglewise.lab.report.format import DASH, chance, count_of, fixed, known_to, number, plain
from anglewise.lab.report.results import Results
from anglewise.lab.report.runs import runs_of
from anglewise.lab.stats import Interval

UNITS = {"first": "steps", "sustained": "steps", "seconds": "s"}


def summarise(results: Results, criterion: Criterion = "first") -> list[ArmSummary]:
    """Every arm of a store's experiment by one criterion: :func:`compare`, with what controls did not match."""
    return _noted(compare(runs_of(results), criterion), matched(results))


def summaries(results: Results) -> dict[Criterion, list[ArmSummary]]:
    """Every arm by every criterion: what all tables and the verdict are made from."""
    runs, failed = runs_of(results), matched(results)
    return {criterion: _noted(compare(runs, criterion), failed) for criterion in CRITERIA}


def _noted(found: list[ArmSummary], failed: Mapping[str, str | None]) -> list[ArmSummary]:
    return [dataclasses.replace(summary, unmatched=failed.get(summary.arm) or "") for summary in found]


def heading(criterion: Criterion, results: Results) -> str:
    """What a criterion counts, in one line."""
    level = f"{100 * results.threshold:g} % test accuracy"
    return {
        "first": f"First crossing of {level}, in steps",
        "sustained": f"Sustained crossing of {level} ({results.sustain} evaluations in a row), in steps",
        "seconds": f"Seconds of training to the first crossing of {level}",
    }[criterion]


def columns(criterion: Criterion) -> list[str]:
    """Headings of the summary, in the order of :func:`cells`."""
    unit = UNITS[criterion]
    found = ["arm", "runs", "generalised [95 %]", f"median ({unit})", f"restricted mean ({unit}) [95 %]"]
    found += ["speed-up [95 %]", "p", "p (Holm)"]
    return found if criterion == "seconds" else [*found, "median seconds"]


def cells(summary: ArmSummary, results: Results, criterion: Criterion) -> list[str]:
    """One row under :func:`columns`: plain text, not yet escaped for anything."""
    runs = count_of(summary.finished, summary.planned) + (" (illustration)" if summary.illustration else "")
    runs += f"; {summary.unmatched}" if summary.unmatched else ""
    if summary.share is None:
        return [plain(summary.arm), runs, *[DASH] * (len(columns(criterion)) - 2)]
    pairs = f" ({summary.pairs} pairs)" if 0 < summary.pairs < summary.planned else ""
    beyond = f"> {results.budget:,}" + (" steps" if criterion == "seconds" else "")
    row = [
        plain(summary.arm),
        runs,
        f"{summary.reached}/{summary.finished}{_percent(summary.share)}",
        beyond if summary.median is None else number(summary.median),
        interval(summary.mean),
        "baseline" if summary.arm == results.baseline else ratio(summary, "\u00d7", DASH) + pairs,
        chance(summary.p),
        chance(summary.p_holm),
    ]
    if criterion == "seconds":
        return row
    return [*row, f"> {results.budget:,} steps" if summary.seconds is None else number(summary.seconds)]


def interval(estimate: Interval | None) -> str:
    """An estimate and its interval as text; without the interval where it has no width."""
    if estimate is None:
        return DASH
    if estimate.low is None or estimate.high is None or estimate.low == estimate.high:
        return number(estimate.value)
    return f"{number(estimate.value)} [{number(estimate.low)}{DASH}{number(estimate.high)}]"


def ratio(summary: ArmSummary, unit: str = "", between: str = ", ") -> str:
    """A speed-up with its mark and interval as text.

    Args:
        summary: Of the arm.
        unit: Stands behind the value.
        between: Stands between the ends of the interval.
    """
    found = summary.speed_up
    if found is None:
        return f"{DASH} {NEITHER}" if summary.pairs else DASH
    text = f"{summary.bound}{fixed(found.value, 2)}{unit}"
    if found.low is None or found.high is None:
        return text
    return f"{text} [{fixed(found.low, 2)}{between}{fixed(found.high, 2)}]"


def _percent(found: Interval) -> str:
    if found.low is None or found.high is None:
        return ""
    return f" [{fixed(100 * found.low, 0)}{DASH}{fixed(100 * found.high, 0)} %]"


NEITHER = "neither reached it"
SIGNS = (
    "Marks of a speed-up say that runs spent their budget, which then counts as their time. \u2264: only the arm's "
    "runs did, so the speed-up is at most this. \u2265: only the baseline's, so it is at least this. \u2248: runs of "
    f"both, so it is only the ratio of capped times. {DASH} {NEITHER}: no run of either did, so nothing can be said."
)
NOTE = (
    "A run that never got there, or diverged, counts as the budget. Generalised: exact interval. Restricted mean: "
    "Student's t; where some runs never got there, together with the interval of their share. Speed-up: geometric mean "
    "of baseline time / arm time over paired seeds, above 1 is faster, with Student's t on the logarithms. p: sign "
    "flips of the paired log-differences, two-sided."
)


def explained(text: str, every: int) -> str:
    """What stands under a table: how far times are known, the text itself, and what the marks mean.

    Args:
        text: What the columns are.
        every: Steps between two evaluations; 0 for exact times.
    """
    return " ".join(filter(None, (known_to(every), text, SIGNS)))
