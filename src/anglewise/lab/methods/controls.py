r"""Controls on activations and first weights: what might explain a method's gain without the method.

.. math:: h_i \leftarrow \frac{m \sqrt d}{\operatorname{mean}_j |h_j|} \, h_i, \qquad
   h_i \leftarrow \min\Bigl(1, \frac{m \sqrt d}{|h_i|}\Bigr) h_i

The first gives the whole batch one factor, so that its mean radius is m sqrt(d) and the relative spread of radii stays
(`batch-mean`, and the replay of a recorded trajectory); the second clamps radii from above (`outer`; `inner` is the
same from below).  Both keep every direction.  They differ from a projection, which gives every activation the same
radius and is what a clamp from both sides would be.  In an evaluation the batch is what is evaluated: training and test
examples have factors of their own.

Matching the norm of *weights* to another arm's is another control: ``norm-replay``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from anglewise.geometry import radius
from anglewise.lab.methods.sites import pick
from anglewise.lab.methods.taps import own_head
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, Names
from anglewise.lab.protocols.method import Method, Need
from anglewise.lab.protocols.model import Activations, Network, Params
from anglewise.lab.protocols.schedule import Number


@method
class ScaleInit(Method):
    """Scaled initialisation: the first embedding and head, times a factor (init; control).

    Args:
        embedding: Factor for the embedding table (nothing happens where inputs are one-hot).
        head: Factor for the unembedding.
    """

    embedding: Annotated[float, NOT_NEGATIVE] = 1.0
    head: Annotated[float, NOT_NEGATIVE] = 1.0

    def reshape(self, network: Network) -> Network:
        """Leave the network as it is.

        Raises:
            SpecError: If the head is tied.
        """
        own_head(network, "scale-init")
        return network

    def init(self, params: Params, key: PRNGKeyArray) -> Params:
        """Multiply; the random stream is not touched."""
        if params.tables:
            params = eqx.tree_at(lambda p: p.tables[0], params, replace_fn=lambda w: w * self.embedding)
        return eqx.tree_at(lambda p: p.head.weight, params, replace_fn=lambda w: w * self.head)


@method
class RadiusClamp(Method):
    """Rescale activations whose radius is on the wrong side of a limit, or a batch to a mean radius (control).

    Args:
        multiple: The limit, or the mean radius, in units of sqrt(d).
        side: ``"batch-mean"``: one factor for the whole batch; ``"outer"``: radii above the limit come down to it;
            ``"inner"``: those below it go up.  Gradients are the true ones, through the factor.
        sites: Where; empty means the model's own sites.
    """

    multiple: Annotated[Number, NOT_NEGATIVE] = 1.0
    side: Literal["batch-mean", "outer", "inner"] = "batch-mean"
    sites: Annotated[tuple[str, ...], Names("tap")] = ()

    @property
    def needs(self) -> frozenset[Need]:  # type: ignore[override]
        """A mean over the batch needs all of it."""
        return frozenset({"whole-batch"}) if self.side == "batch-mean" else frozenset()

    def tap(self, params: Params, site: str, h: Float[Array, "*batch d"], key: Any) -> Float[Array, "*batch d"]:
        """Rescale at the sites, leave all others."""
        if site not in self.sites:
            return h
        if self.side == "batch-mean":
            return _with_mean(h, self.multiple)
        limit, r = self.multiple * math.sqrt(h.shape[-1]), radius(h)[..., None]
        wrong = (r > limit) if self.side == "outer" else (r < limit) & (r > 0)
        return jnp.where(wrong, h * (limit / jnp.where(wrong, r, 1)), h)

    def check(self, opt_state: Any, params: Params, activations: Activations) -> Mapping[str, tuple[Any, Any]]:
        """The mean radius by site where it is held; nothing for a limit, which matches nothing."""
        if self.side != "batch-mean":
            return {}
        return {_named(site): (self.multiple, _mean(h)) for site, h in pick(activations, self.sites).items()}


@method
class RadiusReplay(Method):
    """Make the mean radius at one site follow a recorded trajectory, by one factor per batch (control).

    Args:
        radius: The mean radius in units of sqrt(d): a number, or (as meant) a recorded schedule.
        site: Where; another site is another method in the same arm.
        gradient: ``"through"`` the factor: the true gradient; ``"stopped"``: the factor is a constant of the step.
    """

    radius: Annotated[Number, NOT_NEGATIVE] = 1.0
    site: Annotated[str, Names("tap")] = "hidden.0.pre"
    gradient: Literal["through", "stopped"] = "through"
    needs = frozenset({"whole-batch"})

    def tap(self, params: Params, site: str, h: Float[Array, "*batch d"], key: Any) -> Float[Array, "*batch d"]:
        """Rescale at the site, leave all others."""
        return _with_mean(h, self.radius, stopped=self.gradient == "stopped") if site == self.site else h

    def check(self, opt_state: Any, params: Params, activations: Activations) -> Mapping[str, tuple[Any, Any]]:
        """The mean radius that was recorded, and the one that there is."""
        return {_named(self.site): (self.radius, _mean(pick(activations, (self.site,))[self.site]))}


def _mean(h: Float[Array, "*batch d"]) -> Float[Array, ""]:
    return jnp.mean(radius(h)) / math.sqrt(h.shape[-1])


def _with_mean(h: Float[Array, "*batch d"], wanted: Any, *, stopped: bool = False) -> Float[Array, "*batch d"]:
    """`h` times the factor that gives it the wanted mean radius; zeros stay zeros."""
    mean = _mean(h)
    factor = wanted / jnp.where(mean > 0, mean, 1)
    return h * (jax.lax.stop_gradient(factor) if stopped else factor)


def _named(site: str) -> str:
    return "radius_" + site.replace(".", "_")
