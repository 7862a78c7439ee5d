r"""What theory predicts of the radius, beside what is measured: Euler's identity and the balance of forces.

With :math:`\rho = -\langle z, \nabla_z \ell \rangle`, for cross-entropy :math:`z_y - E_p z`, a network without
biases whose layers are homogeneous of degree 1 (ReLU, no norms, no residual path around the site) has, by Euler's
identity, at every hidden layer and for every example

.. math:: -\langle h, \nabla_h \ell \rangle = \rho,

so cross-entropy pushes every layer outward with the same :math:`\rho / r`.  Biases, GELU, norms and the streams of
Transformers break it; how far, is measured.  A spring of strength :math:`\lambda` and target :math:`\tau` pulls a free
vector back by :math:`2 \lambda (r - \tau \sqrt d) / d`, and both balance at

.. math:: 2 \lambda \, \frac{r - \tau \sqrt d}{d} = \frac{\rho}{r} \quad\Longleftrightarrow\quad
    \frac{r}{\sqrt d} = \frac{\tau}{2} + \sqrt{\frac{\tau^2}{4} + \frac{\rho}{2 \lambda}}.

Loss and penalty are both means over examples, so their number cancels; so does that of positions at a site, over
which the force is summed and the penalty averaged.
Source: arXiv 2606.32000, sections 3.1 and 3.3, for penalty and flow; identity and balance radius are ours.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from anglewise.geometry import direction, radius
from anglewise.lab.protocols.fields import COUNT, Bound
from anglewise.lab.protocols.reading import ROWS, Reading, Snapshot


@dataclasses.dataclass(frozen=True)
class Theory(Reading):
    """Euler's identity, the radius at which penalty and loss balance, and which way the penalty pushes.

    Args:
        every: Measurements between two values.
        rows: Training examples looked at.
    """

    every: Annotated[int, COUNT] = 1
    rows: Annotated[int, Bound(0)] = ROWS

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """Of the whole network ``rho`` (mean over examples, in units of the loss).

        By site, positions summed: ``outward_force`` (mean over examples of ``-<h, g>`` with g the task gradient: r
        times the outward force) and ``euler_residual`` (mean of ``|<h, g> + rho|`` over the mean of ``|rho|``; where
        Euler's identity holds about 1e-15 in float64, 1e-6 in float32; otherwise of order 1).

        By site that a radial penalty pulls at, and there alone: ``balance_radius`` (units of sqrt(d), from the mean
        rho; NaN where the task pulls inward too hard for any balance), ``inside`` (share of vectors within the
        target radius), and at the model's own sites ``balance_radius_here`` (from ``outward_force``)
        and ``penalty_push`` (mean radial force of all the arm's penalties, positive outward, loss per unit of
        length).
        """
        seen = snapshot.forward("train", self.rows)
        gradients = snapshot.gradients("task", "train", self.rows)
        labels = snapshot.rows("train", self.rows)[1]
        pulls = seen.logits * jax.grad(lambda z: jnp.sum(snapshot.loss(z, labels)))(seen.logits)
        rho = -jnp.sum(pulls.reshape(labels.shape[0], -1), axis=-1)  # of all logits of an example
        values: dict[tuple[str, str], Array] = {("", "rho"): jnp.mean(rho)}
        forces: dict[str, Array] = {}
        for site in snapshot.sites:
            force = -jnp.sum(seen.activations[site] * gradients[site], axis=-1)
            of_example = jnp.sum(force.reshape(-1, force.shape[-1]), axis=0)
            forces[site] = values[site, "outward_force"] = jnp.mean(of_example)
            values[site, "euler_residual"] = jnp.mean(jnp.abs(of_example - rho)) / jnp.mean(jnp.abs(rho))
        total = snapshot.gradients("total", "train", self.rows) if snapshot.radial_terms else gradients
        for site, (strength, target) in snapshot.radial_terms.items():
            h = seen.activations[site]
            values[site, "balance_radius"] = balance_radius(jnp.mean(rho), strength, target)
            values[site, "inside"] = jnp.mean(radius(h) < target * math.sqrt(h.shape[-1]), dtype=h.dtype)
            if site in snapshot.sites:
                values[site, "balance_radius_here"] = balance_radius(forces[site], strength, target)
                penalty = total[site] - gradients[site]  # no pass of its own: both are there for the radial energy
                values[site, "penalty_push"] = -jnp.mean(jnp.sum(penalty * direction(h), axis=-1))
        return values


def balance_radius(rho: Float[Array, ""], strength: Array | float, target: Array | float) -> Float[Array, ""]:
    """Radius in units of sqrt(d) at which an outward force rho / r and a spring balance; NaN where nowhere."""
    return target / 2 + jnp.sqrt(target * target / 4 + rho / (2 * strength))
