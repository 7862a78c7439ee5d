"""Methods as data: a frozen dataclass whose float fields may be arrays or schedules.

Registered as a pytree, a method's float fields are leaves (so a population stacks them and `vmap` hands each
member its own), and everything else about it is structure (so runs that differ in it are different programs).
"""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, TypeVar, dataclass_transform

import jax

from anglewise.lab.protocols.fields import bounded
from anglewise.lab.protocols.schedule import Schedule

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def method(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass and a pytree whose leaves are its float fields.

    What a field may hold stands beside it, ``lr: Annotated[Number, NOT_NEGATIVE] = 1e-3``, and is checked when one is
    made.

    Args:
        cls: A subclass of :class:`Method` with annotated fields.

    Returns:
        The class.
    """
    frozen: Any = dataclasses.dataclass(frozen=True)(bounded(cls))
    hints = typing.get_type_hints(frozen)
    leaves = [f.name for f in dataclasses.fields(frozen) if _is_number(hints[f.name])]
    rest = [f.name for f in dataclasses.fields(frozen) if f.name not in leaves]
    return jax.tree_util.register_dataclass(frozen, data_fields=leaves, meta_fields=rest)


def at_step(value: T, step: Any) -> T:
    """`value` with every schedule in its fields replaced by its value at `step`."""
    changes = {
        f.name: getattr(value, f.name)(step)
        for f in dataclasses.fields(value)  # type: ignore[arg-type]
        if isinstance(getattr(value, f.name), Schedule)
    }
    return dataclasses.replace(value, **changes) if changes else value  # type: ignore[type-var]


def _is_number(hint: Any) -> bool:
    return hint is float or float in typing.get_args(hint)
