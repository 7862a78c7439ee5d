"""A task without its test examples: hyper-parameters are chosen on held-out training examples.

The last rows of the task's training part, in its split's own random order, become the test part; the task's own test
rows are thrown away, so nobody who tunes on this can have looked at them.  There is no table of all inputs; a task's
``cycle`` is passed on, and readings that use it look at all pairs, lost test rows included: tune without them.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated

from jaxtyping import PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.lab.protocols.fields import INSIDE, bounded
from anglewise.lab.protocols.task import Answers, Cycle, Data, Task, answers_of, cycle_of, evaluated_of


@dataclasses.dataclass(frozen=True)
@bounded
class HeldOut:
    """Any task's training examples, divided again into training and validation examples.

    Args:
        task: The task.
        share: Part of its training examples that is held out, in (0, 1): floor(share * n), at least one.
    """

    task: Task
    share: Annotated[float, INSIDE] = 0.05

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.task.sizes[0] < 2:
            raise SpecError(f"holding out needs at least 2 training examples, got {self.task.sizes[0]}")

    @property
    def tokens(self) -> int:
        """Size of the input vocabulary."""
        return self.task.tokens

    @property
    def length(self) -> int:
        """Number of tokens in one input."""
        return self.task.length

    @property
    def fixed(self) -> tuple[int | None, ...]:
        """The token at each position that is the same in every input; None where it differs."""
        return self.task.fixed

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.task.classes

    @property
    def cycle(self) -> Cycle | None:
        """The task's."""
        return cycle_of(self.task)

    @property
    def answers(self) -> Answers:
        """The task's."""
        return answers_of(self.task)

    @property
    def evaluated(self) -> tuple[int, int]:
        """As many training examples as the task has evaluated, and all that are held out."""
        n, held = self.sizes
        return min(evaluated_of(self.task)[0], n), held

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of training and of held-out examples."""
        n = self.task.sizes[0]
        held = max(1, int(self.share * n))
        return n - held, held

    def split(self, key: PRNGKeyArray) -> Data:
        """The task's training part at the same key, its last rows as the test part."""
        data, kept = self.task.split(key), self.sizes[0]
        inputs, labels = data.train_inputs, data.train_labels
        return Data(inputs[:kept], labels[:kept], inputs[kept:], labels[kept:])
