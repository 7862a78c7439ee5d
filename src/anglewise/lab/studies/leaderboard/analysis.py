r"""A track's leaderboard: every arm by every criterion, each number with its interval.

An arm is ranked by its median number of steps to the *first* crossing of the threshold.  Arms of which fewer than half
of the seeds reach it within the budget come after, by their share.  The sustained crossing and 99 % have columns too,
since they can give another order.  Seconds are of runs that were trained side by side.  The last column is how far
accuracy fell after generalising, over the steps for which every run was watched further.

A median's interval is made of order statistics, see :func:`~anglewise.lab.stats.median_interval`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from anglewise.lab.report.comparison import ArmSummary, compare, time_of
from anglewise.lab.report.format import DASH, Estimate, fixed, number, within
from anglewise.lab.report.runs import Finish, Runs
from anglewise.lab.report.summary import ratio
from anglewise.lab.report.table import Cell, Column, Name, Table
from anglewise.lab.stats import Interval, censored_median, median_interval, share

Crossing: TypeAlias = Literal["first", "sustained"]
CROSSINGS: tuple[Crossing, ...] = ("first", "sustained")


class Row(NamedTuple):
    """One arm.

    Attributes:
        arm: Its name.
        n: Finished runs.
        planned: Runs planned.
        share: That reached the threshold, with its exact interval.
        medians: By criterion (``first``, ``sustained``, ``first99``, ``sustained99``), steps with interval; infinite
            for beyond the budget.
        range: Fewest and most steps to the first crossing among seeds that got there.
        seconds: Median seconds to the first crossing.
        samples: Median samples seen by then.
        against: The comparison with the baseline, by crossing (``first``, ``sustained``).
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
    against: Mapping[Crossing, ArmSummary]
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
    compared = {crossing: {one.arm: one for one in compare(runs, crossing)} for crossing in CROSSINGS}
    table = []
    for arm in runs.arms:
        finished = list(runs.of(arm).values())
        firsts = [int(run.first) for run in finished if run.first is not None]
        in_seconds = [time_of(run, "seconds") for run in finished]
        lows = [run.lowest for run in finished if run.lowest is not None]
        middle = censored_median([run.first for run in finished]) if finished else None
        table.append(
            Row(
                arm, len(finished), runs.planned[arm], share(len(firsts), len(finished)) if finished else None,
                _medians(finished, runs.every),
                (min(firsts), max(firsts)) if firsts else None,
                censored_median(in_seconds) if finished and _known(in_seconds) else None,
                None if middle is None or math.isnan(samples_per_step) else middle * samples_per_step,
                {crossing: compared[crossing][arm] for crossing in CROSSINGS},
                float(np.median(lows)) if lows else None, min(lows, default=None),
                Counter(run.outcome for run in finished),
            )
        )  # fmt: skip
    return sorted(table, key=rank)


def _medians(runs: Sequence[Finish], every: int) -> dict[str, Interval]:
    """Median times by criterion; a criterion that is unknown for some run is left out."""
    times = {name: [getattr(run, name) for run in runs] for name in CRITERIA if runs}
    return {name: median_interval(values, grid=every) for name, values in times.items() if _known(values)}


def _known(times: Sequence[float | None]) -> bool:
    return all(t is None or math.isfinite(t) for t in times)


def rank(row: Row) -> tuple[float, float, float]:
    """Sorts arms: median of the first crossing, then share, then the sustained crossing."""
    first, sustained = (row.medians[name].value if name in row.medians else math.inf for name in CROSSINGS)
    reached = row.share.value if row.share is not None else 0.0
    return (first, -reached, sustained)


HEAD = (
    "", Column("arm", words=True), "runs", "reached [95 %]", "95 % first (steps)", "range", "95 % sustained",
    "99 % first", "99 % sustained", "samples", "seconds", "speed-up, first [95 %]", "p, first (Holm)",
    "speed-up, sustained [95 %]", "p, sustained (Holm)", "lowest after",
)  # fmt: skip
NARROW = (1, 2, 3, 4, 6, 7, 10, 11, 13)
"""Columns for a terminal."""
SPARE = ("99 % first", "speed-up, sustained [95 %]", "seconds", "95 % sustained", "reached [95 %]")
"""Columns that a narrow one leaves out, the first of them first."""
NOTE = (
    "Medians over seeds with intervals from order statistics (95 %); > means beyond the budget. Speed-up: geometric "
    "mean of paired ratios, baseline over arm, with Student's t on the logarithms; sign-flip p, Holm-adjusted over the "
    "arms; held: runs with a sustained crossing, where not all have one. Seconds: training to the first crossing, runs "
    "of all arms side by side on one machine, after compilation. Lowest after: median over seeds (and the worst seed) "
    "of the lowest test accuracy once 95 % was sustained."
)


def ranking(rows: Sequence[Row], budget: int, notes: Mapping[str, str] | None = None, note: str = "") -> Table:
    """Every arm by every criterion.

    Args:
        rows: The arms in their order.
        budget: Steps at most.
        notes: Why an arm stands outside the ranking; it has no place then, like one without runs.
        note: Stands under the table.
    """
    notes = notes or {}
    ranked = [row for row in rows if row.n and not notes.get(row.arm)]
    places = {row.arm: i for i, row in enumerate(ranked, start=1)}
    lines = [[places.get(row.arm), Name(row.arm, notes.get(row.arm, "")), *_cells(row, within(budget))] for row in rows]
    return Table(HEAD, lines, note=note, spare=SPARE)


def _cells(row: Row, steps: Callable[[float], str]) -> list[Cell]:
    diverged, sustained = row.outcomes.get("diverged", 0), row.against["sustained"]
    first, *others = (Estimate(row.medians.get(name), steps) for name in CRITERIA)
    return [
        (str(row.n) if row.n == row.planned else f"{row.n} of {row.planned}")
        + (f" ({diverged} diverged)" if diverged else ""),
        Estimate(row.share, lambda value: number(100 * value), unit=" %"),
        first,
        None if row.range is None else f"{row.range[0]}{DASH}{row.range[1]}",
        *others,
        None if row.samples is None else f"{fixed(row.samples / 1e6, 2)} M",
        row.seconds,
        ratio(row.against["first"]),
        row.against["first"].p_holm,
        ratio(sustained, note=held(sustained)),
        sustained.p_holm,
        None
        if row.lowest is None or row.worst is None
        else f"{fixed(100 * row.lowest, 1)} % ({fixed(100 * row.worst, 1)} %)",
    ]


def held(*sides: ArmSummary) -> str:
    """How many runs held the crossing, behind a speed-up, where not all did."""
    if sides[-1].speed_up is None or all(side.reached == side.finished for side in sides):
        return ""
    return f" (held: {' and '.join(f'{side.reached} of {side.finished}' for side in sides)})"


def by_criterion(rows: Sequence[Row]) -> dict[str, list[str]]:
    """The order of arms by each criterion, fastest first; only those whose median lies within the budget."""
    times = {name: {row.arm: row.medians[name].value for row in rows if name in row.medians} for name in CRITERIA}
    times["seconds"] = {row.arm: row.seconds for row in rows if row.seconds is not None}
    reached = {name: [arm for arm in by if math.isfinite(by[arm])] for name, by in times.items()}
    return {name: sorted(arms, key=times[name].__getitem__) for name, arms in reached.items()}


def without(refused: Mapping[str, str], start: str = "", end: str = "") -> str:
    """Who has no row, and why; empty where everybody has one."""
    if not refused:
        return ""
    return start + "Without a row: " + "; ".join(f"{name} ({why})" for name, why in refused.items()) + "." + end


def published(track: str) -> Table:
    """Others' records on a track; without rows where none is known."""
    from anglewise.lab.studies.leaderboard.published import PUBLISHED

    words = [Column(name, words=True) for name in ("of", "source", "not comparable because")]
    head: list[str | Column] = ["arm", "steps", *words]
    rows: list[list[Cell]] = [[Name(name), *rest] for name, *rest in PUBLISHED.get(track, ())]
    return Table(head, rows, note="As reported by others. They are not ours and not ranked; the last column says why.")
