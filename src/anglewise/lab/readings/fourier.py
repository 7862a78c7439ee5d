r"""The Fourier circuit: what frequencies token tables, neurons and logits are made of.

Tables.  With T the rows that a network keeps for the tokens of one operand, in the group's order, and k a frequency,

.. math:: c_k = \frac{1}{\sqrt n} \sum_j T_j e^{-2 \pi i k j / n}, \qquad
    q_k = \frac{2 |c_k|^2}{\sum_j |T_j - \bar T|^2}

q_k is a share of power (once instead of twice at k = n/2).  Read from every embedding, and from the map that takes
an operand's token to the first layer (embedding times weights, or the weights alone for a one-hot input).

Neurons.  With :math:`h(a, b)` one neuron on the whole table of pairs,

.. math:: R^2_k = \text{share of } \operatorname{Var} h
    \text{ in the span of the waves of } k a, \; k b, \; k (a + b), \; k (a - b)

that is, in polynomials of degree 2 in the waves of one frequency (arXiv 2301.05217, section 4.3).  *Coherence* is the
mean over live neurons of the best frequency's share.  It is not 0 by chance: a random f(a) + g(b) has 1/f of its
variance at each of f frequencies, and a few times that at the best (about .05 for n = 113).  2606.32000 expects each
of the 48 frequencies of p = 97 to have some 10.7 of 512 neurons.

Logits.  Their share in the span of :math:`\cos 2 \pi k (a + b - c) / n` (the same source, section 4.2).

For subtraction and division the answer is a - b, and b changes its sign throughout.  Sources: arXiv 2606.32000
(Figures 4 and 5: coherence, largest DFT magnitude, selectivity, without definitions); arXiv 2301.05217.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from anglewise.lab.protocols.fields import COUNT, NOT_NEGATIVE, SHARE, Bound, Names
from anglewise.lab.protocols.model import Model, product, shape_of, sites_of
from anglewise.lab.protocols.reading import Reading, Snapshot
from anglewise.lab.protocols.task import Task
from anglewise.lab.readings.cycles import cycle_of_task, cyclic, means, power, waves, waves_of


@dataclasses.dataclass(frozen=True)
class EmbeddingFourier(Reading):
    """Frequencies of the token tables, their largest magnitude and sparsity, and the circles that tokens lie on.

    Args:
        every: Measurements between two values.
        circles: Most circles to give, of the strongest frequencies that have two waves.
    """

    every: Annotated[int, COUNT] = 1
    circles: Annotated[int, Bound(1, 1000)] = 4

    def suits(self, task: Task, model: Model) -> bool:
        """Tasks with a cycle."""
        return cyclic(task)

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """By table: ``fourier_power`` [f], ``fourier_max``, ``fourier_entropy``, ``fourier_gini``, ``circles``, ...

        ``fourier_max`` is the largest |c_k| over frequencies and columns.  ``fourier_entropy`` is that of q over ln f
        (1: all frequencies alike, 0: one).  ``fourier_gini`` is the Gini coefficient of the frequencies' norms.
        ``circles`` [circles, n, 2] are the tokens in the plane of each strong frequency, along the orthonormal pair
        nearest to the directions of its cosine and sine (so a clean circle starts at angle 0 and runs
        counter-clockwise), and ``circle_frequencies`` [circles] says which these are.
        """
        values: dict[tuple[str, str], Array] = {}
        for name, table in token_tables(snapshot).items():
            columns = power(table)
            strength = jnp.sum(columns, axis=1)
            share = strength / jnp.sum(strength)
            wave = jnp.asarray(waves_of(table.shape[0]), table.dtype)[:, None]
            values[name, "fourier_power"] = share
            values[name, "fourier_max"] = jnp.sqrt(jnp.max(columns / wave))
            values[name, "fourier_entropy"] = entropy(share)
            values[name, "fourier_gini"] = gini(jnp.sqrt(strength))
            drawn = circles(table, strength, self.circles)
            values[name, "circle_frequencies"], values[name, "circles"] = drawn
        return values


@dataclasses.dataclass(frozen=True)
class NeuronFourier(Reading):
    """Which frequencies each neuron answers to over the whole table: coherence, selectivity, clusters.

    Args:
        every: Measurements between two values.
        sites: Where neurons are read (a Transformer's at the last position); empty for every post-activation,
            ``*.post``.  Post-activations, because that is what the next layer reads, and because a first layer's
            pre-activation is f(a) + g(b) whatever was learned and has no component in a + b.
        member: A neuron belongs to the cluster of its best frequency if that explains at least this share of its
            variance; above one half no other frequency can be as strong (2301.05217 uses 0.85).
        least: Members that make a frequency live.
        relative: A neuron whose variance is below this times the largest is dead: left out, and NaN in the map.
    """

    every: Annotated[int, COUNT] = 4
    sites: Annotated[tuple[str, ...], Names("site")] = ()
    member: Annotated[float, SHARE] = 0.5
    least: Annotated[int, COUNT] = 1
    relative: Annotated[float, NOT_NEGATIVE] = 1e-6

    def suits(self, task: Task, model: Model) -> bool:
        """Tasks with a cycle, and networks with post-activations where no site is given."""
        return cyclic(task) and bool(self.sites or sites_of("post", shape_of(model, task)))

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """By site: ``fourier_map`` [neurons, f], ``fourier_coherence``, ``live_frequencies``, and others.

        ``fourier_map`` is R^2 by neuron and frequency; ``fourier_coherence`` the mean of its best over live neurons,
        ``fourier_coherence_sum`` the same for the waves of k(a + b) alone.  ``own_share`` is the share of all
        neurons' power in their best frequencies, ``selectivity_entropy`` the mean entropy of a neuron's map over ln f
        (0: one frequency, 1: all alike), ``live_frequencies`` the number that have a cluster, ``cluster_size`` the
        median size of these (NaN without), ``fourier_max`` the largest coefficient with the transform divided by n.
        """
        values: dict[tuple[str, str], Array] = {}
        for site in self.sites or sites_of("post", snapshot.network):
            h = snapshot.table().activations[site]
            values.update({(site, name): x for name, x in self._one(h if h.ndim == 2 else h[-1], snapshot).items()})
        return values

    def _one(self, h: Float[Array, "n2 d"], snapshot: Snapshot) -> dict[str, Array]:
        cycle = cycle_of_task(snapshot.task)
        n = len(cycle.order)
        parts = means(h.reshape(n, n, -1))
        live = parts.variance > self.relative * jnp.max(parts.variance)
        total = n * jnp.where(live, parts.variance, 1)
        wave = jnp.asarray(waves_of(n), h.dtype)[:, None]
        sizes = [power(x) for x in (parts.a, parts.b, parts.plus, parts.minus)]
        single = jnp.where(wave == 1, 0.5, 1)  # at n/2, a + b and a - b have one wave in common
        shares = ((sizes[0] + sizes[1] + (sizes[2] + sizes[3]) * single) / total).T
        answer = (power(parts.answer(cycle)) / total).T
        best = jnp.max(shares, axis=1)
        members = (live & (best >= self.member))[:, None] & (
            jnp.argmax(shares, axis=1)[:, None] == jnp.arange(shares.shape[1])
        )
        counts = jnp.sum(members, axis=0, dtype=h.dtype)
        populated = counts >= self.least
        of_neurons = jax.vmap(entropy)(shares / jnp.sum(shares, axis=1, keepdims=True))
        return {
            "fourier_map": jnp.where(live[:, None], shares, jnp.nan),
            "fourier_coherence": jnp.mean(best, where=live),
            "fourier_coherence_sum": jnp.mean(jnp.max(answer, axis=1), where=live),
            "own_share": jnp.sum(best * parts.variance, where=live) / jnp.sum(parts.variance, where=live),
            "selectivity_entropy": jnp.mean(of_neurons, where=live),
            "live_frequencies": jnp.sum(populated, dtype=h.dtype),
            "cluster_size": jnp.nanmedian(jnp.where(populated, counts, jnp.nan)),
            "fourier_max": jnp.sqrt(n * jnp.max(jnp.stack(sizes) / wave)),
        }


@dataclasses.dataclass(frozen=True)
class LogitFourier(Reading):
    """How much of the logits is a sum of cosines of a + b - c, and of which frequencies.

    Args:
        every: Measurements between two values.
        best: Strongest frequencies that make ``logit_coherence_best``.
    """

    every: Annotated[int, COUNT] = 4
    best: Annotated[int, COUNT] = 5

    def suits(self, task: Task, model: Model) -> bool:
        """Tasks with a cycle."""
        return cyclic(task)

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """``logit_fourier`` [f], the shares of variance by frequency; ``logit_coherence``, ``..._best``, their sums."""
        share = logit_shares(snapshot)
        strongest = jax.lax.top_k(share, min(self.best, share.shape[0]))[0]
        return {
            ("", "logit_fourier"): share,
            ("", "logit_coherence"): jnp.sum(share),
            ("", "logit_coherence_best"): jnp.sum(strongest),
        }


def logit_shares(snapshot: Snapshot) -> Float[Array, " f"]:
    """Share of the logits' variance along the cosine of k(a + b - c), for every frequency k.

    Only classes that are members of the group count, and each pair's logits are taken about their mean over these: a
    constant added to all of a pair's logits changes no probability.
    """
    cycle = cycle_of_task(snapshot.task)
    n = len(cycle.order)
    logits = snapshot.table().logits[:, np.asarray(cycle.order)]
    centred = logits - jnp.mean(logits, axis=1, keepdims=True)
    by_distance = means(means(centred.reshape(n, n, n)).answer(cycle)).minus
    along = jnp.asarray(waves(n).cos, logits.dtype) @ by_distance
    return jnp.square(along) / jnp.mean(jnp.sum(jnp.square(centred), axis=1))


def token_tables(snapshot: Snapshot) -> dict[str, Float[Array, "n d"]]:
    """What the network keeps for the tokens of an operand, one row per member of the group in its order.

    The embedding under its own name (``embedding``, or ``embedding.0``, ``embedding.1`` for a stack), and for every
    weight that is applied to the embedded input, the map from the token at each operand's position to its outputs,
    as ``<weight>.<position>``.
    """
    cycle, network = cycle_of_task(snapshot.task), snapshot.network
    order, rows = np.asarray(cycle.order), dict[str, Array]()
    names = jax.tree_util.tree_map_with_path(
        lambda path, _: jax.tree_util.keystr(path, simple=True, separator="."), snapshot.params
    )
    for position in (cycle.a, cycle.b):
        if network.tables:
            table = network.tables[0]
            name = "embedding" if table.ndim == 2 else f"embedding.{position % table.shape[0]}"
            rows[name] = of_position(table, position)[order]
        for linear_map in network.linear_maps.values():
            if linear_map.source in sites_of("input", network):
                weight = linear_map.weight(network)
                block = weight.reshape(snapshot.task.length, -1, weight.shape[-1])[position]
                vectors = (
                    of_position(product(network.tables), position)[order] @ block if network.tables else block[order]
                )
                rows[f"{linear_map.weight(names)}.{position}"] = vectors
    return rows


def of_position(table: Float[Array, "*tables tokens e"], position: int) -> Float[Array, "tokens e"]:
    """The table of one position."""
    return table if table.ndim == 2 else table[position % table.shape[0]]


def circles(table: Float[Array, "n d"], strength: Float[Array, " f"], most: int) -> tuple[Array, Array]:
    """The strongest frequencies, [circles], and the rows' coordinates in the plane of each, [circles, n, 2]."""
    n = table.shape[0]
    _, index = jax.lax.top_k(strength[: (n - 1) // 2], min(most, (n - 1) // 2))
    cos, sin = (jnp.asarray(w, table.dtype)[index] for w in waves(n))
    planes = jnp.stack([cos @ table, sin @ table], axis=1)  # [circles, 2, d]
    # the nearest orthonormal pair, (M M^T)^(-1/2) M; the root of a 2 x 2 matrix A is (A + sqrt(det) I) / trace of it
    square = planes @ jnp.swapaxes(planes, 1, 2)
    root_det = jnp.sqrt(jnp.maximum(jnp.linalg.det(square), 0))[:, None, None]
    trace = jnp.trace(square, axis1=1, axis2=2)[:, None, None]
    root = (square + root_det * jnp.eye(2, dtype=table.dtype)) / jnp.sqrt(trace + 2 * root_det)
    plane = root_det > jnp.finfo(table.dtype).eps * trace  # rows on one line have no plane
    orthonormal = jnp.where(plane, jnp.linalg.inv(root) @ planes, jnp.nan)
    centred = table - jnp.mean(table, axis=0)
    return (index + 1).astype(table.dtype), jnp.einsum("nd,kpd->knp", centred, orthonormal)


def entropy(share: Float[Array, " f"]) -> Float[Array, ""]:
    """Entropy of shares that add up to 1, over its largest value ln f; NaN for a single share."""
    logs = jnp.log(jnp.where(share > 0, share, 1))
    return -jnp.sum(share * logs) / math.log(share.shape[0]) if share.shape[0] > 1 else share[0] * jnp.nan


def gini(sizes: Float[Array, " f"]) -> Float[Array, ""]:
    r"""Gini coefficient of sizes: 0 where all are equal, 1 - 1/f where only one is not 0.

    .. math:: G = 1 - 2 \sum_i \frac{x_{(i)}}{\sum_j x_j} \frac{f - i + 1/2}{f}, \qquad x_{(1)} \le x_{(2)} \le \dots

    Source: Hurley and Rickard 2009, arXiv 0811.4706.
    """
    f = sizes.shape[0]
    ranks = (f - jnp.arange(1, f + 1, dtype=sizes.dtype) + 0.5) / f
    return 1 - 2 * jnp.sum(jnp.sort(sizes) * ranks) / jnp.sum(sizes)
