"""The early-warning study: which readings tell that a run is about to generalise, how early and how surely.

Its predictors were fixed before any of its runs was looked at.  :mod:`anglewise.lab.stats.warning` defines predictors
and questions, :mod:`anglewise.lab.stats.alarm` sets alarms, :mod:`anglewise.lab.stats.warning_score` scores them.  This
module tries every predictor on every split, and keeps all scores, also those of predictors that fail.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from anglewise.errors import StoreError
from anglewise.lab.stats.warning import NOISE, STEP, Horizon, Measure, Predictor, Trajectory
from anglewise.lab.stats.warning_score import Score, Split, evaluate
from anglewise.lab.studies.early_warning.trajectories import collect

RADIUS, ENERGY, SPEED = Measure("radius"), Measure("radial_energy"), Measure("angular_speed")
RANK = (Measure("effective_rank"), Measure("stable_rank"))
FOURIER = (Measure("fourier_max"), Measure("fourier_coherence", log=False))
NORM, LOSS = Measure("weight_norm"), Measure("train_loss")
GEOMETRY = (RADIUS, ENERGY, SPEED, *RANK, NORM)

PREDICTORS = (
    Predictor("base rate", "baseline", ()),
    Predictor("elapsed time", "baseline", (Measure(STEP),)),
    Predictor("noise", "baseline", (Measure(NOISE, log=False),)),
    Predictor("radius", "geometry", (RADIUS,)),
    Predictor("radial energy", "geometry", (ENERGY,)),
    Predictor("angular speed", "geometry", (SPEED,)),
    Predictor("rank", "geometry", RANK),
    Predictor("Fourier gain", "geometry", FOURIER),
    Predictor("weight norm", "rival", (NORM,)),
    Predictor("train loss", "rival", (LOSS,)),
    Predictor("together", "together", GEOMETRY),
    Predictor("together + Fourier gain", "together", (*GEOMETRY, *FOURIER)),
    Predictor("together + train loss", "together", (*GEOMETRY, LOSS)),
    Predictor("test loss", "reference", (Measure("test_loss"),)),
    Predictor("test accuracy", "reference", (Measure("test_accuracy", log=False),)),
)
"""All that is tried.  "Together" leaves Fourier gain out, which only tasks with a cyclic group have."""
NEEDED = "energy,motion,spectrum,norms,embedding,neuron-fourier"
"""Readings to ask for when the runs are trained."""
SPLITS: tuple[Split, ...] = ("seeds", "arms", "tasks")
HORIZONS: tuple[Horizon, ...] = ("doubling", "ever")
ASKED = {
    "doubling": "Will it generalise before elapsed time has doubled?",
    "ever": "Will it generalise within the budget?",
}


@dataclasses.dataclass(frozen=True)
class Study:
    """What came out.

    Args:
        runs: All that were looked at.
        scores: Of every predictor on every split and horizon, those it can be tried on.
        missing: Planned runs that had not finished, and were left out.
    """

    runs: tuple[Trajectory, ...]
    scores: tuple[Score, ...]
    missing: int = 0

    def of(self, split: Split, horizon: Horizon = "doubling") -> list[Score]:
        """Scores of one split and horizon, in the order of the predictors."""
        return [score for score in self.scores if (score.split, score.horizon) == (split, horizon)]


def study(
    readers: Sequence[Any], predictors: Sequence[Predictor] = PREDICTORS, *, horizons: Sequence[Horizon] = HORIZONS
) -> Study:
    """Try predictors on all finished runs of some stores.

    Args:
        readers: Readers of stores that together hold several tasks, each with several arms and seeds.
        predictors: What is tried.
        horizons: What is asked.

    Raises:
        StoreError: If there are no such runs.
    """
    names = {measure.name for predictor in predictors for measure in predictor.measures}
    runs, missing = collect(readers, names)
    return study_of(runs, predictors, horizons=horizons, missing=missing)


def study_of(
    runs: Sequence[Trajectory],
    predictors: Sequence[Predictor] = PREDICTORS,
    *,
    horizons: Sequence[Horizon] = HORIZONS,
    missing: int = 0,
) -> Study:
    """Try predictors on runs.

    Raises:
        StoreError: If no predictor can be tried: three groups at least are needed to hold out.
    """
    scores = []
    for horizon in horizons:
        for split in SPLITS:
            for predictor in predictors:
                try:
                    scores.append(evaluate(runs, predictor, split, horizon))
                except ValueError:  # too few groups have its readings: it has no row
                    continue
    if not scores:
        raise StoreError(
            f"{len({run.task for run in runs})} tasks, {len({run.arm for run in runs})} arms and "
            f"{len({run.seed for run in runs})} seeds: the study holds each out in turn and needs at least 3 of one"
        )
    return Study(tuple(runs), tuple(scores), missing)


def summary(study: Study) -> str:
    """What was looked at, in one line."""
    never = [run for run in study.runs if run.time is None]
    controls = sum(run.control for run in never)
    left = f"; {study.missing} planned runs had not finished and are left out" if study.missing else ""
    return (
        f"{len(study.runs)} runs of {len({run.task for run in study.runs})} tasks: {len(study.runs) - len(never)} "
        f"generalised, {len(never) - controls} with a rule to learn did not within their budget, {controls} had random "
        f"labels{left}"
    )
