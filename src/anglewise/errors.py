"""Errors of anglewise.  Every message says what was got, what was expected and what to do."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

MOST = 60
"""Characters of a value that a message shows at least."""


class AnglewiseError(Exception):
    """An error that the caller can mend.  The command line shows its message as one line."""


class SpecError(AnglewiseError):
    """A specification (a task, model, method, arm or experiment) with a value that is not allowed."""


class StoreError(AnglewiseError):
    """A store that cannot be read, written or locked."""


class AttachError(AnglewiseError):
    """A model to which the drop-in cannot be attached, or where it would silently do nothing."""


class MissingError(AnglewiseError, ModuleNotFoundError):
    """A library that a part of anglewise needs is not installed."""


def install(extra: str) -> str:
    """How to install the libraries of an extra: in the clone, since anglewise is on no package index.

    Example:
        >>> install("torch")
        "in the clone of anglewise, run: make torch (or: pip install -e '.[torch]')"
    """
    return f"in the clone of anglewise, run: make {extra} (or: pip install -e '.[{extra}]')"


def missing(part: str, extra: str, libraries: Iterable[str]) -> MissingError | None:
    """The error to raise where libraries are not installed.  Libraries are looked up, not imported.

    Args:
        part: The part of anglewise that needs them, for instance ``"anglewise.torch"``.
        extra: The extra of the package that brings them.
        libraries: Names to import.

    Returns:
        An error that says what to do, or None if all of them are there.

    Example:
        >>> missing("anglewise", "torch", ["numpy"])
        >>> str(missing("anglewise.torch", "torch", ["torsh"]))[:43]
        'anglewise.torch needs torsh: in the clone o'
    """
    absent = [name for name in libraries if find_spec(name) is None]
    return MissingError(f"{part} needs {', '.join(absent)}: {install(extra)}", name=absent[0]) if absent else None


def unknown(kind: str, got: str, known: Iterable[str]) -> str:
    """Message for a name that does not exist: it repeats the name and offers the nearest right ones.

    Args:
        kind: What was looked up, for instance ``"arm"``.
        got: The name that was given.
        known: The names that exist.

    Returns:
        One line of text.

    Example:
        >>> unknown("arm", "adamv", ["adamw", "man"])
        "unknown arm 'adamv': did you mean 'adamw'? Known: adamw, man"
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(got[:MOST], names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {shown(got)}: {hint}Known: {', '.join(names) or 'none'}"


def shown(value: Any) -> str:
    """A value for a message: as Python writes it, shortened where it is long.

    Example:
        >>> shown("adamw"), shown(0.5), shown(10**30)
        ("'adamw'", '0.5', 'a number of 31 digits')
    """
    if isinstance(value, int) and abs(value) > 10**20:
        return f"a number of {'about ' if abs(value) > 10**300 else ''}{_digits(value):,} digits"
    if isinstance(value, (tuple, list)) and len(value) > MOST:
        return f"{shown(value[:3])[:-1]}, ... {len(value):,} values{']' if isinstance(value, list) else ')'}"
    try:
        text = repr(value[: 2 * MOST]) if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # an enormous number inside, or one table in another a thousand times
        return f"a {type(value).__name__} too large to show"
    return (
        text
        if len(text) <= 2 * MOST
        else f"{text[:MOST]}... ({len(value) if isinstance(value, str) else len(text):,} characters)"
    )


def _digits(value: int) -> int:
    return len(str(abs(value))) if abs(value) <= 10**300 else int(value.bit_length() * math.log10(2)) + 1


def printable(text: str) -> str:
    """Text without control codes: each unprintable character becomes its escape, line ends stay.

    Example:
        >>> printable("red \\x1b[31m")
        'red \\\\x1b[31m'
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
