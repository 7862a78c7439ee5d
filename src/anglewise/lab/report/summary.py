r"""The arms side by side, as numbers with n, uncertainty and censoring.

Three criteria, because they can rank arms differently: the ``first`` crossing of the threshold, in steps;
the ``sustained`` one; and ``seconds`` of training to the first.  A run that never got there, or diverged,
counts as the budget.  The speed-up is

.. math:: \exp \operatorname{mean}_s \log \frac{T^{\text{baseline}}_s}{T^{\text{arm}}_s},

over the seeds that both arms have finished; above 1 the arm is faster.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np

from anglewise.lab.report.proofs import matched
from anglewise.lab.report.results import Ended, Results
from anglewise.lab.report.runs import Finish, Runs, runs_of
from anglewise.lab.report.text import DASH, count_of, number, plain
from anglewise.lab.stats import (
    Interval,
    bootstrap_interval,
    censored_median,
    holm,
    sign_flip,
    speed_up,
    wilson,
)

Criterion: TypeAlias = Literal["first", "sustained", "seconds"]
CRITERIA: tuple[Criterion, ...] = ("first", "sustained", "seconds")
UNITS = {"first": "steps", "sustained": "steps", "seconds": "s"}


@dataclasses.dataclass(frozen=True)
class ArmSummary:
    """One arm by one criterion.

    Args:
        arm: Its name.
        planned: Runs planned.
        finished: Runs that have an outcome; all estimates are over these.
        missing: The others.
        reached: Finished runs that met the criterion.
        share: Their share with Wilson's interval; None without finished runs.
        median: Median time; None for beyond the budget, or without finished runs.
        mean: Restricted mean with its interval; None without finished runs.
        speed_up: Over the baseline, with its interval; None for the baseline itself or without common seeds.
        bound: What the speed-up is where only one of the two spent its budget: ``"\u2264 "`` (the arm did) or
            ``"\u2265 "`` (the baseline); empty otherwise.
        pairs: Seeds that both this arm and the baseline have finished.
        p: Sign-flip p-value of the speed-up; None where there are fewer than two pairs.
        p_holm: The same adjusted for the number of arms compared.
        seconds: Median seconds to the crossing; None for beyond the budget.
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
    p: float | None
    p_holm: float | None
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
    """Every arm by one criterion, in the order planned.

    Args:
        runs: Finished runs, from a store or a record.
        criterion: ``first``, ``sustained`` or ``seconds``.

    Returns:
        One summary per arm; arms without finished runs included.

    Raises:
        ValueError: If there is no such criterion.
    """
    if criterion not in CRITERIA:
        raise ValueError(f"unknown criterion {criterion!r}: expected one of {', '.join(CRITERIA)}")
    baseline = _capped(runs, runs.baseline, criterion)
    found = [_summary(runs, arm, criterion, baseline) for arm in runs.arms]
    tested = [i for i, summary in enumerate(found) if summary.p is not None]
    adjusted = holm([found[i].p or 0.0 for i in tested])
    for i, p in zip(tested, adjusted, strict=True):
        found[i] = dataclasses.replace(found[i], p_holm=p)
    return found


def summarise(results: Results, criterion: Criterion = "first") -> list[ArmSummary]:
    """Every arm of a store's experiment by one criterion: :func:`compare`, with what controls did not match."""
    return _noted(compare(runs_of(results), criterion), matched(results))


def summaries(results: Results) -> dict[Criterion, list[ArmSummary]]:
    """Every arm by every criterion: what all tables and the verdict are made from."""
    runs, failed = runs_of(results), matched(results)
    return {criterion: _noted(compare(runs, criterion), failed) for criterion in CRITERIA}


def _noted(found: list[ArmSummary], failed: Mapping[str, str | None]) -> list[ArmSummary]:
    return [dataclasses.replace(summary, unmatched=failed.get(summary.arm) or "") for summary in found]


def _summary(all_runs: Runs, arm: str, criterion: Criterion, baseline: dict[int, float]) -> ArmSummary:
    runs = all_runs.of(arm)
    n, planned = len(runs), all_runs.planned[arm]
    times = [time_of(run, criterion) for run in runs.values()]
    reached = sum(t is not None for t in times)
    own = _capped(all_runs, arm, criterion)
    common = sorted(own.keys() & baseline.keys()) if arm != all_runs.baseline else []
    x, y = [baseline[seed] for seed in common], [own[seed] for seed in common]
    in_seconds = [
        None if t is None else t if criterion == "seconds" else t * seconds_per_step(run)
        for t, run in zip(times, runs.values(), strict=True)
    ]
    timed = n > 0 and all(t is None or np.isfinite(t) for t in in_seconds)
    return ArmSummary(
        arm=arm,
        planned=planned,
        finished=n,
        missing=planned - n,
        reached=reached,
        share=wilson(reached, n) if n else None,
        median=censored_median(times) if n and (timed or criterion != "seconds") else None,
        mean=bootstrap_interval([np.array(list(own.values()))], np.mean) if own else None,
        speed_up=speed_up(x, y) if common else None,
        bound=_bound(all_runs, arm, common, criterion),
        pairs=len(common),
        p=sign_flip(x, y) if len(common) > 1 else None,
        p_holm=None,
        seconds=censored_median(in_seconds) if timed else None,
        outcomes=Counter(run.outcome for run in runs.values()),
    )


def _bound(runs: Runs, arm: str, common: list[int], criterion: Criterion) -> str:
    def spent(name: str) -> bool:
        own = runs.of(name)
        return any(time_of(own[seed], criterion) is None for seed in common)

    signs = {(True, False): "\u2264 ", (False, True): "\u2265 "}
    return signs.get((spent(arm), spent(runs.baseline)), "")


def _capped(runs: Runs, arm: str, criterion: Criterion) -> dict[int, float]:
    """min(T, B) by seed; in seconds, B is what the budget would have taken at the run's own pace."""
    found = {}
    for seed, run in runs.of(arm).items():
        unit = seconds_per_step(run) if criterion == "seconds" else 1.0
        time = time_of(run, criterion)
        capped = runs.budget * unit if time is None else min(time, runs.budget * unit)
        if np.isfinite(capped) and capped > 0:
            found[seed] = capped
    return found


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
    ends = [f"{100 * (end or 0):.0f}" for end in (summary.share.low, summary.share.high)]
    pairs = f" ({summary.pairs} pairs)" if 0 < summary.pairs < summary.planned else ""
    beyond = f"> {results.budget:,}" + (" steps" if criterion == "seconds" else "")
    row = [
        plain(summary.arm),
        runs,
        f"{summary.reached}/{summary.finished} [{DASH.join(ends)} %]",
        beyond if summary.median is None else number(summary.median),
        interval(summary.mean),
        "baseline" if summary.arm == results.baseline else f"{summary.bound}{_times(summary.speed_up)}{pairs}",
        number(summary.p, 2),
        number(summary.p_holm, 2),
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


def _times(estimate: Interval | None) -> str:
    if estimate is None:
        return DASH
    ends = [f"{end:.2f}" for end in (estimate.low, estimate.high) if end is not None]
    return f"{estimate.value:.2f}\u00d7" + (f" [{DASH.join(ends)}]" if ends else "")


NOTE = (
    "A run that never got there, or diverged, counts as the budget. Speed-up: geometric mean of baseline "
    "time / arm time over paired seeds, above 1 is faster; \u2264 and \u2265 mark bounds, where only the arm "
    "or only the baseline spent its budget. p: sign flips of the paired log-differences, two-sided."
)
