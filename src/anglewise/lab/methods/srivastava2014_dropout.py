r"""Dropout: units of an activation are put to zero at random, in training only.

.. math:: h \leftarrow h \odot m / (1 - q), \qquad m_{ij} \sim \mathrm{Bernoulli}(1 - q)

Source: JMLR 15 (2014); scaled in training, as every library does.  Papers on grokking that report dropout leave its
rate and its site unstated; here an MLP drops post-activations, a Transformer its sub-layers' outputs before the
residual add.  Each entry has a mask of its own, so the batch is never cut: blocks of rows would share one mask.
"""

from __future__ import annotations

from typing import Annotated, Any

import jax
from jaxtyping import Array, Float

from anglewise.lab.methods.taps import outputs, own_sites
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import DECAY, Names
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Network, Params
from anglewise.lab.protocols.schedule import Number


@method
class Dropout(Method):
    """Dropout: zero activations at random in training (forward pass; JMLR 15:1929).

    Args:
        rate: Probability q that a unit is dropped, in [0, 1).
        at: Where; empty means the post-activations of an MLP, the sub-layers' outputs of a Transformer.
    """

    rate: Annotated[Number, DECAY] = 0.1
    at: Annotated[tuple[str, ...], Names("tap")] = ()

    needs = frozenset({"forward-noise", "whole-batch"})

    def reshape(self, network: Network) -> Network:
        """Check the sites, and leave the network as it is."""
        own_sites(network, self.at)
        return network

    def tap(self, params: Params, site: str, h: Float[Array, "*batch d"], key: Any) -> Float[Array, "*batch d"]:
        """Drop and rescale; the identity without a key, as in evaluations."""
        if key is None or site not in (self.at or outputs(params)):
            return h
        keep = 1 - self.rate
        return h * ((jax.random.uniform(key, h.shape, h.dtype) < keep) / keep).astype(h.dtype)
