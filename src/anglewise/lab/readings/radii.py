r"""Radii of activations: :math:`|h| / \sqrt d` at every site, on training and, apart, on test examples.

:class:`Radii` reads all training examples at every evaluation, which has their activations at hand anyway.
:class:`RadiusQuantiles` looks at a sample: quantiles need sorting, and the test points a pass of their own.  Where
positions share a site, every position is a vector of its own.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Float

from anglewise.geometry import radius
from anglewise.lab.protocols.fields import COUNT, Bound
from anglewise.lab.protocols.model import Activations
from anglewise.lab.protocols.reading import ROWS, Reading, Snapshot

QUANTILES = (5, 50, 95)
"""In percent."""


@dataclasses.dataclass(frozen=True)
class Radii:
    """Mean and spread of the radius, in units of sqrt(d)."""

    def read(self, activations: Activations) -> Mapping[tuple[str, str], Array]:
        """``radius`` (the mean over vectors) and ``radius_std``, by site."""
        values: dict[tuple[str, str], Array] = {}
        for site, h in activations.items():
            values.update({(site, name): value for name, value in _moments(_radii(h)).items()})
        return values


@dataclasses.dataclass(frozen=True)
class RadiusQuantiles(Reading):
    """Quantiles of the radius on training points; mean, spread and quantiles on test points. Units of sqrt(d).

    Args:
        every: Measurements between two values.
        rows: Examples of each part.
    """

    every: Annotated[int, COUNT] = 1
    rows: Annotated[int, Bound(0)] = ROWS

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """``radius_q05``, ``radius_q50``, ``radius_q95``, by site; of test points these and Radii's, as ``test_*``."""
        train, test = (snapshot.forward(part, self.rows).activations for part in ("train", "test"))
        values: dict[tuple[str, str], Array] = {}
        for site in snapshot.sites:
            r, other = _radii(train[site]), _radii(test[site])
            values.update({(site, name): value for name, value in _quantiles(r).items()})
            apart = {**_moments(other), **_quantiles(other)}
            values.update({(site, f"test_{name}"): value for name, value in apart.items()})
        return values


def _radii(h: Float[Array, "*batch d"]) -> Float[Array, " vectors"]:
    return radius(h).ravel() / math.sqrt(h.shape[-1])


def _moments(r: Float[Array, " vectors"]) -> dict[str, Array]:
    return {"radius": jnp.mean(r), "radius_std": jnp.std(r)}


def _quantiles(r: Float[Array, " vectors"]) -> dict[str, Array]:
    values = jnp.quantile(r, jnp.asarray(QUANTILES, r.dtype) / 100)
    return {f"radius_q{q:02d}": value for q, value in zip(QUANTILES, values, strict=True)}
