"""What anglewise raises: every message says what was got, what was expected and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AnglewiseError(Exception):
    """Anything that the caller can mend.  The command line shows its message as one line."""


class SpecError(AnglewiseError):
    """A specification (a task, model, method, arm or experiment) that cannot be meant."""


class StoreError(AnglewiseError):
    """A store that cannot be read, written or locked."""


class AttachError(AnglewiseError):
    """A model to which the drop-in cannot be attached as asked, or where it would silently do nothing."""


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
    near = difflib.get_close_matches(got, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {got!r}: {hint}Known: {', '.join(names) or 'none'}"
