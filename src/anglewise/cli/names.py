"""Everything that has a name, as the package brings it in a file, so that a list is there at once.

The file is made of the catalogue, the experiments, the readings and the figures by ``python -m docs.generate``; a test
compares it with them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).with_name("names.json")
KINDS = ("experiments", "methods", "tasks", "models", "readings", "figures")


class Named(NamedTuple):
    """One thing with a name.

    Attributes:
        kind: One of :data:`KINDS`.
        name: As it is given on the command line.
        group: What it changes, or what it belongs to: the heading that it stands under; may be empty.
        text: What it is, in a line.
        fields: Its fields with their defaults; of an experiment its arms, seeds and budget.
    """

    kind: str
    name: str
    group: str
    text: str
    fields: Mapping[str, Any]


def named(kind: str, words: Sequence[str] = ()) -> list[Named]:
    """What has a name, in the order of its list.

    Args:
        kind: One of :data:`KINDS`.
        words: Only what has each of them in its name, its group or its text; upper and lower case are one.  A word that
            is a group's name stands for the group.

    Example:
        >>> [one.name for one in named("methods", ["optimiser", "muon"])]
        ['muon', 'constrained-muon']
    """
    entries = [Named(*values) for values in json.loads(FILE.read_text(encoding="utf-8"))]
    entries = [one for one in entries if one.kind == kind]
    groups = {one.group.casefold() for one in entries}
    for word in map(str.casefold, words):
        if word in groups:
            entries = [one for one in entries if one.group.casefold() == word]
        else:
            entries = [one for one in entries if word in f"{one.name}\n{one.group}\n{one.text}".casefold()]
    return entries
