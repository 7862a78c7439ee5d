r"""How well a predictor warns: scores on held-out runs, each with an interval for new seeds.

Groups held out are a quarter of the seeds over all tasks and arms, a whole arm over all tasks (so that a predictor
that merely knows the hyper-parameters is found out), or a whole task.  AUCs compare points of one held-out group
alone, since only these were judged by one model: compared across models, a predictor that knows nothing falls below
1/2, for each model is pulled away from what it was not shown.  The strictest are pairs of equal step, task and arm,
whose runs differ in nothing but their seed.  The AUC is the dynamic one of Heagerty & Zheng, Biometrics 61 (2005) 92
(cases: T in (t, 2t]; controls: T > 2t).

*What a score estimates.*  Let S be the score of the whole procedure, fits, alarms and judgement, on runs of n seeds of
these tasks and arms.  Seeds are drawn, tasks and arms are not:

.. math:: \mathbb{E}[S] = \text{mean of } S \text{ over independent sets of } n \text{ new seeds}

For the lead it is the median lead of a run under such procedures.  The intervals are those of
:mod:`anglewise.lab.stats.jackknife`: all models and alarms are made again without each seed.  A seed is left out in
all tasks and arms at once: at equal seed, networks of all tasks share first weights wherever layers have equal shapes,
and tasks of equal size share the split.  The intervals say nothing on how a score differs between tasks or arms: that
is what the rows of held-out tasks and arms show.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from anglewise.lab.stats.alarm import LEAST_GROUPS, Alarms, judge
from anglewise.lab.stats.estimate import Interval
from anglewise.lab.stats.jackknife import GROUPS, jackknife_median, jackknife_share, seed_groups
from anglewise.lab.stats.ranking import alike, auc
from anglewise.lab.stats.warning import Horizon, Kind, Points, Predictor, Trajectory, points_of, usable

Split: TypeAlias = Literal["seeds", "arms", "tasks"]

FALSE_ALARMS = 0.05
FOLDS = 4


@dataclasses.dataclass(frozen=True)
class Score:
    """How one predictor did on runs that it was not fitted on.

    A number is None where it does not exist: no pair to compare, or no run of the kind.  An interval has no ends where
    it cannot be known: fewer than two seeds, or a number that does not exist without one of them.

    Args:
        predictor: Its name.
        kind: What it is in the comparison.
        split: What was held out.
        horizon: What was asked.
        seeds: Seeds that were left out in turn, or groups of them: what the intervals rest on.
        generalised: Runs with T within the budget.
        never: Runs without, controls among them.
        controls: Runs with random labels.
        auc: Over pairs of watched steps within a held-out group.
        auc_same_step: Of pairs at the same step only, so that time by itself gives 1/2.
        auc_twins: Of pairs at the same step, of the same task and arm: only their seed differs.
        in_time: Share of runs that generalised whose alarm came at t with t < T <= 2t.
        too_early: Share whose alarm came before T / 2.
        lead: Median of T - t, in steps, over runs that generalised; minus infinity for a run without alarm.
        lead_share: The same over T.
        false_structured: Share with an alarm, among never-runs whose labels follow a rule.
        false_control: The same among those with random labels.
        alarms: By run, in the order given: step of its alarm or None.
    """

    predictor: str
    kind: Kind
    split: Split
    horizon: Horizon
    seeds: int
    generalised: int
    never: int
    controls: int
    auc: Interval | None
    auc_same_step: Interval | None
    auc_twins: Interval | None
    in_time: Interval | None
    too_early: Interval | None
    lead: Interval | None
    lead_share: Interval | None
    false_structured: Interval | None
    false_control: Interval | None
    alarms: tuple[tuple[Trajectory, float | None], ...]


def evaluate(
    runs: Sequence[Trajectory],
    predictor: Predictor,
    split: Split,
    horizon: Horizon = "doubling",
    *,
    alpha: float = FALSE_ALARMS,
    most: int = GROUPS,
) -> Score:
    """Fit on all groups but one, set the alarm there, and judge it on the one; every group in turn.

    Args:
        runs: Of several tasks and seeds; those that lack one of the predictor's series are left out.
        predictor: What is tried.
        split: Groups are quarters of the seeds, arms or tasks.
        horizon: What is asked.
        alpha: Wanted share of never-generalising runs with an alarm.
        most: Seeds left out in turn, at most; of more, several at once.  0 for no intervals.

    Returns:
        The score on held-out runs.

    Raises:
        ValueError: If fewer than three groups remain, for then there is nothing to set a threshold on.
    """
    runs = usable(runs, predictor)
    names = [{"seeds": str(run.seed % FOLDS), "arms": run.arm, "tasks": run.task}[split] for run in runs]
    if len(set(names)) < LEAST_GROUPS:
        raise ValueError(f"needs runs of at least 3 {split} that have {predictor.name!r}, got {len(set(names))}")
    group = np.unique(names, return_inverse=True)[1]
    shown = _Shown.of(runs, points_of(runs, predictor, horizon), group)
    alarms, *alarms_without = (
        judge(shown.points, group, np.isnan(shown.time), kept, alpha)
        for kept in (np.ones(len(runs), bool), *_left_out(runs, group, most))
    )
    numbers, *numbers_without = (shown.numbers(each) for each in (alarms, *alarms_without))

    never = np.isnan(shown.time)
    controls, structured = int((never & shown.control).sum()), int((never & ~shown.control).sum())
    generalised = int((~never).sum())
    sizes = {
        "in_time": generalised,
        "too_early": generalised,
        "false_structured": structured,
        "false_control": controls,
    }

    def share(name: str) -> Interval | None:
        if np.isnan(numbers[name]):
            return None
        if name in shown.strata and alike(shown.points.x, shown.strata[name]):
            return Interval(0.5, 0.5, 0.5, "exact")
        return jackknife_share(numbers[name], [each[name] for each in numbers_without], sizes.get(name, math.inf))

    def lead(relative: bool) -> Interval | None:
        values, *left = (shown.leads(each, relative) for each in (alarms, *alarms_without))
        return jackknife_median(values, left) if len(values) else None

    return Score(
        predictor.name, predictor.kind, split, horizon, len(alarms_without),
        generalised=generalised, never=structured + controls, controls=controls,
        auc=share("auc"), auc_same_step=share("auc_same_step"), auc_twins=share("auc_twins"),
        in_time=share("in_time"), too_early=share("too_early"), lead=lead(False), lead_share=lead(True),
        false_structured=share("false_structured"), false_control=share("false_control"),
        alarms=tuple((run, None if np.isnan(t) else float(t)) for run, t in zip(runs, alarms.alarm, strict=True)),
    )  # fmt: skip


def _left_out(runs: Sequence[Trajectory], group: np.ndarray, most: int) -> list[np.ndarray]:
    """Runs that remain without each group of seeds; empty if without one of them nothing can be judged."""
    out = seed_groups([run.seed for run in runs], most) if most else np.zeros(len(runs), int)
    kept = [out != number for number in range(out.max() + 1)]
    return kept if all(len(np.unique(group[rest])) >= LEAST_GROUPS for rest in kept) else []


class _Shown(NamedTuple):
    """What scores are computed from, beside the alarms."""

    points: Points
    time: np.ndarray
    """T of each run, NaN for never."""
    control: np.ndarray
    strata: dict[str, np.ndarray]
    """By name of an AUC: within what its pairs are formed."""

    @classmethod
    def of(cls, runs: Sequence[Trajectory], points: Points, group: np.ndarray) -> _Shown:
        later, judged = points.step.max() + 1, group[points.run]
        cell = np.unique([f"{run.task}\0{run.arm}" for run in runs], return_inverse=True)[1]
        strata = {
            "auc": judged,
            "auc_same_step": judged * later + points.step,
            "auc_twins": (judged * (cell.max() + 1) + cell[points.run]) * later + points.step,
        }
        time = np.array([np.nan if run.time is None else run.time for run in runs])
        return cls(points, time, np.array([run.control for run in runs]), strata)

    def numbers(self, alarms: Alarms) -> dict[str, float]:
        """Scores by name; NaN where there is no pair or no run."""
        rang, generalised = ~np.isnan(alarms.alarm), alarms.kept & ~np.isnan(self.time)
        lost = alarms.kept & np.isnan(self.time)
        in_time = rang & (self.time <= 2 * alarms.alarm)
        return {name: auc(alarms.probability, self.points.y, within) for name, within in self.strata.items()} | {
            "in_time": _share(in_time[generalised]),
            "too_early": _share((rang & ~in_time)[generalised]),
            "false_structured": _share(rang[lost & ~self.control]),
            "false_control": _share(rang[lost & self.control]),
        }

    def leads(self, alarms: Alarms, relative: bool) -> np.ndarray:
        """T - t of the runs that generalised, in steps or as a share of T; minus infinity without an alarm."""
        generalised = alarms.kept & ~np.isnan(self.time)
        time, alarm = self.time[generalised], alarms.alarm[generalised]
        return np.where(np.isnan(alarm), -np.inf, (time - alarm) / (time if relative else 1.0))


def _share(hits: np.ndarray) -> float:
    return float(hits.mean()) if len(hits) else math.nan
