"""What the engine and readings know of a task: its examples, and how they are split.

A task is a frozen dataclass: its fields are its specification, which is hashed into a run's id.  What only some tasks
have is an optional protocol; readings that need it are left out where a task does not have it.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Int, PRNGKeyArray


class Data(NamedTuple):
    """One task's examples, split once into train and test.

    Args:
        train_inputs: Token indices, ``[n, length]``.
        train_labels: Their classes, ``[n]``.
        test_inputs: Token indices, ``[m, length]``.
        test_labels: Their classes, ``[m]``.
    """

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


@runtime_checkable
class Task(Protocol):
    """What is learned."""

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


@runtime_checkable
class Cyclic(Protocol):
    """A task whose operation may turn a cyclic group."""

    @property
    def cycle(self) -> Cycle | None:
        """The group; None where there is none."""


@runtime_checkable
class Secret(Protocol):
    """A task whose labels depend on a few positions of the input."""

    @property
    def secret_positions(self) -> tuple[int, ...]:
        """These positions."""


def cycle_of(task: Task) -> Cycle | None:
    """The cyclic group that the task's operation turns, if there is one."""
    return task.cycle if isinstance(task, Cyclic) else None
