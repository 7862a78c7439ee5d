r"""SAM: take the gradient where the loss is worst nearby, and step from where the weights are.

.. math:: e = \rho \frac{g}{|g|}, \qquad g \leftarrow \nabla L(w + e)

with the norm over all parameters of one network.  The adaptive variant (ASAM) measures "nearby" relative to each
weight: :math:`e = \rho\, T^2 g / |T g|` with :math:`T = |w| + 0.01`, entry by entry.  Two backward passes, on the
same batch with the same noise.  The second gradient is that of the total loss, penalties included.

It replaces the incoming direction, so it must be listed before every other method with a transform.
Sources: arXiv 2010.01412; adaptive, arXiv 2102.11600 (there T is 1 for biases in the released code).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.schedule import Number

ETA = 0.01
"""Least size that the adaptive variant takes a weight for, as published."""


@method
class SAM(Method):
    """SAM: the gradient at the worst point within rho (stands first; arXiv 2010.01412).

    Args:
        rho: Length of the ascent step, in units of the weights (adaptive: relative to them); 0 is off.
        adaptive: Measure relative to each weight (ASAM; published rho 0.5).
    """

    rho: Annotated[Number, NOT_NEGATIVE] = 0.05
    adaptive: bool = False

    needs = frozenset({"gradient"})
    position = "first"

    downhill = False

    def transform(self) -> optax.GradientTransformation:
        """Put the gradient at w + e in the place of the incoming one, which gave e."""

        def update(
            here: Params, state: Any, params: Params, *, gradient: Callable[[Params], Params], **_: Any
        ) -> tuple[Params, Any]:
            there = gradient(jax.tree.map(jnp.add, params, self.ascent(here, params)))
            return jax.tree.map(lambda g, h: jnp.where(self.rho == 0, g, h), here, there), state

        return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)  # type: ignore[arg-type]

    def ascent(self, gradient: Params, params: Params) -> Params:
        """The step e from `params` up the `gradient`; 0 where the gradient is 0."""

        def size(w: Array) -> Any:
            return jnp.abs(w) + ETA if self.adaptive else 1

        scaled = jax.tree.map(lambda g, w: size(w) * g, gradient, params)
        norm = optax.tree.norm(scaled)
        factor = self.rho / jnp.where(norm == 0, 1, norm)
        return jax.tree.map(lambda g, w: factor * (size(w) * g), scaled, params)


PUBLISHED = SAM(rho=0.05)
"""The paper's default; no number for grokking is known."""
