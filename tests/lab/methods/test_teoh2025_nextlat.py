"""Next-latent prediction, against PyTorch; and what must not be pulled is not."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from anglewise.errors import SpecError
from anglewise.lab.methods.teoh2025_nextlat import NextLatent, predict
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.tasks.modular import Modular

TASK, D = Modular(p=5, form="a b ="), 8
DRAW = np.random.default_rng(0)
STREAM = {site: jnp.asarray(2 * DRAW.normal(size=(3, 9, D)), jnp.float32) for site in ("embedded", "block.0.out")}


def made(norm="pre", tied=False):
    method = NextLatent()
    model = Transformer(layers=1, width=D, heads=2, positions="all", norm=norm, tied=tied)
    return jax.jit(lambda key: method.init(method.reshape(model.init(TASK, key)), key))(jax.random.key(0))


@pytest.fixture(scope="module")
def network():
    return made()


def tensor(x):
    return torch.tensor(np.asarray(x, np.float64))


def in_torch(own, h, x):
    y = F.layer_norm(torch.cat([h, x], -1), (2 * D,), tensor(own["gain"]), tensor(own["shift"]))
    for k in range(3):
        y = (F.gelu(y) if k else y) @ tensor(own[f"weight.{k}"]) + tensor(own[f"bias.{k}"])
    return h + y


def both_terms(own, h, x, head):
    got, target = in_torch(own, h[:-1], x[1:]), h[1:]
    want, log = ((y @ head).log_softmax(-1) for y in (target, got))
    return F.smooth_l1_loss(got, target), F.kl_div(log, want, reduction="none", log_target=True).sum(-1).mean()


@pytest.mark.parametrize(("norm", "tied"), [("pre", False), ("none", True)])
def test_both_terms_are_pytorchs(norm, tied):
    network = made(norm, tied)
    h, x = tensor(STREAM["block.0.out"]), tensor(STREAM["embedded"])
    h = F.layer_norm(h, (D,)) if norm == "pre" else h
    head = tensor(network.embedding.T if tied else network.head.weight)
    distance, divergence = both_terms(network.extra["next-latent"], h, x, head)
    for method, want in [(NextLatent(0.7, 0.0), 0.7 * distance), (NextLatent(0.0, 0.3), 0.3 * divergence)]:
        np.testing.assert_allclose(method.penalty(STREAM, network), want, rtol=1e-4)


def test_the_predictor_is_drawn_as_pytorch_draws_it_and_learned(network):
    own = network.extra["next-latent"]
    assert own["weight.0"].shape == (2 * D, D) and own["weight.2"].shape == (D, D)
    assert 0.2 < np.abs(own["weight.0"]).max() <= 0.25 and 0.25 < np.abs(own["weight.1"]).max() <= 1 / np.sqrt(D)
    gradient = jax.grad(lambda n: NextLatent().penalty(STREAM, n))(network)
    assert all((np.abs(g) > 0).any() for g in jax.tree.leaves(gradient.extra))


def test_the_target_and_the_head_are_not_pulled(network):
    pull = jax.grad(lambda a: NextLatent().penalty(a, network))(STREAM)
    assert (pull["block.0.out"][-1] == 0).all()  # the last latent is a target and nothing else
    assert (np.abs(pull["block.0.out"][:-1]) > 0).any() and (np.abs(pull["embedded"][1:]) > 0).any()  # control
    gradient = jax.grad(lambda n: NextLatent().penalty(STREAM, n))(network)
    assert (gradient.head.weight == 0).all()


def test_a_perfect_prediction_costs_nothing(network):
    own, x = network.extra["next-latent"], STREAM["embedded"]
    plain = made("none")
    h = [STREAM["block.0.out"][0]]
    for t in (1, 2):
        h.append(predict(own, h[-1], x[t]))
    perfect = {"embedded": x, "block.0.out": jnp.stack(h)}
    assert float(NextLatent().penalty(perfect, plain)) < 1e-10
    assert float(NextLatent().penalty(STREAM, plain)) > 0.1  # control


def test_strength_0_pulls_at_nothing(network):
    pulls = jax.grad(lambda a, n: NextLatent(0.0, 0.0).penalty(a, n), argnums=(0, 1))(STREAM, network)
    assert all((np.asarray(x) == 0).all() for x in jax.tree.leaves(pulls))


def test_what_it_cannot_be_put_on_is_refused():
    with pytest.raises(SpecError, match="next-latent got a MLP, which has no latent per position: take a Transformer"):
        NextLatent().reshape(MLP(hidden=(8,)).init(Modular(p=5), jax.random.key(0)))
    with pytest.raises(SpecError, match='with 1 latent for 3 positions, expected one for each: set positions to "all"'):
        NextLatent().reshape(Transformer(layers=1, width=8, heads=2).init(TASK, jax.random.key(0)))
