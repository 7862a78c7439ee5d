"""What the engine knows of a task: its examples, and how they are split.

A task is a frozen dataclass: its fields are its specification, which is hashed into a run's id.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from jaxtyping import Array, Int, PRNGKeyArray


class Data(NamedTuple):
    """One task's examples, split once into train and test; inputs are token indices."""

    train_inputs: Int[Array, "n length"]
    train_labels: Int[Array, " n"]
    test_inputs: Int[Array, "m length"]
    test_labels: Int[Array, " m"]


class Cycle(NamedTuple):
    """How a task's operation turns a cyclic group: ``order[i] o order[j] = order[(i + sign * j) % n]``.

    Addition mod p has the tokens 0, 1, ..., p - 1 in this order and sign 1; multiplication mod a prime has the
    powers of a primitive root (0 is no member of the group); subtraction and division have sign -1.
    """

    order: tuple[int, ...]
    sign: int
    a: int
    b: int
    """Positions of the two operands in an input."""


class Task(Protocol):
    """What is learned.

    A task may also offer ``table() -> (inputs [rows, length], labels [rows])``, every input with its answer, and
    ``cycle``, a :class:`Cycle` or None, ``secret_positions``, the input positions that its labels depend on; readings
    that need one of them are left out where it is not offered.
    """

    def __hash__(self) -> int:
        """Equal specifications share one program."""

    @property
    def tokens(self) -> int:
        """Size of the input vocabulary."""

    @property
    def length(self) -> int:
        """Number of tokens in one input."""

    @property
    def fixed(self) -> tuple[int | None, ...]:
        """The token at each position that is the same in every input; None where it differs."""

    @property
    def classes(self) -> int:
        """Number of classes."""

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of training and of test examples."""

    def split(self, key: PRNGKeyArray) -> Data:
        """The examples, divided into train and test by `key` alone."""
