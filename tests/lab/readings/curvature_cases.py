"""Dense Hessians of small networks, in float64: what matrix-free curvature is checked against."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from anglewise.lab.look import named_parameters
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from readings_cases import BASE, CASES, looking, quick_jit

ROWS = 7
PENALISED = (*BASE, RadialPenalty(strength=0.3))


class Dense(NamedTuple):
    """A loss at some weights, with its whole Hessian."""

    at: Any
    params: Any
    theta: np.ndarray
    loss: float
    hessian: np.ndarray
    names: np.ndarray
    """For each entry of theta, the name of its parameter."""


@functools.lru_cache(maxsize=8)
def dense(case: str, of: str = "task", trained: int = 0) -> Dense:
    """The Hessian over the first ROWS training rows."""
    model, task = CASES[case]
    with jax.enable_x64(True):
        at, params = looking(model, task, PENALISED, trained=trained)
        theta, unravel = ravel_pytree(params)

        def loss(theta: Any) -> Any:
            look = at(params)
            return look.objective(unravel(theta), *look.rows("train", ROWS), of)

        value, matrix = quick_jit(lambda x: (loss(x), jax.hessian(loss)(x)))(theta)
        sizes = {name: leaf.size for name, leaf in named_parameters(params).items()}
        names = np.concatenate([np.full(size, name) for name, size in sizes.items()])
        return Dense(at, params, np.asarray(theta), float(value), np.asarray(matrix), names)


def measured(reading: Any, at: Any, params: Any) -> dict:
    """A reading's float64 values by (site, name)."""
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, quick_jit(lambda params: dict(reading.measure(at(params))))(params))


def symmetric(eigenvalues: Any, seed: int = 0) -> Any:
    """A float64 matrix with a given spectrum and random eigenvectors."""
    n = len(eigenvalues)
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]
    return jnp.asarray(q * np.asarray(eigenvalues) @ q.T)
