r"""Normalisation layers put at a model's sites.

.. math:: \text{LayerNorm: } y = s \odot \frac{h - \bar h}{\sqrt{\operatorname{var}(h) + \epsilon}} + b, \qquad
   \text{RMSNorm: } y = s \odot \frac{h}{\sqrt{\operatorname{mean}(h^2) + \epsilon}}

Without gains, :math:`|y| = \sqrt d` up to epsilon: a hard sphere.  Gains give the radius back to training, and a
weight decay on gains is itself a radial suppression (``AdamW(decay="matrices")`` spares them).  At the sites of a
Transformer, its sub-layers' outputs, this is the "sandwich".  Sources: arXiv 1607.06450, 1910.07467.
"""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from anglewise.lab.methods.taps import attach, own_sites, taps
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, Names
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Network, Params

LAYER, RMS = "layer-norm", "rms-norm"


def rms(h: Float[Array, "*batch d"], epsilon: Any) -> Float[Array, "*batch d"]:
    """Divided by the root of the mean square."""
    return h * jax.lax.rsqrt(jnp.mean(h * h, axis=-1, keepdims=True) + epsilon).astype(h.dtype)


@method
class LayerNorm(Method):
    """LayerNorm at sites: centre, and divide by the standard deviation (forward pass; arXiv 1607.06450).

    Args:
        epsilon: Added to the variance.
        affine: Whether there are gains and biases to learn, from 1 and 0.
        sites: Where; empty means the model's own sites.
    """

    epsilon: Annotated[float, NOT_NEGATIVE] = 1e-5
    affine: bool = True
    sites: Annotated[tuple[str, ...], Names("tap")] = ()

    def reshape(self, network: Network) -> Network:
        """Attach a gain and a bias per site."""
        widths = _widths(network, self.sites)
        parts = {site: {"gain": jnp.ones(d), "bias": jnp.zeros(d)} for site, d in widths.items()}
        return attach(network, LAYER, parts) if self.affine else network

    def tap(self, params: Params, site: str, h: Float[Array, "*batch d"], key: Any) -> Float[Array, "*batch d"]:
        """Normalise at the sites, leave all others."""
        if site not in self.sites:
            return h
        y = rms(h - jnp.mean(h, axis=-1, keepdims=True), self.epsilon)
        if not self.affine:
            return y
        affine = params.extra[LAYER][site]
        return y * affine["gain"] + affine["bias"]


@method
class RMSNorm(Method):
    """RMSNorm at sites: divide by the root mean square (forward pass; arXiv 1910.07467).

    Args:
        epsilon: Added to the mean square.
        affine: Whether there are gains to learn, from 1.
        sites: Where; empty means the model's own sites.
    """

    epsilon: Annotated[float, NOT_NEGATIVE] = 1e-6
    affine: bool = True
    sites: Annotated[tuple[str, ...], Names("tap")] = ()

    def reshape(self, network: Network) -> Network:
        """Attach a gain per site."""
        gains = {site: {"gain": jnp.ones(d)} for site, d in _widths(network, self.sites).items()}
        return attach(network, RMS, gains) if self.affine else network

    def tap(self, params: Params, site: str, h: Float[Array, "*batch d"], key: Any) -> Float[Array, "*batch d"]:
        """Normalise at the sites, leave all others."""
        if site not in self.sites:
            return h
        y = rms(h, self.epsilon)
        return y * params.extra[RMS][site]["gain"] if self.affine else y


def _widths(network: Network, sites: tuple[str, ...]) -> dict[str, int]:
    """Width of each site to normalise at."""
    known = taps(network)
    return {site: known[site].width for site in own_sites(network, sites)}
