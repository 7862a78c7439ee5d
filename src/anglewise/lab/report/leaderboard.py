r"""A track's leaderboard: every arm by every criterion, each number with its interval.

An arm is ranked by its median number of steps to the *first* crossing of the threshold; arms of which fewer than half
of the seeds got there within the budget come after, by their share.  Beside it stand the sustained crossing and 99 %,
since these can rank otherwise, seconds of runs that were trained side by side, and how far accuracy fell again after
generalising, over the steps that every run was watched further.

A median's interval is made of order statistics: with :math:`t_{(1)} \le \dots \le t_{(n)}`, censored times counting as
infinite, :math:`[t_{(k)}, t_{(n+1-k)}]` with the largest k for which :math:`P(\mathrm{Bin}(n, 1/2) < k) \le \alpha/2`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.report.runs import Finish, Runs
from anglewise.lab.report.summary import compare, time_of
from anglewise.lab.report.text import DASH, number, plain
from anglewise.lab.stats import Interval, censored_median, median_interval, wilson


class Row(NamedTuple):
    """One arm.

    Attributes:
        arm: Its name.
        n: Finished runs.
        planned: Runs planned.
        share: That reached the threshold, with Wilson's interval.
        medians: By criterion (``first``, ``sustained``, ``first99``, ``sustained99``), steps with interval; infinite
            for beyond the budget.
        range: Fewest and most steps to the first crossing among seeds that got there.
        seconds: Median seconds to the first crossing.
        samples: Median samples seen by then.
        speed_up: Over the baseline at the first crossing; None for the baseline.
        bound: What its estimate is where only one of the two spent its budget.
        p_holm: Adjusted p-value.
        lowest: Median over seeds of the lowest test accuracy after the sustained crossing; None where none sustained.
        worst: The lowest of all seeds.
        outcomes: Runs by outcome.
    """

    arm: str
    n: int
    planned: int
    share: Interval | None
    medians: Mapping[str, Interval]
    range: tuple[int, int] | None
    seconds: float | None
    samples: float | None
    speed_up: Interval | None
    bound: str
    p_holm: float | None
    lowest: float | None
    worst: float | None
    outcomes: Counter[str]


CRITERIA = {
    "first": "95 % first",
    "sustained": "95 % sustained",
    "first99": "99 % first",
    "sustained99": "99 % sustained",
}


def rows(runs: Runs, samples_per_step: float = math.nan) -> list[Row]:
    """Every arm, ranked.

    Args:
        runs: A track's finished runs, from a store or a record.
        samples_per_step: Training examples that one step sees; NaN leaves samples out.
    """
    compared = {summary.arm: summary for summary in compare(runs, "first")}
    made = []
    for arm in runs.arms:
        own = list(runs.of(arm).values())
        firsts = [int(run.first) for run in own if run.first is not None]
        in_seconds = [time_of(run, "seconds") for run in own]
        lows = [run.lowest for run in own if run.lowest is not None]
        summary = compared[arm]
        middle = censored_median([run.first for run in own]) if own else None
        made.append(
            Row(
                arm, len(own), runs.planned[arm], wilson(len(firsts), len(own)) if own else None,
                _medians(own),
                (min(firsts), max(firsts)) if firsts else None,
                censored_median(in_seconds) if own and _known(in_seconds) else None,
                None if middle is None or math.isnan(samples_per_step) else middle * samples_per_step,
                summary.speed_up, summary.bound, summary.p_holm,
                float(np.median(lows)) if lows else None, min(lows, default=None),
                Counter(run.outcome for run in own),
            )
        )  # fmt: skip
    return sorted(made, key=rank)


def _medians(own: Sequence[Finish]) -> dict[str, Interval]:
    """Median times by criterion; a criterion that is unknown for some run is left out."""
    times = {name: [getattr(run, name) for run in own] for name in CRITERIA} if own else {}
    return {name: median_interval(values) for name, values in times.items() if _known(values)}


def _known(times: Sequence[float | None]) -> bool:
    return all(t is None or math.isfinite(t) for t in times)


def rank(row: Row) -> tuple[float, float, float]:
    """Sorts arms: median of the first crossing, then share, then the sustained crossing."""
    first = row.medians["first"].value if row.medians else math.inf
    share = row.share.value if row.share else 0.0
    sustained = row.medians["sustained"].value if row.medians else math.inf
    return (first, -share, sustained)


HEAD = (
    "arm", "runs", "reached [95 %]", "95 % first (steps)", "range", "95 % sustained", "99 % first", "99 % sustained",
    "samples", "seconds", "speed-up [95 %]", "p (Holm)", "lowest after",
)  # fmt: skip


def cells(row: Row, budget: int) -> list[str]:
    """One row under :data:`HEAD`, as text not yet escaped."""
    share = DASH if row.share is None else f"{100 * row.share.value:.0f} % {_ends(row.share, 100, '')}"
    speed = DASH if row.speed_up is None else f"{row.bound}{number(row.speed_up.value)} {_ends(row.speed_up, 1, '')}"
    runs = str(row.n) if row.n == row.planned else f"{row.n} of {row.planned}"
    diverged = row.outcomes.get("diverged", 0)
    return [
        plain(row.arm),
        runs + (f" ({diverged} diverged)" if diverged else ""),
        share,
        _median(row.medians.get("first"), budget),
        DASH if row.range is None else f"{row.range[0]}{DASH}{row.range[1]}",
        *(_median(row.medians.get(name), budget) for name in ("sustained", "first99", "sustained99")),
        DASH if row.samples is None else f"{row.samples / 1e6:.2f} M",
        number(row.seconds),
        speed,
        DASH if row.p_holm is None else number(row.p_holm, 2),
        DASH if row.lowest is None else f"{100 * row.lowest:.1f} % ({100 * (row.worst or 0):.1f} %)",
    ]


NOTE = (
    "Medians over seeds with intervals from order statistics (95 %); > means beyond the budget. Speed-up: geometric "
    "mean of paired ratios of first crossings over the baseline's, bootstrap interval; sign-flip p, Holm-adjusted. "
    "Seconds: training to the first crossing, runs of all arms side by side on one machine, after compilation. Lowest "
    "after: median over seeds (and the worst seed) of the lowest test accuracy once 95 % was sustained."
)


def by_criterion(found: Sequence[Row]) -> dict[str, list[str]]:
    """The order of arms by each criterion, fastest first; only those whose median lies within the budget."""
    orders = {}
    for name in CRITERIA:
        reached = [row for row in found if name in row.medians and math.isfinite(row.medians[name].value)]
        orders[name] = [row.arm for row in sorted(reached, key=lambda row: row.medians[name].value)]
    timed = [row for row in found if row.seconds is not None]
    orders["seconds"] = [row.arm for row in sorted(timed, key=lambda row: row.seconds or 0.0)]
    return orders


def markdown(found: Sequence[Row], budget: int, notes: Mapping[str, str] | None = None) -> str:
    """The table for a README; `notes` stand behind an arm's name, which then has no place, like one without runs."""
    notes = notes or {}
    lines = ["| " + " | ".join(("", *HEAD)) + " |", "|" + "---|" * (len(HEAD) + 1)]
    place = 0
    for row in found:
        note = notes.get(row.arm, "")
        ranked = not note and row.n > 0
        place += ranked
        first, *rest = (cell.replace("|", "\\|") for cell in cells(row, budget))
        lines.append(
            "| " + " | ".join((str(place) if ranked else DASH, first + (f" ({note})" if note else ""), *rest)) + " |"
        )
    return "\n".join(lines) + "\n"


def without(refused: Mapping[str, str], start: str = "", end: str = "") -> str:
    """Who has no row, and why; empty where everybody has one."""
    if not refused:
        return ""
    return start + "Without a row: " + "; ".join(f"{name} ({why})" for name, why in refused.items()) + "." + end


def _median(found: Interval | None, budget: int) -> str:
    if found is None:
        return DASH
    return f"{_steps(found.value, budget)} {_ends(found, 1, '', budget)}"


def _steps(value: float, budget: int) -> str:
    return f"> {budget:,}" if math.isinf(value) else number(value)


def _ends(found: Interval, scale: float, unit: str, budget: int = 0) -> str:
    if found.low is None or found.high is None:
        return ""
    low, high = (_steps(end, budget) if math.isinf(end) else number(scale * end) for end in (found.low, found.high))
    return f"[{low}, {high}]{unit}"


def published_table(track: str) -> list[list[str]]:
    """Others' records on a track, head first; empty where none is known."""
    from anglewise.lab.report.published import PUBLISHED

    known: Any = PUBLISHED.get(track, ())
    return [["arm", "steps", "of", "source", "not comparable because"], *(list(one) for one in known)] if known else []
