r"""Weight normalisation: a unit's incoming weights are a direction and a length of their own.

.. math:: w = s \, v / |v|

s is learned and starts at |v|, so that the first function is the same; or s is a constant, which puts every unit's
weights on a sphere.  Source: arXiv 1602.07868.  The data-dependent initialisation there is left out, as in PyTorch's
``weight_norm``; decay acts on v and s, which are what is trained.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from anglewise.lab.methods.matrices import divided, unit_lengths
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Network, Params
from anglewise.lab.protocols.schedule import Number

NAME = "weight-norm"


@method
class WeightNorm(Method):
    """Weight norm: split every unit's weights into direction and learned or fixed length (forward; arXiv 1602.07868).

    Args:
        length: s where it is fixed, in units of weight.
        scale: Whether s is ``"learned"``, unit by unit, or ``"fixed"`` at `length`.
        head: Whether the unembedding is split too, as published.
    """

    length: Annotated[Number, NOT_NEGATIVE] = 1.0
    scale: Literal["learned", "fixed"] = "learned"
    head: bool = True

    def reshape(self, network: Network) -> Network:
        """Attach a length for every unit."""
        if self.scale == "fixed":
            return network
        lengths = {name: jnp.zeros((1, w.shape[-1]), w.dtype) for name, w, _ in self._split(network)}
        return eqx.tree_at(lambda n: n.extra, network, {**network.extra, NAME: lengths})

    def init(self, params: Params, key: PRNGKeyArray) -> Params:
        """Lengths start at those of the weights; the random stream is not touched."""
        if self.scale == "fixed":
            return params
        lengths = {name: unit_lengths(w, role) for name, w, role in self._split(params)}
        return eqx.tree_at(lambda p: p.extra[NAME], params, lengths)

    def weights(self, params: Params) -> Params:
        """Directions times lengths."""
        directions = {name: divided(w, unit_lengths(w, role)) for name, w, role in self._split(params)}

        def whole(path: Any, w: Array) -> Array:
            name = _name(path)
            if name not in directions:
                return w
            scale: Any = self.length if self.scale == "fixed" else params.extra[NAME][name]
            return scale * directions[name]

        return jax.tree_util.tree_map_with_path(whole, params)

    def _split(self, tree: Any) -> list[tuple[str, Array, str]]:
        """Name, weights and role of every matrix that is split."""
        roles = ("hidden", "head") if self.head else ("hidden",)
        leaves = zip(jax.tree_util.tree_leaves_with_path(tree), jax.tree.leaves(tree.roles), strict=True)
        return [(_name(path), w, role) for (path, w), role in leaves if role in roles]


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
