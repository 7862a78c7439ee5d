r"""A residual stream on the unit sphere, and a cosine head.

.. math:: h \leftarrow \frac{h}{\max(|h|, 10^{-12})}, \qquad
   z_c = T \, \Bigl\langle h, \frac{w_c}{\max(|w_c|, 10^{-12})} \Bigr\rangle

after the embedding and after each residual add of a Transformer without layer norms.  The release bundles three
factors, which are separate here: the sphere, the cosine head, the temperature T (a multiplier: T is one over the
usual one).  The cosine head normalises the vector that it reads even where the sphere is off.  In an MLP the sphere
is that of the post-activations: they are what the next layer and the head read, and a unit pre-activation is no unit
vector after ReLU.

Source: arXiv 2603.05228; repository AlperYildirim1/geometric-grokking (T = 10; AdamW 6e-4 or 1e-4; an erratum there
relabels arms: without the normalised head, runs on the sphere were unstable).
"""

from __future__ import annotations

from typing import Annotated, Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from anglewise.errors import SpecError
from anglewise.geometry import radius
from anglewise.lab.methods.taps import last_site, own_head, states
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import POSITIVE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Network, Params, called
from anglewise.lab.protocols.schedule import Number


def unit(h: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
    """At length 1, as PyTorch's ``normalize`` does it: a vector shorter than 1e-12 is divided by that."""
    return h / jnp.maximum(radius(h), 1e-12)[..., None]


@method
class SphereCosine(Method):
    """Stream on the unit sphere and a cosine head (forward pass; arXiv 2603.05228).

    Args:
        temperature: T, by which the head's weights (not its bias) are multiplied.
        sphere: Whether the stream is normalised.
        cosine: Whether the head's class vectors and the vector that it reads are normalised.
    """

    temperature: Annotated[Number, POSITIVE] = 10.0
    sphere: bool = True
    cosine: bool = True

    def reshape(self, network: Network) -> Network:
        """Check the head, and leave the network as it is.

        Raises:
            SpecError: If its head is tied, or, for the cosine head, has a bias or reads a layer norm.
        """
        head = own_head(network, "sphere-cosine")
        if self.cosine and head.bias is not None:
            raise SpecError(
                f"sphere-cosine got a {called(network)} with a bias in its head, a cosine head has none: "
                "set the model's bias to false"
            )
        if self.cosine and network.norm is not None:
            raise SpecError(
                f"sphere-cosine got a {called(network)} with a layer norm before its head, expected none: "
                'set the model\'s norm to "none"'
            )
        return network

    def tap(self, params: Params, site: str, h: Float[Array, "*batch d"], key: Any) -> Float[Array, "*batch d"]:
        """Normalise the stream, or only what the head reads."""
        on_sphere = self.sphere and site in states(params)
        return unit(h) if on_sphere or (self.cosine and site == last_site(params)) else h

    def weights(self, params: Params) -> Params:
        """Class vectors at length T, or T times as long as they are."""
        head = params.head.weight
        scaled = self.temperature * (unit(head.T).T if self.cosine else head)
        return eqx.tree_at(lambda p: p.head.weight, params, jnp.asarray(scaled, head.dtype))


PUBLISHED = SphereCosine()
"""The repository's sphere arm; its own AdamW has lr 6e-4 or 1e-4, wd 0 or 1."""
