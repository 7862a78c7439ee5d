"""Numbers that change with the step: learning rates, strengths, targets.

A schedule stands wherever a method has a float field; the engine replaces it by its value before each step, so
methods only ever see numbers.  Its own fields may be arrays, one value per member of a population.
:data:`Number` is the type of such a field.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, dataclass_transform

import jax
import jax.numpy as jnp
from jaxtyping import Array

from anglewise.errors import SpecError
from anglewise.lab.protocols.fields import ANY, NOT_NEGATIVE, POSITIVE, SHARE, bounded

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def schedule(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass and a pytree whose leaves are its fields.

    Args:
        cls: A subclass of :class:`Schedule` with annotated fields.

    Returns:
        The class.
    """
    frozen: Any = dataclasses.dataclass(frozen=True)(bounded(cls))
    return jax.tree_util.register_dataclass(frozen, [f.name for f in dataclasses.fields(frozen)], [])


class Schedule:
    """Base of all schedules: called with the number of updates made so far, returns the value for the next one."""

    @property
    def levels(self) -> tuple[Any, ...]:
        """The values that it goes to and comes from, which must lie in the range of the field that it stands in."""
        return ()

    def __call__(self, step: Any) -> Any:
        """The value for update number `step` (from 0)."""
        raise TypeError(f"{type(self).__name__} is no schedule: define __call__(step)")

    if TYPE_CHECKING:  # inside a method's places the engine has put a value in its place, so it computes like one

        def _number(self, *other: Any) -> Array: ...

        __neg__ = __add__ = __radd__ = __sub__ = __rsub__ = _number
        __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = __rpow__ = _number
        __lt__ = __le__ = __gt__ = __ge__ = _number


Number: TypeAlias = float | Schedule | Array
"""A hyper-parameter: a number, a schedule over steps, or an array with one value per member of a population.

A field that takes an array and no schedule has the type ``float``.
"""


@schedule
class Warmup(Schedule):
    r"""Linear rise to a plateau: value * min(1, (step + offset) / steps).

    Args:
        value: The plateau.
        steps: Length of the rise.
        offset: 1 makes the first update move; 0 is Grokfast's, whose first update has rate 0.
    """

    value: Annotated[float, ANY]
    steps: Annotated[float, POSITIVE] = 10.0
    offset: Annotated[float, NOT_NEGATIVE] = 1.0

    @property
    def levels(self) -> tuple[Any, ...]:
        """The plateau."""
        return (self.value,)

    def __call__(self, step: Any) -> Any:
        """The value for update number `step`."""
        return self.value * jnp.minimum(1.0, (step + self.offset) / self.steps)


@schedule
class Linear(Schedule):
    """Straight line from `start` to `end` over `steps` updates, constant afterwards."""

    start: Annotated[float, ANY]
    end: Annotated[float, ANY]
    steps: Annotated[float, POSITIVE]

    @property
    def levels(self) -> tuple[Any, ...]:
        """Both ends."""
        return (self.start, self.end)

    def __call__(self, step: Any) -> Any:
        """The value for update number `step`."""
        return self.start + (self.end - self.start) * jnp.clip(step / self.steps, 0.0, 1.0)


@schedule
class Cosine(Schedule):
    """Half a cosine from `start` to `end` over `steps` updates, constant afterwards."""

    start: Annotated[float, ANY]
    end: Annotated[float, ANY]
    steps: Annotated[float, POSITIVE]

    @property
    def levels(self) -> tuple[Any, ...]:
        """Both ends."""
        return (self.start, self.end)

    def __call__(self, step: Any) -> Any:
        """The value for update number `step`."""
        done = jnp.clip(step / self.steps, 0.0, 1.0)
        return self.end + (self.start - self.end) * 0.5 * (1.0 + jnp.cos(jnp.pi * done))


@schedule
class WarmupCosine(Schedule):
    r"""Linear rise to `value`, then half a cosine down to `floor` times it, constant afterwards.

    .. math:: v \frac{t + 1}{w + 1} \; (t < w), \qquad
        v \Bigl(f + (1 - f) \tfrac12 \bigl(1 + \cos \pi \tfrac{t - w}{T - w}\bigr)\Bigr) \; (w \le t \le T)

    Args:
        value: The highest value v.
        steps: Updates T after which it is constant, the rise included.
        warmup: Updates w of the rise.
        floor: Share f of `value` at the end.
    """

    value: Annotated[float, ANY]
    steps: Annotated[float, POSITIVE]
    warmup: Annotated[float, NOT_NEGATIVE] = 100.0
    floor: Annotated[float, SHARE] = 0.1

    @property
    def levels(self) -> tuple[Any, ...]:
        """The highest value."""
        return (self.value,)

    def __call__(self, step: Any) -> Any:
        """The value for update number `step`."""
        done = jnp.clip((step - self.warmup) / jnp.maximum(self.steps - self.warmup, 1.0), 0.0, 1.0)
        fall = self.floor + (1.0 - self.floor) * 0.5 * (1.0 + jnp.cos(jnp.pi * done))
        return self.value * jnp.where(step < self.warmup, (step + 1.0) / (self.warmup + 1.0), fall)


@schedule
class Until(Schedule):
    """`value` for the first `steps` updates, `after` from then on."""

    value: Annotated[float, ANY]
    steps: Annotated[float, NOT_NEGATIVE]
    after: Annotated[float, ANY] = 0.0

    @property
    def levels(self) -> tuple[Any, ...]:
        """Before and after."""
        return (self.value, self.after)

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

    values: Annotated[tuple[float, ...], ANY]
    every: Annotated[float, POSITIVE] = 1.0

    @property
    def levels(self) -> tuple[Any, ...]:
        """All that was recorded; nothing while the tree is rebuilt from something else."""
        return self.values if isinstance(self.values, tuple) else ()

    def __post_init__(self) -> None:
        """Check that there is a value; JAX, which rebuilds the tree, may put anything in the field."""
        if isinstance(self.values, (tuple, list)) and not self.values:
            raise SpecError("a recorded schedule needs at least one value, got none")

    def __call__(self, step: Any) -> Any:
        """The value for update number `step`."""
        values = jnp.stack([jnp.asarray(value) for value in self.values])
        return jnp.interp(step / self.every, jnp.arange(len(self.values)), values)
