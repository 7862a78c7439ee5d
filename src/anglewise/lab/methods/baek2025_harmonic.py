r"""Harmonic loss: classes are points, and a class is the likelier the nearer it is.

.. math:: p_c = \frac{d_c^{-n}}{\sum_j d_j^{-n}}, \qquad d_c^2 = |h - w_c|^2 + \epsilon

The head gives the logits :math:`-\tfrac n2 \ln d_c^2`, whose softmax this is; the loss stays the cross-entropy.  A
head's bias is dropped.  Class points are first what a linear head's weights would be, as released.

Source: arXiv 2502.01628; repository KindXiaoming/grow-crystals (epsilon 1e-4; its exponent 1 is one of :math:`d^2`,
hence n = 2; the paper advises about the root of the width; AdamW 2e-3, wd 1e-2).  The release expands the square
without a floor; here rounding cannot make it negative.
"""

from __future__ import annotations

from typing import Annotated

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from anglewise.lab.methods.taps import own_head
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import Bound
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Network

EPSILON = 1e-4


class DistanceHead(eqx.Module):
    """Logits from distances to the columns of `weight`."""

    weight: Float[Array, "i c"]
    bias: None
    exponent: Annotated[int, Bound(1, 1000)] = eqx.field(static=True)

    def __init__(self, weight: Float[Array, "i c"], exponent: int):
        """Take over a linear head's weights."""
        self.weight, self.bias, self.exponent = weight, None, exponent

    def __call__(self, h: Float[Array, "n i"]) -> Float[Array, "n c"]:
        """Minus n times the log of the distance to each class."""
        w = self.weight
        square = jnp.sum(h * h, axis=-1, keepdims=True) - 2 * (h @ w) + jnp.sum(w * w, axis=0)
        return -0.5 * self.exponent * jnp.log(jnp.maximum(square, 0) + EPSILON)


@method
class Harmonic(Method):
    """Harmonic loss: logits from distances to class points (head; arXiv 2502.01628).

    Args:
        exponent: n, the power of the distance.
    """

    exponent: Annotated[int, Bound(1, 1000)] = 2

    def reshape(self, network: Network) -> Network:
        """Put the distance head in the linear head's place.

        Raises:
            SpecError: If the head is tied.
        """
        head = own_head(network, "harmonic")
        return eqx.tree_at(lambda n: n.head, network, DistanceHead(head.weight, self.exponent))
