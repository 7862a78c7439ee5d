r"""The Hessian of a loss with respect to all parameters, by its products with vectors alone.

.. math:: H v = \frac{d}{dt} \nabla L(\theta + t v), \qquad
    \operatorname{Tr} H = \mathbb E\,[z^\top H z], \quad z_i = \pm 1, \qquad
    Q^\top H Q = T \ \text{(Lanczos)}

*Trace*: Hutchinson's estimator with Rademacher probes z; the part of a probe that belongs to one parameter gives
the trace of that parameter's diagonal block.  *Ritz values*: eigenvalues of the tridiagonal T that k steps of
Lanczos make from a random start; the j-th largest never exceeds the j-th largest eigenvalue, so the largest over
several starts is the best bound.  *Density*: each Ritz value weighted by the squared first entry of its vector
(stochastic Lanczos quadrature) and broadened by a Gaussian.  Probes, products and Lanczos are matfree's
(arXiv 2405.17277); quadrature as in arXiv 1901.10159 and PyHessian (1912.07145).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PRNGKeyArray
from matfree import decomp, stochtrace

from anglewise.lab.protocols.model import Params

Product: TypeAlias = Callable[[Params], Params]
"""v -> A v for a symmetric A, both of the parameters' structure."""
SMALLEST = 1e-30
"""Spectra narrower than this are drawn as wide as this, so that float32 can hold them."""


class Trace(NamedTuple):
    """Estimates of a trace, probe by probe: the whole, and the diagonal block of each parameter."""

    whole: Float[Array, " probes"]
    blocks: Params
    """Of the parameters' structure, an array ``[probes]`` for each."""


class Ritz(NamedTuple):
    """What Lanczos finds from each start, in ascending order.

    Attributes:
        values: Ritz values.
        weights: Squared first entries of their vectors; a start's sum to 1.
        errors: An eigenvalue lies within this of each Ritz value.
    """

    values: Float[Array, "starts k"]
    weights: Float[Array, "starts k"]
    errors: Float[Array, "starts k"]


def hessian(loss: Callable[[Params], Array], params: Params) -> Product:
    """``v -> H v`` at `params`; the forward and backward pass are taken once for all products."""
    return jax.linearize(jax.grad(loss), params)[1]


def preconditioned(product: Product, preconditioner: Params) -> Product:
    r""":math:`v \mapsto P^{-1/2} H P^{-1/2} v`, which has the eigenvalues of :math:`P^{-1} H`, for a diagonal P > 0."""
    roots = jax.tree.map(lambda p: 1 / jnp.sqrt(p), preconditioner)

    def scaled(v: Params) -> Params:
        return jax.tree.map(jnp.multiply, roots, product(jax.tree.map(jnp.multiply, roots, v)))

    return scaled


def trace(product: Product, params: Params, key: PRNGKeyArray, *, probes: int) -> Trace:
    """Hutchinson's estimate of the trace from each of `probes` Rademacher vectors."""
    sampler, diagonal = stochtrace.sampler_signs(params, num=1), stochtrace.monte_carlo_diagonal()

    def probe(key: PRNGKeyArray) -> Params:
        signs = jax.tree.map(lambda z: z[0], sampler(key))
        return jax.tree.map(jnp.sum, diagonal(product, signs))

    blocks = jax.lax.map(probe, jax.random.split(key, probes))
    return Trace(jnp.sum(jnp.stack(jax.tree.leaves(blocks)), axis=0), blocks)


def ritz(product: Product, params: Params, key: PRNGKeyArray, *, steps: int, starts: int = 1) -> Ritz:
    """Ritz values after `steps` products, from each of `starts` Gaussian vectors."""
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    lanczos = decomp.hessenberg(min(steps, size), reortho="full", custom_vjp=False)
    sampler = stochtrace.sampler_normal(params, num=1)

    def run(key: PRNGKeyArray) -> Ritz:
        krylov = lanczos(product, jax.tree.map(lambda z: z[0], sampler(key)))
        off = jnp.append(jnp.diag(krylov.J_small, -1), jnp.linalg.norm(ravel_pytree(krylov.residual)[0]))
        return _ritz(jnp.diag(krylov.J_small), off)

    return jax.lax.map(run, jax.random.split(key, starts))


def _ritz(diagonal: Float[Array, " k"], off: Float[Array, " k"]) -> Ritz:
    """Eigenvalues of the tridiagonal matrix; the last of `off` is the length of what Lanczos left over.

    Where Lanczos met an invariant subspace (a Hessian of zeros, say), what follows is rounding or NaN and is cut off:
    the smallest Ritz value, which no eigenvalue undercuts then, stands in for the missing ones, with weight 0.
    """
    count = jnp.arange(len(diagonal))
    scale = jnp.nanmax(jnp.maximum(jnp.abs(diagonal), jnp.abs(off)))
    small = ~(off > 1000 * jnp.finfo(off.dtype).eps * scale)
    size = jnp.min(jnp.where(small, count + 1, len(diagonal)))  # of the part that is kept
    kept, joined = count < size, count + 1 < size
    left = jnp.where(small[size - 1], 0, off[size - 1])
    off = jnp.where(joined, off, 0)
    low = jnp.min(jnp.where(kept, diagonal - off - jnp.roll(off, 1), jnp.inf))  # below all Ritz values (Gershgorin)
    full = jnp.diag(jnp.where(kept, diagonal, low)) + jnp.diag(off[:-1], 1) + jnp.diag(off[:-1], -1)
    values, vectors = jnp.linalg.eigh(full)
    values = jnp.maximum(values, values[len(diagonal) - size])
    errors = left * jnp.abs(jnp.take(vectors, size - 1, axis=0))
    ritz_values = (values, jnp.square(vectors[0]), errors)
    return Ritz(*(jnp.where(jnp.isfinite(diagonal[0]), x, jnp.nan) for x in ritz_values))


def largest(spectrum: Ritz) -> tuple[Float[Array, " k"], Float[Array, ""]]:
    """The eigenvalues from the top, each the best bound over starts, and the error of the first."""
    best = jnp.argmax(spectrum.values[:, -1])
    return jnp.max(spectrum.values, axis=0)[::-1], spectrum.errors[best, -1]


def density(spectrum: Ritz, *, points: int, width: float = 0.01) -> Float[Array, "2 points"]:
    """Grid of eigenvalues, and the spectral density on it, whose integral is 1.

    The grid spans the Ritz values and four widths more at either end; a width is `width` times the span.
    """
    low, high = jnp.min(spectrum.values), jnp.max(spectrum.values)
    span = high - low
    span = jnp.maximum(jnp.where(span > 1e-12 * jnp.abs(high), span, jnp.abs(high)), SMALLEST)
    sigma = width * span
    grid = jnp.linspace(low - 4 * sigma, high + 4 * sigma, points)
    bumps = jnp.exp(-0.5 * jnp.square((grid[:, None, None] - spectrum.values) / sigma))
    raw = jnp.mean(jnp.sum(spectrum.weights * bumps, axis=-1), axis=-1)
    return jnp.stack([grid, raw / jnp.trapezoid(raw, grid)])
