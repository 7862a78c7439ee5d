from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
import pytest
import torch

from anglewise.lab.methods.cliptogrok2026_rows import RELEASED, ClipRows
from anglewise.lab.protocols.reading import named_parameters
from anglewise.torch.methods.cliptogrok2026_rows import ClipRows as DropIn
from tests.support.weights import PERCEPTRON, TRANSFORMER, drawn_network

pytestmark = pytest.mark.usefixtures("double")
NAMES = {"embedding": "token_embeddings", "norm.gain": "ln_f_gain", "norm.bias": "ln_f_bias"}


class Twin(torch.nn.Module):
    """The same parameters under the released names, rows last."""

    def __init__(self, params):
        super().__init__()
        roles = named_parameters(params.roles)
        for name, w in named_parameters(params).items():
            rows = np.array(w).T if roles[name] in ("hidden", "head") else np.array(w)
            self.register_parameter(NAMES.get(name, name).replace(".", "_"), torch.nn.Parameter(torch.tensor(rows)))

    def like(self, params):
        named, roles = dict(self.named_parameters()), named_parameters(params.roles)
        rows = {name: named[NAMES.get(name, name).replace(".", "_")].detach().numpy() for name in roles}
        return {name: x.T if roles[name] in ("hidden", "head") else x for name, x in rows.items()}


def assert_same(params, twin):
    for name, w in twin.like(params).items():
        np.testing.assert_allclose(named_parameters(params)[name], w, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("model", [PERCEPTRON, TRANSFORMER], ids=["mlp", "transformer"])
@pytest.mark.parametrize("more", [{}, {"vectors": False}, {"head": True}])
def test_after_a_step_it_is_the_drop_in(model, more):
    params, extra = drawn_network(model), dict(more)
    twin = Twin(params)
    exclude = ("token_embeddings",) if extra.pop("head", False) else DropIn.RELEASED_EXCLUDE
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.0)
    DropIn(optimizer, twin, 1.2, exclude=exclude, **extra)
    sum(p.sum() for p in twin.parameters()).backward()
    optimizer.step()
    clipped = ClipRows(1.2, **more).project(params)
    assert_same(clipped, twin)
    assert np.array_equal(clipped.head.weight, params.head.weight) != bool(more.get("head"))


@pytest.mark.parametrize(
    ("start", "theirs"),
    [("all", "all"), ("edge", ("token_embeddings", "head")), ("edge_ln", ("token_embeddings", "ln_f", "head"))],
)
def test_before_training_it_is_the_drop_in_clipped_once(start, theirs):
    params = drawn_network(TRANSFORMER)
    twin = Twin(params)
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.0)
    DropIn(optimizer, twin, 1.2, start=theirs)
    sum(p.sum() for p in twin.parameters()).backward()
    optimizer.step()
    assert_same(ClipRows(1.2, start=start).init(params, jax.random.key(0)), twin)


def test_rows_of_zeros_stay_and_short_rows_keep_their_bits():
    params = drawn_network()
    zero = eqx.tree_at(lambda p: p.layers[0].weight, params, replace_fn=lambda w: w.at[:, 0].set(0.0))
    found = RELEASED.init(zero, jax.random.key(0))
    assert not found.layers[0].weight[:, 0].any()
    np.testing.assert_allclose(np.linalg.norm(found.layers[0].weight[:, 1:], axis=0), 2.0, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(found.layers[0].bias), 2.0, rtol=1e-12)
    for x, y in zip(*(jax.tree.leaves(p) for p in (ClipRows(1e9).project(params), params)), strict=True):
        assert np.array_equal(x, y)


def test_tables_are_clipped_only_if_asked():
    params = drawn_network()
    assert np.array_equal(ClipRows(0.5).project(params).embedding, params.embedding)
    found = ClipRows(0.5, embedding=True).project(params).embedding
    assert np.linalg.norm(found, axis=-1).max() <= 0.5 + 1e-12
