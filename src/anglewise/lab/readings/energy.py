r"""Radial energy of the task gradient at every site.

.. math:: \Phi = d \, \frac{\langle g, u \rangle^2}{|g|^2}, \qquad g = \nabla_h \ell_{\text{task}}

The gradient is of the cross-entropy alone, sample by sample: the penalty's own gradient is purely radial and
would measure itself.  A random direction gives 1 on average; compare with the paired run without penalty rather
than with 1.  Source: arXiv 2606.32000, section 4.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array

from anglewise.geometry import radial_energy
from anglewise.lab.protocols import Network


@dataclasses.dataclass(frozen=True)
class RadialEnergy:
    """Mean, median and ratio of means of the radial energy, and the share of vectors that have no gradient.

    Args:
        relative: A vector whose gradient is shorter than this times the longest has no direction that float
            arithmetic could tell; it is left out and counted, never taken as 0.
    """

    relative: float = 1e-6

    def measure(
        self, network: Network, sites: tuple[str, ...], inputs: Array, labels: Array
    ) -> Mapping[tuple[str, str], Array]:
        """``radial_energy``, ``radial_energy_median``, ``radial_energy_of_means``, ``no_gradient``, by site."""
        shapes = jax.eval_shape(lambda: network(inputs)[1])
        nudges = {site: jnp.zeros(shapes[site].shape, shapes[site].dtype) for site in sites}

        def loss(nudges: Mapping[str, Array]) -> tuple[Array, Mapping[str, Array]]:
            logits, activations = network(inputs, tap=lambda site, h: h + nudges[site] if site in nudges else h)
            picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=-1)
            return -jnp.sum(picked), {site: activations[site] for site in sites}

        gradients, activations = jax.grad(loss, has_aux=True)(nudges)
        found: dict[tuple[str, str], Array] = {}
        for site in sites:
            g, h = gradients[site], activations[site]
            size = jnp.max(jnp.abs(g), axis=-1)
            usable = size > self.relative * jnp.max(size)
            energy = radial_energy(g, at=h)
            square = jnp.where(usable, jnp.sum(jnp.square(g / jnp.max(size)), axis=-1), 0)
            found[site, "radial_energy"] = jnp.nanmean(jnp.where(usable, energy, jnp.nan))
            found[site, "radial_energy_median"] = jnp.nanmedian(jnp.where(usable, energy, jnp.nan))
            found[site, "radial_energy_of_means"] = jnp.sum(jnp.where(usable, energy, 0) * square) / jnp.sum(square)
            found[site, "no_gradient"] = jnp.mean(~usable, dtype=energy.dtype)
        return found
