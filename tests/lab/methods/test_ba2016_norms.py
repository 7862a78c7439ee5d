"""LayerNorm and RMSNorm at sites, against PyTorch's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anglewise.errors import SpecError
from anglewise.lab.methods.ba2016_norms import LayerNorm, RMSNorm
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.tasks.modular import Modular

SITE = "hidden.0.pre"
DRAW = np.random.default_rng(0)
H, G, GAIN, BIAS = DRAW.normal(size=(9, 6)), DRAW.normal(size=(9, 6)), DRAW.normal(size=6), DRAW.normal(size=6)


class Holder:
    def __init__(self, name):
        self.extra = {name: {SITE: {"gain": jnp.asarray(GAIN), "bias": jnp.asarray(BIAS)}}}


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("kind", [LayerNorm, RMSNorm])
def test_values_and_gradients_are_pytorchs(kind, affine):
    epsilon = 1e-3
    with jax.enable_x64(True):
        method, holder = kind(epsilon, affine, (SITE,)), Holder("layer-norm" if kind is LayerNorm else "rms-norm")
        y, back = jax.vjp(lambda h: method.tap(holder, SITE, h, None), jnp.asarray(H))
        (pull,) = back(jnp.asarray(G))
    h = torch.tensor(H, requires_grad=True)
    gain, bias = (torch.tensor(x) if affine else None for x in (GAIN, BIAS))
    if kind is LayerNorm:
        want = torch.nn.functional.layer_norm(h, (6,), gain, bias, epsilon)
    else:
        want = torch.nn.functional.rms_norm(h, (6,), gain, epsilon)
    want.backward(torch.tensor(G))
    np.testing.assert_allclose(y, want.detach(), rtol=1e-12)
    np.testing.assert_allclose(pull, h.grad, rtol=1e-10, atol=1e-13)


def test_without_gains_every_radius_is_the_root_of_the_width():
    for kind in (LayerNorm, RMSNorm):
        y = kind(1e-12, False, (SITE,)).tap(None, SITE, jnp.asarray(H, jnp.float32), None)
        np.testing.assert_allclose(np.linalg.norm(y, axis=1), np.sqrt(6), rtol=1e-5)
        assert (abs(np.sum(np.asarray(y), axis=1)).max() < 1e-5) == (kind is LayerNorm)


def test_zeros_have_finite_gradients():
    for kind in (LayerNorm, RMSNorm):
        pull = jax.grad(lambda h, kind=kind: jnp.sum(kind(sites=(SITE,), affine=False).tap(None, SITE, h, None) * G))
        assert np.isfinite(pull(jnp.zeros((9, 6)))).all()


def test_each_site_gets_gains_of_its_width_that_start_at_1():
    mlp = MLP(hidden=(8, 5)).init(Modular(p=7), jax.random.key(0))
    extra = LayerNorm().reshape(mlp).extra["layer-norm"]
    assert {site: x["gain"].shape for site, x in extra.items()} == {"hidden.0.pre": (8,), "hidden.1.pre": (5,)}
    assert all((x["gain"] == 1).all() and (x["bias"] == 0).all() for x in extra.values())
    stream = Transformer(layers=1, width=8, heads=2, mlp=12).init(Modular(p=7, form="a b ="), jax.random.key(0))
    shaped = RMSNorm(sites=("block.0.mlp.pre", "embedded")).reshape(RMSNorm().reshape(stream))
    assert {site: x["gain"].shape for site, x in shaped.extra["rms-norm"].items()} == {
        "block.0.attention.out": (8,),
        "block.0.mlp.out": (8,),
        "block.0.mlp.pre": (12,),
        "embedded": (8,),
    }
    assert set(jax.tree.leaves(shaped.roles.extra)) == {"extra"}
    assert LayerNorm(affine=False).reshape(mlp) is mlp


def test_an_unknown_site_is_an_error():
    network = MLP(hidden=(8,)).init(Modular(p=7), jax.random.key(0))
    for kind in (LayerNorm, RMSNorm):
        with pytest.raises(SpecError, match=r"unknown site to act at 'hidden\.0\.out'"):
            kind(sites=("hidden.0.out",)).reshape(network)
