r"""Sharpness along filter-normalised random directions.

.. math:: d_f = \frac{g_f}{|g_f|} |\theta_f|, \quad g \sim N(0, I), \qquad
    \text{filter sharpness} = \mathbb E_d \, [L(\theta + \epsilon d) - L(\theta)], \qquad
    \text{filter curvature} = \mathbb E_d \, [d^\top H d]

A filter f is the vector of weights into one unit: a column of a matrix stored ``[in, out]`` (in an embedding, one
coordinate of all tokens).  Biases and other vectors do not move, as in the source's own code.  So epsilon is a
relative size: 0.1 moves every unit's weights by a tenth of their length.  Since directions in a filter are isotropic,

.. math:: \mathbb E_d \, [d^\top H d] = \sum_f \operatorname{Tr}(H_{ff}) \, |\theta_f|^2 / n_f

with n_f weights in the filter, and for small epsilon the sharpness is half that times epsilon squared.

Both are exactly invariant when a bias-free ReLU network's matrices are rescaled, W_1 -> a W_1, W_2 -> W_2 / a; not
when single neurons are, since a column of W_2 mixes them.  Like every flatness they can be compared at equal training
loss only (see ``curvature.py``).  Source: Li et al., arXiv 1712.09913, section 4; how many directions and which
epsilon is our choice.  Cost: a Hessian-vector product and a forward pass per direction (0.25 s where
`curvature.py` takes 1.9 s), twice that with a penalty.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from anglewise.lab.protocols.fields import COUNT, POSITIVE, Bound
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.reading import Of, Reading, Snapshot
from anglewise.lab.readings.curvature import objectives, standard_error
from anglewise.lab.readings.hessian import hessian

DIRECTIONS = 2
"""What keys are drawn for."""


@dataclasses.dataclass(frozen=True)
class FilterSharpness(Reading):
    """Rise of the loss, and its curvature, along random directions that are normalised filter by filter.

    Args:
        every: Measurements between two of its values.
        rows: Training examples that the loss is a mean over; 0 is all.
        directions: Random directions.
        eps: Length of a step, relative to each filter's.
    """

    every: Annotated[int, COUNT] = 4
    precision: ClassVar[Literal["as trained", "float64"]] = "float64"
    rows: Annotated[int, Bound(0)] = 1024
    directions: Annotated[int, Bound(1, 100_000)] = 8
    eps: Annotated[float, POSITIVE] = 0.1

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """``filter_sharpness``, ``filter_curvature``, and their standard errors over directions, ``..._se``; the same
        names with ``_total`` appended for the total loss."""
        values: dict[tuple[str, str], Array] = {}
        for of, suffix in objectives(snapshot):
            for name, draws in zip(("filter_sharpness", "filter_curvature"), self._draws(snapshot, of), strict=True):
                values["", name + suffix] = jnp.mean(draws)
                values["", f"{name}_se{suffix}"] = standard_error(draws)
        return values

    def _draws(self, snapshot: Snapshot, of: Of) -> tuple[Array, Array]:
        params, (inputs, labels) = snapshot.params, snapshot.rows("train", self.rows)

        def loss(params: Params) -> Array:
            return snapshot.objective(params, inputs, labels, of)

        product, here = hessian(loss, params), loss(params)

        def along(key: PRNGKeyArray) -> tuple[Array, Array]:
            d = filter_direction(params, key)
            moved = jax.tree.map(lambda w, x: w + self.eps * x, params, d)
            curved = sum(jax.tree.leaves(jax.tree.map(lambda x, y: jnp.sum(x * y), d, product(d))))
            return loss(moved) - here, jnp.asarray(curved)

        return jax.lax.map(along, jax.random.split(snapshot.draw(DIRECTIONS), self.directions))


def filter_direction(params: Params, key: PRNGKeyArray) -> Params:
    """A Gaussian direction in which every filter is as long as the weights', and vectors are 0."""
    leaves, structure = jax.tree.flatten(params)

    def draw(weight: Array, key: PRNGKeyArray) -> Array:
        if weight.ndim < 2:
            return jnp.zeros_like(weight)
        g = jax.random.normal(key, weight.shape, weight.dtype)
        return g / jnp.linalg.norm(g, axis=-2, keepdims=True) * jnp.linalg.norm(weight, axis=-2, keepdims=True)

    keys = jax.random.split(key, len(leaves))
    return jax.tree.unflatten(structure, [draw(w, k) for w, k in zip(leaves, keys, strict=True)])
