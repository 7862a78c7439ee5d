import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.catalogue import METHODS
from anglewise.lab.engine.rng import stream
from anglewise.lab.engine.step import Member, Program
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.experiments.causal import EXPERIMENT, HALF_FITTED, INFLATION, MEMORISED, RADIAL, REPLAY
from anglewise.lab.experiments.quickstart import COMMON, MODEL, TASK
from anglewise.lab.experiments.tracks import EXPERIMENTS as TRACKS
from anglewise.lab.methods.matched_controls import MatchedNoise
from anglewise.lab.methods.penalty_controls import ShuffledPenalty, StopGradientPenalty
from anglewise.lab.protocols.dataclass import at_step
from anglewise.lab.spec import to_json
from anglewise.lab.tasks.permutation import Permutations

ARMS = {arm.name: arm for arm in EXPERIMENT.arms}


def test_it_is_the_quickstart_with_other_arms_and_has_a_name():
    assert EXPERIMENTS["causal"] is EXPERIMENT
    assert (EXPERIMENT.task, EXPERIMENT.model) == (TASK, MODEL) and ARMS[EXPERIMENT.reference].methods == COMMON
    assert all(method in arm.methods for arm in EXPERIMENT.arms for method in COMMON)
    assert to_json(EXPERIMENT)["seeds"] == 16


@pytest.mark.parametrize("arm", EXPERIMENT.arms, ids=lambda arm: arm.name)
def test_every_arm_can_train_and_is_made_of_known_methods(arm):
    assert {type(method) for method in arm.methods} <= set(METHODS.values())
    program = Program(TASK, MODEL, arm.methods, EXPERIMENT.training)

    def both(key):
        methods = jax.tree.map(jnp.asarray, arm.methods)
        member = Member(methods, data, stream(0, "batch"), stream(0, "noise"))
        return program.step(member, program.start(member, key))

    n, m = TASK.sizes
    data = TASK.split(jax.random.key(0))
    assert data.train_inputs.shape == (n, 2) and data.test_inputs.shape == (m, 2)
    assert jax.eval_shape(both, jax.random.key(0)).step.shape == ()  # traced, not compiled


def test_controls_have_the_numbers_of_the_arm_that_they_stand_beside():
    for arm in EXPERIMENT.arms:
        for method in arm.methods:
            if isinstance(method, (ShuffledPenalty, StopGradientPenalty)):
                assert (method.strength, method.target) == (RADIAL.strength, RADIAL.target)
            if isinstance(method, MatchedNoise):
                assert arm.methods.index(method) == 0 and RADIAL in arm.methods
    assert INFLATION.strength == RADIAL.strength and INFLATION.target == 4


def test_two_parts_of_the_time_are_the_whole():
    for early, late, step in (
        ("radial before memorising", "radial after memorising", MEMORISED),
        ("radial in the first half", "radial from then on", HALF_FITTED),
    ):
        for now in (0, step - 1, step, 299):
            found = [float(at_step(ARMS[name].methods[-1], now).strength) for name in (early, late)]
            np.testing.assert_allclose(sorted(found), [0, RADIAL.strength], rtol=1e-6)
    assert 0 < HALF_FITTED < MEMORISED < EXPERIMENT.training.budget


def test_a_recorded_radius_is_replayed_at_every_site_of_the_model():
    assert {made.site for made in REPLAY} == set(MODEL.sites)
    for made in REPLAY:
        assert all(0.1 < value < 5 for value in made.radius.values)


def test_tracks_have_names_of_their_own_and_s5_is_one_of_them():
    assert len({track.name for track in TRACKS}) == len(TRACKS) == 7
    assert all(EXPERIMENTS[track.name] is track for track in TRACKS)
    assert any(isinstance(track.task, Permutations) for track in TRACKS)
