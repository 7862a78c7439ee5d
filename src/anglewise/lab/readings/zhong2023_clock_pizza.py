r"""Clock or pizza: by which of two algorithms a network adds on the circle.

Both put the tokens on circles.  The *clock* multiplies the two points, which adds their angles; the *pizza* adds the
two points, so that all it knows of (a, b) is their midpoint, and its answer fades with their distance:

.. math:: z_c \propto \cos \omega (a + b - c) \qquad\text{or}\qquad
    z_c \propto |\cos \tfrac{\omega (a - b)}{2}| \cos \omega (a + b - c)

**Gradient symmetricity** (definition 4.1).  The mean over random (a, b, c) of the cosine between the gradients of the
logit of c with respect to the embeddings of a and of b.  A function of their sum has 1; the product of one circle has
:math:`\cos \omega (a - b)`, 0 on average.  The source reports .99 for its pizza and .33 for its clock.

**Distance irrelevance** (definition 4.2).  With :math:`Q_{ab}` the logit of the right answer,

.. math:: q = \frac{\operatorname{mean}_d \operatorname{std}(Q_{ab} : a - b = d)}{\operatorname{std}(Q_{ab})}

which is 0 if the logit depends on the distance alone (pizza) and 1 if the distance says nothing about it (clock); .17
and .85 in the source.  For subtraction and division, distance means a + b.

**Circularity** (appendix): the share of power of the best single frequency in each of the first principal components
of the embedding, averaged.  An untrained network also has a q near 1, and possibly a symmetricity near 1: the two tell
algorithms apart only once tokens lie on circles and the answers are right.

Source: Zhong, Liu, Tegmark and Andreas 2023, "The Clock and the Pizza", arXiv 2306.17844.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from anglewise.lab.protocols.fields import COUNT, Bound
from anglewise.lab.protocols.model import Model
from anglewise.lab.protocols.reading import Reading, Snapshot
from anglewise.lab.protocols.task import Task
from anglewise.lab.readings.cycles import cycle_of_task, cyclic, power


@dataclasses.dataclass(frozen=True)
class ClockPizza(Reading):
    """Gradient symmetricity and distance irrelevance: whether a network adds like a clock or like a pizza.

    Args:
        every: Measurements between two values; even, so that the table's pass is shared with other readings.
        triples: Random (a, b, c) that the gradients are averaged over: always the same ones, so that what moves is
            the network.  The three differ, so that gradients with respect to table rows are those of the operands.
        components: Principal components that circularity is averaged over (4 in the source).
    """

    every: Annotated[int, COUNT] = 4
    triples: Annotated[int, Bound(1, 1_000_000)] = 100
    components: Annotated[int, COUNT] = 4

    def suits(self, task: Task, model: Model) -> bool:
        """Tasks with a cycle."""
        return cyclic(task)

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """``distance_irrelevance``, ``gradient_symmetricity``, ``circularity``.

        The last two only with one embedding for both operands: one-hot inputs have none to differentiate by, and two
        tables no common space to compare in.
        """
        values = {("", "distance_irrelevance"): self._irrelevance(snapshot)}
        if any(table.ndim == 2 or table.shape[0] == 1 for table in snapshot.params.tables[:1]):
            values["", "gradient_symmetricity"] = self._symmetricity(snapshot)
            values["", "circularity"] = self._circularity(snapshot)
        return values

    def _irrelevance(self, snapshot: Snapshot) -> Float[Array, ""]:
        cycle, table = cycle_of_task(snapshot.task), snapshot.table()
        n = len(cycle.order)
        right = jnp.take_along_axis(table.logits, jnp.asarray(table.labels)[:, None], axis=1).reshape(n, n)
        distance, i = np.arange(n)[:, None], np.arange(n)[None, :]
        by_distance = right[i, (i - distance) * cycle.sign % n]  # row d: the pairs (i, j) with i - sign * j = d
        spread, peak = jnp.std(right), jnp.max(jnp.abs(right))
        q = jnp.mean(jnp.std(by_distance, axis=1)) / spread
        return jnp.where(spread > 8 * jnp.finfo(right.dtype).eps * peak, q, jnp.nan)

    def _symmetricity(self, snapshot: Snapshot) -> Float[Array, ""]:
        cycle, task, table = cycle_of_task(snapshot.task), snapshot.task, snapshot.params.tables[0]

        def logit(rows: Float[Array, "2 e"], tokens: Array) -> Array:
            pair = tokens[:2]
            params: Any = eqx.tree_at(lambda p: p.tables[0], snapshot.params, table.at[..., pair, :].set(rows))
            inputs = jnp.asarray([token or 0 for token in task.fixed], jnp.int32)
            inputs = inputs.at[np.asarray((cycle.a, cycle.b))].set(pair)
            return snapshot.at(params)(inputs[None])[0][0, tokens[2]]

        def cosine(tokens: Array) -> Array:
            g, h = jax.grad(logit)(table.reshape(-1, table.shape[-1])[tokens[:2]], tokens)
            return jnp.vdot(g, h) / (jnp.linalg.norm(g) * jnp.linalg.norm(h))

        return jnp.nanmean(jax.vmap(cosine)(jnp.asarray(draw(cycle.order, self.triples))))

    def _circularity(self, snapshot: Snapshot) -> Float[Array, ""]:
        cycle, table = cycle_of_task(snapshot.task), snapshot.params.tables[0]
        rows = table.reshape(-1, table.shape[-1])[np.asarray(cycle.order)]
        centred = rows - jnp.mean(rows, axis=0)
        _, scores = jnp.linalg.eigh(centred @ centred.T)  # the components' scores, each of length 1, largest last
        return jnp.mean(jnp.max(power(scores[:, -min(self.components, rows.shape[1]) :]), axis=0))


def draw(order: tuple[int, ...], count: int) -> Int[np.ndarray, "count 3"]:
    """Triples (a, b, c) of three different tokens; the same ones at every call."""
    rng = np.random.default_rng(2023)
    return np.stack([rng.choice(np.asarray(order, np.int32), 3, replace=False) for _ in range(count)])
