"""Numbers that change with the step: learning rates, strengths, targets.

A schedule stands wherever a method has a float field; the engine replaces it by its value before each step, so
methods only ever see numbers.  Its own fields may be arrays, one value per member of a population.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar, dataclass_transform

import jax
import jax.numpy as jnp

from anglewise.errors import SpecError

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def schedule(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass and a pytree whose leaves are its fields."""
    made: Any = dataclasses.dataclass(frozen=True)(cls)
    return jax.tree_util.register_dataclass(made, [f.name for f in dataclasses.fields(made)], [])


class Schedule:
    """Base of all schedules: called with the number of updates made so far, returns the value for the next one."""

    def __call__(self, step: Any) -> Any:
        """The value for update number `step` (from 0)."""
        raise TypeError(f"{type(self).__name__} is no schedule: define __call__(step)")


@schedule
class Warmup(Schedule):
    r"""Linear rise to a plateau: value * min(1, (step + offset) / steps).

    Args:
        value: The plateau.
        steps: Length of the rise.
        offset: 1 makes the first update move; 0 is Grokfast's, whose first update has rate 0.
    """

    value: float
    steps: float = 10.0
    offset: float = 1.0

    def __call__(self, step: Any) -> Any:
        """The value for update number `step`."""
        return self.value * jnp.minimum(1.0, (step + self.offset) / self.steps)


@schedule
class Linear(Schedule):
    """Straight line from `start` to `end` over `steps` updates, constant afterwards."""

    start: float
    end: float
    steps: float

    def __call__(self, step: Any) -> Any:
        """The value for update number `step`."""
        return self.start + (self.end - self.start) * jnp.clip(step / self.steps, 0.0, 1.0)


@schedule
class Cosine(Schedule):
    """Half a cosine from `start` to `end` over `steps` updates, constant afterwards."""

    start: float
    end: float
    steps: float

    def __call__(self, step: Any) -> Any:
        """The value for update number `step`."""
        done = jnp.clip(step / self.steps, 0.0, 1.0)
        return self.end + (self.start - self.end) * 0.5 * (1.0 + jnp.cos(jnp.pi * done))


@schedule
class Until(Schedule):
    """`value` for the first `steps` updates, `after` from then on."""

    value: float
    steps: float
    after: float = 0.0

    def __call__(self, step: Any) -> Any:
        """The value for update number `step`."""
        return jnp.where(step < self.steps, self.value, self.after)


@schedule
class Recorded(Schedule):
    """A recorded trajectory: `values` at the steps 0, `every`, 2 `every`, ...; straight lines between, constant after.

    Args:
        values: At least one.
        every: Steps between two of them.
    """

    values: tuple[float, ...]
    every: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; whoever rebuilds the tree may put anything in the fields."""
        if isinstance(self.values, (tuple, list)) and not self.values:
            raise SpecError("a recorded schedule needs at least one value, got none")
        if isinstance(self.every, (int, float)) and not self.every > 0:
            raise SpecError(f"every, the steps between two recorded values, must be above 0, got {self.every}")

    def __call__(self, step: Any) -> Any:
        """The value for update number `step`."""
        values = jnp.stack([jnp.asarray(value) for value in self.values])
        return jnp.interp(step / self.every, jnp.arange(len(self.values)), values)
