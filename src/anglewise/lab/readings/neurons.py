r"""Neurons that do nothing, and features that are alike.

A neuron's *score* is its mean activity relative to that of its layer; it is tau-dormant where the score is at most
tau, and dead where it is 0 (Sokar et al., "The dormant neuron phenomenon", arXiv 2302.12902):

.. math:: s_j = \frac{\operatorname{mean}_i |a_{ij}|}{\operatorname{mean}_{j'} \operatorname{mean}_i |a_{ij'}|}

A layer in which nothing is active is dead throughout.

*Co-adaptation* (DR3, arXiv 2112.04716) is the mean product of the features that a value network's last layer reads at
consecutive state-action pairs, :math:`\operatorname{E}[\phi(s, a) \cdot \phi(s', a')]`.  Supervised learning has no
consecutive pairs, so what stands here is an **analogue**, not the same quantity: the mean over pairs of examples that
have different labels, which a linear head must tell apart,

.. math:: \operatorname{mean}_{y_i \neq y_j} \phi_i \cdot \phi_j , \qquad
    \operatorname{mean}_{y_i \neq y_j} \frac{\phi_i \cdot \phi_j}{|\phi_i| |\phi_j|}

the first, as in the paper, grows with the features' length; the second, the cosine, is of their directions alone.
Features of a ReLU layer have no negative entry, hence a positive cosine before any training: compare over time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Float

from anglewise.geometry import direction
from anglewise.lab.protocols.fields import NOT_NEGATIVE, Bound
from anglewise.lab.protocols.model import Activations, Model, shape_of, sites_of
from anglewise.lab.protocols.reading import ROWS, Reading, Snapshot
from anglewise.lab.protocols.task import Task, answers_of


@dataclasses.dataclass(frozen=True)
class Neurons(Reading):
    """Shares of dormant and of dead neurons, and co-adaptation of the features that the head reads.

    Args:
        rows: Training examples; 0 is all.
        tau: Largest score at which a neuron counts as dormant.
    """

    rows: Annotated[int, Bound(0)] = ROWS
    tau: Annotated[float, NOT_NEGATIVE] = 0.025

    def suits(self, task: Task, model: Model) -> bool:
        """Networks with post-activations, and tasks with one label for each example."""
        return bool(sites_of("post", shape_of(model, task))) and len(answers_of(task).positions) == 1

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """``dormant`` and ``dead`` at every post-activation and, over all of these neurons, at ``""``.

        And at ``""`` ``coadaptation`` and ``coadaptation_cosine``, NaN where all examples have one label.
        """
        seen = snapshot.forward("train", self.rows)
        values: dict[tuple[str, str], Array] = {}
        scores = {site: score(seen.activations[site]) for site in sites_of("post", snapshot.network)}
        for site, s in {**scores, "": jnp.concatenate(list(scores.values()))}.items():
            values[site, "dormant"] = jnp.mean(s <= self.tau, dtype=s.dtype)
            values[site, "dead"] = jnp.mean(s == 0, dtype=s.dtype)
        phi, differ = features(seen.activations), seen.labels[:, None] != seen.labels[None, :]
        for name, f in (("coadaptation", phi), ("coadaptation_cosine", direction(phi))):
            values["", name] = jnp.sum(jnp.where(differ, f @ f.T, 0)) / jnp.sum(differ)
        return values


def score(a: Float[Array, "*batch d"]) -> Float[Array, " d"]:
    """Mean activity of each neuron over that of the layer; 0 for all where there is none."""
    activity = jnp.mean(jnp.abs(a.reshape(-1, a.shape[-1])), axis=0)
    mean = jnp.mean(activity)
    return activity / jnp.where(mean > 0, mean, 1)


def features(activations: Activations) -> Float[Array, "n d"]:
    """What the head (with its norm, where it has one) is applied to: a network's last site, at the last position."""
    last = list(activations.values())[-1]
    return last[-1] if last.ndim == 3 else last
