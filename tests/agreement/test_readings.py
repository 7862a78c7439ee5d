"""What the laboratory and the drop-in both read under one name is one quantity, to rounding."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
import torch
from torch import nn

from anglewise.lab.engine.population import CURVES
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.radii import Radii
from anglewise.lab.readings.sets import READINGS
from anglewise.lab.tasks.parity import Parity
from anglewise.torch import RadialProbe, RadialSuppression
from tests.support.readings import CASES, looking
from tests.support.readings.geometry import hand_snapshot

ROWS, WIDTH = 9, 5
AGREEING = {
    "radius",
    "radius_std",
    "radius_q05",
    "radius_q50",
    "radius_q95",
    "radial_energy",
    "radial_energy_median",
    "radial_energy_of_means",
    "no_gradient",
    "radial_displacement",
    "angular_displacement",
    "effective_rank",
    "stable_rank",
    "sigma_max",
}
"""Compared below.  A name that both sides have and that is not here fails a test."""


def activations() -> tuple[np.ndarray, np.ndarray]:
    """The same vectors at two measurements: one has length 0, and one is fitted so well that it has no gradient."""
    before, after = np.random.default_rng(0).normal(size=(2, ROWS, WIDTH))
    after[3] = 0
    after[0, 1] = 60
    return before, after


LABELS = np.arange(1, ROWS + 1) % WIDTH


@functools.cache
def by_laboratory() -> dict[str, float]:
    """Every reading that suits a network whose activations are given."""
    before, after = activations()
    found: dict[str, float] = {}
    with jax.enable_x64(True):
        for name in ("radii", "energy", "motion", "spectrum"):
            snapshot = hand_snapshot(after, labels=LABELS, earlier=[(before, 5)])
            values = {name: value for (_, name), value in READINGS[name].measure(snapshot).items()}
            found |= {name: float(value) for name, value in values.items() if value.ndim == 0}
        found |= {name: float(value) for (_, name), value in Radii().read({"a": after}).items()}
    return found


class Net(nn.Module):
    """Its weights are the activations at site ``a``; the head is the identity."""

    def __init__(self, h: np.ndarray) -> None:
        super().__init__()
        self.a = nn.Linear(ROWS, WIDTH, bias=False, dtype=torch.float64)
        self.a.weight.data = torch.tensor(h).T.contiguous()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.a(rows)


def loss_fn(model: nn.Module, rows: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(model(rows), torch.tensor(LABELS))


@functools.cache
def by_drop_in() -> tuple[dict[str, float], dict[str, float]]:
    """Readings of the probe and of the suppression."""
    before, after = activations()
    net, rows = Net(before), torch.eye(ROWS, dtype=torch.float64)
    probe = RadialProbe(net, "a")
    probe.measure(loss_fn, rows)
    net.a.weight.data = torch.tensor(after).T.contiguous()
    probed = probe.measure(loss_fn, rows)
    suppression = RadialSuppression(net, "a", 0.3, 0.7)
    loss = loss_fn(net, rows) + suppression.penalty()
    return tuple({name.rpartition("/")[2]: v for name, v in d.items()} for d in (probed, suppression.readings(loss)))


@functools.cache
def names_in_the_laboratory() -> set[str]:
    """Of every curve and every reading, on every kind of task and model; traced, not run."""
    cases = [CASES["mlp"], CASES["transformer"], (MLP(hidden=(8,)), Parity(bits=6, secret=2, train=24, test=16))]
    found = {name for _, name in Radii().read({"a": np.zeros((2, 3))})} | set(CURVES)
    for model, task in cases:
        at, params = looking(model, task)
        for reading in READINGS.values():
            if reading.suits(task, model):
                shapes = jax.eval_shape(lambda p, r=reading, at=at: dict(r.measure(at(p))), params)
                found |= {name for _, name in shapes}
    return found


def test_every_name_that_both_have_is_compared():
    ours = {name for found in by_drop_in() for name in found}
    theirs = names_in_the_laboratory()
    assert len(theirs) > 100 and {"penalty", "penalty_share"} <= ours - theirs
    assert ours & theirs == AGREEING


@pytest.mark.parametrize("name", sorted(AGREEING))
def test_a_reading_is_the_same_number_in_both(name):
    wanted = by_laboratory()[name]
    assert np.isfinite(wanted)
    having = [found[name] for found in by_drop_in() if name in found]
    assert having == pytest.approx([wanted] * len(having), rel=1e-9) and having


def test_control_the_cases_have_what_definitions_disagree_on():
    found = by_laboratory()
    assert found["no_gradient"] == pytest.approx(2 / ROWS)  # a vector of length 0, and one without a gradient
    assert found["radial_displacement"] > 0.1 and found["angular_displacement"] > 0.1
    assert found["radial_energy"] != pytest.approx(found["radial_energy_median"])
