from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anglewise.errors import SpecError
from anglewise.lab.methods import zhou2025_neuralgrok as lab
from anglewise.lab.methods.zhou2025_neuralgrok import GradNorm, NeuralGrok, drawn, unit

SHAPES = {"a": (4, 3), "b": (5,)}


def field(seed):
    rng = np.random.default_rng(seed)
    return {name: jnp.asarray(rng.standard_normal(shape)) for name, shape in SHAPES.items()}


def outer(params):
    """A loss with a minimum at 1 in some directions and none in others."""
    return jnp.sum((params["a"][:2] - 1) ** 2) + jnp.sum(jnp.sin(params["b"]))


def stepped(method, steps, gradient=None):
    """Amplified gradients and memories, step after step, at weights that move a little."""
    transform, params = method.transform(), field(0)
    opt_state, out = transform.init(params), []
    update = jax.jit(lambda g, m, p: transform.update(g, m, p, outer=outer))
    for step in range(steps):
        found, opt_state = update(gradient or field(step + 1), opt_state, params)
        params = jax.tree.map(lambda w, g: w - 0.01 * g, params, found)
        out.append((found, opt_state))
    return out


def test_gradnorm_gives_every_tensor_the_same_length():
    transform = GradNorm(0.3).transform()
    found, _ = transform.update(field(1), transform.init(None))
    for name, g in field(1).items():
        np.testing.assert_allclose(found[name], 0.3 * g / np.linalg.norm(g), rtol=1e-5)


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_no_size_of_a_gradient_is_too_small_or_too_large(size):
    found = unit(jnp.array([3.0, -4.0]) * jnp.float32(size))
    np.testing.assert_allclose(found, [0.6, -0.8], rtol=1e-5)


def test_a_gradient_of_0_stays_0_without_nan_and_a_nan_is_not_hidden():
    zero = jnp.zeros(3)
    value, slope = jax.value_and_grad(lambda x: jnp.sum(unit(x)))(zero)
    assert value == 0 and np.isfinite(slope).all()
    assert np.isnan(unit(jnp.array([jnp.nan, 1.0]))).all()


def test_the_released_softmax_is_gradient_normalisation_to_the_bit_and_never_learns():
    found = stepped(NeuralGrok(c=0.7, every=2, hidden=(5,), softmax="released"), 5)
    plain = GradNorm(0.7).transform()
    normalised = jax.jit(plain.update)
    first = found[0][1].phi
    for step, (amplified, opt_state) in enumerate(found):
        wanted, _ = normalised(field(step + 1), plain.init(None))
        assert all(np.array_equal(amplified[name], wanted[name]) for name in SHAPES)
        assert all(
            np.array_equal(x, y) for x, y in zip(jax.tree.leaves(opt_state.phi), jax.tree.leaves(first), strict=True)
        )
    published = stepped(NeuralGrok(c=0.7, every=2, hidden=(5,)), 1)  # control
    assert not np.allclose(published[0][0]["a"], found[0][0]["a"], rtol=1e-3)


def by_torch(gradients, phi, *, c, meta_lr, inner_lr, every):
    """The bilevel rule by double backward, in float64, at the same moving weights."""

    def double(x):
        return torch.tensor(np.asarray(x), dtype=torch.float64)

    phi = [(double(w).requires_grad_(), double(b).requires_grad_()) for w, b in phi]
    adam = torch.optim.Adam([x for pair in phi for x in pair], lr=meta_lr, betas=(0.9, 0.98))
    params, out = {name: double(w) for name, w in field(0).items()}, []

    def amplify(g):
        h = g.reshape(-1, 1)
        for i, (w, b) in enumerate(phi):
            h = h @ w + b
            h = torch.relu(h) if i < len(phi) - 1 else h
        weighed = torch.softmax(h, dim=0).reshape(g.shape) * g
        return c * weighed / weighed.norm()

    for step, gradient in enumerate(gradients):
        amplified = {name: amplify(double(g)) for name, g in gradient.items()}
        used = {name: g.detach() for name, g in amplified.items()}
        if (step + 1) % every == 0:
            trial = {name: w - inner_lr * amplified[name] for name, w in params.items()}
            loss = ((trial["a"][:2] - 1) ** 2).sum() + torch.sin(trial["b"]).sum()
            adam.zero_grad()
            loss.backward()
            adam.step()
        params = {name: w - 0.01 * used[name] for name, w in params.items()}
        out.append((used, [x.detach().clone() for pair in phi for x in pair]))
    return out


def test_it_is_the_bilevel_rule():
    hidden = (6, 5)
    with jax.enable_x64(True):
        method = NeuralGrok(c=0.7, meta_lr=0.05, inner_lr=0.1, every=2, hidden=hidden)
        found = stepped(method, 6)
        phi = jax.tree.map(np.asarray, drawn(hidden, 0))
        wanted = by_torch([field(i + 1) for i in range(6)], phi, c=0.7, meta_lr=0.05, inner_lr=0.1, every=2)
        for (amplified, opt_state), (theirs, weights) in zip(found, wanted, strict=True):
            for name in SHAPES:
                np.testing.assert_allclose(amplified[name], theirs[name].numpy(), rtol=1e-9, atol=1e-12)
            for x, y in zip(jax.tree.leaves(opt_state.phi), weights, strict=True):
                np.testing.assert_allclose(x, y.numpy(), rtol=1e-7, atol=1e-10)


def test_phi_learns_every_so_many_steps_and_not_between():
    phis = [
        np.asarray(opt_state.phi[0][0]) for _, opt_state in stepped(NeuralGrok(meta_lr=0.01, every=3, hidden=(4,)), 6)
    ]
    moved = [not np.array_equal(a, b) for a, b in itertools.pairwise(phis)]
    assert moved == [False, True, False, False, True]


def test_the_amplifier_learns_which_entries_help():
    # only large entries point downhill for the held-out loss
    gradient = {"a": jnp.array([2.0, 2.0, 2.0, 0.2, 0.2, 0.2])}
    transform = NeuralGrok(meta_lr=0.03, inner_lr=0.5, every=1, hidden=(8,)).transform()
    params = {"a": jnp.zeros(6)}
    opt_state = transform.init(params)
    update = jax.jit(
        lambda m: transform.update(gradient, m, params, outer=lambda p: jnp.sum(p["a"] * (gradient["a"] - 1)))
    )
    shares = []
    for _ in range(40):
        found, opt_state = update(opt_state)
        shares.append(float(found["a"][0] / found["a"][5]))
    assert shares[-1] > 2 * shares[0]


def test_first_weights_come_from_the_seed_alone_and_lie_within_pytorchs_bounds():
    phi = drawn((16, 9), 0)
    assert [w.shape for w, _ in phi] == [(1, 16), (16, 9), (9, 1)] and [b.shape for _, b in phi] == [(16,), (9,), (1,)]
    for w, b in phi:
        bound = w.shape[0] ** -0.5
        assert 0.5 * bound < np.abs(w).max() <= bound and np.abs(b).max() <= bound
    assert np.array_equal(phi[0][0], drawn((16, 9), 0)[0][0]) and not np.array_equal(phi[0][0], drawn((16, 9), 1)[0][0])


def test_constants_are_those_of_paper_and_code():
    assert NeuralGrok(1.0, 1e-4, 1e-3, 4, (32 * 16,), "entries") == lab.PUBLISHED
    assert lab.RELEASED.softmax == "released" and lab.RELEASED.every == 2 and GradNorm().c == 1.0


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("every", 0, "NeuralGrok.every must be at least 1, got 0"),
        ("hidden", (), r"hidden must list at least one width, got none"),
        ("softmax", "entry", "unknown NeuralGrok.softmax 'entry': did you mean 'entries'"),
    ],
)
def test_what_cannot_be_meant_is_refused(field, value, message):
    with pytest.raises(SpecError, match=message):
        NeuralGrok(**{field: value})
