r"""Radial energy of the task gradient, and under its own name of the total gradient, at every site.

.. math:: \Phi_i = d \, \frac{\langle g_i, u_i \rangle^2}{|g_i|^2}, \qquad
    g_i = \nabla_{h_i} \ell_{\text{task}} \quad\text{or}\quad \nabla_{h_i} L_{\text{total}}

The task's is the one to interpret.  The penalty's own gradient is purely radial: near force balance it cancels the
task's radial part, away from it it adds to it, and either way the total measures the penalty.  A random direction
gives 1 on average; compare with the paired run without penalty rather than with 1.

Vectors of one example (several positions) depend on each other, so examples are the clusters of the standard error:
with :math:`S_e` the sum over an example's vectors, :math:`c_e` their number, :math:`m = \sum S_e / \sum c_e` and k
examples,

.. math:: \operatorname{se}(m) = \frac{1}{\sum c_e} \sqrt{\frac{k}{k-1} \sum_e (S_e - m c_e)^2},

which for one vector per example is the familiar :math:`s / \sqrt k`.  Source: arXiv 2606.32000, section 4; the
standard error is Cochran's for a ratio (Sampling Techniques, 1977, section 6.3).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from anglewise.geometry import radial_energy
from anglewise.lab.protocols.fields import COUNT, NOT_NEGATIVE, Bound
from anglewise.lab.protocols.reading import ROWS, Reading, Snapshot


@dataclasses.dataclass(frozen=True)
class RadialEnergy(Reading):
    """Radial share of the gradient, times the width: mean with standard error, median, ratio of means.

    Args:
        every: Measurements between two values.
        rows: Training examples looked at.
        relative: A vector whose gradient is shorter than this times the longest has no direction that float
            arithmetic could tell; it is left out and counted, never taken as 0.  So is a vector of length 0.
    """

    every: Annotated[int, COUNT] = 1
    rows: Annotated[int, Bound(0)] = ROWS
    relative: Annotated[float, NOT_NEGATIVE] = 1e-6

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """By site, all of the gradient with respect to the activations, sample by sample.

        Of the task: ``radial_energy`` (mean over vectors), ``radial_energy_se``, ``radial_energy_median``,
        ``radial_energy_of_means`` (mean squared radial part over mean square) and ``no_gradient`` (share left out).
        Of task and penalties: ``total_radial_energy``, and after it ``_median`` and ``_of_means``; they equal the
        task's where there is no penalty.
        """
        activations = snapshot.forward("train", self.rows).activations
        task = snapshot.gradients("task", "train", self.rows)
        total = task if snapshot.penalty is None else snapshot.gradients("total", "train", self.rows)
        values: dict[tuple[str, str], Array] = {}
        for site in snapshot.sites:
            h = activations[site]
            energies, usable, weight = self._energies(task[site], h)
            values.update({(site, name): value for name, value in _averages(energies, usable, weight).items()})
            values[site, "radial_energy_se"] = _standard_error(energies, usable)
            values[site, "no_gradient"] = jnp.mean(~usable, dtype=energies.dtype)
            averages = _averages(*self._energies(total[site], h))
            values.update({(site, f"total_{name}"): value for name, value in averages.items()})
        return values

    def _energies(
        self, g: Float[Array, "*batch d"], h: Float[Array, "*batch d"]
    ) -> tuple[Float[Array, "*batch"], Bool[Array, "*batch"], Float[Array, "*batch"]]:
        """Energy of every vector, whether it is usable, and its squared gradient over the largest entry's."""
        size = jnp.max(jnp.abs(g), axis=-1)
        usable = (size > self.relative * jnp.max(size)) & jnp.any(h != 0, axis=-1)
        scaled = g / jnp.max(size)  # a fitted sample's gradient is so small that its square vanishes
        weight = jnp.where(usable, jnp.sum(scaled * scaled, axis=-1), 0)
        return radial_energy(g, at=h), usable, weight


def _averages(
    energy: Float[Array, "*batch"], usable: Bool[Array, "*batch"], weight: Float[Array, "*batch"]
) -> dict[str, Array]:
    usable_energy = jnp.where(usable, energy, jnp.nan)
    return {
        "radial_energy": jnp.nanmean(usable_energy),
        "radial_energy_median": jnp.nanmedian(usable_energy),
        "radial_energy_of_means": jnp.sum(jnp.where(usable, energy, 0) * weight) / jnp.sum(weight),
    }


def _standard_error(energy: Float[Array, "*positions n"], usable: Bool[Array, "*positions n"]) -> Float[Array, ""]:
    """Of the mean over usable vectors, with examples (the last axis) as clusters; NaN below two examples."""
    n = energy.shape[-1]
    kept, one = jnp.where(usable, energy, 0).reshape(-1, n), usable.reshape(-1, n).astype(energy.dtype)
    sums, counts = jnp.sum(kept, axis=0), jnp.sum(one, axis=0)
    total, clusters = jnp.sum(counts), jnp.sum(counts > 0, dtype=energy.dtype)
    residual = sums - counts * jnp.sum(sums) / total
    spread = jnp.sum(residual * residual) * clusters / (clusters - 1)
    return jnp.where(clusters > 1, jnp.sqrt(spread) / total, jnp.nan)
