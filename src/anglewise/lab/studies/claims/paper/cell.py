"""A cell of the paper, theirs beside ours, and whether the two agree by one criterion.

:func:`agrees` says

- ``yes``, where their number lies inside our 95 % interval;
- ``near``, where it lies within a factor of :data:`FACTOR` of our number;
- ``no`` otherwise, also where one of the two never generalised and the other did;
- ``open``, where our budget ends before theirs, or our number is a bound on the side of theirs;
- a dash, where there are no two numbers to compare.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from anglewise.lab.report.format import DASH
from anglewise.lab.studies.claims.paper.ours import Found, Ours

FACTOR = 2.0
"""Within which two numbers are near."""
UNKNOWN = "not known to us"
CRITERION = (
    "Agrees: 'yes' where theirs lies inside our 95 % interval. 'near' where it lies within a factor of 2 of our "
    "number. 'no' where it does neither. 'open' where our budget ends before theirs, or ours is a bound."
)


class Theirs(NamedTuple):
    """What the paper prints.

    Attributes:
        text: As it stands there.
        value: The number that ours is compared with, in the unit of ours; None for none.
        beyond: Whether it is a budget in which nothing generalised.
    """

    text: str
    value: float | None = None
    beyond: bool = False


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell.

    Args:
        row: What the paper's row, or ours, is about.
        column: Which column; empty where the row has one number.
        theirs: What the paper prints.
        ours: How ours is computed, once for each scale that has one.
        note: Where the paper contradicts itself, or what a reader must know.
    """

    row: str
    column: str
    theirs: Theirs
    ours: tuple[Ours, ...]
    note: str = ""


@dataclasses.dataclass(frozen=True)
class PaperTable:
    """One of the paper's tables.

    Args:
        id: ``T1``.
        title: What it is about.
        cells: All that is known of it.
        note: What a reader must know of the whole.
    """

    id: str
    title: str
    cells: tuple[Cell, ...]
    note: str = ""


def printed(value: float, text: str = "") -> Theirs:
    """A number that the paper prints.

    Example:
        >>> printed(2460, "2,460 +- 136").text, printed(15540).text
        ('2,460 +- 136', '15,540')
    """
    return Theirs(text or (f"{value:,.0f}" if value >= 100 else f"{value:g}"), value)


def unknown(text: str = UNKNOWN) -> Theirs:
    """A cell whose number nobody could read."""
    return Theirs(text)


def never(budget: float, text: str) -> Theirs:
    """A run that did not generalise in a budget."""
    return Theirs(text, budget, beyond=True)


def agrees(theirs: Theirs, found: Found) -> str:
    """Whether theirs and ours agree.

    Example:
        >>> from anglewise.lab.stats import Interval
        >>> ours = Found("", Interval(1080.0, 1000.0, 1150.0, "t"))
        >>> [agrees(printed(x), found=ours) for x in (1100, 2000, 15540)]
        ['yes', 'near', 'no']
    """
    if theirs.value is None or found.interval is None:
        return DASH
    value, low, high, _ = found.interval
    ours_beyond = value == float("inf")
    if theirs.beyond or ours_beyond:
        if theirs.beyond and ours_beyond:
            return "open" if found.budget < theirs.value else "yes"
        if ours_beyond:
            return "open" if theirs.value > found.budget else "no"
        return "yes" if value > theirs.value else "no"
    if theirs.value > found.budget and high == float("inf"):
        return "open"
    if found.bound == "~ " or (found.bound == ">= " and theirs.value > value):
        return "open"
    if found.bound == "<= " and theirs.value < value:
        return "open"
    if low is not None and high is not None and low <= theirs.value <= high:
        return "yes"
    near = value > 0 and theirs.value > 0 and 1 / FACTOR <= theirs.value / value <= FACTOR
    return "near" if near else "no"
