r"""Logits: how large they are, whether the softmax has saturated, and by how much examples are classified.

.. math:: \text{scale} = \sqrt{\operatorname{mean}_{i,c} (z_{ic} - \bar z_i)^2}, \qquad
    m_i = z_{i y_i} - \max_{c \neq y_i} z_{ic}, \qquad \gamma = \frac{\min_i m_i}{|\theta|^L}

*Saturation* is the share of training examples whose loss is exactly 0 in float32, whatever the run's precision: where
:math:`\sum_c e^{z_c - \max z}` is rounded to 1, an example pulls at nothing (softmax collapse, arXiv 2501.04697).  The
sum is taken as float32 implementations take it, over values shifted by their maximum, in the compiler's order.

The *normalised margin* :math:`\gamma` (Lyu and Li, arXiv 1906.05890, with the Euclidean norm of all weights; Morwani et
al., arXiv 2311.07568, study its maximisers on modular addition) does not depend on the scale of the weights if the
network is homogeneous, :math:`z(\alpha \theta) = \alpha^L z(\theta)`.  Doubling all weights tells both the degree L and
whether there is one: a bias-free ReLU network with L weight layers (an embedding is one) gives :math:`2^L z`, exactly.
A network with biases, layer norms, softmax attention or smooth activations does not, and its normalised margin is NaN.

All of it is over the first `rows` examples of a part: a minimum over a sample bounds the whole part's from above.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from anglewise.lab.protocols.fields import NOT_NEGATIVE, Bound
from anglewise.lab.protocols.reading import ROWS, Reading, Snapshot


@dataclasses.dataclass(frozen=True)
class Logits(Reading):
    """Scale and saturation of the logits, margins on train and test, and the normalised margin.

    Args:
        rows: Examples of each part; 0 is all.
        probes: Training examples on which weights are doubled.
        tolerance: Largest |z(2 theta) - 2^L z| relative to |2^L z| at which a network counts as homogeneous.
    """

    rows: Annotated[int, Bound(0)] = ROWS
    probes: Annotated[int, NOT_NEGATIVE] = 32
    tolerance: Annotated[float, NOT_NEGATIVE] = 1e-5

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """At ``""``, for training examples (with ``test_`` in front, for test examples, where it says both).

        ``logit_scale`` (both): root mean square of logits less their mean over classes; ``logit_norm``: mean |z|;
        ``saturation``: share in [0, 1]; ``margin``, ``margin_q05``, ``margin_min`` (all both): mean, 5 % quantile and
        minimum; ``degree``: L; ``normalised_margin``: in logits per (weight norm)^L; these two NaN where a network is
        not homogeneous.
        """
        values: dict[tuple[str, str], Array] = {}
        for part, prefix in (("train", ""), ("test", "test_")):
            seen = snapshot.forward("train" if part == "train" else "test", self.rows)
            margins = margin(seen.logits, seen.labels)
            centred = seen.logits - jnp.mean(seen.logits, axis=-1, keepdims=True)
            values["", f"{prefix}logit_scale"] = jnp.sqrt(jnp.mean(jnp.square(centred)))
            values["", f"{prefix}margin"] = jnp.mean(margins)
            values["", f"{prefix}margin_q05"] = jnp.quantile(margins, jnp.asarray(0.05, margins.dtype))
            values["", f"{prefix}margin_min"] = jnp.min(margins)
        train = snapshot.forward("train", self.rows)
        values["", "logit_norm"] = jnp.mean(jnp.linalg.norm(train.logits, axis=-1))
        values["", "saturation"] = jnp.mean(saturated(train.logits, train.labels), dtype=train.logits.dtype)
        squares = [jnp.sum(jnp.square(w)) for w in jax.tree.leaves(snapshot.params)]
        degree, norm = self.degree(snapshot), jnp.sqrt(sum(squares, start=jnp.zeros(())))
        values["", "degree"] = degree
        values["", "normalised_margin"] = values["", "margin_min"] / norm**degree
        return values

    def degree(self, snapshot: Snapshot) -> Float[Array, ""]:
        """The degree of homogeneity; NaN where doubling the weights does not multiply the logits."""
        inputs, _ = snapshot.rows("train", self.probes)
        z, doubled = snapshot.network(inputs)[0], snapshot.at(jax.tree.map(lambda w: 2 * w, snapshot.params))(inputs)[0]
        size = jnp.linalg.norm(z)
        degree = jnp.round(jnp.log2(jnp.linalg.norm(doubled) / size))
        residual = jnp.linalg.norm(doubled / 2**degree - z)
        return jnp.where((degree > 0) & (residual <= self.tolerance * size), degree, jnp.nan)


def margin(logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
    """The label's logit less the largest other one: positive where the example is classified correctly."""
    hit = labels[:, None] == jnp.arange(logits.shape[-1])
    label = jnp.sum(jnp.where(hit, logits, 0), axis=-1)
    return label - jnp.max(jnp.where(hit, -jnp.inf, logits), axis=-1)


def saturated(logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Array:
    """Whether the cross-entropy, computed in float32, is exactly 0."""
    z = logits.astype(jnp.float32)
    shifted = z - jnp.max(z, axis=-1, keepdims=True)
    label = jnp.sum(jnp.where(labels[:, None] == jnp.arange(z.shape[-1]), shifted, 0), axis=-1)
    return jnp.log(jnp.sum(jnp.exp(shifted), axis=-1)) - label == 0
