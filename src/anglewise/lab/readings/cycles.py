r"""Fourier analysis on the cyclic group that a task's operation turns.

A group of n members has the frequencies k = 1, ..., floor(n / 2).  Each has two orthonormal waves,

.. math:: \sqrt{2/n} \cos(2 \pi k j / n), \qquad \sqrt{2/n} \sin(2 \pi k j / n)

except k = n/2 for even n, which has only the alternating one, :math:`(-1)^j / \sqrt n`.  Together with the constant
they span every function of a member j.  The *power* of a function at k is the squared length of its projection on
the waves of k; the powers of all frequencies add up to the squared length of the function without its mean.

A *table* is a function of pairs (a, b).  Its mean over all pairs of equal a, of equal b, or of equal a + b or a - b
is a function of one member, and the table's Fourier components (k, 0), (0, k), (k, k) and (k, -k) are those of these
four functions: four means and four small products do the work of a transform in two dimensions.

Members are written by their place in the group's own order: for multiplication, the exponent of a primitive root.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from anglewise.lab.protocols.task import Cycle, Task, cycle_of


class Waves(NamedTuple):
    """Orthonormal waves, one row per frequency; the sine of frequency n/2 is zero."""

    cos: Float[np.ndarray, "f n"]
    sin: Float[np.ndarray, "f n"]


def cyclic(task: Task) -> bool:
    """Whether the task turns a cyclic group that is large enough to have a frequency with both waves."""
    cycle = cycle_of(task)
    return cycle is not None and len(cycle.order) >= 3


def cycle_of_task(task: Task) -> Cycle:
    """The task's cycle.

    Raises:
        TypeError: If there is none.
    """
    cycle = cycle_of(task)
    if cycle is None:
        raise TypeError(f"{task} has no cycle: this reading does not suit it")
    return cycle


@functools.lru_cache(maxsize=16)
def waves(n: int) -> Waves:
    """The waves of a group of n members.

    Example:
        >>> waves(4).cos.round(3).tolist()
        [[0.707, 0.0, -0.707, -0.0], [0.5, -0.5, 0.5, -0.5]]
    """
    k = np.arange(1, n // 2 + 1)[:, None]
    angle = 2 * np.pi * (k * np.arange(n)[None, :] % n) / n
    alone = 2 * k == n
    scale = np.where(alone, np.sqrt(1 / n), np.sqrt(2 / n))
    return Waves(np.asarray(scale * np.cos(angle)), np.where(alone, 0.0, scale * np.sin(angle)))


def waves_of(n: int) -> Float[np.ndarray, " f"]:
    """Number of waves of each frequency: 2, or 1 at n/2; power over it is the squared DFT magnitude over n."""
    return np.where(2 * np.arange(1, n // 2 + 1) == n, 1.0, 2.0)


def power(values: Float[Array, "n ..."]) -> Float[Array, "f ..."]:
    """Power of every frequency, for functions of one member along the first axis."""
    cos, sin = (jnp.asarray(w, values.dtype) for w in waves(values.shape[0]))
    return jnp.square(jnp.tensordot(cos, values, 1)) + jnp.square(jnp.tensordot(sin, values, 1))


class Means(NamedTuple):
    """Means of a table over the pairs (i, j) of equal i, of equal j, of equal i + j and of equal i - j."""

    a: Float[Array, "n ..."]
    b: Float[Array, "n ..."]
    plus: Float[Array, "n ..."]
    minus: Float[Array, "n ..."]
    variance: Float[Array, "*rest"]
    """Of the whole table."""

    def answer(self, cycle: Cycle) -> Float[Array, "n ..."]:
        """The means over pairs of equal answer."""
        return self.plus if cycle.sign == 1 else self.minus


def means(table: Float[Array, "n n ..."]) -> Means:
    """All four means, and the variance, in one walk over the rows of a table.

    Example:
        >>> parts = means(jnp.asarray([[0.0, 1.0, 2.0], [1.0, 2.0, 0.0], [2.0, 0.0, 1.0]]))  # i + j mod 3
        >>> parts.plus.tolist(), parts.minus.tolist()
        ([0.0, 1.0, 2.0], [1.0, 1.0, 1.0])
    """
    n = table.shape[0]
    none = jnp.zeros((2 * n, *table.shape[2:]), table.dtype)

    def shifted(total: Array, row: Array, by: Array | int) -> Array:
        moved = jax.lax.dynamic_slice_in_dim(total, by, n) + row
        return jax.lax.dynamic_update_slice_in_dim(total, moved, by, 0)

    def add(totals: Any, xs: tuple[Array, Array]) -> tuple[Any, tuple[Array, Array]]:
        (by_b, plus, minus), (i, row) = totals, xs
        mean = jnp.mean(row, axis=0)
        spread = jnp.mean(jnp.square(row - mean), axis=0)
        # entry j of row i goes to place j + i of the sums, and to place j - i + n of the differences j - i
        return (by_b + row, shifted(plus, row, i), shifted(minus, row, n - i)), (mean, spread)

    start = (none[:n], none, none)
    (by_b, plus, minus), (by_a, spread) = jax.lax.scan(add, start, (jnp.arange(n), table))
    variance = jnp.mean(spread, axis=0) + jnp.var(by_a, axis=0)
    differences = (minus[:n] + minus[n:])[-np.arange(n) % n]
    return Means(by_a, by_b / n, (plus[:n] + plus[n:]) / n, differences / n, variance)
