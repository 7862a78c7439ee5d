r"""Early warning: what is watched, what is asked, and what a predictor may know.

A run is *watched* at steps t of its measurements, from the fourth on, until it generalises at T (the sustained
crossing) or until half its budget, :math:`t < T` and :math:`t \le B / 2`.  Since it is followed to B, the question

.. math:: y_t = [\, T \le 2 t \,] \qquad \text{(within the next doubling of elapsed time)}

has a known answer at every watched step; none is lost to censoring.  It is relative to t because tasks differ in
their time scale.  The second question, "ever", is :math:`y = [T \le B]`.

A *predictor* is one or several series.  Of each it uses three numbers, none of which looks ahead: with x the value
(or its logarithm) last read at or before a step, :math:`x(t)`, :math:`x(t) - x(t/2)` and :math:`x(t) - x(0)`.

How models and alarms are made of them stands in :mod:`anglewise.lab.stats.alarm`, how these are scored in
:mod:`anglewise.lab.stats.warning_score`.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

Horizon: TypeAlias = Literal["doubling", "ever"]
Kind: TypeAlias = Literal["baseline", "geometry", "rival", "together", "reference"]

FIRST = 4
TINY = 1e-12


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """What one run showed.

    Args:
        task: What it learns; runs of one task are held out together, and so are those of one arm.
        arm: Name of its arm, the same in every task.
        seed: Runs of one seed share first weights and often the split, in all arms and tasks.
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


class Points(NamedTuple):
    """Watched steps of some runs, one after the other."""

    x: np.ndarray
    """Features, shape ``[n, features]``."""
    y: np.ndarray
    run: np.ndarray
    """Number of the run, ascending."""
    step: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """Where the points of each run begin, shape ``[runs]``; every run has at least one."""
        return np.flatnonzero(np.diff(self.run, prepend=-1))


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


def usable(runs: Iterable[Trajectory], predictor: Predictor) -> list[Trajectory]:
    """Runs that have a predictor's series and are watched at least once."""
    return [run for run in runs if _has(run, predictor) and len(run.watched)]


def points_of(runs: Sequence[Trajectory], predictor: Predictor, horizon: Horizon) -> Points:
    """All watched steps of usable runs, at least one, as a predictor sees them, and the answers."""
    sites = _sites(runs, predictor)
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
    shared: dict[str, list[str]] = {}
    for name in {measure.name for measure in predictor.measures}:
        each = [{""} if name in (STEP, NOISE) else {s for n, s in run.series if n == name} for run in runs]
        shared[name] = sorted(set.intersection(*each)) if each else []
    return shared


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
