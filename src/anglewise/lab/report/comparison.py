r"""A comparison: the arms side by side, as numbers with n, uncertainty and censoring.

Three criteria, because they can rank arms differently: the ``first`` crossing of the threshold, in steps;
the ``sustained`` one; and ``seconds`` of training to the first.  A run that never got there, or diverged,
counts as the budget.  The speed-up is

.. math:: \exp \Bigl(\frac{1}{n} \sum_s \log \frac{T^{\text{baseline}}_s}{T^{\text{arm}}_s}\Bigr),

over the n seeds that both arms have finished; above 1 the arm is faster.  Where neither got there on any of them,
there is no speed-up.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, TypeAlias

from anglewise.lab.report.checks import matched
from anglewise.lab.report.results import Ended, Results
from anglewise.lab.report.runs import Finish, Runs, runs_of
from anglewise.lab.stats import (
    Interval,
    PValue,
    censored_median,
    holm,
    restricted_mean,
    share,
    sign_flip,
    speed_up,
)

Criterion: TypeAlias = Literal["first", "sustained", "seconds"]
CRITERIA: tuple[Criterion, ...] = ("first", "sustained", "seconds")


@dataclasses.dataclass(frozen=True)
class ArmSummary:
    """One arm by one criterion.

    Args:
        finished: Runs that have an outcome; all estimates are over these.
        missing: The other planned runs.
        reached: Finished runs that met the criterion.
        share: Their share with its exact interval; None without finished runs.
        median: Median time; None for beyond the budget, or without finished runs; NaN where seconds are unknown.
        mean: Restricted mean with its interval; None without finished runs.
        speed_up: Over the baseline, with its interval; None for the baseline itself, or where no pair tells anything.
        bound: What the speed-up is where runs spent their budget: ``"\u2264 "`` only the arm did, ``"\u2265 "`` only
            the baseline did, ``"\u2248 "`` both did, on the same seed or different ones; empty where none did.
        pairs: Seeds that both this arm and the baseline have finished.
        telling: Those of them on which at least one of the two got there.
        p: Sign-flip p-value of the speed-up; None without one, or where there are fewer than two pairs.
        p_holm: The same adjusted for the number of arms compared.
        seconds: Median seconds to the crossing; None for beyond the budget, NaN where unknown.
        outcomes: Number of finished runs by outcome.
        unmatched: For a control, in what it does not match what it was to match; empty where it does, and for all
            other arms.
    """

    arm: str
    planned: int
    finished: int
    missing: int
    reached: int
    share: Interval | None
    median: float | None
    mean: Interval | None
    speed_up: Interval | None
    bound: str
    pairs: int
    telling: int
    p: PValue | None
    p_holm: PValue | None
    seconds: float | None
    outcomes: Counter[str]
    unmatched: str = ""

    @property
    def illustration(self) -> bool:
        """A single run shows that something can happen, not that it does."""
        return self.finished == 1


def time_of(run: Finish | Ended, criterion: Criterion) -> float | None:
    """Time of one run, at least one step; None if it never got there or diverged."""
    steps = run.sustained if criterion == "sustained" else run.first
    if steps is None or run.outcome == "diverged":
        return None
    return max(steps, 1) * (seconds_per_step(run) if criterion == "seconds" else 1.0)


def seconds_per_step(run: Finish | Ended) -> float:
    """Training seconds of one step of a run."""
    return run.seconds / max(run.steps, 1)


def compare(runs: Runs, criterion: Criterion = "first") -> list[ArmSummary]:
    """Every arm by one criterion, in the order planned; arms without finished runs included.

    Raises:
        ValueError: If there is no such criterion.
    """
    if criterion not in CRITERIA:
        raise ValueError(f"unknown criterion {criterion!r}: expected one of {', '.join(CRITERIA)}")
    return adjusted([against(runs, arm, runs.baseline, criterion) for arm in runs.arms])


def against(runs: Runs, arm: str, without: str, criterion: Criterion) -> ArmSummary:
    """One arm by one criterion, compared with another arm; its p-value stands alone.

    Args:
        runs: Of the experiment.
        arm: Name of the arm.
        without: Name of the one that its speed-up is over; the arm itself for none.
        criterion: Which time is compared.
    """
    key = arm, without, criterion
    if key not in runs.known:
        runs.known[key] = _summary(runs, arm, without, criterion)
    summary: ArmSummary = runs.known[key]
    return summary


def summaries(results: Results) -> dict[Criterion, list[ArmSummary]]:
    """Every arm of a store's experiment by every criterion, with what a control did not match."""
    return results.once("summaries", _summaries)


def _summaries(results: Results) -> dict[Criterion, list[ArmSummary]]:
    runs, failed = results.once("runs", runs_of), results.once("matched", matched)
    return {
        criterion: [dataclasses.replace(arm, unmatched=failed.get(arm.arm) or "") for arm in compare(runs, criterion)]
        for criterion in CRITERIA
    }


def adjusted(arms: Sequence[ArmSummary]) -> list[ArmSummary]:
    """The same summaries, their p-values adjusted for one another."""
    several = iter(holm([arm.p for arm in arms if arm.p is not None]))
    return [dataclasses.replace(arm, p_holm=None if arm.p is None else next(several)) for arm in arms]


class _Timed(NamedTuple):
    """One run's time, with its budget and evaluation grid in the same unit."""

    time: float | None
    budget: float
    grid: float


def _timed(runs: Runs, arm: str, criterion: Criterion) -> dict[int, _Timed]:
    """Times by seed; in seconds, budget and grid are what they would have taken at the run's own pace."""
    times = {}
    for seed, run in runs.of(arm).items():
        unit = seconds_per_step(run) if criterion == "seconds" else 1.0
        if math.isfinite(unit) and unit > 0:
            times[seed] = _Timed(time_of(run, criterion), runs.budget * unit, runs.every * unit)
    return times


def _summary(runs: Runs, arm: str, without: str, criterion: Criterion) -> ArmSummary:
    finished, planned = list(runs.of(arm).values()), runs.planned[arm]
    times = [time_of(run, criterion) for run in finished]
    reached = sum(time is not None for time in times)
    timed, baseline = (_timed(runs, name, criterion) for name in (arm, without))
    pairs = [] if arm == without else [(baseline[seed], timed[seed]) for seed in sorted(timed.keys() & baseline)]
    speed, p = _compared(pairs)
    units = [1.0 if criterion == "seconds" else seconds_per_step(run) for run in finished]
    return ArmSummary(
        arm=arm,
        planned=planned,
        finished=len(finished),
        missing=planned - len(finished),
        reached=reached,
        share=share(reached, len(finished)) if finished else None,
        median=_median(times),
        mean=_mean(timed.values()),
        speed_up=speed,
        bound=_bound(pairs),
        pairs=len(pairs),
        telling=sum(x.time is not None or y.time is not None for x, y in pairs),
        p=p,
        p_holm=None,
        seconds=_median([None if t is None else t * unit for t, unit in zip(times, units, strict=True)]),
        outcomes=Counter(run.outcome for run in finished),
    )


def _median(times: Sequence[float | None]) -> float | None:
    """None for beyond the budget, or without runs; NaN where a time is unknown."""
    if any(time is not None and math.isnan(time) for time in times):
        return math.nan
    return censored_median(times) if times else None


def _mean(runs: Collection[_Timed]) -> Interval | None:
    if not runs:
        return None
    times, budgets, grids = zip(*runs, strict=True)
    return restricted_mean(times, budgets, grid=grids)


def _compared(pairs: Sequence[tuple[_Timed, _Timed]]) -> tuple[Interval | None, PValue | None]:
    """Speed-up of the second of each pair over the first, and its p-value."""
    if not pairs:
        return None, None
    (x, x_budgets, x_grids), (y, y_budgets, y_grids) = (zip(*side, strict=True) for side in zip(*pairs, strict=True))
    budgets, grids = [x_budgets, y_budgets], [x_grids, y_grids]
    ratio = speed_up(x, y, budgets, grid=grids)
    return ratio, sign_flip(x, y, budgets) if ratio is not None and len(pairs) > 1 else None


def _bound(pairs: Sequence[tuple[_Timed, _Timed]]) -> str:
    spent = (any(x.time is None for x, _ in pairs), any(y.time is None for _, y in pairs))
    return {(False, True): "\u2264 ", (True, False): "\u2265 ", (True, True): "\u2248 "}.get(spent, "")
