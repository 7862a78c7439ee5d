"""Dense Hessians of small networks, in float64: what matrix-free curvature is checked against."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.protocols.reading import named_parameters
from tests.support.programs import quick_jit
from tests.support.readings import BASE, CASES, looking

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


def dense(case: str, of: str = "task") -> Dense:
    """The Hessian of one loss over the first ROWS training rows, after a few steps of training."""
    return _dense(case)[of]


@functools.lru_cache(maxsize=8)
def _dense(case: str) -> dict[str, Dense]:
    model, task = CASES[case]
    with jax.enable_x64(True):
        at, params = looking(model, task, PENALISED, trained=4)
        theta, unravel = ravel_pytree(params)

        def losses(theta: Any) -> Any:
            snapshot = at(params)
            return [snapshot.objective(unravel(theta), *snapshot.rows("train", ROWS), of) for of in ("task", "total")]

        values, matrices = quick_jit(lambda x: (losses(x), jax.hessian(losses)(x)))(theta)
        sizes = {name: leaf.size for name, leaf in named_parameters(params).items()}
        names = np.concatenate([np.full(size, name) for name, size in sizes.items()])
        each = zip(("task", "total"), values, matrices, strict=True)
        return {of: Dense(at, params, np.asarray(theta), float(v), np.asarray(m), names) for of, v, m in each}


def measured(reading: Any, at: Any, params: Any) -> dict:
    """A reading's float64 values by (site, name)."""
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, quick_jit(lambda params: dict(reading.measure(at(params))))(params))


def symmetric(eigenvalues: Any, seed: int = 0) -> Any:
    """A float64 matrix with a given spectrum and random eigenvectors."""
    n = len(eigenvalues)
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]
    return jnp.asarray(q * np.asarray(eigenvalues) @ q.T)
