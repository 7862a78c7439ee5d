r"""Activation regularisation, and its relative over time.

.. math:: \text{AR} = \alpha \operatorname{mean} h^2, \qquad
   \text{TAR} = \beta \operatorname{mean}_t (h_t - h_{t+1})^2

Means are over rows, positions and units.  AR on the last site is the radial penalty at target 0 there.  Sources:
arXiv 1708.01009, 1708.02182 (AWD-LSTM: alpha 2, beta 1).  There AR reads the last layer's output after its dropout
and TAR the output before; here both read the activation as the network goes on with it, after the taps of other
methods.
"""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp

from anglewise.errors import SpecError
from anglewise.lab.methods.sites import pick
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, Names
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Activations, Network, Params, called
from anglewise.lab.protocols.schedule import Number


@method
class AR(Method):
    """AR: penalty on squared activations of the last site (loss term; arXiv 1708.01009).

    Args:
        alpha: Coefficient of the mean square.
        sites: Sites, of which the last counts; empty means the model's own.
    """

    alpha: Annotated[Number, NOT_NEGATIVE] = 2.0
    sites: Annotated[tuple[str, ...], Names("site")] = ()

    def penalty(self, activations: Activations, params: Params) -> Any:
        """Alpha times the mean square at the last site."""
        (h,) = pick(activations, self.sites[-1:]).values()
        return self.alpha * jnp.mean(h * h)


@method
class TAR(Method):
    """TAR: penalty on changes of an activation from position to position (loss term; arXiv 1708.01009).

    Args:
        beta: Coefficient of the mean squared change.
        sites: Sites, of which the last counts; empty means the model's own.
    """

    beta: Annotated[Number, NOT_NEGATIVE] = 1.0
    sites: Annotated[tuple[str, ...], Names("site")] = ()

    def reshape(self, network: Network) -> Network:
        """Check the last site, and leave the network as it is.

        Raises:
            SpecError: If that site has a single position.
        """
        site = (self.sites or tuple(network.linear_maps))[-1]
        if site in network.all_sites and network.all_sites[site].positions < 2:
            raise SpecError(
                f"tar got a {called(network)} with a single position at {site}, expected several: "
                'take a Transformer with positions="all"'
            )
        return network

    def penalty(self, activations: Activations, params: Params) -> Any:
        """Beta times the mean squared difference of neighbouring positions at the last site."""
        (h,) = pick(activations, self.sites[-1:]).values()
        change = h[1:] - h[:-1]
        return self.beta * jnp.mean(change * change)
