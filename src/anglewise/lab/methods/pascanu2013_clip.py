r"""Gradient clipping: a gradient longer than a threshold is shortened to it; its direction stays.

.. math:: g \leftarrow g \min\bigl(1, c / |g|\bigr)

with |g| over all parameters together, penalties' gradients included.  It stands before the optimiser: Adam divides a
gradient by its usual size, so what clipping changes is how much a single large one counts.  Source: arXiv 1211.5063.
"""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax

from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import POSITIVE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.schedule import Number


@method
class ClipGradient(Method):
    """Clip: shorten the gradient to a largest norm (stands before the optimiser; arXiv 1211.5063).

    Args:
        most: Largest norm c of the whole gradient.
    """

    most: Annotated[Number, POSITIVE] = 1.0

    downhill = False

    @property
    def copies(self) -> int:
        """It keeps nothing."""
        return 0

    def transform(self) -> optax.GradientTransformation:
        """Scale by the smaller of 1 and c / |g|."""

        def clip(gradient: Params, _: Any) -> Params:
            norm = optax.tree.norm(gradient)
            inside = norm <= self.most  # a NaN is not, and stays one
            factor = self.most / jnp.where(inside, 1, norm)
            return jax.tree.map(lambda g: jnp.where(inside, g, g * factor).astype(g.dtype), gradient)

        return optax.stateless(clip)
