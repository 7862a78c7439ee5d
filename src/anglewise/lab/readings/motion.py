r"""How activations move: between measurements, split into radius and angle, and to first order in a weight update.

The same inputs' activations :math:`h_0 = r_0 u_0` at the last measurement and :math:`h_1 = r_1 u_1` now obey

.. math:: |h_1 - h_0|^2 = (r_1 - r_0)^2 + r_0 r_1 |u_1 - u_0|^2,

exactly and however far they moved: the first term is the radial displacement squared, the second the angular one
(:func:`anglewise.geometry.displacement`).
Over the geometric mean radius they are :math:`2 \sinh(|\Delta \ln r| / 2)` and :math:`2 \sin(\theta / 2)`, with
:math:`\theta` the angle between :math:`u_0` and :math:`u_1`; both are the same backwards in time.

Successive turns lie in tangent spaces of different points.  They are compared at the point between them, :math:`u_b`
of :math:`u_a \to u_b \to u_c`: the great circle from :math:`u_a` arrives there along
:math:`-(I - u_b u_b^T) u_a`, which is its first direction transported along itself, and the one to :math:`u_c` leaves
along :math:`(I - u_b u_b^T) u_c`.

A change :math:`\Delta\theta` of the weights moves an activation by :math:`\dot h = \partial_\theta h \, \Delta\theta`
to first order; d times its radial share is comparable with the gradient's radial energy, 1 where the motion is
isotropic.  Sources: arXiv 2606.32000, sections 3.3 and 4; the angle from chords as in Kahan, "How futile are mindless
assessments of roundoff" (2006).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Annotated

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from anglewise.geometry import direction, displacement, radial_energy, radius, split
from anglewise.lab.protocols.fields import COUNT, Bound
from anglewise.lab.protocols.model import Activations, Params
from anglewise.lab.protocols.reading import ROWS, Of, PastWeights, Reading, Snapshot

RESOLVED = 1000
"""A turn by less than this times the arithmetic's epsilon, in radians, has no direction that rounding leaves."""


@dataclasses.dataclass(frozen=True)
class Motion(Reading):
    """Radial and angular displacement of the same inputs' activations since the last measurement.

    Args:
        every: Measurements between two values; what is compared is always the latest measurement before.
        rows: Training examples looked at.
    """

    every: Annotated[int, COUNT] = 1
    rows: Annotated[int, Bound(0)] = ROWS

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """By site; NaN where there is no earlier measurement, or (``angular_cosine``) no two.

        ``radial_displacement`` and ``angular_displacement`` (root mean square over vectors, units of sqrt(d)),
        ``displacement_radial_energy`` (d times the radial share of the squared displacement, mean over vectors),
        ``relative_radial_displacement`` (mean of the radial one over the geometric mean radius), ``angle`` (mean, in
        radians), ``angular_speed`` (radians per step), ``angular_cosine`` (mean cosine of successive turns).
        """
        inputs, _ = snapshot.rows("train", self.rows)
        now = snapshot.forward("train", self.rows).activations
        last, first = (snapshot.at(was.params)(inputs)[1] for was in snapshot.earlier)
        steps = snapshot.step - snapshot.earlier[0].step
        measured: dict[tuple[str, str], Array] = {}
        for site in snapshot.sites:
            values = displacement_means(last[site], now[site])
            values["angular_speed"] = values["angle"] / jnp.where(steps > 0, steps, jnp.nan)
            known = {name: _if_known(value, snapshot.earlier[0]) for name, value in values.items()}
            cosine = jnp.nanmean(turning_cosine(first[site], last[site], now[site]))
            known["angular_cosine"] = _if_known(cosine, snapshot.earlier[1])
            measured.update({(site, name): value for name, value in known.items()})
        return measured


@dataclasses.dataclass(frozen=True)
class Updates(Reading):
    """Radial share, times the width, of what weight updates do to activations, to first order.

    The realised update is the optimiser's next one, on the batch it will be made on.  The other two are plain
    gradient steps on the looked-at examples, on the task loss alone and on the penalties alone: with the shares
    that are angular, one minus radial over d, they make the table "task or penalty" by "radial or angular".

    Args:
        every: Measurements between two values.
        rows: Training examples looked at.
    """

    every: Annotated[int, COUNT] = 8
    rows: Annotated[int, Bound(0)] = 256

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """By site, means over vectors: ``update_radial_energy``, ``task_step_radial_energy``,
        ``penalty_step_radial_energy`` (NaN where there is no penalty).
        """
        inputs, labels = snapshot.rows("train", self.rows)
        here = snapshot.forward("train", self.rows).activations
        parts: tuple[Of, ...] = ("task", "penalty")

        def activations(params: Params) -> Activations:
            seen = snapshot.at(params)(inputs)[1]
            return {site: seen[site] for site in snapshot.sites}

        realised = jax.tree.map(jnp.subtract, snapshot.after(), snapshot.params)
        steps = [jax.grad(snapshot.objective)(snapshot.params, inputs, labels, of) for of in parts]
        changes = jax.tree.map(lambda *x: jnp.stack(x), realised, *steps)
        effects = jax.vmap(effect_of(activations, snapshot.params))(changes)
        measured: dict[tuple[str, str], Array] = {}
        for site in snapshot.sites:
            h = here[site]
            for name, v in zip(("update", "task_step", "penalty_step"), effects[site], strict=True):
                energies = jnp.where(radius(h) > 0, radial_energy(v, at=h), jnp.nan)
                measured[site, f"{name}_radial_energy"] = jnp.nanmean(energies)
        return measured


def displacement_means(before: Float[Array, "*batch d"], after: Float[Array, "*batch d"]) -> dict[str, Array]:
    """Averages over vectors of how far they went and turned; what has no direction is left out of relative ones."""
    d = before.shape[-1]
    parts = displacement(before, after)
    radial, angular = jnp.square(parts.radial), jnp.square(parts.angular)
    share = radial / jnp.where(radial + angular > 0, radial + angular, jnp.nan)
    r, s = radius(before), radius(after)
    has = (r > 0) & (s > 0)
    root = jnp.where(has, jnp.sqrt(r * s), jnp.nan)
    turned = angle(direction(before), direction(after))
    return {
        "radial_displacement": jnp.sqrt(jnp.mean(radial) / d),
        "angular_displacement": jnp.sqrt(jnp.mean(angular) / d),
        "displacement_radial_energy": d * jnp.nanmean(share),
        "relative_radial_displacement": jnp.nanmean(jnp.abs(parts.radial) / root),
        "angle": jnp.nanmean(jnp.where(has, turned, jnp.nan)),
    }


def angle(u: Float[Array, "*batch d"], w: Float[Array, "*batch d"]) -> Float[Array, "*batch"]:
    """Angle between unit vectors in radians, as exact for small angles as for those near pi."""
    return 2 * jnp.arctan2(radius(w - u), radius(w + u))


def turning_cosine(
    a: Float[Array, "*batch d"], b: Float[Array, "*batch d"], c: Float[Array, "*batch d"]
) -> Float[Array, "*batch"]:
    """Cosine at b between the great circle that arrives from a and the one that leaves to c; NaN where unresolved."""
    here = direction(b)
    arriving = -split(direction(a) - here, at=b).angular
    leaving = split(direction(c) - here, at=b).angular
    least = RESOLVED * jnp.finfo(here.dtype).eps
    resolved = (
        (radius(arriving) > least) & (radius(leaving) > least) & (radius(a) > 0) & (radius(b) > 0) & (radius(c) > 0)
    )
    return jnp.where(resolved, jnp.sum(direction(arriving) * direction(leaving), axis=-1), jnp.nan)


def effect_of(f: Callable[[Params], Activations], params: Params) -> Callable[[Params], Activations]:
    """The derivative of f at params, as a function of the change of params.

    As the transpose of the pullback: layers have a backward rule of their own, which forward mode cannot use.
    """
    values, pullback = jax.vjp(f, params)
    transposed = jax.linear_transpose(lambda cotangents: pullback(cotangents)[0], values)
    return lambda change: transposed(change)[0]


def _if_known(value: Array, was: PastWeights) -> Array:
    return jnp.where(was.step >= 0, value, math.nan)
