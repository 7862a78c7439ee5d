"""Sphere and cosine head, each on its own and together, against the same network written out."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.engine.forward import with_methods
from anglewise.lab.methods.yildirim2026_sphere import SphereCosine, unit
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.tasks.modular import Modular

PAIRS, SEQUENCES = Modular(p=5), Modular(p=5, form="a b =")
STREAM = Transformer(layers=2, width=8, heads=2, mlp=12, norm="none", activation="relu", causal=False)
FLAGS = [(True, True), (True, False), (False, True), (False, False)]


def slow(network, inputs, normalise, cosine, temperature):
    """Two blocks on a stream in NumPy, without a causal mask; `normalise` after the embedding and after each add."""
    w = jax.tree.map(lambda x: np.asarray(x, np.float64), network)
    d, heads = 8, 2
    x = normalise(w.embedding[inputs] + w.position[None, :3])
    for block in w.blocks:
        q, k, v = np.split(x @ block.qkv.weight + block.qkv.bias, 3, axis=-1)
        mixed = np.zeros_like(q)
        for head in range(heads):
            own = slice(head * d // heads, (head + 1) * d // heads)
            scores = np.einsum("nid,njd->nij", q[..., own], k[..., own]) / np.sqrt(d / heads)
            a = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
            mixed[..., own] = a @ v[..., own]
        x = normalise(x + mixed @ block.out.weight + block.out.bias)
        x = normalise(x + np.maximum(x @ block.up.weight + block.up.bias, 0) @ block.down.weight + block.down.bias)
    h, head = x[:, -1], w.head.weight
    if cosine:
        h, head = length_1(h), head / np.linalg.norm(head, axis=0)
    return temperature * (h @ head)


def length_1(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def network():
    return STREAM.init(SEQUENCES, jax.random.key(0))


@pytest.mark.parametrize(("sphere", "cosine"), FLAGS)
def test_a_stream_is_the_one_written_out(network, sphere, cosine):
    inputs = SEQUENCES.table()[0]
    method = SphereCosine(7.0, sphere=sphere, cosine=cosine)
    logits, _ = jax.jit(lambda network: with_methods(method.reshape(network), network, (method,))(jnp.asarray(inputs)))(
        network
    )
    want = slow(network, inputs, length_1 if sphere else (lambda x: x), cosine, 7.0)
    np.testing.assert_allclose(logits, want, rtol=1e-4, atol=2e-5)
    assert not cosine or np.abs(want).max() <= 7
    plain = slow(network, inputs, lambda x: x, False, 7.0)  # control: each factor changes something
    assert np.allclose(logits, plain, atol=1e-3) == (not sphere and not cosine)


def test_an_mlp_has_its_post_activations_on_the_sphere():
    network, inputs = MLP(hidden=(9, 6)).init(PAIRS, jax.random.key(0)), jnp.asarray(PAIRS.table()[0])
    method = SphereCosine()
    logits, activations = with_methods(network, network, (method,))(inputs)
    for k in range(2):
        np.testing.assert_allclose(np.linalg.norm(activations[f"hidden.{k}.post"], axis=1), 1, rtol=1e-5)
    assert np.abs(np.linalg.norm(activations["hidden.1.pre"], axis=1) - 1).max() > 0.1  # control
    w = np.asarray(network.head.weight, np.float64)
    want = 10 * np.asarray(activations["hidden.1.post"], np.float64) @ (w / np.linalg.norm(w, axis=0))
    np.testing.assert_allclose(logits, want, atol=1e-5)


def test_a_head_does_not_care_for_the_length_of_class_vectors_only_with_cosines():
    network, inputs = MLP(hidden=(9,)).init(PAIRS, jax.random.key(0)), jnp.asarray(PAIRS.table()[0])
    longer = eqx.tree_at(lambda n: n.head.weight, network, replace_fn=lambda w: 3 * w)
    for cosine in (True, False):
        one, other = (with_methods(n, n, (SphereCosine(cosine=cosine),))(inputs)[0] for n in (network, longer))
        assert np.allclose(one, other, atol=1e-5) == cosine


def test_zeros_are_divided_by_the_floor_alone():
    y, pull = jax.value_and_grad(lambda h: jnp.sum(unit(h)))(jnp.zeros((2, 3)))
    assert y == 0 and np.isfinite(pull).all()


def test_what_it_cannot_be_put_on_is_refused():
    key = jax.random.key(0)
    tied = Transformer(layers=1, width=8, heads=2, tied=True).init(SEQUENCES, key)
    with pytest.raises(SpecError, match="sphere-cosine got a Transformer with a tied head, expected a head of its own"):
        SphereCosine().reshape(tied)
    normed = Transformer(layers=1, width=8, heads=2).init(SEQUENCES, key)
    with pytest.raises(
        SpecError,
        match='sphere-cosine got a Transformer with a layer norm before its head, .* set the model\'s norm to "none"',
    ):
        SphereCosine().reshape(normed)
    assert SphereCosine(cosine=False).reshape(normed) is normed
    with pytest.raises(SpecError, match="sphere-cosine got a MLP with a bias in its head, a cosine head has none"):
        SphereCosine().reshape(MLP(hidden=(8,), bias=True).init(PAIRS, key))
