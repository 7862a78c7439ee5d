"""The loss that is trained on where no method brings another: what the engine and such methods share."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def cross_entropy(logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
    r"""Per-example cross-entropy, :math:`\ln \sum_j e^{z_j} - z_y`."""
    shifted = logits - jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    hit = labels[:, None] == jnp.arange(logits.shape[-1])
    return jnp.log(jnp.sum(jnp.exp(shifted), axis=-1)) - jnp.sum(jnp.where(hit, shifted, 0), axis=-1)
