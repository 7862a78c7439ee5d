r"""Hidden progress on sparse parity: what the first layer has found of the secret bits while accuracy still says 50 %.

With bits written as :math:`\pm 1`, neuron j has on bit i the weight :math:`w_{ij}`: half the difference between the
rows of token 1 and token 0 at that position.  S are the secret positions, k of n.

.. math:: \text{share} = \frac{\sum_{i \in S} w_{ij}^2}{\sum_i w_{ij}^2} \text{ (sums over } j \text{ as well)}, \qquad
    \text{gap}_j = \frac{\min_{i \in S} |w_{ij}| - \max_{i \notin S} |w_{ij}|}{\max_i |w_{ij}|}

A weight that has not learned anything has share k/n.  The gap is 1 for a neuron that reads the secret bits alone and
equally, positive where every secret bit outweighs all others, -1 where one secret bit is not read at all.

Barak et al. ("Hidden progress in deep learning", arXiv 2207.08799) explain learning by the *Fourier gap*: the
population gradient is larger on every secret bit than on any other, at any time, and so SGD adds up a signal that the
loss does not show.  Here the same gap is taken of the gradient of the task loss, estimated on test examples because
those are a fresh sample of the population; its noise falls with one over the root of `rows`.  Their own measure of
progress is the movement from the start, :math:`|w_t - w_0|_\infty`.  A reading does not see the first weights; it
gives the largest weights inside and outside S, which become that movement as a small start is outgrown, and the
secret bits' share of the squared movement since the measurement before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from anglewise.lab.protocols.fields import Bound
from anglewise.lab.protocols.model import Model, Params, shape_of, sites_of
from anglewise.lab.protocols.reading import ROWS, Reading, Snapshot
from anglewise.lab.protocols.task import Secret, Task


@dataclasses.dataclass(frozen=True)
class ParityProgress(Reading):
    """How much of the first layer's weights, movement and gradient is on the bits whose parity is asked for.

    Args:
        rows: Test examples that estimate the population gradient; 0 is all.
    """

    rows: Annotated[int, Bound(0)] = ROWS

    def suits(self, task: Task, model: Model) -> bool:
        """Tasks with ``secret_positions`` and networks that read one-hot tokens."""
        if not isinstance(task, Secret):
            return False
        network = shape_of(model, task)
        return not network.tables and network.linear_maps[model.sites[0]].source in sites_of("input", network)

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """At the first site:

        ``relevant_weight_share``, ``relevant_movement_share`` (NaN at a run's first measurement and where nothing
        moved), ``relevant_gradient_share``: in [0, 1], k/n by chance; ``relevant_gap`` (mean over neurons, weighted by
        their squared norm), ``relevant_gradient_gap`` (the same of the gradient): in [-1, 1]; ``relevant_inf``,
        ``irrelevant_inf``: largest |w| inside and outside S.
        """
        site, before = snapshot.sites[0], snapshot.earlier[0]
        inside = np.isin(np.arange(snapshot.task.length), secret_positions(snapshot.task))
        inputs, _ = snapshot.rows("test", self.rows)
        w = self._signed(snapshot, snapshot.params)
        moved = jnp.where(before.step >= 0, w - self._signed(snapshot, before.params), jnp.nan)
        pulls = snapshot.gradients("task", "test", self.rows)[site]
        gradient = (2 * inputs - 1).astype(w.dtype).T @ pulls / inputs.shape[0]
        size = jnp.abs(w)
        return {
            (site, "relevant_weight_share"): share(w, inside),
            (site, "relevant_movement_share"): share(moved, inside),
            (site, "relevant_gradient_share"): share(gradient, inside),
            (site, "relevant_gap"): gap(w, inside),
            (site, "relevant_gradient_gap"): gap(gradient, inside),
            (site, "relevant_inf"): jnp.max(size[inside]),
            (site, "irrelevant_inf"): jnp.max(size[~inside]) if not inside.all() else jnp.full((), jnp.nan, w.dtype),
        }

    @staticmethod
    def _signed(snapshot: Snapshot, params: Params) -> Float[Array, "n d"]:
        """First-layer weights on inputs of plus and minus 1."""
        network = snapshot.at(params)
        weight = network.linear_maps[snapshot.sites[0]].weight(network)
        rows = weight.reshape(snapshot.task.length, snapshot.task.tokens, -1)
        return (rows[:, 1] - rows[:, 0]) / 2


def secret_positions(task: Task) -> tuple[int, ...]:
    """Positions whose parity a task asks for; none where it is no such task."""
    return task.secret_positions if isinstance(task, Secret) else ()


def share(w: Float[Array, "n d"], inside: Bool[np.ndarray, " n"]) -> Float[Array, ""]:
    """Share of the squares that is inside; NaN where there are none."""
    square = jnp.sum(jnp.square(w), axis=1)
    return jnp.sum(square[inside]) / jnp.sum(square)


def gap(w: Float[Array, "n d"], inside: Bool[np.ndarray, " n"]) -> Float[Array, ""]:
    """Smallest inside less largest outside, over the largest: a mean over columns weighted by their squares."""
    size = jnp.abs(w)
    peak = jnp.max(size, axis=0)
    outside = jnp.max(size[~inside], axis=0, initial=0)
    gaps = (jnp.min(size[inside], axis=0) - outside) / jnp.where(peak > 0, peak, 1)
    weight = jnp.sum(jnp.square(w), axis=0)
    return jnp.sum(weight * gaps) / jnp.sum(weight)
