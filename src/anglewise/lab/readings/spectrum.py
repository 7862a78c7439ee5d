r"""Ranks and top singular value of the matrix whose rows are a site's activations.

Rows are the first `rows` training examples (at all positions), not centred; no rank can exceed
min(rows, d).  Entropy rank :math:`\exp(-\sum q_i \ln q_i)`, stable rank :math:`|A|_F^2 / \sigma_1^2`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Array

from anglewise.lab.protocols import Network


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """Effective and stable rank, and the largest singular value.

    Args:
        rows: Training examples that give the rows.
    """

    rows: int = 1024

    def measure(
        self, network: Network, sites: tuple[str, ...], inputs: Array, labels: Array
    ) -> Mapping[tuple[str, str], Array]:
        """``effective_rank``, ``stable_rank`` and ``sigma_max``, by site."""
        _, activations = network(inputs[: self.rows])
        found: dict[tuple[str, str], Array] = {}
        for site in sites:
            h = activations[site]
            sigma = jnp.linalg.svd(h.reshape(-1, h.shape[-1]), compute_uv=False)
            found[site, "sigma_max"] = sigma[0]
            found[site, "stable_rank"] = jnp.sum(jnp.square(sigma / sigma[0]))
            q = sigma / jnp.sum(sigma)
            found[site, "effective_rank"] = jnp.exp(-jnp.sum(q * jnp.log(jnp.where(q > 0, q, 1))))
        return found
