from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anglewise.errors import SpecError
from anglewise.lab.methods import prieto2025_orthograd as lab
from anglewise.lab.methods.prieto2025_orthograd import PerpGrad
from anglewise.lab.models.transformer import Transformer
from anglewise.torch.methods import OrthoGrad
from tests.support.weights import PERCEPTRON, shapes


def network(model=PERCEPTRON):
    """A network's weights, in its structure, drawn by NumPy."""
    return gradient_of(shapes(model), seed=1)


def gradient_of(params, seed=0):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda w: rng.standard_normal(w.shape), params)


def filtered(method, gradient, params):
    transform = method.transform()
    update = jax.jit(lambda gradient, params: transform.update(gradient, transform.init(params), params)[0])
    return update(*(jax.tree.map(jnp.asarray, tree) for tree in (gradient, params)))


def rows_first(x, role):
    """As PyTorch has it: output units, or tokens, along the first axis."""
    return x.T if role in ("hidden", "head") else x.reshape(-1, x.shape[-1]) if role == "embedding" else x


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("per", ["tensor", "row", "global"])
def test_it_is_the_drop_in(double, per, rescale):
    params = network()
    gradient, roles = gradient_of(params), jax.tree.leaves(params.roles)
    found = filtered(PerpGrad(per=per, rescale=rescale), gradient, params)
    weights = [torch.tensor(rows_first(w, r).copy()) for w, r in zip(jax.tree.leaves(params), roles, strict=True)]
    optimizer = torch.optim.SGD([w.requires_grad_() for w in weights], lr=0.0)
    OrthoGrad(optimizer, per=per, rescale=rescale)
    for w, g, r in zip(weights, jax.tree.leaves(gradient), roles, strict=True):
        w.grad = torch.tensor(rows_first(g, r).copy())
    optimizer.step()
    for x, w, r in zip(jax.tree.leaves(found), weights, roles, strict=True):
        np.testing.assert_allclose(rows_first(np.asarray(x), r), w.grad.numpy(), rtol=1e-10, atol=1e-13)


def along(gradient, params, total):
    return jax.tree.map(lambda g, w: float(np.abs(total(np.asarray(g) * w)).max()), gradient, params)


def test_a_unit_turns_by_its_incoming_weights_and_a_token_by_its_embedding(double):
    params = network()
    found = filtered(PerpGrad(per="row"), gradient_of(params), params)
    by_tensor = filtered(PerpGrad(), gradient_of(params), params)
    for tree, small in ((found, True), (by_tensor, False)):  # the second is the control
        columns = along(tree, params, lambda x: x.sum(0))
        assert (columns.layers[1].weight < 1e-12) is small and (columns.head.weight < 1e-12) is small
        assert (along(tree, params, lambda x: x.sum(-1)).embedding < 1e-12) is small
    assert max(jax.tree.leaves(along(by_tensor, params, np.sum))) < 1e-12


def test_rows_have_a_meaning_in_a_transformer_too(double):
    params = network(Transformer(layers=1, width=8, heads=2, mlp=16))
    found = filtered(PerpGrad(per="row"), gradient_of(params), params)
    assert along(found, params, lambda x: x.sum(0)).blocks[0].qkv.weight < 1e-12
    assert along(found, params, lambda x: x.sum(-1)).embedding < 1e-12


def test_rescaling_keeps_lengths(double):
    params = network()
    gradient = gradient_of(params)
    for x, g in zip(jax.tree.leaves(filtered(PerpGrad(), gradient, params)), jax.tree.leaves(gradient), strict=True):
        assert np.linalg.norm(x) == pytest.approx(np.linalg.norm(g))


def test_strength_mixes_and_its_ends_are_exact():
    params = jax.tree.map(np.float32, network())
    gradient = jax.tree.map(np.float32, gradient_of(params))
    zero, half, one = (jax.tree.leaves(filtered(PerpGrad(s), gradient, params)) for s in (0.0, 0.5, 1.0))
    whole = jax.tree.leaves(jax.jit(PerpGrad().orthogonal)(gradient, params))
    for a, b, c, g, q in zip(zero, half, one, jax.tree.leaves(gradient), whole, strict=True):
        assert np.array_equal(a, g) and np.array_equal(c, q) and not np.array_equal(g, q)
        np.testing.assert_allclose(b, (g + q) / 2, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("per", ["tensor", "global"])
@pytest.mark.parametrize("rescale", [True, False])
def test_what_has_no_direction_is_left_and_what_is_radial_goes(per, rescale):
    w = np.array([3.0, 4.0, 1.0], np.float32)

    def one(g, w):
        return np.asarray(filtered(PerpGrad(per=per, rescale=rescale), {"w": np.float32(g)}, {"w": np.float32(w)})["w"])

    g = np.array([1.0, -2.0, 0.5], np.float32)
    np.testing.assert_allclose(one(g, 0 * w), g, rtol=1e-6)
    assert np.array_equal(one(0 * g, w), 0 * g)
    assert np.array_equal(one(0.7 * w, w), 0 * w)
    assert np.array_equal(one([0.3], [-1.7]), [0.0])  # a tensor of one element has nothing orthogonal


def test_a_nan_is_not_hidden():
    found = filtered(PerpGrad(), {"w": np.float32([np.nan, 1])}, {"w": np.float32([1, 2])})
    assert np.isnan(found["w"]).all()


def test_published_and_released_are_two_variants():
    assert PerpGrad() == lab.RELEASED and OrthoGrad.RELEASED == {"per": "tensor", "rescale": True}
    assert PerpGrad(per="global", rescale=False) == lab.PUBLISHED


def test_an_unknown_grouping_is_refused():
    with pytest.raises(SpecError, match="unknown PerpGrad.per 'rows': did you mean 'row'"):
        PerpGrad(per="rows")
