r"""Attention sinks, massive activations and compressed representations: three sides of how a Transformer idles.

**Sink.**  :math:`A^{lh}_{ij}` is how much query i of head h in block l attends to position j.  The head's sink is the
mean attention to the first position, and a head *is* a sink where it exceeds 0.3 (Gu et al., arXiv 2410.10781):

.. math:: \alpha^{lh} = \operatorname{mean}_{i} A^{lh}_{i1}, \qquad
    \text{sink rate} = \operatorname{mean}_{lh} [\alpha^{lh} > 0.3]

Two things are ours, because the field's sequences have dozens of tokens and ours three or four.  A causal first query,
which can only attend to itself, is left out.  And since even uniform attention gives the first of three positions 1/3,
the *excess* is given beside it, :math:`(\alpha - u)/(1 - u)` with u what uniform attention would give: 0 for uniform.

**Entropy** of attention, :math:`-\sum_j A_{ij} \ln A_{ij} / \ln(\text{positions seen})`: 1 is uniform, 0 one position.

**Massive activations** (Sun et al., arXiv 2402.17762): largest over median magnitude in the stream; they call a value
massive if it is about a thousand times the median (and above 100).

**Compression** (Skean et al., arXiv 2502.02013; its valley over depth: arXiv 2510.06477): matrix-based entropy of a set
of vectors Z, not centred, relative to its maximum,

.. math:: H(Z) = -\frac{1}{\ln \min(n, d)} \sum_i q_i \ln q_i , \qquad q = \operatorname{eig}(Z^T Z) / \operatorname{tr}

*prompt entropy* is the mean over examples of H of one example's positions; *matrix entropy* is H of the last position
over examples.  Where a model computes its last block at the last position alone (``positions="last"``), that block's
sink and attention entropy are of that one query, and there is no prompt entropy.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from anglewise.lab.protocols.fields import COUNT, NOT_NEGATIVE, Bound
from anglewise.lab.protocols.model import Attending, Model
from anglewise.lab.protocols.reading import ROWS, Reading, Snapshot
from anglewise.lab.protocols.task import Task


@dataclasses.dataclass(frozen=True)
class Attention(Reading):
    """Attention sinks and entropy, massive activations, and entropy of the stream, block by block.

    Args:
        rows: Training examples; 0 is all.
        few: How many of them for what needs sorting or an eigendecomposition each: massive, prompt entropy.
        threshold: Mean attention to the first position above which a head is a sink.
    """

    rows: Annotated[int, Bound(0)] = ROWS
    few: Annotated[int, COUNT] = 64
    threshold: Annotated[float, NOT_NEGATIVE] = 0.3

    def suits(self, task: Task, model: Model) -> bool:
        """Models with attention heads, on inputs of at least two tokens."""
        return isinstance(model, Attending) and task.length > 1

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """By ``block.k.attention.weights``, ``block.k.out`` and ``""``.

        At the weights: ``sink``, ``sink_excess``, ``attention_entropy``, means over heads in [0, 1] (the excess may be
        negative), and arrays ``sink_by_head``, ``attention_entropy_by_head`` of shape [heads].  At the stream:
        ``massive``, a ratio; ``matrix_entropy`` and, where there is more than one position, ``prompt_entropy``, in
        [0, 1].  At ``""``: ``sink_rate``, a share of all heads.
        """
        values: dict[tuple[str, str], Array] = {}
        model, kinds = snapshot.model, {name: site.kind for name, site in snapshot.network.all_sites.items()}
        if not isinstance(model, Attending):
            raise TypeError(f"{model} has no attention: this reading does not suit it")
        heads, causal, sinks = model.heads, model.causal, list[Array]()
        for site, a in snapshot.forward("train", self.rows).activations.items():
            if kinds[site] == "attention":
                length = a.shape[-1] // heads
                queries = np.arange(length - a.shape[0], length)
                seen = queries + 1 if causal else np.full_like(queries, length)
                chosen = seen > 1
                weights = a.reshape(*a.shape[:2], heads, length)[chosen]
                sink = jnp.mean(weights[..., 0], axis=(0, 1))
                uniform = float(np.mean(1 / seen[chosen]))
                nats = -jnp.sum(weights * jnp.log(jnp.where(weights > 0, weights, 1)), axis=-1)
                entropy = jnp.mean(nats / jnp.asarray(np.log(seen[chosen]), a.dtype)[:, None, None], axis=(0, 1))
                sinks.append(sink)
                values[site, "sink"], values[site, "sink_by_head"] = jnp.mean(sink), sink
                values[site, "sink_excess"] = (jnp.mean(sink) - uniform) / (1 - uniform)
                values[site, "attention_entropy"] = jnp.mean(entropy)
                values[site, "attention_entropy_by_head"] = entropy
            elif kinds[site] == "block":
                size = jnp.abs(a[:, : self.few])
                values[site, "massive"] = jnp.max(size) / jnp.median(size)
                values[site, "matrix_entropy"] = matrix_entropy(a[-1])
                if a.shape[0] > 1:
                    prompts = jnp.swapaxes(a[:, : self.few], 0, 1)
                    values[site, "prompt_entropy"] = jnp.mean(matrix_entropy(prompts))
        values["", "sink_rate"] = jnp.mean(jnp.concatenate(sinks) > self.threshold, dtype=sinks[0].dtype)
        return values


def matrix_entropy(z: Float[Array, "*batch n d"]) -> Float[Array, "*batch"]:
    """Entropy of the eigenvalues of the Gram matrix, over its maximum; NaN where all vectors are 0, or there is one."""
    n, d = z.shape[-2:]
    peak = jnp.max(jnp.abs(z), axis=(-2, -1), keepdims=True)  # so that squares stay in range
    z = z / jnp.where(peak > 0, peak, 1)
    t = jnp.swapaxes(z, -1, -2)
    values = jnp.maximum(jnp.linalg.eigvalsh(z @ t if n < d else t @ z), 0)
    q = values / jnp.sum(values, axis=-1, keepdims=True)
    return -jnp.sum(q * jnp.log(jnp.where(q > 0, q, 1)), axis=-1) / (math.log(min(n, d)) or math.nan)
