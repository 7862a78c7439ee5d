"""Intervals of the early-warning study cover what the whole procedure scores on new seeds; fixed models do not.

A world has three tasks of different time scale, one that is hardly learned and one that never is, three arms, and
seeds whose luck all runs of equal seed share: in their time, in the reading and in the noise.  Truth is the mean score
over independent worlds; of the series that means nothing it is 1/2.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from anglewise.lab.stats.alarm import judge
from anglewise.lab.stats.ranking import auc
from anglewise.lab.stats.warning import Measure, Predictor, Trajectory, points_of, usable
from anglewise.lab.stats.warning_score import FALSE_ALARMS, evaluate

BUDGET, EVERY = 2000, 80
SCALES = {"a": 300.0, "b": 600.0, "c": 900.0, "hard": 4000.0, "random": math.inf}
SIGNAL = Predictor("signal", "geometry", (Measure("signal", log=False),))
NOTHING = Predictor("nothing", "baseline", (Measure("nothing", log=False),))
PREDICTORS = {"signal": SIGNAL, "nothing": NOTHING}
SHARES = ("auc", "auc_same_step", "auc_twins", "in_time", "too_early", "false_structured", "false_control")


def world(number, seeds, arms=3):
    """log T is task + arm + seed + run; the signal rises over the two doublings before T, in noise."""
    rng, runs = np.random.default_rng([number, seeds]), []
    luck, mood = rng.normal(size=(2, seeds))
    steps = np.arange(0, BUDGET // 2 + 1, EVERY)
    for task, scale in SCALES.items():
        for arm in range(arms):
            for seed in range(seeds):
                late = scale * math.exp(0.25 * (arm - 1) + 0.2 * luck[seed] + 0.15 * rng.normal())
                time = float(EVERY * math.ceil(late / EVERY)) if late <= BUDGET else None
                at = steps if time is None else steps[steps < time]
                own, walk = rng.normal(), np.cumsum(rng.normal(size=len(at))) / 6
                rise = np.clip(2 + np.log2(np.maximum(at, 1) / late), 0, None) if scale < math.inf else 0.0
                drift = 0.5 * mood[seed] * at / (BUDGET / 2)
                signal = rise + drift + walk + 0.3 * own + 0.3 * rng.normal(size=len(at))
                nothing = mood[seed] + own + walk + rng.normal(size=len(at))
                series = {("signal", "h"): signal, ("nothing", "h"): nothing}
                runs.append(Trajectory(task, f"arm {arm}", seed, at, series, time, BUDGET, scale == math.inf))
    return runs


@functools.cache
def scored(name, seeds, split, count):
    """Scores with their intervals, a world each."""
    return [evaluate(world(k, seeds), PREDICTORS[name], split) for k in range(count)]


@functools.cache
def truth(name, seeds, split, count):
    """What the procedure scores on average over `count` worlds, and the median lead of all their runs."""
    scores = [evaluate(world(k, seeds), PREDICTORS[name], split, most=0) for k in range(count)]
    found = {share: np.mean([getattr(s, share).value for s in scores if getattr(s, share)]) for share in SHARES}
    alarms = [(run.time, -math.inf if t is None else t) for score in scores for run, t in score.alarms if run.time]
    return found | {"lead": np.median([T - t if t > 0 else t for T, t in alarms]),
                    "lead_share": np.median([(T - t) / T if t > 0 else t for T, t in alarms])}  # fmt: skip


def misses(name, seeds, split, count, of):
    """How many of the intervals end below the truth, and how many begin above it."""
    low = high = 0
    for score in scored(name, seeds, split, count):
        found = getattr(score, of)
        true = (
            0.5
            if name == "nothing" and of in ("auc_same_step", "auc_twins")
            else truth(name, seeds, split, 3 * count)[of]
        )
        low, high = low + (found.high < true - 1e-9), high + (found.low > true + 1e-9)
    return low, high


def fixed_models(number, seeds, split, name="auc_same_step", resamples=100):
    """The interval that this study once gave: models held fixed, runs of equal task and seed resampled."""
    runs = usable(world(number, seeds), SIGNAL)
    points = points_of(runs, SIGNAL, "doubling")
    group = np.unique(
        [{"seeds": run.seed % 4, "arms": run.arm, "tasks": run.task}[split] for run in runs], return_inverse=True
    )[1]
    verdict = judge(points, group, np.array([r.time is None for r in runs]), np.ones(len(runs), bool), FALSE_ALARMS)
    within = group[points.run] * (BUDGET + 1) + points.step
    cluster = np.unique([f"{run.task} {run.seed}" for run in runs], return_inverse=True)[1][points.run]
    rng, drawn = np.random.default_rng(number), []
    places = [np.flatnonzero(cluster == c) for c in range(cluster.max() + 1)]
    for _ in range(resamples):
        rows = np.concatenate([places[c] for c in rng.integers(len(places), size=len(places))])
        drawn.append(auc(verdict.said[rows], points.y[rows], within[rows]))
    return np.nanquantile(drawn, [0.025, 0.975])
