r"""Radii of activations: :math:`|h| / \sqrt d` at every site, over the training examples."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Array

from anglewise.geometry import radius
from anglewise.lab.protocols import Activations, Network


@dataclasses.dataclass(frozen=True)
class Radii:
    """Mean and spread of the radius, in units of sqrt(d)."""

    def read(self, activations: Activations) -> Mapping[tuple[str, str], Array]:
        """``radius`` (the mean over vectors) and ``radius_std``, by site."""
        found: dict[tuple[str, str], Array] = {}
        for site, h in activations.items():
            r = radius(h) / math.sqrt(h.shape[-1])
            found[site, "radius"] = jnp.mean(r)
            found[site, "radius_std"] = jnp.std(r)
        return found


@dataclasses.dataclass(frozen=True)
class RadiusQuantiles:
    """Quantiles of the radius, in units of sqrt(d); they sort, hence at the costlier cadence."""

    def measure(
        self, network: Network, sites: tuple[str, ...], inputs: Array, labels: Array
    ) -> Mapping[tuple[str, str], Array]:
        """``radius_q05``, ``radius_q50``, ``radius_q95``, by site."""
        _, activations = network(inputs)
        found: dict[tuple[str, str], Array] = {}
        for site in sites:
            h = activations[site]
            r = radius(h).ravel() / math.sqrt(h.shape[-1])
            values = jnp.quantile(r, jnp.asarray((0.05, 0.5, 0.95), r.dtype))
            found.update({(site, f"radius_q{q:02d}"): v for q, v in zip((5, 50, 95), values, strict=True)})
        return found
