r"""Does fixing the radius change the angular flow?  The angular gradient at rescaled radii, directions fixed.

At one site every activation :math:`h = r u` is replaced by :math:`f r u` and the network goes on from there.  With
:math:`P = I - u u^T` and :math:`\ell` the task loss of an example, what turns the activation is

.. math:: G(f) = P \, \nabla_h \ell (f r u).

The split of a gradient at a point is exact and orthogonal, but :math:`\dot u = -G / r` depends on r twice: through
1/r, and through G, which feels the saturation of the softmax.  The second is measured here.  With all vectors'
G stacked as the rows of a matrix, :math:`C = G^T G / n` and :math:`G' = \partial G / \partial \ln f` at f = 1,

.. math:: \text{isotropy} = \frac{1}{d} \frac{(\operatorname{tr} C)^2}{\operatorname{tr} C^2}, \qquad
    \text{coupling} = \frac{|G'|_F}{|G|_F}, \qquad
    \text{elasticity} = \frac{\langle G', G \rangle_F}{|G|_F^2} = \frac{d \ln |G|_F}{d \ln f}.

The elasticity is what of the coupling is a mere change of speed; :math:`\sqrt{\text{coupling}^2 -
\text{elasticity}^2}` is the change of the angular flow's direction.  The participation ratio needs no eigenvalues:
:math:`\operatorname{tr} C^2 = |C|_F^2`.  Isotropic gradients give n / (n + d + 1), nearly, not 1: compare factors
with each other.  Source: the cross-terms that a referee of arXiv 2606.32000 asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from anglewise.geometry import split
from anglewise.lab.protocols.fields import COUNT, POSITIVE, Bound
from anglewise.lab.protocols.reading import Reading, Snapshot


@dataclasses.dataclass(frozen=True)
class Coupling(Reading):
    """The angular part of the task gradient at rescaled radii, and its derivative along the radius.

    Args:
        every: Measurements between two values.
        rows: Training examples looked at.
        factors: What radii are multiplied with.
    """

    every: Annotated[int, COUNT] = 8
    rows: Annotated[int, Bound(0)] = 128
    factors: Annotated[tuple[float, ...], POSITIVE] = (0.5, 1.0, 2.0, 4.0)

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """By site; all positions' vectors of the site are rescaled together.

        For each factor, here 2: ``angular_gradient_x2`` (root mean square norm over vectors, loss per unit of length)
        and ``angular_isotropy_x2`` (participation ratio over d, in (0, 1]).  Per unit of ln r, at the radius as it
        is: ``angular_coupling`` and ``angular_elasticity``.  NaN where no angular gradient is left.
        """
        values: dict[tuple[str, str], Array] = {}
        for site in snapshot.sites:
            scaled = jax.vmap(lambda log, site=site: self._angular(snapshot, site, log))
            logs = jnp.log(jnp.asarray(self.factors, snapshot.forward("train", self.rows).logits.dtype))
            for factor, g in zip(self.factors, scaled(logs), strict=True):
                size, isotropy = spread(g)
                values[site, f"angular_gradient_x{factor:g}"] = size
                values[site, f"angular_isotropy_x{factor:g}"] = isotropy
            zero, one = jnp.zeros((), logs.dtype), jnp.ones((), logs.dtype)
            g, change = jax.jvp(lambda log, site=site: self._angular(snapshot, site, log), (zero,), (one,))
            values[site, "angular_coupling"], values[site, "angular_elasticity"] = relative_change(g, change)
        return values

    def _angular(self, snapshot: Snapshot, site: str, log: Float[Array, ""]) -> Float[Array, "*batch d"]:
        """G, per sample, with the site's radii multiplied by exp(log)."""
        inputs, labels = snapshot.rows("train", self.rows)
        h = snapshot.forward("train", self.rows).activations[site]

        def loss(nudge: Float[Array, "*batch d"]) -> Float[Array, ""]:
            there = jnp.exp(log) * h + nudge
            logits, _ = snapshot.network(inputs, tap=lambda name, x: there if name == site else x)
            return jnp.sum(snapshot.loss(logits, labels))

        return split(jax.grad(loss)(jnp.zeros_like(h)), at=h).angular


def spread(g: Float[Array, "*batch d"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Root mean square norm of vectors, and the participation ratio of their uncentred covariance over d."""
    rows = g.reshape(-1, g.shape[-1])
    peak = jnp.max(jnp.abs(rows))
    scaled = rows / jnp.where(peak > 0, peak, 1)  # squares of a fitted network's gradients vanish
    covariance = scaled.T @ scaled / rows.shape[0]
    trace = jnp.trace(covariance)
    # of the Frobenius norm, over the trace first: a ratio of fourth powers would vanish, too
    share = covariance / jnp.where(trace > 0, trace, jnp.nan)
    return peak * jnp.sqrt(trace), 1 / (jnp.sum(share * share) * rows.shape[1])


def relative_change(
    g: Float[Array, "*batch d"], change: Float[Array, "*batch d"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Frobenius norm of a change over that of g, and the change's part along g over g."""
    peak = jnp.max(jnp.abs(g))
    g, change = (x / jnp.where(peak > 0, peak, jnp.nan) for x in (g, change))
    square = jnp.sum(g * g)
    return jnp.sqrt(jnp.sum(change * change) / square), jnp.sum(g * change) / square
