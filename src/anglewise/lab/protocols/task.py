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
        train_labels: Their classes, ``[n]``; ``[n, k]`` for a task with :class:`Answers`.
        test_inputs: Token indices, ``[m, length]``.
        test_labels: Their classes, ``[m]`` or ``[m, k]``.
    """

    train_inputs: Int[Array, "n length"]
    train_labels: Int[Array, "n ..."]
    test_inputs: Int[Array, "m length"]
    test_labels: Int[Array, "m ..."]


class Answers(NamedTuple):
    """What an example is asked: k tokens, each read at a position of the input, and which of them are graded.

    The loss of an example is the mean over all k; accuracy looks at the graded ones alone.

    Args:
        positions: Positions of the input whose logits are read, one for each label.
        graded: Which of the labels count for accuracy, as indices into `positions`.
        whole: Whether an example is right only if all of its graded labels are (accuracy is a share of examples);
            else each graded label counts by itself (accuracy is a share of labels).
    """

    positions: tuple[int, ...]
    graded: tuple[int, ...]
    whole: bool = True


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


@runtime_checkable
class Answering(Protocol):
    """A task with several labels for each example, or one that is not read at the last position."""

    @property
    def answers(self) -> Answers:
        """What an example is asked."""


@runtime_checkable
class Sampled(Protocol):
    """A task with too many examples for an evaluation to look at all of them."""

    @property
    def evaluated(self) -> tuple[int, int]:
        """Numbers of training and of test examples that evaluations look at: the first ones of each part."""


def answers_of(task: Task) -> Answers:
    """What an example is asked: one label, read at the last position, where the task says nothing else."""
    return task.answers if isinstance(task, Answering) else Answers((task.length - 1,), (0,))


def evaluated_of(task: Task) -> tuple[int, int]:
    """Numbers of training and of test examples that evaluations look at: all where the task says nothing else."""
    return task.evaluated if isinstance(task, Sampled) else task.sizes


def cycle_of(task: Task) -> Cycle | None:
    """The cyclic group that the task's operation turns, if there is one."""
    return task.cycle if isinstance(task, Cyclic) else None
