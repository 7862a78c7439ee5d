r"""Hard projection of activations to a sphere: two algorithms with one forward pass.

.. math:: y = \tau \sqrt d \, \frac{h}{|h|}, \qquad
   \text{tangential: } \frac{\partial L}{\partial h}
     = \frac{\tau \sqrt d}{|h|} (I - u u^\top) \frac{\partial L}{\partial y}, \qquad
   \text{straight-through: } \frac{\partial L}{\partial h} = \frac{\partial L}{\partial y}

with u = h/|h|.  The tangential gradient is the true one: it has no radial part, equals that of an RMSNorm without
gains, and turns h the less the longer h is; since a step across h lengthens it, the radius before projection drifts
upward. The straight-through gradient passes its radial part in full.  Neither is the radial penalty's limit of
infinite strength.  The zero vector has no direction and stays zero; its gradient is finite.  Second derivatives under
``project-ste`` are those of the surrogate, and no Hessian of the loss.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import jax
from jaxtyping import Array, Float

from anglewise.geometry import direction
from anglewise.lab.methods.taps import own_sites
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, Names
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Network, Params
from anglewise.lab.protocols.schedule import Number


def project(h: Float[Array, "*batch d"], target: Any) -> Float[Array, "*batch d"]:
    """Every vector at length target * sqrt(d), with the true gradient."""
    return (direction(h) * (target * math.sqrt(h.shape[-1]))).astype(h.dtype)


@method
class ProjectTangential(Method):
    """Project activations to a sphere, with the true gradient, which is tangential (forward pass).

    Args:
        target: Radius in units of sqrt(d).
        sites: Where; empty means the model's own sites.
    """

    target: Annotated[Number, NOT_NEGATIVE] = 1.0
    sites: Annotated[tuple[str, ...], Names("tap")] = ()

    def reshape(self, network: Network) -> Network:
        """Check the sites, and leave the network as it is."""
        own_sites(network, self.sites)
        return network

    def tap(self, params: Params, site: str, h: Float[Array, "*batch d"], key: Any) -> Float[Array, "*batch d"]:
        """Project at the sites, leave all others."""
        return project(h, self.target) if site in self.sites else h


@method
class ProjectSTE(Method):
    """Project activations to a sphere, and pass the gradient straight through (forward pass).

    Args:
        target: Radius in units of sqrt(d).
        sites: Where; empty means the model's own sites.
    """

    target: Annotated[Number, NOT_NEGATIVE] = 1.0
    sites: Annotated[tuple[str, ...], Names("tap")] = ()

    def reshape(self, network: Network) -> Network:
        """Check the sites, and leave the network as it is."""
        own_sites(network, self.sites)
        return network

    def tap(self, params: Params, site: str, h: Float[Array, "*batch d"], key: Any) -> Float[Array, "*batch d"]:
        """Project at the sites, leave all others."""
        if site not in self.sites:
            return h
        # h - h is exactly 0, so that the value is the projection to the bit
        return jax.lax.stop_gradient(project(h, self.target)) + (h - jax.lax.stop_gradient(h))
