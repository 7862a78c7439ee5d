"""Real training on a sum and on random labels of the same pairs: what instruments of circuits must not see in noise.

The random labels are read as if they were a sum.  Both networks fit their training examples; only one can learn.
"""

from __future__ import annotations

import numpy as np
import pytest

from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Compiled
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.energy import RadialEnergy
from anglewise.lab.readings.fourier import EmbeddingFourier, LogitFourier, NeuronFourier
from anglewise.lab.readings.logits import Logits
from anglewise.lab.readings.progress import RestrictedLoss
from anglewise.lab.spec import Arm, Run, Training
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.random_labels import RandomLabels

READINGS = (RadialEnergy(), EmbeddingFourier(), NeuronFourier(), LogitFourier(), Logits(), RestrictedLoss())
TASKS = {"sum": Modular(p=31, train=0.7), "noise": RandomLabels(p=31, train=0.7, read_as="+")}
MODEL = MLP(hidden=(96,), embedding=32, shared=False)


@pytest.fixture(scope="module")
def values():
    """By task, step and name: the mean over sites of what was read before training and after it."""
    found = {}
    for name, task in TASKS.items():
        training = Training(budget=900, every=900, measure_every=900)
        run = Run("control", task, MODEL, Arm("arm", (AdamW(lr=0.01, wd=1.0, beta2=0.98),)), training, 0)
        population = Population([run], Compiled(run, Placement(False, 0, 900), READINGS, ()))
        population.begin()
        while population.live.any():
            for rows in population.advance():
                for row in rows.readings:
                    found.setdefault((name, row["step"], row["name"]), []).append(row["value"])
                for row in rows.curves:
                    found[name, row["step"], "test_accuracy"] = [row["test_accuracy"]]
                    found[name, row["step"], "train_accuracy"] = [row["train_accuracy"]]
    return {key: float(np.mean(some)) for key, some in found.items()}


def test_both_fit_and_one_generalises(values):
    assert values["sum", 900, "test_accuracy"] > 0.95 and values["noise", 900, "test_accuracy"] < 0.15
    assert values["sum", 900, "train_accuracy"] > 0.99


@pytest.mark.parametrize(
    ("name", "apart"),
    [("fourier_coherence", 0.3), ("logit_coherence", 0.3), ("fourier_gini", 0.2), ("test_margin", 1.0)],
)
def test_a_circuit_is_seen_where_it_is_and_nowhere_else(values, name, apart):
    learned, noise = values["sum", 900, name], values["noise", 900, name]
    untrained = values["sum", 0, name]
    assert learned > noise + apart and learned > untrained + apart


def test_restricting_to_key_frequencies_helps_no_noise(values):
    assert values["sum", 900, "restricted_loss"] < 0.5
    assert values["noise", 900, "restricted_loss"] > np.log(31) - 0.5


def test_radial_energy_of_an_untrained_network_is_near_that_of_a_random_direction(values):
    for name in TASKS:
        assert 0.3 < values[name, 0, "radial_energy"] < 3
