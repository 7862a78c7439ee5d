"""nGPT: the published block written out, unit weight vectors, and what is refused."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.engine.forward import with_methods
from anglewise.lab.methods.loshchilov2024_ngpt import NGPT
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.tasks.modular import Modular

TASK = Modular(p=5, form="a b =")
D, HEADS = 8, 2
MODEL = Transformer(
    layers=2, width=D, heads=HEADS, mlp=12, norm="none", activation="relu", attention_bias=False, mlp_bias=False
)
INPUTS = TASK.table()[0]


def made(method, model=MODEL):
    return jax.jit(lambda key: method.init(method.reshape(model.init(TASK, key)), key))(jax.random.key(0))


@pytest.fixture(scope="module")
def network():
    """With scales that are no longer what they are at first."""
    draw = np.random.default_rng(0)
    network = made(NGPT())
    drawn = jax.tree.map(lambda s: s * jnp.asarray(draw.uniform(0.5, 3, s.shape), s.dtype), network.extra)
    return eqx.tree_at(lambda n: n.extra, network, drawn)


def N(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def published(network, alpha, logits):
    """h <- N(h + a (N(f(h)) - h)) in NumPy; scores of queries and keys as this laboratory scales them."""
    w = jax.tree.map(lambda x: np.asarray(x, np.float64), network)
    s, root = w.extra["ngpt"], np.sqrt(D)
    h = N(w.embedding[INPUTS] + w.position[None])
    for k, block in enumerate(w.blocks):
        q, key, v = np.split(h @ block.qkv.weight, 3, axis=-1)
        q, key = (x * s[f"{k}.qk"] * root * root for x in (q, key))
        mixed = np.zeros_like(q)
        for head in range(HEADS):
            own = slice(head * D // HEADS, (head + 1) * D // HEADS)
            scores = np.einsum("nid,njd->nij", q[..., own], key[..., own]) / np.sqrt(D / HEADS)
            scores = np.where(np.tril(np.ones((3, 3))), scores, -np.inf)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            mixed[..., own] = (weights / weights.sum(-1, keepdims=True)) @ v[..., own]
        for name, f in (
            ("attention", lambda h, mixed=mixed, block=block: mixed @ block.out.weight),
            (
                "mlp",
                lambda h, k=k, block=block: (
                    np.maximum(h @ block.up.weight * s[f"{k}.up"] * root, 0) @ block.down.weight
                ),
            ),
        ):
            a = np.abs(s[f"{k}.{name}"] * (alpha * root))
            h = N(h + a * (N(f(h)) - h))
    return h[:, -1] @ w.head.weight * s["head"] * (logits * root)


def woven_logits(network, method):
    return jax.jit(lambda n: with_methods(n, n, (method,))(jnp.asarray(INPUTS)))(network)


def test_a_network_is_the_published_one_with_a_step_of_its_own_along_every_unit(network):
    method = NGPT(alpha=0.07, logits=3.0)
    logits, activations = woven_logits(network, method)
    np.testing.assert_allclose(logits, published(network, 0.07, 3.0), rtol=1e-3, atol=2e-5)
    for site in ("embedded", "block.0.stream", "block.0.out", "block.1.out"):
        np.testing.assert_allclose(np.linalg.norm(activations[site], axis=-1), 1, rtol=1e-5)
    assert not np.allclose(logits, published(network, 0.2, 3.0), rtol=1e-3)  # control


def test_fixed_scales_are_the_first_values_of_learned_ones():
    one = woven_logits(made(NGPT(logits=2.0)), NGPT(logits=2.0))[0]
    other = woven_logits(made(NGPT(logits=2.0, learned=False)), NGPT(logits=2.0, learned=False))[0]
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert made(NGPT(learned=False)).extra == {}


def test_weight_vectors_along_the_width_have_length_1_at_first_and_after_a_step(network):
    moved = jax.tree.map(lambda w: w + 0.1, network)
    for w in (network, NGPT().project(moved)):
        vectors = [w.embedding, w.position, w.head.weight.T]
        for block in w.blocks:
            vectors += [block.qkv.weight.T, block.out.weight, block.up.weight.T, block.down.weight]
        for x in vectors:
            assert x.shape[1] == D
            np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-5)
    assert abs(np.linalg.norm(moved.embedding, axis=1) - 1).max() > 0.01  # control
    np.testing.assert_array_equal(NGPT().project(moved).extra["ngpt"]["head"], moved.extra["ngpt"]["head"])


def test_every_scale_is_learned(network):
    gradient = jax.jit(jax.grad(lambda n: jnp.sum(with_methods(n, n, (NGPT(),))(jnp.asarray(INPUTS))[0] ** 2)))(network)
    assert all((np.abs(g) > 0).any() for g in jax.tree.leaves(gradient.extra))
    assert set(jax.tree.leaves(network.roles.extra)) == {"extra"}


def test_what_it_cannot_be_put_on_is_refused():
    key = jax.random.key(0)
    with pytest.raises(SpecError, match="ngpt got a MLP, which has no residual stream: take a Transformer"):
        NGPT().reshape(MLP(hidden=(8,)).init(Modular(p=5), key))
    for norm in ("pre", "post"):
        with pytest.raises(SpecError, match='ngpt got a Transformer with layer norms, .* set norm to "none"'):
            NGPT().reshape(Transformer(layers=1, width=8, heads=2, norm=norm).init(TASK, key))
    with pytest.raises(SpecError, match="ngpt got a Transformer with a tied head, .* set tied to false"):
        NGPT().reshape(Transformer(layers=1, width=8, heads=2, norm="none", tied=True).init(TASK, key))
