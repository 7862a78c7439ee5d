from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from anglewise.lab.methods.jordan2024_muon import JANATI, Muon, _factor
from tests.support.weights import PERCEPTRON, TRANSFORMER, drawn_network

pytestmark = pytest.mark.usefixtures("double")


def released(G, steps=5):
    """zeropower_via_newtonschulz5 of KellerJordan/Muon, in the dtype of G."""
    a, b, c = (3.4445, -4.7750, 2.0315)
    X = G.mT if G.size(-2) > G.size(-1) else G
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        A = X @ X.mT
        X = a * X + (b * A + c * A @ A) @ X
    return X.mT if G.size(-2) > G.size(-1) else X


def in_torch(method, model, seeds):
    """The released optimiser, group by group; qkv as three matrices."""
    params, roles = drawn_network(model), jax.tree.leaves(drawn_network(model).roles)
    weights = [torch.tensor(np.array(w)) for w in jax.tree.leaves(params)]
    betas = (method.aux_beta1, method.aux_beta2)
    rest = [w for w, r in zip(weights, roles, strict=True) if r not in ("hidden", "head")]
    head = [w for w, r in zip(weights, roles, strict=True) if r == "head"]
    groups = [{"params": rest, "lr": method.aux_lr}, {"params": head, "lr": method.head_lr}]
    adam = torch.optim.AdamW(groups, betas=betas, eps=method.aux_eps, weight_decay=method.aux_wd)
    momentum = [torch.zeros_like(w) for w in weights]
    for seed in seeds:
        for w, M, r, g in zip(weights, momentum, roles, jax.tree.leaves(drawn_network(model, seed)), strict=True):
            w.grad = torch.tensor(np.array(g))
            if r != "hidden":
                continue
            grad = w.grad.T.clone()  # a row of PyTorch is a column here
            M.T.lerp_(grad, 1 - method.momentum)
            ahead = grad.lerp(M.T, method.momentum)
            parts = ahead.chunk(3) if w.shape[1] == 3 * w.shape[0] and model is TRANSFORMER else (ahead,)
            update = torch.cat([released(p) * max(1, p.size(-2) / p.size(-1)) ** 0.5 for p in parts])
            w.mul_(1 - method.lr * method.wd).add_(update.T, alpha=-method.lr)
        adam.step()
    return [w.numpy() for w in weights]


def stepped(method, model, seeds):
    params, transform = drawn_network(model), method.transform()
    opt_state, update = transform.init(params), jax.jit(transform.update)
    for seed in seeds:
        direction, opt_state = update(drawn_network(model, seed), opt_state, params)
        params = optax.apply_updates(params, direction)
    return params


@pytest.mark.parametrize("model", [PERCEPTRON, TRANSFORMER], ids=["mlp", "transformer"])
def test_it_is_the_released_optimiser(model):
    method = Muon(0.02, 0.1, aux_lr=0.01, aux_wd=0.2, head_lr=0.003)
    found = jax.tree.leaves(stepped(method, model, [1, 2, 3]))
    for x, y in zip(found, in_torch(method, model, [1, 2, 3]), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("scale", "rms"), [("aspect", None), ("rms", 0.2)])
def test_without_lookahead_it_is_that_of_optax(scale, rms):
    theirs = optax.contrib.muon(0.02, nesterov=False, eps=1e-7, consistent_rms=rms)
    matrix = drawn_network().layers[0].weight
    state, expected = theirs.init(matrix), []
    for seed in (1, 2, 3):
        update, state = jax.jit(theirs.update)(drawn_network(seed=seed).layers[0].weight, state, matrix)
        expected.append(update)
    found = stepped(Muon(0.02, nesterov=False, scale=scale, aux_lr=0.0, head_lr=0.0), PERCEPTRON, [1, 2, 3])
    # the eps beside the momentum's norm sees it with and without correction of its bias
    np.testing.assert_allclose(found.layers[0].weight - matrix, sum(expected), rtol=1e-4, atol=1e-7)


def test_scales_are_what_they_say():
    tall = [_factor(scale, rows=6, cols=3) for scale in ("aspect", "rms", "none")]
    wide = [_factor(scale, rows=3, cols=6) for scale in ("aspect", "rms", "none")]
    np.testing.assert_allclose(tall, [np.sqrt(2), 0.2 * np.sqrt(6), 1])
    np.testing.assert_allclose(wide, [1, 0.2 * np.sqrt(6), 1])


def test_tables_and_the_head_are_matrices_only_if_asked():
    still = Muon(0.0, aux_lr=0.0, head_lr=0.0)
    before = drawn_network()
    for x, y in zip(*map(jax.tree.leaves, (stepped(still, PERCEPTRON, [1]), before)), strict=True):
        assert np.array_equal(x, y)
    some = stepped(Muon(0.1, aux_lr=0.0, head_lr=0.0), PERCEPTRON, [1])
    every = stepped(Muon(0.1, aux_lr=0.0, head_lr=0.0, all_matrices=True), PERCEPTRON, [1])
    assert np.array_equal(some.embedding, before.embedding) and np.array_equal(some.head.weight, before.head.weight)
    assert not np.array_equal(every.embedding, before.embedding)
    assert not np.array_equal(every.head.weight, before.head.weight)
    assert np.array_equal(every.layers[0].bias, before.layers[0].bias)


def test_without_a_gradient_only_decay_moves():
    params, transform = drawn_network(), JANATI.transform()
    zero = jax.tree.map(jnp.zeros_like, params)
    direction, _ = jax.jit(transform.update)(zero, transform.init(params), params)
    np.testing.assert_allclose(direction.layers[1].weight, -0.03 * 0.1 * params.layers[1].weight, rtol=1e-12)
    np.testing.assert_allclose(direction.head.weight, -2.5e-4 * params.head.weight, rtol=1e-12)
