"""AR and TAR: means of squares, of the last site."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.methods.merity2017_ar import AR, TAR
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols.model import shape_of
from anglewise.lab.tasks.modular import Modular

DRAW = np.random.default_rng(0)
SITES = ("block.0.attention.out", "block.0.mlp.out")
STREAM = {site: jnp.asarray(DRAW.normal(size=(3, 6, 4)), jnp.float32) for site in SITES}


def test_ar_is_the_mean_square_of_the_last_site_alone():
    h = np.asarray(STREAM[SITES[1]], np.float64)
    got = AR(0.3, sites=SITES).penalty(STREAM, None)
    np.testing.assert_allclose(got, 0.3 * sum(x * x for x in h.ravel()) / h.size, rtol=1e-6)
    other = {**STREAM, SITES[0]: 5 * STREAM[SITES[0]]}
    assert AR(0.3, sites=SITES).penalty(other, None) == got
    assert AR(0.3, sites=SITES).penalty({**STREAM, SITES[1]: STREAM[SITES[0]]}, None) != got  # control


def test_ar_is_the_radial_penalty_at_target_0():
    want = RadialPenalty(0.3, 0.0, sites=SITES[1:]).penalty(STREAM, None)
    np.testing.assert_allclose(AR(0.3, sites=SITES).penalty(STREAM, None), want, rtol=1e-6)


def test_tar_is_the_mean_squared_change_from_position_to_position():
    h = np.asarray(STREAM[SITES[1]], np.float64)
    want = np.mean([(h[t, i, j] - h[t + 1, i, j]) ** 2 for t in range(2) for i in range(6) for j in range(4)])
    np.testing.assert_allclose(TAR(0.7, sites=SITES).penalty(STREAM, None), 0.7 * want, rtol=1e-6)


def test_tar_does_not_mind_what_all_positions_share():
    same = {SITES[1]: jnp.broadcast_to(STREAM[SITES[1]][:1], (3, 6, 4))}
    assert TAR(0.7, sites=SITES).penalty(same, None) == 0
    assert AR(0.7, sites=SITES).penalty(same, None) > 0  # control


def test_tar_needs_positions():
    last, every = (Transformer(layers=1, width=8, heads=2, positions=positions) for positions in ("last", "all"))
    for model, name in ((MLP(hidden=(8,)), "MLP"), (last, "Transformer")):
        with pytest.raises(SpecError, match=rf'tar got a {name} with a single position at .*positions="all"'):
            TAR().reshape(shape_of(model, Modular(p=5, form="a b =")))
    network = shape_of(every, Modular(p=5, form="a b ="))
    assert TAR().reshape(network) is network  # control


def test_an_unknown_site_is_an_error():
    with pytest.raises(SpecError, match=r"unknown site 'block\.0\.mlp\.ouch'"):
        AR(sites=("block.0.mlp.ouch",)).penalty(STREAM, None)
