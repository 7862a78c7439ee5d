r"""A compass for activations: the plane in which the answer of a sum is a direction, and where unseen sums point.

Let :math:`h_j` be the activation of sum j, with answer :math:`c_j` on a cycle of length p.  For a frequency k

.. math:: A_k = \frac1n \sum_j \cos\Bigl(\frac{2 \pi k c_j}{p}\Bigr) (h_j - \bar h), \qquad
    B_k = \frac1n \sum_j \sin\Bigl(\frac{2 \pi k c_j}{p}\Bigr) (h_j - \bar h)

over the training sums.  The plane is that of the strongest frequency, the one with the largest
:math:`|A_k|^2 + |B_k|^2`, along the orthonormal pair nearest to :math:`(A_k, B_k)`.  In it a sum with answer c belongs
at angle :math:`2 \pi k c / p`.  The sums that are shown are test sums.  They had no part in choosing the plane, so they
point at random, 90 degrees off on average, until the network has found the rule.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from anglewise.geometry import radius
from anglewise.lab.protocols.reading import Reading, Snapshot


@dataclasses.dataclass(frozen=True)
class Compass(Reading):
    """Length and direction of test activations.

    Args:
        rows: Test examples.
    """

    rows: int = 400

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """By site: ``length`` [rows] in units of sqrt(d), ``direction`` [rows] and ``belongs`` [rows] in turns.

        ``compass_k`` is the frequency of the plane.
        """
        train, test = snapshot.forward("train", 0), snapshot.forward("test", self.rows)
        values: dict[tuple[str, str], Array] = {}
        for site in snapshot.sites:
            seen, h = train.activations[site], test.activations[site]
            k, plane = plane_of(seen, train.labels, snapshot.task.classes)
            x, y = plane @ (h - jnp.mean(seen, axis=0)).T
            values[site, "length"] = radius(h) / math.sqrt(h.shape[-1])
            values[site, "direction"] = jnp.arctan2(y, x) / (2 * jnp.pi) % 1
            values[site, "belongs"] = (k * test.labels % snapshot.task.classes) / snapshot.task.classes
            values[site, "compass_k"] = k
        return values


def plane_of(h: Float[Array, "n d"], answers: Int[Array, " n"], p: int) -> tuple[Int[Array, ""], Float[Array, "2 d"]]:
    """The strongest frequency of the answer in some activations, and the orthonormal pair of its plane."""
    turns = jnp.arange(1, (p - 1) // 2 + 1)[:, None] * answers % p / p
    centred = (h - jnp.mean(h, axis=0)) / h.shape[0]
    waves = jnp.stack([jnp.cos(2 * jnp.pi * turns) @ centred, jnp.sin(2 * jnp.pi * turns) @ centred], axis=1)
    best = jnp.argmax(jnp.sum(waves**2, axis=(1, 2)))
    left, _, right = jnp.linalg.svd(waves[best], full_matrices=False)
    return best + 1, left @ right
