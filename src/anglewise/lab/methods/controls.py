"""Controls: what might explain a method's gain without the method."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import PRNGKeyArray

from anglewise.lab.methods.dataclass import method
from anglewise.lab.protocols import Method, Params


@method
class ScaleInit(Method):
    """Scale the first weights of the embedding and of the head.

    Args:
        embedding: Factor for the embedding table (nothing happens where inputs are one-hot).
        head: Factor for the unembedding.
    """

    embedding: float = 1.0
    head: float = 1.0

    def init(self, params: Params, key: PRNGKeyArray) -> Params:
        """Multiply; the random stream is not touched."""
        if params.embedding is not None:
            params = eqx.tree_at(lambda p: p.embedding, params, replace_fn=lambda w: w * self.embedding)
        return eqx.tree_at(lambda p: p.head.weight, params, replace_fn=lambda w: w * self.head)
