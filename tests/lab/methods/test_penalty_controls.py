import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.methods.penalty_controls import ShuffledPenalty, StopGradientPenalty, after, before
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols.dataclass import at_step
from anglewise.lab.protocols.schedule import Until, Warmup
from anglewise.lab.tasks.modular import Modular
from tests.support.programs import quick_jit

SITES = ("hidden.0.pre", "hidden.1.pre")
AT = {site: jnp.asarray(np.random.default_rng(i).normal(size=(9, 6)), jnp.float32) for i, site in enumerate(SITES)}
TASK = Modular(p=5, train=0.5)
MODELS = {
    "mlp": (MLP(hidden=(7, 6), embedding=4, bias=True), TASK),
    "one-hot": (MLP(hidden=(7, 6)), TASK),
    "transformer": (Transformer(layers=1, width=8, heads=2), dataclasses.replace(TASK, form="a b =")),
}


def pushes(made, at=AT):
    return quick_jit(jax.grad(lambda at: made.penalty(at, None)))(at)


def coefficient(h, strength, target):
    """2 lambda (r - tau sqrt d) / (N d), by row."""
    h, d = np.asarray(h, np.float64), h.shape[-1]
    r = np.linalg.norm(h, axis=-1)
    return 2 * strength * (r - target * np.sqrt(d)) / (h[..., 0].size * d)


@pytest.mark.parametrize("along", ["permuted", "random"])
def test_every_row_is_pushed_as_hard_but_elsewhere(along):
    made = ShuffledPenalty(0.3, 0.7, SITES, along)
    radial = RadialPenalty(0.3, 0.7, SITES)
    found, usual = pushes(made), pushes(radial)
    for site, h in AT.items():
        c = coefficient(h, 0.3, 0.7)
        np.testing.assert_allclose(jnp.linalg.norm(found[site], axis=-1), np.abs(c), rtol=1e-5)
        np.testing.assert_allclose(jnp.linalg.norm(usual[site], axis=-1), np.abs(c), rtol=1e-5)
        u = np.asarray(h) / np.linalg.norm(h, axis=-1, keepdims=True)
        if along == "permuted":
            np.testing.assert_allclose(found[site], c[:, None] * np.concatenate([u[-1:], u[:-1]]), atol=1e-7)
        along_own = np.sum(np.asarray(found[site]) * u, axis=-1) / c
        assert np.abs(along_own).max() < 0.99 and np.abs(along_own.mean()) < 0.5  # control: no longer radial
    assert float(made.penalty(AT, None)) == pytest.approx(float(radial.penalty(AT, None)), rel=1e-6)
    wanted, got = made.check((), None, AT)["push"]
    assert float(wanted) == pytest.approx(float(got), rel=1e-5) and float(wanted) > 0


def test_rows_at_the_origin_are_not_pushed_and_positions_do_not_mix():
    h = AT[SITES[0]].at[3].set(0)
    for along in ("permuted", "random"):
        found = pushes(ShuffledPenalty(0.3, 0.7, SITES[:1], along), {SITES[0]: h})[SITES[0]]
        assert np.isfinite(found).all()
    three = jnp.stack([AT[SITES[0]], AT[SITES[1]]])  # [positions, n, d]
    found = pushes(ShuffledPenalty(0.3, 0.7, ("s",)), {"s": three})["s"]
    apart = [pushes(ShuffledPenalty(0.3, 0.7, ("s",)), {"s": h})["s"] / 2 for h in three]
    np.testing.assert_allclose(found, jnp.stack(apart), atol=1e-7)


def test_random_directions_stay_the_same_and_differ_by_row_and_site():
    made = ShuffledPenalty(0.3, 0.7, SITES, "random")
    first, again = pushes(made), pushes(made)
    sides = [np.asarray(first[s]) / coefficient(AT[s], 0.3, 0.7)[:, None] for s in SITES]
    assert all(np.array_equal(first[s], again[s]) for s in SITES)
    assert not np.allclose(sides[0], sides[1]) and np.ptp(sides[0], axis=0).min() > 0.1


def drawn(model, task):
    static = eqx.partition(eqx.filter_eval_shape(model.init, task, jax.random.key(0)), is_weight)[1]
    return quick_jit(lambda key: eqx.filter(model.init(task, key), eqx.is_inexact_array))(jax.random.key(1)), static


def is_weight(x):
    return isinstance(x, jax.ShapeDtypeStruct)


@functools.cache
def network(name):
    model, task = MODELS[name]
    with jax.enable_x64(True):
        made = eqx.combine(*drawn(model, task))
        noise = np.random.default_rng(2)
        made = jax.tree.map(
            lambda x: jnp.asarray(np.asarray(x) + 0.1 * noise.normal(size=x.shape)) if eqx.is_inexact_array(x) else x,
            made,
        )
        return made, jnp.asarray(task.table()[0])


def gradient(made, name):
    with jax.enable_x64(True):
        net, inputs = network(name)
        params, static = eqx.partition(net, eqx.is_inexact_array)

        def charged(params):
            return made.penalty(eqx.combine(params, static)(inputs)[1], params)

        value, found = quick_jit(jax.value_and_grad(charged))(params)
        named = jax.tree_util.tree_leaves_with_path(found)
        return float(value), {jax.tree_util.keystr(p, simple=True, separator="."): np.asarray(x) for p, x in named}


OWN = {"mlp": "layers.1.", "one-hot": "layers.1.", "transformer": "blocks.0.down."}


@pytest.mark.parametrize("name", MODELS)
def test_the_two_halves_are_the_penalty_and_each_reaches_its_own(name):
    site = MODELS[name][0].sites[-1]
    whole, full = gradient(RadialPenalty(0.3, 0.7, (site,)), name)
    last, near = gradient(StopGradientPenalty(0.3, 0.7, (site,)), name)
    below, far = gradient(StopGradientPenalty(0.3, 0.7, (site,), "below"), name)
    assert last == pytest.approx(whole, rel=1e-12) and below == pytest.approx(whole, rel=1e-12)
    for at, g in full.items():
        own = at.startswith(OWN[name])
        np.testing.assert_allclose(near[at], g if own else 0 * g, atol=1e-14)
        np.testing.assert_allclose(far[at], 0 * g if own else g, atol=1e-14)
    assert any(g.any() for g in near.values()) and any(g.any() for g in far.values())


def test_what_is_made_anew_is_the_activation():
    for name in MODELS:
        with jax.enable_x64(True):
            net, inputs = network(name)
            params, static = eqx.partition(net, eqx.is_inexact_array)
            for rule in (StopGradientPenalty(reaches="last-layer"), StopGradientPenalty(reaches="below")):

                def both(params, static=static, inputs=inputs, made=rule):
                    activations = eqx.combine(params, static)(inputs)[1]
                    return [(made.again(site, activations, params), activations[site]) for site in params.linear_maps]

                for made, h in quick_jit(both)(params):
                    np.testing.assert_allclose(made, h, atol=1e-14)


def test_a_site_that_no_map_makes_is_refused():
    made = StopGradientPenalty(sites=("hidden.0.post",))
    with pytest.raises(SpecError, match=r"^unknown site behind a linear map 'hidden\.0\.post': did you mean"):
        made.penalty({"hidden.0.post": AT[SITES[0]]}, network("mlp")[0])


def test_before_and_after_share_the_time_between_them():
    penalty = RadialPenalty(0.3, 0.7)
    early, late = before(penalty, 40), after(penalty, 40)
    assert early == RadialPenalty(Until(0.3, 40), 0.7) and late == RadialPenalty(Until(0.0, 40, 0.3), 0.7)
    for step, wanted in ((0, (0.3, 0)), (39, (0.3, 0)), (40, (0, 0.3)), (500, (0, 0.3))):
        found = [float(at_step(made, step).strength) for made in (early, late)]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    with pytest.raises(SpecError, match="^before and after need a penalty whose strength is a number, got Warmup"):
        before(RadialPenalty(strength=Warmup(0.1)), 40)
