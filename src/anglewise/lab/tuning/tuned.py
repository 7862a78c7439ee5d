"""A winner's file, read back: an arm, and how it was found; every key has a type, and what is wrong is one line."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from anglewise.errors import SpecError, shown, unknown
from anglewise.lab.experiments.config import arms_of, coerce, table_of
from anglewise.lab.protocols.fields import ANY, COUNT, INSIDE, SEEDS, bounded
from anglewise.lab.spec import Arm, field_types


@dataclasses.dataclass(frozen=True)
@functools.partial(bounded, prefix="search.")
class Found:
    """How a setting was found: the table ``[search]`` of a winner's file.

    Args:
        trials: Settings that were tried.
        rounds: Rounds of the search.
        tuning_seeds: Seeds that a trial of the second rung was judged on.
        first_tuning_seed: The first of them.
        validation_share: Share of the training examples that they were judged on.
        budget: Optimiser steps at most.
        score: Of the winner, in steps.
        track: The experiment that was searched.
        trial: The winner's name among the trials.
        command: The line that searches again.
        commit: Of the code.
        device: On which.
        space: The axes that were searched.
        at_the_border: Those at whose border the winner lies.
    """

    trials: Annotated[int, COUNT]
    rounds: Annotated[int, COUNT]
    tuning_seeds: Annotated[int, COUNT]
    first_tuning_seed: Annotated[int, SEEDS]
    validation_share: Annotated[float, INSIDE]
    budget: Annotated[int, COUNT]
    score: Annotated[float, ANY]
    track: str = ""
    trial: str = ""
    command: str = ""
    commit: str = ""
    device: str = ""
    space: tuple[str, ...] = ()
    at_the_border: tuple[str, ...] = ()


class Winner(NamedTuple):
    """What a winner's file holds."""

    arm: Arm
    found: Found


def read(path: Path) -> Winner | None:
    """A winner from its file; None where there is none.

    Raises:
        SpecError: If the file cannot be meant: with its path, the key, what was got and what was expected.
    """
    return winner_of(table_of(path), path.stem, str(path)) if path.exists() else None


def winner_of(table: Mapping[str, Any], name: str, where: str) -> Winner:
    """A winner from the table that its file holds.

    Args:
        table: ``{"search": {...}, "arms": {name: ...}}``.
        name: The arm's.
        where: The file, for messages.

    Raises:
        SpecError: If it cannot be meant.
    """
    try:
        for key in ("search", "arms"):
            if not isinstance(table.get(key), Mapping):
                raise SpecError(f"{key}: expected a table, got {shown(table[key]) if key in table else 'nothing'}")
        if list(table["arms"]) != [name]:
            raise SpecError(f"arms: expected one arm, {name!r}, got {shown(list(table['arms']))}")
        return Winner(arms_of(table["arms"])[0], _found(table["search"]))
    except SpecError as error:
        raise SpecError(f"{where}: {error}") from error


def _found(search: Mapping[str, Any]) -> Found:
    types = field_types(Found)
    for key in search:
        if key not in types:
            raise SpecError(unknown("field of search", key, types))
    for field in dataclasses.fields(Found):
        if field.default is dataclasses.MISSING and field.name not in search:
            raise SpecError(f"search.{field.name}: expected {_wanted(types[field.name])}, got nothing")
    return Found(**{key: coerce(value, types[key], f"search.{key}") for key, value in search.items()})


def _wanted(hint: Any) -> str:
    return "a whole number" if hint is int else "a number"
