r"""Composition of permutations: learn c = a b in the symmetric group from part of its table.

.. math:: (a \, b)(i) = a(b(i)), \qquad i = 0, \dots, n - 1

so b acts first.  The n! permutations are numbered in lexicographic order of their images (a(0), ..., a(n - 1)); number
0 is the identity.  The group is not commutative and has no cycle that all of its elements turn: Fourier readings are
left out.

S5, with its 14,400 pairs, is a standard task of the grokking literature (Power et al., arXiv 2201.02177; Chughtai et
al., arXiv 2302.03025), and one on which holding activations on a sphere has been reported to fail (arXiv 2603.05228).
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.lab.protocols.fields import INSIDE, Bound, bounded
from anglewise.lab.protocols.task import Data


@dataclasses.dataclass(frozen=True)
@bounded
class Permutations:
    """Composition of two permutations of n things, split once into train and test.

    Args:
        n: Number of things, from 2 to 6; n! permutations, (n!)^2 pairs.
        train: Share of the pairs that is trained on, in (0, 1); floor(share * pairs) examples.
        form: How a pair is written: ``"pair"``: two tokens and n! classes; ``"a op b ="`` and ``"a b ="``: sequences
            with "=" as token n! and the operation as token n! + 1, classes numbered like the tokens.
    """

    n: Annotated[int, Bound(2, 6)] = 5
    train: Annotated[float, INSIDE] = 0.5
    form: Literal["pair", "a op b =", "a b ="] = "pair"

    def __post_init__(self) -> None:
        """Check the fields."""
        if 0 in self.sizes:
            raise SpecError(
                f"the train fraction {self.train} of {sum(self.sizes)} rows leaves {self.sizes[0]} to train on "
                f"and {self.sizes[1]} to test on: both need at least 1"
            )

    @property
    def order(self) -> int:
        """Number of permutations, n!."""
        return math.factorial(self.n)

    @property
    def tokens(self) -> int:
        """Size of the input vocabulary."""
        return self.order + {"pair": 0, "a b =": 1, "a op b =": 2}[self.form]

    @property
    def length(self) -> int:
        """Number of tokens in one input."""
        return {"pair": 2, "a b =": 3, "a op b =": 4}[self.form]

    @property
    def fixed(self) -> tuple[int | None, ...]:
        """The token at each position that is the same in every input; None where it differs."""
        equals, sign = self.order, self.order + 1
        return {"pair": (None, None), "a b =": (None, None, equals), "a op b =": (None, sign, None, equals)}[self.form]

    @property
    def classes(self) -> int:
        """Number of classes: n! for pairs, the whole vocabulary for sequences."""
        return self.tokens

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of training and of test examples."""
        rows = self.order**2
        count = int(self.train * rows)
        return count, rows - count

    def answer(self, a: Int[np.ndarray, " rows"], b: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " rows"]:
        """Numbers of the products a b, b acting first."""
        product: Int[np.ndarray, " rows"] = products(self.n)[a, b]
        return product

    def table(self) -> tuple[Int[np.ndarray, "rows length"], Int[np.ndarray, " rows"]]:
        """Every input and its answer, in the order a = 0, 1, ... and b within it."""
        a, b = (x.ravel() for x in np.meshgrid(*[np.arange(self.order)] * 2, indexing="ij"))
        operands = iter((a, b))
        columns = [next(operands) if token is None else np.full_like(a, token) for token in self.fixed]
        return np.stack(columns, axis=1).astype(np.int32), self.answer(a, b).astype(np.int32)

    def split(self, key: PRNGKeyArray) -> Data:
        """The table, divided into train and test by one permutation drawn from `key`."""
        inputs, labels = self.table()
        order = np.asarray(jax.random.permutation(key, len(labels)))
        train, test = order[: self.sizes[0]], order[self.sizes[0] :]
        return Data(*(jnp.asarray(x) for x in (inputs[train], labels[train], inputs[test], labels[test])))


def images(n: int) -> Int[np.ndarray, "order n"]:
    """All permutations of n things as rows (a(0), ..., a(n - 1)), in lexicographic order.

    Example:
        >>> images(3).tolist()
        [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    """
    return np.array(list(itertools.permutations(range(n))))


@functools.lru_cache(maxsize=8)
def products(n: int) -> Int[np.ndarray, "order order"]:
    """The group's table: number of a b at [a, b]."""
    rows = images(n)
    place = n ** np.arange(n)[::-1]  # lexicographic order is the order of the images read as digits
    numbers = rows @ place
    return np.searchsorted(numbers, rows[:, rows] @ place)
