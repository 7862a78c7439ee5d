r"""Self-modelling: the head also predicts the network's own hidden activations.

.. math:: \alpha \operatorname{mean}_{\text{rows, units}} (V^\top h + b - a)^2

h is what the head reads and a the hidden activations side by side: an MLP's post-activations, a Transformer's sub-layer
outputs at the position that is read.  Neither is held fixed, so that activations learn to be predictable: the target is
not stopped, as published.  V and b are further rows of the head, drawn like a linear layer's.

Source: arXiv 2407.10188 (image and text classifiers; weights of the auxiliary loss from 1 to 50).  Which layers are
predicted differs by network there; that all hidden ones are is our choice.  No official code was read.  The network's
own last layer is among the targets, and predicting it from itself is no task but the identity.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from anglewise.lab.methods.sites import pick
from anglewise.lab.methods.taps import attach, last_site, outputs, own_sites
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, Names
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Activations, Network, Params
from anglewise.lab.protocols.schedule import Number

NAME = "self-modelling"


def _read(h: Array) -> Array:
    """The rows of the position that is read."""
    return h[-1] if h.ndim == 3 else h


@method
class SelfModelling(Method):
    """Self-modelling: predict the network's own hidden activations (loss term; arXiv 2407.10188).

    Args:
        alpha: Coefficient of the mean squared error.
        targets: Activations to predict; empty means all post-activations of an MLP, all sub-layer outputs of a
            Transformer.
    """

    alpha: Annotated[Number, NOT_NEGATIVE] = 1.0
    targets: Annotated[tuple[str, ...], Names("site")] = ()

    def reshape(self, network: Network) -> Network:
        """Attach the rows that predict."""
        sites = network.all_sites
        i, o = sites[last_site(network)].width, sum(sites[site].width for site in self._targets(network))
        return attach(network, NAME, {"weight": jnp.zeros((i, o)), "bias": jnp.zeros(o)})

    def init(self, params: Params, key: PRNGKeyArray) -> Params:
        """Draw them as PyTorch draws a linear layer."""

        def draw(key: PRNGKeyArray, w: Array) -> Array:
            bound = 1 / math.sqrt(params.extra[NAME]["weight"].shape[0])
            return jax.random.uniform(key, w.shape, jnp.float32, -bound, bound)

        keys = jax.random.split(key)
        rows = params.extra[NAME]
        drawn = (draw(keys[0], rows["weight"]), draw(keys[1], rows["bias"]))
        return eqx.tree_at(lambda p: (p.extra[NAME]["weight"], p.extra[NAME]["bias"]), params, drawn)

    def penalty(self, activations: Activations, params: Params) -> Any:
        """Alpha times the mean squared error of the prediction."""
        h = _read(activations[last_site(params)])
        predicted = self._predict(h if params.norm is None else params.norm(h), params)
        a = jnp.concatenate([_read(x) for x in pick(activations, self._targets(params)).values()], axis=-1)
        return self.alpha * jnp.mean((predicted - a) ** 2)

    @staticmethod
    def _predict(h: Float[Array, "n i"], params: Params) -> Float[Array, "n o"]:
        rows = params.extra[NAME]
        return h @ rows["weight"] + rows["bias"]

    def _targets(self, network: Network) -> tuple[str, ...]:
        return own_sites(network, self.targets) if self.targets else outputs(network)
