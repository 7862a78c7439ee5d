r"""Restricted and excluded loss: what the Fourier circuit does alone, and what the network does without it.

Write the logits of every class as a function of the pair (a, b) and project them on the waves
:math:`\cos \frac{2 \pi k}{n} (a + b)` and :math:`\sin \frac{2 \pi k}{n} (a + b)` of the *key frequencies* k:

.. math:: z = \bar z + P_{\text{key}} z + \text{rest}, \qquad
    L_{\text{restricted}} = L(\bar z + P_{\text{key}} z), \qquad L_{\text{excluded}} = L(z - P_{\text{key}} z)

with :math:`\bar z` the mean over all pairs.  The projection is fitted on the whole table; the restricted loss is the
mean over the whole table, the excluded loss the mean over the training pairs.  A memorising network has a high
restricted loss and an excluded loss near its training loss; while the circuit forms, the first falls and the second
rises.  Source: arXiv 2301.05217, section 5.1, in the reading of its released code (two directions per frequency).

Two things differ.  The source takes the key frequencies from the finished network; a reading knows only the network
at hand, so here they are the strongest of the logits' components in cos k(a + b - c) at this step, and the set may
change from step to step (it is given).  And all classes stay in the softmax, as in the run's own losses.

A table of right answers, averaged over pairs of equal a + b, is itself a weak circuit of all frequencies: in a small
group, where the key frequencies are nearly all there are, the restricted loss falls without any generalisation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from anglewise.lab.protocols.fields import COUNT, REACHED
from anglewise.lab.protocols.model import Model
from anglewise.lab.protocols.reading import Reading, Snapshot
from anglewise.lab.protocols.task import Task
from anglewise.lab.readings.cycles import cycle_of_task, cyclic, means, waves
from anglewise.lab.readings.fourier import logit_shares


@dataclasses.dataclass(frozen=True)
class RestrictedLoss(Reading):
    """Loss of the key frequencies alone, and without them.

    Args:
        every: Measurements between two values.
        most: Most key frequencies.
        cover: Key frequencies are the fewest that hold this share of the logits' power in cos k(a + b - c).
    """

    every: Annotated[int, COUNT] = 4
    most: Annotated[int, COUNT] = 5
    cover: Annotated[float, REACHED] = 0.95

    def suits(self, task: Task, model: Model) -> bool:
        """Tasks with a cycle."""
        return cyclic(task)

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """``restricted_loss``, ``excluded_loss``, ``full_loss`` (all pairs), ``key_frequency_count``, ...

        ``key_frequencies`` [most] are these frequencies, strongest first, NaN where there are fewer.  Losses are
        cross-entropies in nats, whatever the arm's own loss is.  Training pairs outside the group (0 in
        multiplication) are left out of the excluded loss.
        """
        cycle, table = cycle_of_task(snapshot.task), snapshot.table()
        n = len(cycle.order)
        ranked, key = self._key(logit_shares(snapshot))
        by_answer = means(table.logits.reshape(n, n, -1)).answer(cycle)
        circuit = _project(by_answer, key)

        place = np.full(snapshot.task.tokens, -1)
        place[list(cycle.order)] = np.arange(n)
        i, j = (jnp.asarray(place)[snapshot.data.train_inputs[:, position]] for position in (cycle.a, cycle.b))
        inside = (i >= 0) & (j >= 0)
        excluded = table.logits[i * n + j] - circuit[(i + cycle.sign * j) % n]
        return {
            ("", "restricted_loss"): jnp.mean(
                small_loss(jnp.mean(by_answer, axis=0) + circuit, jnp.asarray(cycle.order))
            ),
            ("", "excluded_loss"): jnp.mean(small_loss(excluded, snapshot.data.train_labels), where=inside),
            ("", "full_loss"): jnp.mean(small_loss(table.logits, jnp.asarray(table.labels))),
            ("", "key_frequency_count"): jnp.sum(key, dtype=by_answer.dtype),
            ("", "key_frequencies"): ranked,
        }

    def _key(self, share: Float[Array, " f"]) -> tuple[Float[Array, " most"], Bool[Array, " f"]]:
        """The key frequencies in order of power, padded with NaN, and as a mask over all frequencies."""
        most = min(self.most, share.shape[0])
        strong, index = jax.lax.top_k(share, most)
        before = jnp.cumsum(strong) - strong
        taken = before < self.cover * jnp.sum(share)
        mask = jnp.zeros(share.shape, bool).at[index].set(taken)
        return jnp.where(taken, (index + 1).astype(share.dtype), jnp.nan), mask


def small_loss(logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
    r"""Per-example cross-entropy, to full relative precision also where it is far below the resolution of 1.

    .. math:: \ln \Bigl(1 + \sum_{j \ne y} e^{z_j - z_y}\Bigr)
    """
    hit = labels[:, None] == jnp.arange(logits.shape[1])
    lead = logits - jnp.sum(jnp.where(hit, logits, 0), axis=1, keepdims=True)
    top = jnp.maximum(jnp.max(jnp.where(hit, -jnp.inf, lead), axis=1), 0)
    others = jnp.sum(jnp.where(hit, 0, jnp.exp(lead - top[:, None])), axis=1)
    return top + jnp.log1p(jnp.expm1(-top) + others)


def _project(values: Float[Array, "n c"], key: Bool[Array, " f"]) -> Float[Array, "n c"]:
    """The part of functions of one member that lies in the waves of the key frequencies."""
    cos, sin = (jnp.asarray(w, values.dtype) * key[:, None] for w in waves(values.shape[0]))
    return (cos.T @ cos + sin.T @ sin) @ values
