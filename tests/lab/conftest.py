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
    adamw = {"is": "AdamW", "lr": {"is": "Warmup", "value": 0.05, "steps": 3.0}, "wd": 2.0}
    stems = list(dict.fromkeys(arm.partition("+")[0] for arm in times))  # arms differ in a number, or in the penalty
    penalty = {"is": "RadialPenalty", "strength": 0.05, "target": 1.0, "sites": [], "side": "both"}
    spec = {
        "is": "Experiment",
        "name": "quickstart",
        "task": {"is": "Modular", "p": 113, "operation": "+", "train": 0.4},
        "model": {"is": "MLP", "hidden": [200, 200], "embedding": 113},
        "arms": [
            {
                "is": "Arm",
                "name": arm,
                "methods": [
                    adamw | {"wd": 2.0 + stems.index(arm.partition("+")[0])},
                    *([penalty] if "radial" in arm else []),
                ],
            }
            for arm in times
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


def synthetic_network(
    seed=0, *, steps=range(0, 101, 10), neurons=24, n=13, width=8, middle=50, site="hidden.0.post"
) -> dict:
    """One run's arrays by (name, site): a network whose frequencies 3 and 5 grow, with a dead neuron."""
    rng = np.random.default_rng(seed)
    steps, f = np.array(list(steps)), n // 2
    grown = 1 / (1 + np.exp(-(steps - middle) / 8))
    own = rng.permutation(np.arange(neurons) % 2) * 2 + 2
    blocks = np.eye(f)[own] * rng.uniform(0.7, 1, (neurons, 1))
    noise = rng.dirichlet(np.ones(f), neurons)
    map_ = np.stack([g * blocks + (1 - g) * noise for g in grown])
    map_[:, 4] = np.nan
    angle = 2 * np.pi * np.outer((3, 5), np.arange(n)) / n
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    circles = np.stack([(0.5 + g) * ring * g + rng.normal(0, 0.2, ring.shape) * (1.1 - g) for g in grown])
    power = np.stack([np.where(np.isin(np.arange(f), (2, 4)), 0.5 * g, (1 - g) / f) for g in grown])
    sigma = np.stack([np.sort(rng.gamma(1 + 3 * g, 2, width))[::-1] for g in grown])
    grid = np.linspace(-1, 20, 50)
    bump = [np.exp(-np.square(grid) / 2) + g * np.exp(-np.square(grid - 9)) + 1e-9 for g in grown]
    density = np.stack([np.stack([grid, b]) for b in bump])
    found = {
        ("fourier_map", site): map_,
        ("circles", "embedding"): circles,
        ("circle_frequencies", "embedding"): np.tile([3.0, 5.0], (len(steps), 1)),
        ("fourier_power", "embedding"): power,
        ("logit_fourier", ""): power,
        ("singular_values", "hidden.0.pre"): sigma,
        ("weight_singular_values", "layers.0.weight"): sigma,
        ("hessian_density", ""): density,
        ("strange", ""): sigma,
        ("stranger", ""): np.ones((len(steps), 3, 2)),
    }
    return {panel: Series(steps, values.astype(np.float32)) for panel, values in found.items()}


def as_shelf(networks):
    """Arrays by run, as a store would give them."""

    def arrays(keys, names=None, *, last=False):
        found = {}
        for key in keys:
            for (name, site), frames in networks.get(key, {}).items():
                if names is None or name in names:
                    kept = Series(frames.steps[-1:], frames.values[-1:]) if last else frames
                    found.setdefault((name, site), {})[key] = kept
        return found

    return arrays


@pytest.fixture
def make():
    return synthetic


@pytest.fixture
def network():
    return synthetic_network


@pytest.fixture
def shelf():
    return as_shelf


@pytest.fixture(scope="session")
def measured():
    """An experiment whose runs have arrays, too."""

    def made(times=None, *, seeds=3, **changes):
        results = synthetic(times or {"a": 60, "b": 90}, seeds=seeds, **changes)
        networks = {key: synthetic_network(i, middle=40 + 10 * i) for i, key in enumerate(results.planned)}
        runs = {key: f"{i:02x}{'f' * 18}" for i, key in enumerate(results.planned)}
        return dataclasses.replace(results, arrays=as_shelf(networks), runs=runs)

    return made
