"""Weights of two small networks, in their structure, drawn without a compilation."""

from __future__ import annotations

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.tasks.modular import Modular

PERCEPTRON = MLP(hidden=(6, 5), embedding=3, bias=True)
TRANSFORMER = Transformer(layers=1, width=4, heads=2, mlp=6)


@functools.cache
def shapes(model: Any) -> Any:
    """A network with a shape in the place of every weight."""
    task = Modular(p=5, train=0.5, form="a b =" if isinstance(model, Transformer) else "pair")
    network = eqx.filter_eval_shape(model.init, task, jax.random.key(0))
    return eqx.filter(network, lambda x: isinstance(x, jax.ShapeDtypeStruct))


def drawn_network(model: Any = PERCEPTRON, seed: int = 0) -> Any:
    """A network whose weights NumPy draws, in float64 inside ``jax.enable_x64(True)``."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda w: jnp.asarray(rng.standard_normal(w.shape)), shapes(model))
