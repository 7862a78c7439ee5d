r"""Early warning: from readings before step t only, can the coming generalisation be told?

A run is *watched* at steps t of its measurements, from the fourth on, until it generalises at T (the sustained
crossing) or until half its budget, :math:`t < T` and :math:`t \le B / 2`.  Since it is followed to B, the question

.. math:: y_t = [\, T \le 2 t \,] \qquad \text{(within the next doubling of elapsed time)}

has a known answer at every watched step; none is lost to censoring.  It is relative to t because tasks differ in
their time scale.  The second question, "ever", is :math:`y = [T \le B]`.

A *predictor* is one or several series.  Of each it uses three numbers, none of which looks ahead: with x the value
(or its logarithm) last read at or before a step, :math:`x(t)`, :math:`x(t) - x(t/2)` and :math:`x(t) - x(0)`.  They
are standardised on the training runs, cut off at 4 standard deviations, and go into a logistic regression with a
ridge penalty, positive and negative points having equal total weight (so that a predictor that knows nothing says
1/2 whatever the training runs were).

The *alarm* of a run is the first watched step whose probability exceeds a threshold.  The threshold is the smallest
that a share :math:`\alpha` at most of never-generalising training runs would exceed, counting one more such run than
there are: with n of them, the :math:`\lceil (1 - \alpha) (n + 1) \rceil`-th smallest of their highest probabilities,
each said by a model that had not seen the run's own group.  If n is too small for that (below 19 for 5 %), there is
no alarm.  If held-out runs are exchangeable with these, at most a share alpha gives a false alarm; whether they are
is what held-out tasks ask.

Held out is one group at a time: a quarter of the seeds over all tasks and arms, a whole arm over all tasks (so that a
predictor that merely knows the hyper-parameters is found out), or a whole task.  AUCs compare points of one held-out
group alone, since only these were judged by one model: compared across models, a predictor that knows nothing falls
below 1/2, for each model is pulled away from what it was not shown.  The strictest are pairs of equal step, task and
arm, whose runs differ in nothing but their seed.  Sources: the dynamic AUC of
Heagerty & Zheng, Biometrics 61 (2005) 92 (cases: T in (t, 2t]; controls: T > 2t); the threshold as in split
conformal prediction, Vovk et al., "Algorithmic Learning in a Random World" (2005).
"""

from __future__ import annotations

import dataclasses
import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from scipy import stats

from anglewise.lab.stats.estimate import LEVEL, Interval, censored_median, share
from anglewise.lab.stats.logistic import fit
from anglewise.lab.stats.ranking import auc_interval

Split: TypeAlias = Literal["seeds", "arms", "tasks"]
Horizon: TypeAlias = Literal["doubling", "ever"]
Kind: TypeAlias = Literal["baseline", "geometry", "rival", "together", "reference"]

FALSE_ALARMS = 0.05
FOLDS = 4
FIRST = 4
TINY = 1e-12


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """What one run showed.

    Args:
        task: What it learns; runs of one task are held out together, and so are those of one arm.
        arm: Name of its arm, the same in every task.
        seed: Runs of one task and seed share split and first weights, hence are resampled together.
        steps: Where it was measured, shape ``[n]``, increasing from 0.
        series: By (name, site): values at these steps, shape ``[n]``, NaN where there was none.
        time: T in steps; None for a run that did not generalise within its budget.
        budget: B in steps.
        control: Whether its labels are random, so that it could not have.
    """

    task: str
    arm: str
    seed: int
    steps: np.ndarray
    series: Mapping[tuple[str, str], np.ndarray]
    time: float | None
    budget: float
    control: bool = False

    @property
    def watched(self) -> np.ndarray:
        """Places in `steps` at which somebody would ask."""
        end = math.inf if self.time is None else self.time
        places = np.flatnonzero((self.steps < end) & (self.steps <= self.budget / 2))
        return places[places >= FIRST]


class Measure(NamedTuple):
    """One reading that a predictor looks at: its name, whether on a logarithmic scale, and at which sites (a glob)."""

    name: str
    log: bool = True
    sites: str = "*"


class Predictor(NamedTuple):
    """Something that might tell; without measures it knows only what `kind` and `name` say."""

    name: str
    kind: Kind
    measures: tuple[Measure, ...]


STEP, NOISE = "elapsed time", "noise"
"""Series that every run has: the step itself, and numbers drawn for the run's name that mean nothing."""


class Lead(NamedTuple):
    """A median over all runs that generalised, a missed one counting as less than any; None: most were missed."""

    value: float | None
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True)
class Score:
    """How one predictor did on runs that it was not fitted on.

    Args:
        predictor: Its name.
        kind: What it is in the comparison.
        split: What was held out.
        horizon: What was asked.
        generalised: Runs with T within the budget.
        never: Runs without, controls among them.
        controls: Runs with random labels.
        auc: Over pairs of watched steps within a held-out group; None where there is no pair.
        auc_same_step: Of pairs at the same step only, so that time by itself gives 1/2.
        auc_twins: Of pairs at the same step, of the same task and arm: only their seed differs.
        in_time: Share of runs that generalised whose alarm came at t with t < T <= 2t.
        too_early: Share whose alarm came before T / 2.
        lead: T - t of the alarm, in steps.
        lead_share: The same over T.
        false_structured: Share with an alarm, among never-runs whose labels follow a rule.
        false_control: The same among those with random labels.
        alarms: By run, in the order given: step of its alarm or None.
    """

    predictor: str
    kind: Kind
    split: Split
    horizon: Horizon
    generalised: int
    never: int
    controls: int
    auc: Interval | None
    auc_same_step: Interval | None
    auc_twins: Interval | None
    in_time: Interval | None
    too_early: Interval | None
    lead: Lead
    lead_share: Lead
    false_structured: Interval | None
    false_control: Interval | None
    alarms: tuple[tuple[Trajectory, float | None], ...]


class Points(NamedTuple):
    """Watched steps of some runs, one after the other."""

    x: np.ndarray
    """Features, shape ``[n, features]``."""
    y: np.ndarray
    run: np.ndarray
    step: np.ndarray


def features(run: Trajectory, predictor: Predictor, sites: Mapping[str, Sequence[str]]) -> np.ndarray:
    """The three numbers of every series of a predictor at the watched steps.

    Args:
        run: Whose.
        predictor: Which series.
        sites: By name of a measure, the sites at which every run has it.

    Returns:
        Shape ``[watched, 3 * series]``; a row depends on what was read at or before its step alone.  NaN where
        nothing had been read yet.
    """
    columns = []
    now, then = run.watched, np.searchsorted(run.steps, run.steps[run.watched] / 2, side="right") - 1
    for measure in predictor.measures:
        for site in sites[measure.name]:
            if fnmatch.fnmatchcase(site, measure.sites):
                known = _carried(_scaled(_series(run, measure.name, site), measure.log))
                start = known[np.isfinite(known)][:1] if np.isfinite(known).any() else np.array([np.nan])
                before = np.where(np.isfinite(known[then]), known[then], start)
                columns += [known[now], known[now] - before, known[now] - start]
    return np.stack(columns, axis=1) if columns else np.zeros((len(now), 1))


def evaluate(
    runs: Sequence[Trajectory],
    predictor: Predictor,
    split: Split,
    horizon: Horizon = "doubling",
    *,
    alpha: float = FALSE_ALARMS,
    resamples: int = 400,
) -> Score:
    """Fit on all groups but one, set the alarm there, and judge it on the one; every group in turn.

    Args:
        runs: Of several tasks and seeds; those that lack one of the predictor's series are left out.
        predictor: What is tried.
        split: Groups are quarters of the seeds, arms or tasks.
        horizon: What is asked.
        alpha: Wanted share of never-generalising runs with an alarm.
        resamples: Of the bootstrap of AUCs, over clusters of runs with equal task and seed, models held fixed.

    Returns:
        The score on held-out runs.

    Raises:
        ValueError: If fewer than three groups remain, for then there is nothing to set a threshold on.
    """
    runs = [run for run in runs if _has(run, predictor) and len(run.watched)]
    sites = _sites(runs, predictor)
    points = _points(runs, predictor, sites, horizon)
    group = np.array([{"seeds": str(run.seed % FOLDS), "arms": run.arm, "tasks": run.task}[split] for run in runs])
    names = list(dict.fromkeys(group.tolist()))
    if len(names) < 3:
        raise ValueError(f"needs runs of at least 3 {split} that have {predictor.name!r}, got {len(names)}")
    never = np.array([run.time is None for run in runs])
    said = np.full(len(points.y), np.nan)
    alarm = np.full(len(runs), np.nan)
    for name in names:
        seen, own = group != name, group[points.run] == name
        cautious = np.full(len(points.y), np.nan)  # said of training runs by models that had not seen them
        for other in names:
            if other != name:
                inner, at = seen & (group != other), group[points.run] == other
                cautious[at] = fit(points.x[inner[points.run]], points.y[inner[points.run]])(points.x[at])
        threshold = conformal([_highest(cautious[points.run == i]) for i in np.flatnonzero(seen & never)], alpha)
        said[own] = fit(points.x[seen[points.run]], points.y[seen[points.run]])(points.x[own])
        for i in np.flatnonzero(group == name):
            rang = points.step[(points.run == i) & (said > threshold)]
            alarm[i] = rang[0] if len(rang) else np.nan
    clusters = np.unique([f"{run.task}\0{run.seed}" for run in runs], return_inverse=True)[1]
    judge = np.unique(group, return_inverse=True)[1][points.run]
    return _score(runs, predictor, split, horizon, points, said, judge, alarm, clusters, resamples)


def conformal(highest: Sequence[float], alpha: float) -> float:
    """The smallest threshold that one more run like these exceeds with probability alpha at most; may be infinite.

    Args:
        highest: For every run, the highest probability it reached.
        alpha: In (0, 1).

    Example:
        >>> conformal(range(1, 20), 0.05), conformal(range(1, 19), 0.05)
        (19.0, inf)
    """
    rank = math.ceil(round((1 - alpha) * (len(highest) + 1), 9))
    return float(np.sort(np.asarray(highest, float))[rank - 1]) if rank <= len(highest) else math.inf


def lead_of(values: Sequence[float | None], level: float = LEVEL) -> Lead:
    """Median over all, None counting as less than any, with its order-statistics interval.

    Args:
        values: One per run that generalised; None for missed.
        level: Least coverage of the interval, whatever the distribution.

    Example:
        >>> lead_of([30, 10, 20, None])
        Lead(value=15.0, low=None, high=None)
        >>> lead_of([None, None, 20])
        Lead(value=None, low=None, high=None)
    """
    if not values:
        return Lead(None, None, None)
    ordered = sorted(values, key=lambda v: -math.inf if v is None else v)
    n = len(ordered)
    below = int(stats.binom.ppf((1 - level) / 2, n, 0.5))
    if stats.binom.cdf(below - 1, n, 0.5) > (1 - level) / 2 or below < 1:
        low = high = None
    else:
        low, high = ordered[below - 1], ordered[n - below]
    reached = [None if v is None else -v for v in values]
    middle = censored_median(reached)
    return Lead(None if middle is None else -middle, low, high)


def _score(
    runs: Sequence[Trajectory], predictor: Predictor, split: Split, horizon: Horizon, points: Points,
    said: np.ndarray, judge: np.ndarray, alarm: np.ndarray, clusters: np.ndarray, resamples: int,
) -> Score:  # fmt: skip
    alarms = [None if math.isnan(t) else float(t) for t in alarm]
    made = [(run.time, t) for run, t in zip(runs, alarms, strict=True) if run.time is not None]
    lost = [(run.control, t is not None) for run, t in zip(runs, alarms, strict=True) if run.time is None]
    cluster = clusters[points.run]
    cell = np.unique([f"{run.task}\0{run.arm}" for run in runs], return_inverse=True)[1][points.run]
    later = points.step.max() + 1
    twins = (judge * (cell.max() + 1) + cell) * later + points.step
    return Score(
        predictor.name, predictor.kind, split, horizon,
        generalised=len(made), never=len(lost), controls=sum(control for control, _ in lost),
        auc=auc_interval(said, points.y, judge, cluster, resamples),
        auc_same_step=auc_interval(said, points.y, judge * later + points.step, cluster, resamples),
        auc_twins=auc_interval(said, points.y, twins, cluster, resamples),
        in_time=_share(t is not None and time <= 2 * t for time, t in made),
        too_early=_share(t is not None and time > 2 * t for time, t in made),
        lead=lead_of([None if t is None else time - t for time, t in made]),
        lead_share=lead_of([None if t is None else (time - t) / time for time, t in made]),
        false_structured=_share(rang for control, rang in lost if not control),
        false_control=_share(rang for control, rang in lost if control),
        alarms=tuple(zip(runs, alarms, strict=True)),
    )  # fmt: skip


def _points(
    runs: Sequence[Trajectory], predictor: Predictor, sites: Mapping[str, Sequence[str]], horizon: Horizon
) -> Points:
    x = [features(run, predictor, sites) for run in runs]
    step = [run.steps[run.watched] for run in runs]
    y = [_answer(run, t, horizon) for run, t in zip(runs, step, strict=True)]
    run = np.repeat(np.arange(len(runs)), [len(t) for t in step])
    return Points(np.concatenate(x), np.concatenate(y), run, np.concatenate(step))


def _answer(run: Trajectory, t: np.ndarray, horizon: Horizon) -> np.ndarray:
    if run.time is None:
        return np.zeros(len(t), bool)
    return np.asarray(run.time <= 2 * t) if horizon == "doubling" else np.ones(len(t), bool)


def _sites(runs: Iterable[Trajectory], predictor: Predictor) -> dict[str, list[str]]:
    """Sites at which all runs have a measure."""
    found: dict[str, list[str]] = {}
    for name in {measure.name for measure in predictor.measures}:
        each = [{""} if name in (STEP, NOISE) else {s for n, s in run.series if n == name} for run in runs]
        found[name] = sorted(set.intersection(*each)) if each else []
    return found


def _has(run: Trajectory, predictor: Predictor) -> bool:
    here = {name for name, _ in run.series} | {STEP, NOISE}
    return all(measure.name in here for measure in predictor.measures)


def _series(run: Trajectory, name: str, site: str) -> np.ndarray:
    if name == STEP:
        return np.maximum(run.steps.astype(float), 1.0)
    if name == NOISE:
        salt = [*f"{run.task}/{run.arm}".encode(), run.seed]
        return np.random.default_rng(salt).normal(size=len(run.steps))
    return np.asarray(run.series[name, site], float)


def _scaled(values: np.ndarray, log: bool) -> np.ndarray:
    return np.log(np.maximum(values, TINY)) if log else values


def _carried(values: np.ndarray) -> np.ndarray:
    """The last finite value at or before each place; NaN before the first."""
    last = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values)), -1))
    return np.where(last >= 0, values[np.maximum(last, 0)], np.nan)


def _highest(values: np.ndarray) -> float:
    """Highest of a run's probabilities; one of which nothing could be said never rings."""
    told = values[np.isfinite(values)]
    return float(told.max()) if len(told) else -math.inf


def _share(hits: Iterable[bool]) -> Interval | None:
    listed = list(hits)
    return share(sum(listed), len(listed)) if listed else None
