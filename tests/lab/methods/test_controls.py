import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.methods.controls import RadiusClamp, RadiusReplay
from anglewise.lab.protocols.dataclass import at_step
from anglewise.lab.protocols.schedule import Recorded
from tests.support.programs import quick_jit

SITE = "hidden.0.pre"
H = jnp.asarray(np.random.default_rng(0).normal(size=(7, 5)) * np.linspace(0.1, 3, 7)[:, None])
G = jnp.asarray(np.random.default_rng(1).normal(size=(7, 5)))


def radii(h):
    return np.linalg.norm(np.asarray(h, np.float64), axis=-1) / np.sqrt(h.shape[-1])


def clamp(side, multiple=0.8):
    return RadiusClamp(multiple, side, (SITE,))


@functools.partial(quick_jit, static_argnums=1)
def clamped(h, side):
    """What a clamp makes, and the gradient of its product with G."""
    new, back = jax.vjp(lambda h: clamp(side).tap(None, SITE, h, None), h)
    return new, back(G.astype(h.dtype))[0]


def slow(h, side, multiple):
    h, limit = np.asarray(h, np.float64), multiple * np.sqrt(h.shape[-1])
    out = h.copy()
    for i, row in enumerate(h):
        r = np.sqrt(sum(x * x for x in row))
        if side == "batch-mean":
            out[i] = row * limit / np.mean([np.sqrt(sum(x * x for x in other)) for other in h])
        elif (side == "outer" and r > limit) or (side == "inner" and 0 < r < limit):
            out[i] = row * limit / r
    return out


def slow_pull(h, side, multiple):
    """The gradient of <f(h), G>, by central differences."""
    h, found = np.asarray(h, np.float64), np.zeros(h.shape)
    for at in np.ndindex(h.shape):
        nudge = np.zeros(h.shape)
        nudge[at] = 1e-6
        up, down = (slow(h + sign * nudge, side, multiple) for sign in (1, -1))
        found[at] = np.sum((up - down) * np.asarray(G)) / 2e-6
    return found


@pytest.mark.parametrize("side", ["batch-mean", "outer", "inner"])
def test_a_clamp_equals_the_obvious_one_and_has_its_true_gradient(side):
    with jax.enable_x64(True):
        h = jnp.asarray(np.asarray(H), jnp.float64)
        found, pull = clamped(h, side)
        np.testing.assert_allclose(found, slow(h, side, 0.8), rtol=1e-12)
        np.testing.assert_allclose(pull, slow_pull(h, side, 0.8), atol=1e-7)


@pytest.mark.parametrize("side", ["batch-mean", "outer", "inner"])
def test_a_clamp_keeps_directions_and_zeros_and_their_gradients_are_finite(side):
    h = H.at[2].set(0)
    found, pull = (np.asarray(x) for x in clamped(h, side))
    kept = [i for i in range(7) if i != 2]
    np.testing.assert_allclose(
        found[kept] / radii(found)[kept, None], np.asarray(h)[kept] / radii(h)[kept, None], rtol=1e-5
    )
    assert not found[2].any() and np.isfinite(pull).all()
    found, pull = clamped(jnp.zeros((7, 5)), side)
    assert not found.any() and np.isfinite(pull).all()


def test_one_factor_moves_the_mean_and_keeps_the_spread():
    found = radii(clamp("batch-mean").tap(None, SITE, H, None))
    assert found.mean() == pytest.approx(0.8, rel=1e-6)
    assert found.std() / found.mean() == pytest.approx(radii(H).std() / radii(H).mean(), rel=1e-5)
    outer, inner = (radii(clamp(side).tap(None, SITE, H, None)) for side in ("outer", "inner"))
    assert outer.max() == pytest.approx(0.8, rel=1e-6) and inner.min() == pytest.approx(0.8, rel=1e-6)
    assert outer.min() < 0.8 < inner.max()  # control: one-sided


def test_other_sites_are_left_alone_and_only_a_mean_needs_the_whole_batch():
    for made in (clamp("batch-mean"), clamp("outer"), RadiusReplay(0.5, SITE)):
        assert made.tap(None, "hidden.1.pre", H, None) is H
    assert [clamp(side).needs for side in ("batch-mean", "outer", "inner")] == [{"whole-batch"}, set(), set()]


def test_a_replay_follows_the_record_step_by_step():
    made = RadiusReplay(Recorded((0.5, 1.5), 10.0), SITE)
    for step, wanted in ((0, 0.5), (5, 1.0), (99, 1.5)):
        now = at_step(made, step)
        new = now.tap(None, SITE, H, None)
        assert radii(new).mean() == pytest.approx(wanted, rel=1e-6)
        ((name, (told, got)),) = now.check((), None, {SITE: new}).items()
        assert name == "radius_hidden_0_pre" and float(told) == pytest.approx(wanted)
        assert float(got) == pytest.approx(wanted, rel=1e-6)


def test_a_stopped_factor_only_scales_the_gradient():
    def pull(gradient):
        return quick_jit(jax.grad(lambda h: jnp.sum(RadiusReplay(0.8, SITE, gradient).tap(None, SITE, h, None) * G)))(H)

    np.testing.assert_allclose(pull("stopped"), G * 0.8 / radii(H).mean(), rtol=1e-5)
    np.testing.assert_allclose(jnp.sum(pull("through") * H), 0, atol=1e-5)  # scaling the batch changes nothing
    assert abs(float(jnp.sum(pull("stopped") * H))) > 0.1  # control


def test_a_match_that_failed_shows_in_the_proof():
    (wanted, got), *_ = clamp("batch-mean").check((), None, {SITE: H}).values()
    assert wanted == 0.8 and float(got) == pytest.approx(radii(H).mean(), rel=1e-6) and abs(float(got) - 0.8) > 0.1
    assert clamp("outer").check((), None, {SITE: H}) == {}
    with pytest.raises(SpecError, match=r"^unknown site 'hidden\.9\.pre'"):
        RadiusReplay(0.5, "hidden.9.pre").check((), None, {SITE: H})
