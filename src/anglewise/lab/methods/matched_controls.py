r"""A control for the penalty's gradient: as large, but with no direction of its own.

.. math:: g = \nabla L_{\text{task}} + p, \qquad
   g \leftarrow g + s \, (q - p), \qquad q = |p| \frac{z}{|z|}, \quad z \sim N(0, 1) \text{ or } z = w

With p the gradient of the arm's penalties by the weights.  If an arm whose penalty is replaced like this gains as much
as the arm itself, what helps is that something of this size is added, and not the direction.  z = w is isotropic weight
decay of equal gradient magnitude: it always shrinks, even where the penalty inflates.

Stands before the optimiser in a chain that has the penalty.  The transform's state remembers both norms of the last
step, the second measured on what stands for the penalty's gradient in what is handed on, and
:meth:`MatchedNoise.check` returns them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import SHARE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Activations, Params
from anglewise.lab.protocols.schedule import Number


class Matched(NamedTuple):
    """Norms of the last step, one for each tensor or one for all of them."""

    wanted: Float[Array, " tensors"]
    got: Float[Array, " tensors"]


@method
class MatchedNoise(Method):
    """Replace the penalty's gradient by an isotropic one of the same norm (control).

    Args:
        share: Part s of the penalty's gradient that is replaced; 0 does nothing.
        kind: ``"noise"``: a random direction, drawn anew at every step; ``"shrink"``: that of the weights.
        granularity: Whether norms match for each ``"tensor"`` or for all together (``"global"``).
    """

    share: Annotated[Number, SHARE] = 1.0
    kind: Literal["noise", "shrink"] = "noise"
    granularity: Literal["tensor", "global"] = "tensor"
    needs = frozenset({"parts", "noise"})
    position = "first"

    downhill = False

    def transform(self) -> optax.GradientTransformation:
        """Take the penalty's gradient off, put its substitute on."""

        def init(params: Params) -> Matched:
            leaves = jax.tree.leaves(params)
            count = len(leaves) if self.granularity == "tensor" else 1
            return Matched(*(jnp.zeros(count, leaves[0].dtype) for _ in Matched._fields))

        def update(
            updates: Params,
            state: Matched,
            params: Params = None,
            *,
            parts: Callable[[Params], tuple[Params, Params]],
            key: PRNGKeyArray,
            **extra: Any,
        ) -> tuple[Params, Matched]:
            _, penalty = parts(params)
            wanted = self._norms(penalty)
            towards = params if self.kind == "shrink" else _normal(penalty, key)
            have = self._norms(towards)
            scale = wanted / jnp.where(have > 0, have, 1)
            scales = list(scale) if self.granularity == "tensor" else [scale[0]] * len(jax.tree.leaves(penalty))
            factors = jax.tree.unflatten(jax.tree.structure(penalty), scales)
            change = jax.tree.map(lambda p, z, c: self.share * (c * z - p), penalty, towards, factors)
            got = self._norms(jax.tree.map(jnp.add, penalty, change))
            return jax.tree.map(jnp.add, updates, change), Matched(wanted, got)

        return optax.GradientTransformationExtraArgs(init, update)

    def check(
        self, opt_state: Matched, params: Params, activations: Activations
    ) -> Mapping[str, tuple[Float[Array, ""], Float[Array, ""]]]:
        """Norm of the penalty's gradient and of what stood for it in the last step; of the worst tensor."""
        small = jnp.finfo(opt_state.wanted.dtype).tiny
        worst = jnp.argmax(jnp.abs(opt_state.got - opt_state.wanted) / jnp.maximum(opt_state.wanted, small))
        return {"gradient": (opt_state.wanted[worst], opt_state.got[worst])}

    def _norms(self, tree: Params) -> Float[Array, " tensors"]:
        squares = jnp.stack([jnp.sum(jnp.square(x)) for x in jax.tree.leaves(tree)])
        return jnp.sqrt(squares if self.granularity == "tensor" else jnp.sum(squares, keepdims=True))


def _normal(like: Params, key: PRNGKeyArray) -> Params:
    leaves, structure = jax.tree.flatten(like)
    keys = jax.random.split(key, len(leaves))
    drawn = [jax.random.normal(k, x.shape, x.dtype) for k, x in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(structure, drawn)
