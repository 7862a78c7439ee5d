"""A winner is the best setting that a search found; its file holds the arm and how it was found.

The file is TOML: a table ``[search]``, and ``[arms.NAME]``, which any experiment can lay over itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tomli_w

from anglewise.errors import SpecError, shown
from anglewise.files import put
from anglewise.lab.catalogue import METHODS, SCHEDULES
from anglewise.lab.execution.estimate import cost
from anglewise.lab.execution.places import Place, workers_at
from anglewise.lab.execution.processes import threads_of
from anglewise.lab.experiments.config import arms_of, coerce, known_fields, table_of
from anglewise.lab.protocols.fields import ANY, COUNT, INSIDE, SEEDS, bounded
from anglewise.lab.spec import Arm, Experiment
from anglewise.lab.store import Provenance, Store
from anglewise.lab.tuning.search import FIRST_SEED, Search, Trial, search
from anglewise.lab.tuning.space import Candidate

NAMES = {cls: name for name, cls in (*METHODS.items(), *SCHEDULES.items())}


@dataclasses.dataclass(frozen=True)
@functools.partial(bounded, prefix="search.")
class SearchSummary:
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
    """An arm with the winning setting, and how the setting was found."""

    arm: Arm
    search: SearchSummary


def tune(
    candidate: Candidate, experiment: Experiment, rules: Search, out: Path, to: Path, command: str,
    provenance: Provenance, stop: Callable[[], bool], jobs: int | None = None, on: Place | None = None,
) -> Path:  # fmt: skip
    """Search a candidate's setting in a store of its own, and write the winner's file.

    Trials train in `jobs` processes, None for what suits this machine; or `on` a cluster.

    Raises:
        SpecError: For a search with a wrong value.
        Interrupted: After `stop` returned True.
    """
    to.mkdir(parents=True, exist_ok=True)  # before the search, since it may fail
    name = candidate.arm.name
    workers = workers_at(on, rules.trials, cost(experiment).bytes, jobs)
    provenance = {**provenance, "threads": threads_of(workers)}
    with Store.open(out / name) as store, workers or contextlib.nullcontext():
        say = functools.partial(print, flush=True, file=sys.stderr)
        best, trials = search(
            candidate, experiment, rules, store, provenance=provenance, say=say, stop=stop, workers=workers
        )
    how = dataclasses.replace(
        summary(candidate, experiment, rules, best, trials),
        command=command,
        commit=str(provenance.get("git_commit") or "") + ("-dirty" if provenance.get("git_dirty") else ""),
        device=str(provenance.get("device") or ""),
    )
    path = to / f"{name}.toml"
    put(path, toml(Winner(Arm(name, best.arm.methods), how)).encode())
    return path


def summary(
    candidate: Candidate, experiment: Experiment, rules: Search, best: Trial, trials: Sequence[Trial]
) -> SearchSummary:
    """How a search found its best trial."""
    methods = candidate.arm.methods
    names = [f"{type(methods[axis.method]).__name__}.{axis.field}" for axis in candidate.axes]
    return SearchSummary(
        trials=len(trials),
        rounds=rules.rounds,
        tuning_seeds=rules.seeds,
        first_tuning_seed=FIRST_SEED,
        validation_share=rules.validation,
        budget=experiment.training.budget,
        score=round(best.score, 2),
        track=experiment.name,
        trial=best.name,
        space=tuple(
            f"{name} in [{axis.low:g}, {axis.high:g}], {'log' if axis.log else 'linear'}"
            for name, axis in zip(names, candidate.axes, strict=True)
        ),
        at_the_border=tuple(name for name, x in zip(names, best.point, strict=True) if x < 0.02 or x > 0.98),
    )


def toml(winner: Winner) -> str:
    """A winner as its file has it."""
    methods = [_table(method) for method in winner.arm.methods]
    return tomli_w.dumps({"search": dataclasses.asdict(winner.search), "arms": {winner.arm.name: {"methods": methods}}})


def _table(value: Any) -> Any:
    """A method or schedule as a table of its kind and of the fields that differ from their default."""
    if type(value) not in NAMES:
        return value
    fields = [(field, getattr(value, field.name)) for field in dataclasses.fields(value)]
    return {"is": NAMES[type(value)]} | {field.name: _table(x) for field, x in fields if x != field.default}


def read(path: Path) -> Winner | None:
    """A winner from its file; None where there is none.

    Raises:
        SpecError: If the file has a mistake: with its path, the key, what was got and what was expected.
    """
    return winner_of(table_of(path), path.stem, str(path)) if path.exists() else None


def winner_of(table: Mapping[str, Any], name: str, where: str) -> Winner:
    """The winner `name` from the table of its file `where`: ``{"search": {...}, "arms": {name: ...}}``.

    Raises:
        SpecError: If the table has a mistake.
    """
    try:
        for key in ("search", "arms"):
            if not isinstance(table.get(key), Mapping):
                raise SpecError(f"{key}: expected a table, got {shown(table[key]) if key in table else 'nothing'}")
        if list(table["arms"]) != [name]:
            raise SpecError(f"arms: expected one arm, {name!r}, got {shown(list(table['arms']))}")
        return Winner(arms_of(table["arms"])[0], _summary_of(table["search"]))
    except SpecError as error:
        raise SpecError(f"{where}: {error}") from error


def _summary_of(table: Mapping[str, Any]) -> SearchSummary:
    types = known_fields(SearchSummary, table, "search")
    for field in dataclasses.fields(SearchSummary):
        if field.default is dataclasses.MISSING and field.name not in table:
            expected = "a whole number" if types[field.name] is int else "a number"
            raise SpecError(f"search.{field.name}: expected {expected}, got nothing")
    return SearchSummary(**{key: coerce(value, types[key], f"search.{key}") for key, value in table.items()})
