r"""StableMax and the float64 softmax: losses whose gradient does not vanish in rounding.

.. math:: s(x) = \begin{cases} x + 1 & x \ge 0 \\ 1 / (1 - x) & x < 0 \end{cases}, \qquad
   \ell = -\ln \frac{s(z_y)}{\sum_j s(z_j)}

StableMax is the softmax of :math:`\operatorname{sign}(x) \ln(1 + |x|)` and is computed so; the release adds 1e-30 to
1 - x, which is at least 1.  In the release both losses are computed in float64 from float32 logits.  So they are
here: a float32 program computes the loss and its gradient with respect to the logits in float64 and rounds both at
the end, hence cannot be differentiated twice; a float64 program (as curvature readings have it) uses the plain
formula.

Source: arXiv 2501.04697; repository LucasPrietoAl/grokking-at-the-edge-of-numerical-stability (StableMax with AdamW,
lr 0.01, beta2 0.999, wd 0).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.loss import cross_entropy
from anglewise.lab.protocols.method import Method

Loss: TypeAlias = Callable[[Array, Array], Array]


def stablemax(logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
    """Per-example loss of StableMax, in the logits' own precision."""
    up = logits >= 0
    # not sign(x) log1p(|x|), whose gradient at 0 is taken for 0: it is 1
    log_s = jnp.where(up, jnp.log1p(jnp.where(up, logits, 0)), -jnp.log1p(jnp.where(up, 0, -logits)))
    return cross_entropy(log_s, labels)


def in_float64(plain: Loss) -> Loss:
    """A per-example loss that is computed in float64 whatever the precision of the logits, and returned in theirs."""

    def both(logits: Array, labels: Array) -> tuple[Array, Array]:
        with jax.enable_x64(True):
            loss, back = jax.vjp(lambda z: plain(z, labels), logits.astype(jnp.float64))
            (gradient,) = back(jnp.ones_like(loss))
            return loss.astype(logits.dtype), gradient.astype(logits.dtype)

    @jax.custom_vjp
    def widened(logits: Array, labels: Array) -> Array:
        return both(logits, labels)[0]

    widened.defvjp(both, lambda gradient, g: (g[:, None] * gradient, None))
    return lambda logits, labels: (plain if logits.dtype == jnp.float64 else widened)(logits, labels)


stablemax64, cross_entropy64 = in_float64(stablemax), in_float64(cross_entropy)


@method
class StableMax(Method):
    """StableMax: a softmax whose exponential grows only linearly (loss; arXiv 2501.04697).

    Args:
        precision: ``"float64"``, as released, or ``"as trained"``, that of the logits.
    """

    precision: Literal["float64", "as trained"] = "float64"

    def loss(self, logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
        """Per-example loss."""
        return (stablemax64 if self.precision == "float64" else stablemax)(logits, labels)


@method
class Softmax64(Method):
    """Softmax in float64: cross-entropy that does not round small gradients away (loss; arXiv 2501.04697)."""

    def loss(self, logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
        """Per-example loss."""
        return cross_entropy64(logits, labels)
