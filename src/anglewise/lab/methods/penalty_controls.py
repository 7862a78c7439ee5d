r"""Controls of the radial penalty: its push along other directions, on a part of the weights, for a part of the time.

The penalty's gradient with respect to the activation :math:`h_i`, one of N, is :math:`c_i u_i` with
:math:`c_i = \frac{2 \lambda}{N d} (|h_i| - \tau \sqrt d)` and :math:`u_i = h_i / |h_i|`.

* :class:`ShuffledPenalty` keeps every :math:`c_i` and replaces the direction by a :math:`v_i` that knows nothing of
  :math:`h_i`, through a surrogate (sg stops gradients)

  .. math:: S = \sum_i \langle \mathrm{sg}(c_i v_i), h_i \rangle, \qquad L = S + \mathrm{sg}(P - S),

  whose value is the penalty P and whose gradient is exactly :math:`c_i v_i`.
* :class:`StopGradientPenalty` lets the penalty's gradient reach the layer right behind the site, or all but it:
  with :math:`h = x W + b` it charges :math:`\mathrm{sg}(x) W + b`, or :math:`x \, \mathrm{sg}(W) + \mathrm{sg}(b)`.
* :func:`before` and :func:`after` give it a schedule: before or after memorisation alone.

Second derivatives of the surrogate are not the penalty's: leave curvature of the total loss alone in such an arm.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from anglewise.errors import SpecError, unknown
from anglewise.geometry import direction, radius
from anglewise.lab.methods.sites import pick
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, Names
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Activations, Params
from anglewise.lab.protocols.schedule import Number, Schedule, Until
from anglewise.penalty import radial_penalty


@method
class ShuffledPenalty(Method):
    """The radial penalty with its push turned to another row's direction, or to a random one (control).

    Args:
        strength: lambda.
        target: Wanted radius in units of sqrt(d).
        sites: Where; empty means the model's own sites. They are summed.
        along: ``"permuted"``: the direction of the row before it in the batch (of the last, for the first; within its
            position, where there are several); ``"random"``: a uniformly random direction that belongs to the row's
            place in the batch, the same at every step and in every run.
    """

    strength: Annotated[Number, NOT_NEGATIVE] = 0.05
    target: Annotated[Number, NOT_NEGATIVE] = 1.0
    sites: Annotated[tuple[str, ...], Names("site")] = ()
    along: Literal["permuted", "random"] = "permuted"
    needs = frozenset({"whole-batch"})

    def penalty(self, activations: Activations, params: Params) -> Any:
        """The radial penalty's value, with another gradient."""
        return self.strength * sum(self._surrogate(site, h) for site, h in pick(activations, self.sites).items())

    def check(self, opt_state: Any, params: Params, activations: Activations) -> Mapping[str, tuple[Array, Array]]:
        """Norm of the gradient with respect to all activations: the radial penalty's, and this one's."""
        at = dict(pick(activations, self.sites))
        radial = RadialPenalty(self.strength, self.target, self.sites)
        pushes = (jax.grad(lambda at, m=m: m.penalty(at, params))(at) for m in (radial, self))
        wanted, got = (jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in push.values())) for push in pushes)
        return {"push": (wanted, got)}

    def _surrogate(self, site: str, h: Float[Array, "*batch d"]) -> Float[Array, ""]:
        d, count, target = h.shape[-1], math.prod(h.shape[:-1]), cast(Any, self.target)
        push = 2 / (count * d) * (radius(h) - target * math.sqrt(d))
        inner = jnp.sum(jax.lax.stop_gradient(push[..., None] * self._towards(site, h)) * h)
        return inner + jax.lax.stop_gradient(radial_penalty(h, self.target) - inner)

    def _towards(self, site: str, h: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
        if self.along == "permuted":
            return jnp.roll(direction(h), 1, axis=-2)
        drawn = jax.random.normal(jax.random.key(zlib.crc32(site.encode())), h.shape, jnp.float32)
        towards = direction(drawn.astype(h.dtype))
        return jnp.where(radius(h)[..., None] > 0, towards, 0)  # at 0 the radial penalty does not push either


@method
class StopGradientPenalty(Method):
    """The radial penalty whose gradient reaches the layer behind the site, or all but it (control).

    What a tap does at the site is part of the penalty's value, and not of its gradient.

    Args:
        strength: lambda.
        target: Wanted radius in units of sqrt(d).
        sites: Where; empty means the model's own sites. They are summed.
        reaches: ``"last-layer"``: weight and bias of the linear map that makes the site's activation, which its input's
            makers do not feel; ``"below"``: everything before that map, which does not feel it.
    """

    strength: Annotated[Number, NOT_NEGATIVE] = 0.05
    target: Annotated[Number, NOT_NEGATIVE] = 1.0
    sites: Annotated[tuple[str, ...], Names("site")] = ()
    reaches: Literal["last-layer", "below"] = "last-layer"

    def penalty(self, activations: Activations, params: Params) -> Any:
        """The radial penalty on activations that are computed again."""
        at = pick(activations, self.sites)
        return self.strength * sum(radial_penalty(self.again(site, activations, params), self.target) for site in at)

    def again(self, site: str, activations: Activations, params: Params) -> Float[Array, "*batch d"]:
        """The activation at a site, through which gradients reach only what they may.

        Args:
            site: Which.
            activations: Of the forward pass, by site.
            params: The weights.

        Raises:
            SpecError: If no linear map makes the activation at the site.
        """
        if site not in params.linear_maps:
            raise SpecError(unknown("site behind a linear map", site, params.linear_maps))
        linear_map, h = params.linear_maps[site], activations[site]
        x, weight = activations[linear_map.source], linear_map.weight(params)
        if self.reaches == "below":
            value = x @ jax.lax.stop_gradient(weight)
        else:
            bias = linear_map.bias(params)
            value = jax.lax.stop_gradient(x) @ weight
            value = value if bias is None else value + bias
        return value + jax.lax.stop_gradient(h - value)


def before(penalty: Any, step: float) -> Any:
    """`penalty` for the first `step` updates alone.

    Raises:
        SpecError: If its strength already is a schedule.
    """
    return dataclasses.replace(penalty, strength=Until(_number(penalty), step))


def after(penalty: Any, step: float) -> Any:
    """`penalty` from update `step` on (counted from 0).

    Raises:
        SpecError: If its strength already is a schedule.
    """
    return dataclasses.replace(penalty, strength=Until(0.0, step, _number(penalty)))


def _number(penalty: Any) -> float:
    if isinstance(penalty.strength, Schedule):
        raise SpecError(f"before and after need a penalty whose strength is a number, got {penalty.strength}")
    return float(penalty.strength)
