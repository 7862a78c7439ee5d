"""One exam for every instrument in the list, no special case: reading changes nothing, and batched equals alone."""

from __future__ import annotations

import dataclasses
import functools

import jax
import numpy as np
import pytest

from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Compiled
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.readings.quantities import drawing, meaning
from anglewise.lab.readings.sets import CURVATURE, DEFAULT, READINGS, SETS
from anglewise.lab.spec import Arm, Run, Training, to_json
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.parity import Parity

METHODS = (AdamW(lr=0.02, wd=0.5, beta2=0.99), RadialPenalty(0.3, 0.7))
CHEAP = {"xla_backend_optimization_level": 0}  # compiling is all the cost here
CASES = {
    "pairs": (Modular(p=7, train=0.5), MLP(hidden=(12, 10), embedding=6)),
    "sequences": (Modular(p=5, train=0.5, form="a b ="), Transformer(layers=1, width=8, heads=2)),
    "parity": (Parity(bits=6, secret=2, train=24, test=16), MLP(hidden=(8,))),
}
TRAINING = Training(budget=4, every=1, measure_every=2)


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    monkeypatch.setattr(jax, "jit", functools.partial(jax.jit, compiler_options=CHEAP))


CHEAPER = {"probes": 3, "lanczos": 4, "chains": 2, "steps": 6, "burn": 2, "rows": 12}


def smaller(reading):
    """The same instrument with less to compute, where it has such a field."""
    own = {f.name: getattr(reading, f.name) for f in dataclasses.fields(reading)}
    less = {name: most for name, most in CHEAPER.items() if own.get(name, 0) > most}
    return dataclasses.replace(reading, **less, **({"every": 1} if "every" in own else {}))


EVERY = {
    case: tuple(smaller(r) for name, r in READINGS.items() if case != "sequences" or name not in CURVATURE)
    for case in CASES
}
"""Curvature of a Transformer takes half a minute to compile, and has tests of its own."""


@functools.cache
def trained(case, readings, batched=False, methods=METHODS):
    """Populations of seeds 0 and 1 at their end, and all values by run, step, site and name."""
    task, model = CASES[case]
    runs = [Run("laws", task, model, Arm("arm", methods), TRAINING, seed) for seed in (0, 1)]
    compiled = Compiled(runs[0], Placement(batched, 0, 4), readings, ())
    populations = [Population(runs, compiled)] if batched else [Population([run], compiled) for run in runs]
    found = {}
    for population in populations:
        population.begin()
        while population.live.any():
            for rows in population.advance():
                for row in (*rows.readings, *rows.arrays):
                    value = np.asarray(row["value"] if "value" in row else row["values"])
                    found[rows.run.seed, row["step"], row["site"], row["name"]] = value
    return populations, found


def bits(populations):
    return [np.asarray(x).tobytes() for p in populations for x in jax.tree.leaves((p.state, p.curves))]


@pytest.mark.parametrize("case", CASES)
def test_reading_everything_changes_not_a_bit_of_the_training(case):
    populations, found = trained(case, EVERY[case])
    assert len(found) > 100
    assert bits(populations) == bits(trained(case, ())[0])


def test_control_another_strength_changes_bits():
    stronger = (METHODS[0], RadialPenalty(0.31, 0.7))
    assert bits(trained("pairs", (), methods=stronger)[0]) != bits(trained("pairs", ())[0])


@pytest.mark.parametrize("case", CASES)
def test_every_instrument_that_suits_gives_the_same_names_at_each_measurement(case):
    _, found = trained(case, EVERY[case])
    names = {step: {key[2:] for key in found if key[:2] == (0, step)} for step in (0, 2, 4)}
    assert names[0] == names[2] == names[4]
    values = np.concatenate([np.atleast_1d(value).ravel() for value in found.values()])
    assert not np.isinf(values).any()


def test_every_instrument_suits_some_case():
    suiting = {name for name, r in READINGS.items() if any(r.suits(task, model) for task, model in CASES.values())}
    assert suiting == set(READINGS)


@pytest.mark.parametrize("case", CASES)
def test_the_report_knows_what_every_value_means(case):
    _, found = trained(case, EVERY[case])
    for name, rank in {(key[3], np.ndim(value)) for key, value in found.items()}:
        told = meaning(name) if rank == 0 else drawing(name, 1) or drawing(name, 2) or drawing(name, 3)
        assert told is not None, name
        assert rank or (told.theme != "Other" and told.text), name


def test_what_has_no_past_says_so_by_nan():
    _, found = trained("pairs", EVERY["pairs"])
    angles = {step: [v for (_, s, _, name), v in found.items() if s == step and name == "angle"] for step in (0, 2, 4)}
    assert np.isnan(angles[0]).all() and np.isfinite(angles[2]).all() and np.isfinite(angles[4]).all()


def test_batched_readings_are_those_of_each():
    """Up to rounding, until it is amplified; each reading's own tests have the Transformers."""
    _, alone = trained("pairs", EVERY["pairs"])
    _, together = trained("pairs", EVERY["pairs"], batched=True)
    assert alone.keys() == together.keys()
    for key in (key for key in alone if key[1] < TRAINING.budget):
        np.testing.assert_allclose(together[key], alone[key], rtol=5e-3, atol=1e-3, err_msg=str(key))


def test_the_sets_hold_what_their_names_say():
    assert SETS["all"] == READINGS and SETS["none"] == {} and DEFAULT.items() <= READINGS.items()
    assert len({str(to_json(reading)) for reading in READINGS.values()}) == len(READINGS)
