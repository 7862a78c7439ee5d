r"""perpGrad (OrthoGrad): keep of the gradient only what is orthogonal to the weights.

.. math::

   q = g - \frac{\langle w, g \rangle}{|w|^2 + \epsilon} w, \qquad
   g \leftarrow \frac{|g|}{|q| + \epsilon} q, \qquad \epsilon = 10^{-30}

A step along w scales the logits and lowers the loss without changing a prediction; this removes it.  The paper
prints q alone, for w all parameters as one vector; the released code takes w tensor by tensor and gives q the
length of g: ``PUBLISHED`` and ``RELEASED``.  It stands before the optimiser.

One deviation: where all of g is along w (always so for a tensor of one element), what is left of it, at most 8
units of rounding, is taken for the 0 it is, and g becomes 0.  As released, that noise gets the length of g.

Source: arXiv 2501.04697; repository LucasPrietoAl/grokking-at-the-edge-of-numerical-stability, ``OrthoGrad``.
Known defect there: betas and eps never reach the wrapped optimiser, so PyTorch's defaults apply.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import SHARE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.schedule import Number

Per: TypeAlias = Literal["tensor", "row", "global"]
EPS = 1e-30
AXES = {"hidden": 0, "head": 0, "embedding": -1}
"""Axis along which one vector runs: a unit's incoming weights, or a token's embedding."""


@method
class PerpGrad(Method):
    """perpGrad: projects gradients orthogonal to their weights (stands before the optimiser; arXiv 2501.04697).

    Args:
        strength: How much of the way: 1 is the published rule, 0 is off, between them the gradients are mixed.
        per: What counts as one vector w: ``"tensor"``, as released; ``"row"``, the incoming weights of one output
            unit, or one token's embedding (a bias or gain is one vector); ``"global"``, all parameters.
        rescale: Give q the length of g, as released.
    """

    strength: Annotated[Number, SHARE] = 1.0
    per: Per = "tensor"
    rescale: bool = True

    downhill = False

    def transform(self) -> optax.GradientTransformation:
        """Project; two dot products per vector."""

        def mixed(g: Array, q: Array) -> Array:
            return (1 - self.strength) * g + self.strength * q

        def project(gradient: Params, params: Params) -> Params:
            return jax.tree.map(mixed, gradient, self.orthogonal(gradient, params))

        return optax.stateless(project)  # type: ignore[arg-type]

    def orthogonal(self, gradient: Params, params: Params) -> Params:
        """The `gradient` without what is along the weights `params`, rescaled where the rule says so."""
        if self.per == "global":
            return self._without(gradient, params, lambda x: optax.tree.sum(x))
        if self.per == "tensor":
            return jax.tree.map(lambda g, w: self._without(g, w, jnp.sum), gradient, params)

        def by_row(g: Array, w: Array, role: str) -> Array:
            axis = AXES.get(role)
            return self._without(g, w, lambda x: jnp.sum(x, axis=axis, keepdims=axis is not None))

        return jax.tree.map(by_row, gradient, params, params.roles)

    def _without(self, g: Params, w: Params, total: Any) -> Params:
        """q for one vector (or many at once), spread over one array or many; `total` sums over a vector."""

        def dot(x: Params, y: Params) -> Any:
            return total(jax.tree.map(jnp.multiply, x, y))

        along = dot(w, g) / (dot(w, w) + EPS)
        q = jax.tree.map(lambda g, w: g - along * w, g, w)
        before, after = jnp.sqrt(dot(g, g)), jnp.sqrt(dot(q, q))
        factor = before / (after + EPS) if self.rescale else jnp.ones_like(before)
        factor = jnp.where(after <= 8 * jnp.finfo(before.dtype).eps * before, 0, factor)
        return jax.tree.map(lambda q: factor * q, q)


RELEASED = PerpGrad(per="tensor", rescale=True)
"""The released optimiser wrapper."""
PUBLISHED = PerpGrad(per="global", rescale=False)
"""The rule as the paper prints it."""
