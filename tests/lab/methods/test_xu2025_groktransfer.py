"""GrokTransfer: the small network's training against PyTorch's, and what is carried over."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anglewise.errors import SpecError
from anglewise.lab.methods.xu2025_groktransfer import GrokTransfer, draw, train
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols.loss import cross_entropy
from anglewise.lab.tasks.modular import Modular

TASK = Modular(p=7, train=0.6)
DATA = TASK.split(jax.random.key(1))


def made(method, model, task, data):
    network = method.reshape(jax.jit(lambda key: model.init(task, key))(jax.random.key(0)))
    return method.init(network, jax.random.key(5), data=data)


def test_the_small_network_trains_as_in_pytorch():
    weak = draw(jax.random.key(0), 2, 7, 2, 7)
    got = train(weak, DATA.train_inputs, DATA.train_labels, jnp.float32(0.01), jnp.float32(0.5), 25)
    table, up, down = (torch.tensor(np.asarray(w), requires_grad=True) for w in weak)
    optimizer = torch.optim.AdamW([table, up, down], lr=0.01, weight_decay=0.5)
    x, y = (torch.tensor(np.asarray(a)).long() for a in (DATA.train_inputs, DATA.train_labels))
    for _ in range(25):
        optimizer.zero_grad()
        h = torch.cat([table[0][x[:, 0]], table[1][x[:, 1]]], -1)
        torch.nn.functional.cross_entropy(torch.relu(h @ up) @ down, y).backward()
        optimizer.step()
    for mine, theirs in zip(got, (table, up, down), strict=True):
        np.testing.assert_allclose(mine, theirs.detach(), rtol=2e-3, atol=2e-4)
    assert not np.allclose(got.table, weak.table, atol=1e-2)  # control


def test_more_steps_of_the_small_network_fit_better():
    weak = draw(jax.random.key(0), 1, 7, 2, 7)
    losses = []
    for steps in (0, 25, 300):
        at = train(weak, DATA.train_inputs, DATA.train_labels, jnp.float32(0.02), jnp.float32(0.1), steps)
        losses.append(float(jnp.mean(cross_entropy(at(DATA.train_inputs), DATA.train_labels))))
    assert losses[0] > losses[1] > losses[2] and losses[2] < 0.5


def test_the_table_is_copied_and_the_lift_drawn_with_its_scale():
    method, model = GrokTransfer(scale=0.5, weak_steps=10), MLP(hidden=(8,), embedding=400)
    params = made(method, model, TASK, DATA)
    assert params.embedding.shape == (1, 7, 4) and params.lift.shape == (4, 400)
    keys = jax.random.split(jax.random.key(5))
    weak = train(
        draw(keys[0], 1, 7, 2, 7), DATA.train_inputs, DATA.train_labels, jnp.float32(1e-2), jnp.float32(1.0), 10
    )
    np.testing.assert_array_equal(params.embedding, weak.table)
    assert abs(float(jnp.std(params.lift)) - 0.5) < 0.05
    assert params.roles.lift == params.roles.embedding == "embedding"


def test_a_network_computes_with_the_product():
    params = made(GrokTransfer(weak_steps=3), MLP(hidden=(8,), embedding=6), TASK, DATA)
    x = DATA.train_inputs
    table = np.asarray(params.embedding[0], np.float64) @ np.asarray(params.lift, np.float64)
    h = np.concatenate([table[x[:, 0]], table[x[:, 1]]], 1) @ np.asarray(params.layers[0].weight, np.float64)
    want = np.maximum(h, 0) @ np.asarray(params.head.weight, np.float64)
    np.testing.assert_allclose(params(x)[0], want, rtol=1e-4, atol=1e-5)


def test_test_examples_are_not_looked_at_and_training_examples_are():
    method, model = GrokTransfer(weak_steps=5), MLP(hidden=(8,), embedding=6)
    found = [
        made(method, model, TASK, data).embedding
        for data in (
            DATA,
            DATA._replace(test_labels=DATA.test_labels * 0),
            DATA._replace(train_labels=DATA.train_labels * 0),
        )
    ]
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


def test_a_transformer_has_one_table_with_its_constant_tokens():
    task = Modular(p=7, train=0.6, form="a op b =")
    model = Transformer(layers=1, width=8, heads=2, tied=True)
    params = made(GrokTransfer(weak_steps=5), model, task, task.split(jax.random.key(1)))
    assert params.embedding.shape == (9, 4) and params.lift.shape == (4, 8)
    assert np.isfinite(params(jnp.asarray(task.table()[0]))[0]).all()


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(SpecError, match="groktransfer got a MLP with a one-hot input, expected learned embeddings"):
        GrokTransfer().reshape(MLP(hidden=(8,)).init(TASK, jax.random.key(0)))
    with pytest.raises(SpecError, match="weak_steps must be at least 0, got -1"):
        GrokTransfer(weak_steps=-1)
