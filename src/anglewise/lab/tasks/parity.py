r"""Sparse parity: the parity of a few secret bits among many.

.. math:: y = \bigoplus_{i \in S} x_i, \qquad x \in \{0, 1\}^n \text{ uniform}, \qquad |S| = k

The secret S is the first k positions: a network with a separate weight for every position cannot tell, so nothing is
lost.  A bit is a token, 0 or 1; one-hot tokens are the usual inputs :math:`\pm 1` up to a change of the first layer's
weights: :math:`w_0 (1 - x) + w_1 x = \frac{w_0 + w_1}{2} + \frac{w_1 - w_0}{2} (2 x - 1)`, so that the half
differences between a position's two rows are the weights on :math:`\pm 1`, and the half sums a bias.

Barak et al. draw fresh examples at every step; here, as where grokking is studied (Merrill et al., arXiv 2303.11873),
a fixed number is drawn once.

Source: Barak et al., "Hidden progress in deep learning: SGD learns parities near the computational limit",
arXiv 2207.08799.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.lab.protocols.fields import COUNT, Bound, bounded
from anglewise.lab.protocols.task import Data


@dataclasses.dataclass(frozen=True)
@bounded
class Parity:
    """The parity of the first `secret` of `bits` bits, from distinct examples.

    Args:
        bits: Length n of an input.
        secret: Number k of bits whose parity is the label.
        train: Training examples.
        test: Test examples; none of them is a training example.
    """

    bits: Annotated[int, Bound(1, 4096)] = 40
    secret: Annotated[int, COUNT] = 3
    train: Annotated[int, COUNT] = 1000
    test: Annotated[int, COUNT] = 1000

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.secret > self.bits:
            raise SpecError(f"secret must be at most the number of bits, {self.bits}, got {self.secret}")
        if sum(self.sizes) > 2**self.bits:
            raise SpecError(
                f"{self.bits} bits make {2**self.bits:,} inputs, fewer than the {self.train:,} to train on and the "
                f"{self.test:,} to test on: ask for fewer, or for more bits"
            )

    @property
    def tokens(self) -> int:
        """Size of the input vocabulary: 0 and 1."""
        return 2

    @property
    def length(self) -> int:
        """Number of tokens in one input."""
        return self.bits

    @property
    def fixed(self) -> tuple[int | None, ...]:
        """No position holds the same token in every input."""
        return (None,) * self.bits

    @property
    def classes(self) -> int:
        """Number of classes: even and odd."""
        return 2

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of training and of test examples."""
        return self.train, self.test

    @property
    def secret_positions(self) -> tuple[int, ...]:
        """The positions whose parity is the label."""
        return tuple(range(self.secret))

    def answer(self, inputs: Int[np.ndarray, "n bits"]) -> Int[np.ndarray, " n"]:
        """Parity of the secret bits of `inputs`."""
        return inputs[:, list(self.secret_positions)].sum(axis=1) % 2

    def split(self, key: PRNGKeyArray) -> Data:
        """Distinct inputs, all sets of them equally likely, drawn from `key` alone; the first are trained on."""
        count = sum(self.sizes)
        rows = np.empty((0, self.bits), np.int32)
        for attempt in itertools.count():
            drawn = jax.random.bernoulli(jax.random.fold_in(key, attempt), shape=(count, self.bits))
            rows = np.concatenate([rows, np.asarray(drawn, np.int32)])
            first = np.unique(rows, axis=0, return_index=True)[1]  # where each distinct row stands first
            rows = rows[np.sort(first)]
            if len(rows) >= count:
                break
        train, test = rows[: self.train], rows[self.train : count]
        return Data(*(jnp.asarray(x, jnp.int32) for x in (train, self.answer(train), test, self.answer(test))))
