"""What a field may hold, declared beside the field: ``lr: Annotated[Number, NOT_NEGATIVE] = 1e-3``.

:func:`bounded` makes a dataclass check its fields at construction, before its own ``__post_init__``.  A number that
declares nothing has the range that the engine can hold: whole numbers of 32 bits, and finite numbers of float32.  Only
plain numbers and texts are looked at: what stands for a number inside a compiled program (an array, a tracer) is not.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from anglewise.errors import SpecError, shown, unknown

T = TypeVar("T")
INT = 2**31 - 1
"""Largest whole number: steps and sizes are counted in 32 bits."""
FLOAT = 3.4028234e38
"""Largest number of float32."""
SEED = 2**32 - 1
"""Largest seed: a random key has 32 bits of it, and a larger one would silently be another."""
FEW = 10_000
"""Messages show a range up to here whole, and of a larger one the end that was passed."""
TEXT = 1000
"""Most characters of a text."""


@dataclasses.dataclass(frozen=True)
class Bound:
    """A range of numbers; of a tuple's field, the range of each of its numbers.

    Args:
        low: Least value; None for the least that the field's type has.
        high: Largest value; None for the largest that the field's type has.
        above: Whether `low` itself is left out.
        below: Whether `high` itself is left out.
    """

    low: float | None = None
    high: float | None = None
    above: bool = False
    below: bool = False

    def wrong(self, value: float, number: type) -> str:
        """What the value must do and does not, for instance ``"be at least 0"``; empty where it is in the range.

        Args:
            value: A plain number.
            number: ``int`` or ``float``, the field's type.
        """
        most = INT if number is int else FLOAT
        low, high = (-most if self.low is None else self.low), (most if self.high is None else self.high)
        above, below = (value > low if self.above else value >= low), (value < high if self.below else value <= high)
        if above and below:
            return ""
        if self.low is not None and self.high is not None and self.high <= FEW:
            return f"lie in {'(' if self.above else '['}{shown(low)}, {shown(high)}{')' if self.below else ']'}"
        if (self.low if not above else self.high) is None:
            return (
                "be a finite number of float32"
                if number is float
                else f"be at {'most' if above else 'least'} " + (f"{high if above else low}")
            )
        if not above:
            return f"be {'above' if self.above else 'at least'} {shown(low)}"
        return f"be {'below' if self.below else 'at most'} {shown(high)}"


ANY = Bound()
NOT_NEGATIVE = Bound(0)
POSITIVE = Bound(0, above=True)
SHARE = Bound(0, 1)
"""From none to all."""
DECAY = Bound(0, 1, below=True)
"""What is kept of an average per step."""
INSIDE = Bound(0, 1, above=True, below=True)
REACHED = Bound(0, 1, above=True)
COUNT = Bound(1)
SEEDS = Bound(0, SEED)


@dataclasses.dataclass(frozen=True)
class Names:
    """A text, or a tuple of texts, that names parts of a network; the engine looks whether it has them.

    Args:
        of: ``"site"``, one that can be read; ``"tap"``, one that can be acted at; ``"parameter"``, one by its readable
            path; ``"part"``, a piece of one or more such paths; ``"role"``, of which at least one must be there.
    """

    of: Literal["site", "tap", "parameter", "part", "role"]


class Field(typing.NamedTuple):
    """What a field may hold.

    Attributes:
        name: Its name.
        kind: ``int``, ``float`` or ``str``, also of the items of a tuple; ``Literal`` for one of some values.
        bound: Range of its numbers; None where it declares none, or has none.
        options: Values of a ``Literal``.
        names: What its texts name; empty for nothing that is looked up.
    """

    name: str
    kind: Any
    bound: Bound | None
    options: tuple[Any, ...] = ()
    names: str = ""


@functools.cache
def fields_of(cls: type) -> tuple[Field, ...]:
    """The fields of a dataclass that hold numbers, texts or one of some values, and tuples of these."""
    hints = get_type_hints(cls, include_extras=True)
    return tuple(field for f in dataclasses.fields(cls) if (field := _field(f.name, hints[f.name])) is not None)


def _field(name: str, hint: Any) -> Field | None:
    bound, names = None, ""
    if get_origin(hint) is Annotated:
        bound = next((extra for extra in hint.__metadata__ if isinstance(extra, Bound)), None)
        names = next((extra.of for extra in hint.__metadata__ if isinstance(extra, Names)), "")
        hint = get_args(hint)[0]
    if get_origin(hint) is Literal:
        return Field(name, Literal, None, get_args(hint))
    options = get_args(hint) or (hint,)  # of tuple[int, ...] and of float | Schedule, the first says it
    kind = next((kind for kind in (float, int, str) if kind in options), None)
    return None if kind is None else Field(name, kind, bound, names=names)


def bounded(cls: type[T], prefix: str | None = None) -> type[T]:
    """Make a class check its fields at construction; stands below ``@dataclass``.

    Args:
        cls: To become a dataclass.
        prefix: Stands before a field's name in messages; the class's name and a dot where there is none.
    """
    defined: Any = cls.__dict__.get("__post_init__")
    if prefix is not None:
        cls.__prefix__ = prefix  # type: ignore[attr-defined]
    if defined is None and not hasattr(cls, "__post_init__"):
        cls.__post_init__ = check  # type: ignore[attr-defined]
    elif defined is not None and defined is not check:

        @functools.wraps(defined)
        def both(self: Any) -> None:
            check(self)
            defined(self)

        cls.__post_init__ = both  # type: ignore[attr-defined]
    return cls


def named(value: Any) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Fields of a dataclass whose texts name parts of a network: path, what they name, and the texts."""
    cls: Any = type(value)
    for field in fields_of(cls):
        if field.names:
            texts = getattr(value, field.name)
            yield _path(value, field.name), field.names, (texts,) if isinstance(texts, str) else tuple(texts)


def check(self: Any) -> None:
    """Check that numbers lie in their ranges and that a file can hold the texts.

    Raises:
        SpecError: In one line that names the field.
    """
    cls: Any = type(self)
    for name, kind, bound, options, _ in fields_of(cls):
        value = getattr(self, name)
        if kind is Literal:
            if isinstance(value, str) and value not in options:
                raise SpecError(unknown(_path(self, name), value, [str(o) for o in options]))
            continue
        for item in _plain(value):
            if isinstance(item, str):
                if kind is str and (wrong := _unwritable(item)):
                    raise SpecError(f"{_path(self, name)} must {wrong}")
            elif wrong := (bound or ANY).wrong(item, int if kind is int else float):
                raise SpecError(f"{_path(self, name)} must {wrong}, got {shown(item)}")


def _path(self: Any, name: str) -> str:
    return f"{getattr(self, '__prefix__', type(self).__name__ + '.')}{name}"


def _plain(value: Any) -> Iterator[Any]:
    """Plain numbers and texts in a field; of a schedule, the values that it goes to and comes from."""
    if isinstance(value, (int, float, str)):
        if not isinstance(value, bool):
            yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _plain(item)
    else:
        yield from _plain(getattr(value, "levels", ()))


def _unwritable(text: str) -> str:
    if len(text) > TEXT:
        return f"have at most {TEXT:,} characters, got {len(text):,}"
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"be text that UTF-8 can hold, got {text!r}"
    return ""
