r"""PCGrad: where the gradients of task and penalty conflict, remove from each what works against the other.

.. math::

   \langle g_i, g_j \rangle < 0: \quad g_i \leftarrow g_i - \frac{\langle g_i, g_j \rangle}{|g_j|^2} g_j,
   \qquad g = g_{\text{task}} + g_{\text{penalty}}

with all parameters as one vector and the other's gradient as it was before projection.  The published random order
of the tasks is irrelevant for two: each has only one other to be projected on.  Two backward passes.

It replaces the incoming direction, so it must be listed before every other method with a transform.  In an arm
without a penalty it is the plain gradient.  Source: arXiv 2001.06782.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import optax

from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params

Variant: TypeAlias = Literal["symmetric", "protect-task", "protect-penalty"]


@method
class PCGrad(Method):
    """PCGrad: removes the conflict between task and penalty gradients (stands first; arXiv 2001.06782).

    Args:
        variant: ``"symmetric"``, as published; ``"protect-task"``, where only the penalty's gradient is projected;
            ``"protect-penalty"``, where only the task's is.

    Raises:
        SpecError: If `variant` is none of the three.
    """

    variant: Variant = "symmetric"

    needs = frozenset({"parts"})
    position = "first"

    downhill = False

    def transform(self) -> optax.GradientTransformation:
        """Put the sum of the projected parts in the place of the incoming direction."""

        def update(
            _: Params, state: Any, params: Params, *, parts: Callable[[Params], tuple[Params, Params]], **__: Any
        ) -> tuple[Params, Any]:
            return self.combine(*parts(params)), state

        return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)  # type: ignore[arg-type]

    def combine(self, task: Params, penalty: Params) -> Params:
        """The sum of the `task` gradient and the `penalty` gradient after projection."""
        first = task if self.variant == "protect-task" else without_conflict(task, penalty)
        second = penalty if self.variant == "protect-penalty" else without_conflict(penalty, task)
        return jax.tree.map(jnp.add, first, second)


def without_conflict(g: Params, other: Params) -> Params:
    """`g` without its part against `other`; `g` itself where they agree, or where `other` is 0."""
    dot, square = optax.tree.vdot(g, other), optax.tree.vdot(other, other)
    share = jnp.where(dot < 0, dot / jnp.where(square == 0, 1, square), 0)
    return jax.tree.map(lambda x, y: x - share * y, g, other)
