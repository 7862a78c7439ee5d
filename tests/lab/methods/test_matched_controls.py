import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.methods.matched_controls import MatchedNoise

RNG = np.random.default_rng(0)
SHAPES = {"a": (40, 30), "b": (25,), "head": (6, 4)}
PARAMS, TASK, PENALTY = ({k: jnp.asarray(RNG.normal(size=s), jnp.float32) for k, s in SHAPES.items()} for _ in range(3))
PENALTY = {**PENALTY, "a": 3 * PENALTY["a"], "head": jnp.zeros((6, 4))}  # the head does not feel a penalty
TOTAL = jax.tree.map(jnp.add, TASK, PENALTY)


@functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
def stepped(made, key=0, params=PARAMS):
    transform = made.transform()
    state = transform.init(params)
    return transform.update(TOTAL, state, params, parts=lambda params: (TASK, PENALTY), key=jax.random.key(key))


def norms(tree):
    return np.array([np.linalg.norm(np.asarray(x, np.float64)) for x in jax.tree.leaves(tree)])


@pytest.mark.parametrize("kind", ["noise", "shrink"])
@pytest.mark.parametrize("granularity", ["tensor", "global"])
def test_the_substitute_is_as_long_as_the_penaltys_gradient(kind, granularity):
    made = MatchedNoise(1.0, kind, granularity)
    new, state = stepped(made)
    put = norms(jax.tree.map(jnp.subtract, new, TASK))
    if granularity == "tensor":
        np.testing.assert_allclose(put, norms(PENALTY), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(state.got, norms(PENALTY), rtol=1e-5)
    assert np.linalg.norm(put) == pytest.approx(np.linalg.norm(norms(PENALTY)), rel=1e-5)
    wanted, got = made.check(state, PARAMS, {})["gradient"]
    assert float(got) == pytest.approx(float(wanted), rel=1e-5) and float(wanted) > 0


def test_noise_has_no_direction_of_its_own_and_is_new_at_every_step():
    puts = [jax.tree.map(jnp.subtract, stepped(MatchedNoise(), key)[0], TASK)["a"] for key in range(3)]
    cosines = [
        float(jnp.sum(x * y) / jnp.linalg.norm(x) / jnp.linalg.norm(y))
        for x, y in ((puts[0], puts[1]), (puts[1], puts[2]), (puts[0], PENALTY["a"]), (puts[0], PARAMS["a"]))
    ]
    assert np.abs(cosines).max() < 4 / np.sqrt(1200)


def test_shrinking_is_along_the_weights():
    new, _ = stepped(MatchedNoise(kind="shrink"))
    for name, w in PARAMS.items():
        wanted = TASK[name] + w * jnp.linalg.norm(PENALTY[name]) / jnp.linalg.norm(w)
        np.testing.assert_allclose(new[name], wanted, atol=1e-5)


def test_a_share_of_0_hands_on_the_very_gradient():
    new, _ = stepped(MatchedNoise(0.0))
    assert all(np.array_equal(new[name], TOTAL[name]) for name in SHAPES)


@pytest.mark.parametrize("granularity", ["tensor", "global"])
def test_weights_without_a_direction_are_told_as_a_failed_match(granularity):
    made = MatchedNoise(1.0, "shrink", granularity)
    nothing = jax.tree.map(jnp.zeros_like, PARAMS)
    new, state = stepped(made, params=nothing)
    wanted, got = made.check(state, nothing, {})["gradient"]
    assert float(got) < 1e-4 * float(wanted) and all(np.isfinite(x).all() for x in new.values())
