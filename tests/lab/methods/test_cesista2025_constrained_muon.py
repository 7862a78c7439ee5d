"""Constrained Muon: it stays on its manifolds, steps along them, and equals the obvious reference."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.methods.cesista2025_constrained_muon import ConstrainedMuon
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.tasks.modular import Modular
from tests.support.programs import quick_jit

TASK, PLAIN = Modular(p=7, train=0.5), MLP(hidden=(6, 5), embedding=4, shared=False)
METHOD = ConstrainedMuon(
    lr_embedding=0.3, lr_first=0.2, lr_hidden=0.25, lr_head=0.4, momentum=0.6, lookahead=0.2, vectors="normalise"
)


def started(method=METHOD, model=PLAIN, task=TASK):
    return quick_jit(lambda key: method.init(model.init(task, key), jax.random.key(1)))(jax.random.key(0))


def gradients(params, n):
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(n)
    return jax.tree.unflatten(tree, [jnp.asarray(rng.standard_normal(w.shape), w.dtype) for w in leaves])


def moved(method, params, steps=3):
    transform = method.transform()

    @quick_jit
    def step(params, opt_state, grads):
        updates, opt_state = transform.update(grads, opt_state, params)
        return jax.tree.map(jnp.add, params, updates), opt_state

    opt_state = transform.init(params)
    for n in range(steps):
        params, opt_state = step(params, opt_state, gradients(params, n))
    return params


def stepped(method, params, grads):
    transform = method.transform()
    return quick_jit(lambda params, grads: transform.update(grads, transform.init(params), params)[0])(params, grads)


def newton_schulz(G):
    a, b, c = 3.4445, -4.7750, 2.0315
    X = G / np.linalg.norm(G)
    X = X.T if G.shape[0] > G.shape[1] else X
    for _ in range(5):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if G.shape[0] > G.shape[1] else X


def reference(method, params, steps=3):
    """The same with NumPy, layer by layer, and the exact spectral norm."""
    w = {
        "E0": params.embedding[0], "E1": params.embedding[1], "W0": params.layers[0].weight,
        "W1": params.layers[1].weight, "Z": params.head.weight.T,
    }  # fmt: skip
    w = {name: np.asarray(x, np.float64) for name, x in w.items()}
    m = {name: np.zeros_like(x) for name, x in w.items()}
    for n in range(steps):
        grads = gradients(params, n)
        g = {
            "E0": grads.embedding[0], "E1": grads.embedding[1], "W0": grads.layers[0].weight,
            "W1": grads.layers[1].weight, "Z": grads.head.weight.T,
        }  # fmt: skip
        for name in w:
            m[name] = method.momentum * m[name] + (1 - method.momentum) * np.asarray(g[name], np.float64)
            u = m[name] + method.lookahead * (np.asarray(g[name], np.float64) - m[name])
            if name in ("W0", "W1"):
                rate = method.lr_first if name == "W0" else method.lr_hidden
                w[name] = w[name] - rate * newton_schulz(u)
                sigma = np.linalg.norm(w[name], 2)
                w[name] = w[name] / (sigma if method.retraction == "normalise" else max(sigma, 1))
            else:
                tangent = u - np.sum(u * w[name], axis=1, keepdims=True) * w[name]
                turn = (
                    newton_schulz(tangent)
                    if method.vectors == "msign"
                    else tangent / np.linalg.norm(tangent, axis=1, keepdims=True)
                )
                w[name] = w[name] - (method.lr_head if name == "Z" else method.lr_embedding) * turn
                w[name] = w[name] / np.linalg.norm(w[name], axis=1, keepdims=True)
    return w


@pytest.mark.parametrize(("vectors", "retraction"), [("normalise", "cap"), ("msign", "normalise")])
def test_it_equals_the_obvious_reference(vectors, retraction, monkeypatch):
    monkeypatch.setattr("anglewise.lab.methods.cesista2025_constrained_muon.POWER_STEPS", 200)
    method = ConstrainedMuon(**{**vars(METHOD), "vectors": vectors, "retraction": retraction})
    with jax.enable_x64(True):
        params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), started(method))
        found, wanted = moved(method, params), reference(method, params)
    np.testing.assert_allclose(found.embedding[1], wanted["E1"], atol=1e-6)
    np.testing.assert_allclose(found.layers[0].weight, wanted["W0"], atol=1e-5)
    np.testing.assert_allclose(found.layers[1].weight, wanted["W1"], atol=1e-5)
    np.testing.assert_allclose(found.head.weight.T, wanted["Z"], atol=1e-6)


def test_vectors_stay_on_their_spheres_and_matrices_at_spectral_norm_1():
    params = started()
    for now in (params, moved(METHOD, params, 12)):
        np.testing.assert_allclose(np.linalg.norm(now.embedding, axis=-1), 1, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(now.head.weight, axis=0), 1, atol=1e-5)
        for layer in now.layers:
            assert np.linalg.norm(layer.weight, 2) == pytest.approx(1, abs=0.15)  # two power iterations a step
    free = jax.tree.map(lambda w, g: w - 0.3 * g, params, gradients(params, 0))
    assert np.linalg.norm(free.layers[0].weight, 2) > 1.5  # control: a plain step leaves the ball


def test_a_radial_gradient_moves_no_token():
    params = started()
    updates = stepped(METHOD, params, params)
    np.testing.assert_allclose(updates.embedding, 0, atol=1e-5)
    np.testing.assert_allclose(updates.head.weight, 0, atol=1e-5)
    assert np.abs(updates.layers[0].weight).max() > 1e-3  # control: hidden matrices have no rays of their own


def test_at_gains_of_1_embeddings_have_rms_1_and_hidden_matrices_unit_rms_norm():
    seen = METHOD.weights(started())
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(seen.embedding), -1)), 1, rtol=1e-5)
    for layer in seen.layers:
        i, o = layer.weight.shape
        assert np.linalg.norm(layer.weight, 2) == pytest.approx(math.sqrt(o / i), rel=1e-5)


def test_attention_is_three_matrices_and_biases_step_by_their_sign():
    model = Transformer(layers=1, width=8, heads=2, mlp=16)
    params = started(model=model, task=Modular(p=7, train=0.5, form="a b ="))
    thirds = np.split(np.asarray(params.blocks[0].qkv.weight), 3, axis=1)
    np.testing.assert_allclose([np.linalg.norm(w, 2) for w in thirds], 1, atol=1e-5)
    grads = gradients(params, 0)
    updates = stepped(METHOD, params, grads)
    np.testing.assert_allclose(
        updates.blocks[0].up.bias, -METHOD.lr_vector * np.sign(grads.blocks[0].up.bias), atol=1e-6
    )
