"""A model that no method and no reading has heard of: what it declares of itself is all that they need."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.catalogue import METHODS
from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Compiled
from anglewise.lab.engine.step import Member, Program
from anglewise.lab.methods.controls import RadiusReplay
from anglewise.lab.methods.norm_clamp import NormReplay
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.readings.sets import CURVATURE, READINGS
from anglewise.lab.spec import Arm, Run, Training
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.parity import Parity
from tests.support.gated import Gated, OneHotGated

TASK, MODEL = Modular(p=7, train=0.5), Gated()
BASE = AdamW(lr=0.02, wd=0.5, beta2=0.99)
REFUSED = {
    "ngpt": "ngpt got a Gated, which has no residual stream: take a Transformer",
    "next-latent": "next-latent got a Gated, which has no latent per position: take a Transformer",
    "tar": "tar got a Gated with a single position at gate.in, expected several: take a Transformer with",
    "groktransfer": "groktransfer got a Gated, whose embedding cannot be a product: give its network the fields",
}
NAMING = {"radius-replay": RadiusReplay(0.7, "gate.in"), "norm-replay": NormReplay(1.0, "gate.weight")}
"""Methods whose defaults name a site or a parameter of another model."""


def chain_of(name):
    """A method in an arm that can train."""
    method = NAMING.get(name) or METHODS[name]()
    if method.downhill:
        return (method,)
    penalty = () if name == "radial" else (RadialPenalty(0.1),)
    return (BASE, method, *penalty) if method.position == "last" else (method, BASE, *penalty)


def read(model, task, chain, readings):
    run = Run("third", task, model, Arm("arm", chain), Training(budget=2, every=2, measure_every=2), 0)
    population = Population([run], Compiled(run, Placement(False, 0, 4), readings, ()))
    population.begin()
    values = {}
    while population.live.any():
        for rows in population.advance():
            for row in (*rows.readings, *rows.arrays):
                value = row["value"] if "value" in row else row["values"]
                values[row["step"], row["site"], row["name"]] = np.asarray(value)
    return values


@pytest.mark.parametrize("name", [name for name in METHODS if name not in REFUSED])
def test_every_method_trains_it(name):
    program, data = Program(TASK, MODEL, chain_of(name), Training(batch=8)), TASK.split(jax.random.key(1))
    methods = jax.tree.map(jnp.float32, program.methods)
    member = Member(methods, data, jax.random.key(2), jax.random.key(3))
    before = after = program.start(member, jax.random.key(0))
    step = jax.jit(program.step, compiler_options={"xla_backend_optimization_level": 0})
    for _ in range(3):
        after = step(member, after)
    assert after.step == 3 and all(np.isfinite(w).all() for w in jax.tree.leaves(after.params))
    weights = zip(*(jax.tree.leaves(state.params) for state in (before, after)), strict=True)
    assert any(not np.array_equal(w, v) for w, v in weights)


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_cannot_offer_is_refused_in_one_line_that_names_method_and_model(name):
    with pytest.raises(SpecError, match=REFUSED[name]) as error:
        _ = Program(TASK, MODEL, chain_of(name), Training()).static
    assert "\n" not in str(error.value)


CASES = {"table": (TASK, MODEL), "one-hot": (Parity(bits=6, secret=2, train=24, test=16), OneHotGated())}
CHEAP = {"probes": 3, "lanczos": 4, "chains": 2, "steps": 6, "burn": 2, "rows": 12}


def smaller(reading):
    have = {field.name: getattr(reading, field.name) for field in dataclasses.fields(reading)}
    return dataclasses.replace(reading, **{name: most for name, most in CHEAP.items() if have.get(name, 0) > most})


@pytest.mark.parametrize("case", CASES)
def test_every_reading_that_suits_it_reads_it(case):
    task, model = CASES[case]
    suited = {name: r for name, r in READINGS.items() if r.suits(task, model)}
    absent = {"table": {"attention", "parity"}, "one-hot": {
        "attention", "embedding", "neuron-fourier", "logit-fourier", "restricted-loss", "clock-pizza"
    }}  # fmt: skip
    assert set(READINGS) - set(suited) == absent[case]
    readings = tuple(smaller(r) for name, r in suited.items() if name not in CURVATURE)
    values = read(model, task, (BASE, RadialPenalty(0.1)), readings)
    assert {site for step, site, name in values if name == "stable_rank"} == {"gate.in"}
    assert {site for step, site, name in values if name == "effective_neurons"} == {"gate.in"}
    assert {site for step, site, name in values if name == "dormant"} == {"gate.open", ""}
    parameters = {site for step, site, name in values if name == "weight_norm"}
    assert "gate.weight" in parameters and ("vocabulary.0" in parameters) == (case == "table")


def test_curvature_reads_it():
    readings = tuple(smaller(reading) for reading in CURVATURE.values())
    values = read(MODEL, TASK, (BASE, RadialPenalty(0.1)), readings)
    assert {"hessian_trace", "filter_sharpness", "edge_ratio", "llc"} <= {name for _, _, name in values}
