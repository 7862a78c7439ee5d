"""Synthetic experiments: sigmoid accuracy curves with known times to generalise."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest

from anglewise.lab.report.results import Ended, Results, Series

SITES = ("hidden.0.pre", "hidden.1.pre")


def synthetic(
    times=None, *, seeds=8, budget=200, missing=(), diverged=(), sites=SITES, others=(), every=2, **changes
) -> Results:
    """Arms by name with the median time at which they generalise (None: never)."""
    times = {"adamw-common": 140, "adamw-common+radial": 98, "adamw-tuned": 88, "man": None} if times is None else times
    rng = np.random.default_rng(7)
    ended, train, test, readings = {}, {}, {}, {}
    for i, (arm, median) in enumerate(times.items()):
        for seed in range(seeds):
            key = (arm, seed)
            middle = rng.normal(1.0, 0.08) * (median if median is not None else 10 * budget)
            first = int(every * np.ceil(middle / every))
            first = None if first > budget or key in diverged else max(first, 0)
            end = budget if first is None else min(budget, first + 10 * every)
            end = budget // 3 if key in missing or key in diverged else end
            steps = np.arange(0, end + 1, every)
            rise = 0.5 * (1 + np.tanh((steps - middle + 9) / 6))
            test[key] = Series(steps, np.clip(rise + rng.normal(0, 0.004, len(steps)), 0, 1))
            train[key] = Series(steps, 1 - np.exp(-steps / 12))
            if key in diverged:
                test[key].values[-3:] = np.nan
            for j, site in enumerate(sites):
                radius = (0.6 + 0.3 * j) * (1 + (3 + i) * (1 - np.exp(-steps / 40))) + rng.normal(0, 0.03, len(steps))
                for name, factor in (
                    ("radius", 1),
                    ("radius_q05", 0.6),
                    ("radius_q50", 1),
                    ("radius_q95", 1.6),
                ):
                    readings.setdefault((name, site), {})[key] = Series(steps, factor * radius)
                for name in others:
                    readings.setdefault((name, site), {})[key] = Series(steps[::10], np.exp(steps[::10] / 30))
            if key not in missing:
                outcome = "diverged" if key in diverged else "memorised" if first is None else "grokked"
                sustained = first if first is not None and first + 4 * every <= budget else None
                ended[key] = Ended(outcome, int(steps[-1]), 0.008 * (1 + 0.1 * i) * steps[-1], first, sustained)
    methods = [{"is": "AdamW", "lr": {"is": "Warmup", "value": 0.05, "steps": 3.0}, "wd": 2.0}]
    penalty = {"is": "RadialPenalty", "strength": 0.05, "target": 1.0, "sites": [], "side": "both"}
    spec = {
        "is": "Experiment",
        "name": "quickstart",
        "task": {"is": "Modular", "p": 113, "operation": "+", "train": 0.4},
        "model": {"is": "MLP", "hidden": [200, 200], "embedding": 113},
        "arms": [
            {"is": "Arm", "name": arm, "methods": methods + ([penalty] if "radial" in arm else [])} for arm in times
        ],
        "training": {"is": "Training", "budget": budget, "every": every, "threshold": 0.95, "sustain": 5},
    }
    results = Results(
        experiment_id="quickstart-0123abcd",
        name="quickstart",
        title="Does the radial penalty speed up AdamW on modular addition?",
        arms=tuple(times),
        baseline=next(iter(times)),
        planned=tuple((arm, seed) for arm in times for seed in range(seeds)),
        ended=ended,
        curves={"train_accuracy": train, "test_accuracy": test},
        readings=readings,
        budget=budget,
        spec=spec,
        command="anglewise run quickstart --seeds 8",
        provenance={"python": Counter({"3.11.7": len(ended)}), "device": Counter({"cpu": len(ended)})},
        created="2026-11-24T02:20:00",
    )
    return dataclasses.replace(results, **changes)


@pytest.fixture
def make():
    return synthetic
