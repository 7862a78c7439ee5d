"""The loss that is trained on where no method brings another, and how a loss per label becomes one per example."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def cross_entropy(logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
    r"""Per-label cross-entropy, :math:`\ln \sum_j e^{z_j} - z_y`."""
    shifted = logits - jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    hit = labels[:, None] == jnp.arange(logits.shape[-1])
    return jnp.log(jnp.sum(jnp.exp(shifted), axis=-1)) - jnp.sum(jnp.where(hit, shifted, 0), axis=-1)


def per_example(loss: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    r"""The mean of a loss over an example's labels: :math:`\ell_i = \frac1k \sum_j \ell(z_{ij}, y_{ij})`.

    Args:
        loss: ``(logits [rows, c], labels [rows]) -> loss [rows]``.

    Returns:
        ``(logits [n * k, c], labels [n, k]) -> loss [n]``.  Labels ``[rows]`` give the very `loss`.

    Example:
        >>> per_example(cross_entropy)(jnp.zeros((6, 4)), jnp.zeros((2, 3), int)).tolist()
        [1.3862943649291992, 1.3862943649291992]
    """

    def mean(logits: Float[Array, "rows c"], labels: Int[Array, "n ..."]) -> Float[Array, " n"]:
        if labels.ndim == 1:
            return loss(logits, labels)
        return jnp.mean(loss(logits, labels.reshape(-1)).reshape(labels.shape), axis=-1)

    return mean
