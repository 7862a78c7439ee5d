r"""The smallest part of a layer that does what the network does: the sparse subnetwork, and what is left without it.

Neurons are ranked by the norm of their incoming weights.  Keep the k largest, set the others' pre-activations to 0
(hence their activations, for ReLU and GELU), and compare predictions on training examples:

.. math:: k^* = \min \{ k : \text{the } k \text{ largest agree with the whole network on a share} \geq \text{keep} \}

Merrill, Tsilivis and Shukla ("A tale of two circuits", arXiv 2303.11873) prune thus a network with one hidden layer
until its training accuracy changes; they see k* fall sharply when it generalises, because a few neurons grow while the
others decay.  We ask for agreement of predictions rather than of accuracy, because an untrained network's accuracy is
easily matched; for `keep` of the examples rather than all, so that no single example decides; and layer by layer, with
the other layers whole.  A tie between classes is no prediction: it agrees with nothing and counts as wrong.

As in their code, k* is found by bisection, which assumes that agreement grows with k; where it does not, the k that is
given agrees all the same, but may not be the smallest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from anglewise.lab.protocols.fields import COUNT, REACHED, Bound
from anglewise.lab.protocols.model import Model, shape_of, sites_of
from anglewise.lab.protocols.reading import ROWS, Part, Reading, Snapshot
from anglewise.lab.protocols.task import Task
from anglewise.lab.readings.logits import margin


@dataclasses.dataclass(frozen=True)
class Subnetworks(Reading):
    """Number of neurons that decide, by hidden layer, with their accuracy, their norm, and those of the rest.

    Args:
        rows: Examples of each part; 0 is all.
        keep: Share of training examples on which the subnetwork must predict what the network predicts, in (0, 1].
    """

    every: Annotated[int, COUNT] = 8
    rows: Annotated[int, Bound(0)] = ROWS
    keep: Annotated[float, REACHED] = 0.99

    def suits(self, task: Task, model: Model) -> bool:
        """Networks whose own sites are pre-activations of hidden layers."""
        return bool(set(model.sites) & set(sites_of("pre", shape_of(model, task))))

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """By pre-activation site:

        ``effective_neurons``: k*, in neurons; ``sparse_accuracy``: test accuracy of the subnetwork, in [0, 1];
        ``rest_accuracy``: test accuracy of the network without it; ``active_norm``, ``inactive_norm``: mean norm of
        incoming weights inside and outside it, the latter NaN where nothing is outside.
        """
        values: dict[tuple[str, str], Array] = {}
        linear_maps = snapshot.network.linear_maps
        for site in sites_of("pre", snapshot.network):
            if site not in linear_maps:
                continue
            norms = jnp.linalg.norm(linear_maps[site].weight(snapshot.network), axis=0)
            rank = jnp.argsort(jnp.argsort(-norms))
            k = self._smallest(snapshot, site, rank)
            active, test_labels = rank < k, snapshot.rows("test", self.rows)[1]
            values[site, "effective_neurons"] = k.astype(norms.dtype)
            for name, mask in (("sparse_accuracy", active), ("rest_accuracy", ~active)):
                values[site, name] = self._agreement(snapshot, site, mask, "test", test_labels)
            for name, mask in (("active_norm", active), ("inactive_norm", ~active)):
                values[site, name] = jnp.sum(jnp.where(mask, norms, 0)) / jnp.sum(mask)
        return values

    def _smallest(self, snapshot: Snapshot, site: str, rank: Int[Array, " d"]) -> Int[Array, ""]:
        """k*: no neuron is taken to be too few, all are always enough, and half way between is tried."""
        whole = jnp.argmax(snapshot.forward("train", self.rows).logits, axis=-1)

        def halve(_: Array, between: tuple[Array, Array]) -> tuple[Array, Array]:
            few, enough = between
            k = (few + enough) // 2
            agreed = self._agreement(snapshot, site, rank < k, "train", whole) >= self.keep
            return jnp.where(agreed, few, k), jnp.where(agreed, k, enough)

        d = rank.shape[0]
        start = jnp.asarray(0, jnp.int32), jnp.asarray(d, jnp.int32)
        return jax.lax.fori_loop(0, (d - 1).bit_length(), halve, start)[1]

    def _agreement(
        self, snapshot: Snapshot, site: str, mask: Bool[Array, " d"], part: Part, labels: Int[Array, " n"]
    ) -> Float[Array, ""]:
        """Share of a part's examples for which the neurons of `mask` alone predict `labels`."""

        def tap(name: str, h: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
            return jnp.where(mask, h, 0) if name == site else h

        logits, _ = snapshot.network(snapshot.rows(part, self.rows)[0], tap=tap)
        return jnp.mean(margin(logits, labels) > 0, dtype=logits.dtype)
