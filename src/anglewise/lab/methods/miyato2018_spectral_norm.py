r"""Spectral normalisation: the network computes with matrices of bounded largest singular value.

.. math:: \hat W = c \, W / \sigma(W) \quad \text{(exact)} \qquad \text{or} \qquad
    \hat W = W / \max(1, \sigma(W) / c) \quad \text{(cap)}

with sigma by power iteration, :math:`\sigma = u^\top W v`, u and v constants for derivatives: so the gradient loses
what would only stretch W.  Weights in memory stay as they are and may grow.

Source: arXiv 1802.05957, which does one iteration per step from the last step's vector.  A forward pass keeps no state
here: a few iterations start at a fixed vector each time, and sigma is a lower bound of the norm.
"""

from __future__ import annotations

from typing import Annotated, Literal

import jax.numpy as jnp

from anglewise.lab.methods.matrices import Matrices, on_matrices, spectral_norm, start_vector
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import POSITIVE, Bound
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.schedule import Number


@method
class SpectralNorm(Method):
    """Spectral norm: compute with matrices whose largest singular value is held at c (forward; arXiv 1802.05957).

    Args:
        c: The largest singular value that a matrix may have, or has.
        mode: ``"exact"``, as published, or ``"cap"``, which leaves smaller matrices alone.
        iterations: Power iterations per pass.
        head: Whether the unembedding is normalised too.
    """

    c: Annotated[Number, POSITIVE] = 1.0
    mode: Literal["exact", "cap"] = "exact"
    iterations: Annotated[int, Bound(1, 1000)] = 5
    head: bool = False

    def weights(self, params: Params) -> Params:
        """Every hidden matrix, normalised; a Transformer's qkv is three matrices."""

        def normalised(W: Matrices) -> Matrices:
            sigma, _ = spectral_norm(W, start_vector(W.shape[-1], W.dtype), self.iterations)
            some = sigma > (self.c if self.mode == "cap" else 0)
            return W * jnp.where(some, self.c / jnp.where(some, sigma, 1), 1)

        return on_matrices(normalised, ("hidden", "head") if self.head else ("hidden",), params)
