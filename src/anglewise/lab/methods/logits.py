r"""Losses that control the size of logits without touching weights or activations.

.. math:: \ell_\tau = \mathrm{CE}(z / \tau, y), \qquad
   \ell_\beta = \mathrm{CE}(z, y) + \beta \, |z|^2, \qquad
   \ell_s = \mathrm{CE}(z, y) + s \, (z_y - \bar z), \qquad
   \ell_\zeta = \mathrm{CE}(z, y) + \zeta \, \Bigl(\ln \sum_j e^{z_j}\Bigr)^2

The third is the cross-entropy with the target (1 - s) on the label and s spread over all classes.  Each is the plain
cross-entropy where its own number is off (tau = 1, else 0).  The reported losses are these, terms included.  Sources:
arXiv 2606.18465 (fixed temperature), 1512.00567 (label smoothing), 2204.02311 (z-loss, 1e-4); the logit norm is a
control.
"""

from __future__ import annotations

from typing import Annotated

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, POSITIVE, SHARE
from anglewise.lab.protocols.loss import cross_entropy
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.schedule import Number


@method
class Temperature(Method):
    """Temperature: cross-entropy of the logits divided by tau (loss; arXiv 2606.18465).

    Args:
        tau: What logits are divided by; 1 is off.
    """

    tau: Annotated[Number, POSITIVE] = 1.0

    def loss(self, logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
        """Per-example loss."""
        return cross_entropy((logits / self.tau).astype(logits.dtype), labels)


@method
class LogitNorm(Method):
    """Logit norm: cross-entropy and a penalty on squared logits (loss; a control for logit scale).

    Args:
        beta: Coefficient of the squared length of an example's logits.
    """

    beta: Annotated[Number, NOT_NEGATIVE] = 1e-3

    def loss(self, logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
        """Per-example loss."""
        return cross_entropy(logits, labels) + self.beta * jnp.sum(logits * logits, axis=-1)


@method
class LabelSmoothing(Method):
    """Label smoothing: a share of the target is spread over all classes (loss; arXiv 1512.00567).

    Args:
        smoothing: That share.
    """

    smoothing: Annotated[Number, SHARE] = 0.1

    def loss(self, logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
        """Per-example loss."""
        hit = labels[:, None] == jnp.arange(logits.shape[-1])
        label = jnp.sum(jnp.where(hit, logits, 0), axis=-1)
        return cross_entropy(logits, labels) + self.smoothing * (label - jnp.mean(logits, axis=-1))


@method
class ZLoss(Method):
    """Z-loss: cross-entropy and a penalty on the squared log of its normaliser (loss; arXiv 2204.02311).

    Args:
        strength: Coefficient of the squared log of the sum of exponentials.
    """

    strength: Annotated[Number, NOT_NEGATIVE] = 1e-4

    def loss(self, logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
        """Per-example loss."""
        return cross_entropy(logits, labels) + self.strength * jax.nn.logsumexp(logits, axis=-1) ** 2
