"""Random labels: the inputs of modular arithmetic with answers that mean nothing; the negative control.

Every pair (a, b) has a label drawn uniformly from 0, ..., p - 1, independently of all others.  A network can
memorise its training examples; on the test examples no rule is better than chance, 1/p.  Inputs, classes and the
split into train and test are those of :class:`Modular` at the same key, so that the two tasks are paired by seed.
Labels depend on the key alone: every seed has labels of its own.

Source: Zhang et al., "Understanding deep learning requires rethinking generalization", arXiv 1611.03530.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from anglewise.lab.protocols.fields import INSIDE, Bound, bounded
from anglewise.lab.protocols.task import Cycle, Data
from anglewise.lab.tasks.modular import Modular

LABELS = 1
"""Splits the labels' key off the split's."""


@dataclasses.dataclass(frozen=True)
@bounded
class RandomLabels:
    """Pairs over Z_p with uniformly random labels, drawn once per seed.

    Args:
        p: Number of operands' values and of labels, at least 2.
        train: Share of the pairs that is trained on, in (0, 1); floor(share * p^2) examples.
        form: How a pair is written, see :class:`Modular`.
        read_as: The operation whose group Fourier readings look for, as their negative control; the labels follow
            none.  Empty: there is no group, and these readings are left out.
    """

    p: Annotated[int, Bound(2, 4096)] = 113
    train: Annotated[float, INSIDE] = 0.4
    form: Literal["pair", "a op b =", "a b ="] = "pair"
    read_as: Literal["", "+", "-", "*"] = ""

    def __post_init__(self) -> None:
        """Check the fields as :class:`Modular` does."""
        _ = self._pairs

    @property
    def _pairs(self) -> Modular:
        """The task whose inputs these are."""
        return Modular(p=self.p, train=self.train, form=self.form)

    @property
    def tokens(self) -> int:
        """Size of the input vocabulary."""
        return self._pairs.tokens

    @property
    def length(self) -> int:
        """Number of tokens in one input."""
        return self._pairs.length

    @property
    def fixed(self) -> tuple[int | None, ...]:
        """The token at each position that is the same in every input; None where it differs."""
        return self._pairs.fixed

    @property
    def classes(self) -> int:
        """Number of classes, of which the first p occur."""
        return self._pairs.classes

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of training and of test examples."""
        return self._pairs.sizes

    @property
    def cycle(self) -> Cycle | None:
        """The group of `read_as`."""
        return dataclasses.replace(self._pairs, operation=self.read_as).cycle if self.read_as else None

    def split(self, key: PRNGKeyArray) -> Data:
        """The pairs, divided as :class:`Modular` divides them, and a label for each; both drawn from `key` alone."""
        data = self._pairs.split(key)
        n, m = self.sizes
        labels = jax.random.randint(jax.random.fold_in(key, LABELS), (n + m,), 0, self.p, dtype=jnp.int32)
        return data._replace(train_labels=labels[:n], test_labels=labels[n:])
