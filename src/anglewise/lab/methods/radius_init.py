r"""Initialisation on the sphere: every hidden layer starts with mean radius target * sqrt(d).

Layer by layer, in the order of the forward pass,

.. math:: W_k \leftarrow W_k \, \frac{\tau \sqrt{d_k}}{\operatorname{mean}_i |h_k(x_i)|}, \qquad
    b_k \leftarrow b_k \, \frac{\tau \sqrt{d_k}}{\operatorname{mean}_i |h_k(x_i)|}

over the first training examples :math:`x_i`.  :math:`h_k` is linear in its layer's weight and bias, so one pass a layer
is exact.  This holds for the hidden layers of an MLP, and for the sub-layers' outputs of a Transformer, where the mean
is over all positions.  What other methods do to activations is not counted.

PyTorch's default starts far inside the sphere of radius sqrt(d), where the radial penalty pushes outward.  From here
the penalty has nothing to push at first.  This asks which half of the penalty does the work.
"""

from __future__ import annotations

import math
from typing import Annotated

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.geometry import radius
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import COUNT, POSITIVE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Network, Params, called
from anglewise.lab.protocols.schedule import Number
from anglewise.lab.protocols.task import Data


@method
class RadiusInit(Method):
    """Start on the sphere: scale each hidden layer to mean radius target * sqrt(d) (init; control).

    Args:
        target: Wanted mean radius in units of sqrt(d).
        rows: Training examples that the mean is taken over, at most.
    """

    target: Annotated[Number, POSITIVE] = 1.0
    rows: Annotated[int, COUNT] = 1024

    needs = frozenset({"data"})

    def reshape(self, network: Network) -> Network:
        """Leave the network as it is.

        Raises:
            SpecError: If no linear map makes its default sites.
        """
        if not network.linear_maps:
            raise SpecError(f"radius-init scales linear maps, which {called(network)} does not declare")
        return network

    def init(self, params: Params, key: PRNGKeyArray, *, data: Data) -> Params:
        """Scale the layer of every site in turn; the random stream is not touched."""
        inputs = data.train_inputs[: self.rows]
        for site, linear_map in params.linear_maps.items():
            h = params(inputs)[1][site]
            mean = jnp.mean(radius(h)) / math.sqrt(h.shape[-1])
            factor = self.target / jnp.where(mean > 0, mean, 1)
            layer = jax.tree.map(lambda w, f=factor: (w * f).astype(w.dtype), linear_map.layer(params))
            params = eqx.tree_at(linear_map.layer, params, layer)
        return params
