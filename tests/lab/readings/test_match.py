import functools

import jax
import numpy as np
import pytest

from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Compiled
from anglewise.lab.methods.controls import RadiusReplay
from anglewise.lab.methods.matched_controls import MatchedNoise
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.protocols.schedule import Recorded
from anglewise.lab.readings.match import Match
from anglewise.lab.readings.sets import DEFAULT
from anglewise.lab.spec import Arm, Run, Training
from anglewise.lab.tasks.modular import Modular

BASE, RADIAL = AdamW(lr=0.02), RadialPenalty(0.3, 0.7)
REPLAY = RadiusReplay(Recorded((0.5, 0.9), 4.0), "hidden.1.pre")


def read(*methods, batched=False):
    training = Training(budget=4, every=2, measure_every=2)
    runs = [Run("m", Modular(p=5, train=0.5), MLP(hidden=(8, 6)), Arm("a", methods), training, s) for s in (0, 1)]
    population = Population(runs if batched else runs[:1], Compiled(runs[0], Placement(batched, 0, 4), (Match(),), ()))
    population.begin()
    found = {}
    while population.live.any():
        for rows in population.advance():
            found |= {(rows.run.seed, r["step"], r["name"]): r["value"] for r in rows.readings if not r["site"]}
    return found


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    options = {"xla_backend_optimization_level": 0}
    monkeypatch.setattr(jax, "jit", functools.partial(jax.jit, compiler_options=options))


def test_it_tells_what_was_wanted_beside_what_there_is():
    found = read(MatchedNoise(), BASE, RADIAL, REPLAY)
    names = {"match_gradient_wanted", "match_gradient_got"}
    names |= {f"match_radius_hidden_1_pre_{what}" for what in ("wanted", "got")}
    assert {name for _, _, name in found} == names
    radius = [found[0, step, "match_radius_hidden_1_pre_got"] for step in (0, 2, 4)]
    np.testing.assert_allclose(radius, [0.5, 0.7, 0.9], rtol=1e-5)
    assert found[0, 0, "match_gradient_wanted"] == 0 and found[0, 4, "match_gradient_wanted"] > 1e-3
    for (_, _, name), value in found.items():
        if name.endswith("_got"):
            assert value == pytest.approx(found[0, _step(found, value), name.replace("_got", "_wanted")], rel=1e-4)


def _step(found, value):
    return next(step for (_, step, _), v in found.items() if v is value)


def test_arms_without_a_proof_have_no_such_reading():
    assert read(BASE, RADIAL) == {} and read(BASE, RADIAL, batched=True) == {}
    assert "match" in DEFAULT


def test_members_of_a_batch_have_their_own():
    found = read(MatchedNoise(), BASE, RADIAL, batched=True)
    assert found[0, 4, "match_gradient_got"] != found[1, 4, "match_gradient_got"]
    for seed in (0, 1):
        assert found[seed, 4, "match_gradient_got"] == pytest.approx(found[seed, 4, "match_gradient_wanted"], rel=1e-4)
