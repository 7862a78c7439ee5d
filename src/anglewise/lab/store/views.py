"""What the views of a store consist of: which run an experiment means, and which of its rows.

A run may belong to several experiments, each with a rule of its own (budget, evaluation grid, threshold).  Every view
has one row per experiment and thing seen: the same run is there once in each of its experiments, its curves as far as
that experiment follows it, and its outcome as that experiment judges it.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Literal, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np

from anglewise.lab.outcome import Outcome, Rule
from anglewise.lab.spec import Json, Manifest, Planned
from anglewise.lab.store.layout import KINDS
from anglewise.lab.store.rows import COLUMNS


def columns_of(cls: type) -> dict[str, type]:
    """The fields of a type that are numbers or texts, with None or without: each is a column.

    Example:
        >>> columns_of(Planned)
        {'run_id': <class 'str'>, 'arm': <class 'str'>, 'seed': <class 'int'>}
    """
    columns: dict[str, type] = {}
    for name, hint in get_type_hints(cls).items():
        kinds = [str if get_origin(kind) is Literal else kind for kind in _options(hint) if kind is not NoneType]
        if len(kinds) == 1 and kinds[0] in (str, int, float):
            columns[name] = kinds[0]
    return columns


def _options(hint: object) -> tuple[object, ...]:
    """The types that a field may have."""
    return (hint,) if get_origin(hint) in (Literal, None) else get_args(hint)


MEMBER: dict[str, type] = {"experiment_id": str} | columns_of(Planned)
"""The columns that every view begins with."""
VIEWS: dict[str, dict[str, type]] = {
    "runs": {"experiment_id": str, "experiment": str} | columns_of(Planned) | columns_of(Outcome) | {"spec": str},
    **{kind: MEMBER | COLUMNS[kind] for kind in KINDS},
    "experiments": {"experiment_id": str, "experiment": str} | columns_of(Planned),
}


class Member(NamedTuple):
    """A run as an experiment means it; without an experiment, as it was last trained."""

    experiment_id: str | None
    experiment: str | None
    run_id: str
    arm: str | None
    seed: int | None
    rule: Rule | None


def members_of(manifest: Manifest) -> list[Member]:
    """The runs of an experiment, in the order planned."""
    rule = Rule.of(manifest.training)
    return [Member(manifest.experiment_id, manifest.name, *planned, rule) for planned in manifest.runs]


def orphan(run_id: str, spec: Json, outcome: Outcome | None) -> Member:
    """A run that no manifest names, by what its own files say."""
    arm = (spec.get("arm") or {}).get("name") or "+".join(str(one.get("is")) for one in spec.get("methods", ())) or None
    rule = outcome.rule if outcome is not None and outcome.rule is not None else Rule.of(spec.get("training") or {})
    return Member(None, spec.get("experiment"), run_id, arm, spec.get("seed"), rule)


def followed(
    rules: Sequence[Rule | None], ends: Sequence[int | None], steps: np.ndarray, owner: np.ndarray
) -> np.ndarray:
    """Which rows of runs an experiment sees: those on its grid, up to where it ends the run.

    Args:
        rules: The experiment's rule of each run; None where every row is seen.
        ends: Where each run ends by its rule; None while it goes on.
        steps: Steps of all rows, shape ``[n]``.
        owner: Of each row, whose it is: a place in `rules`; shape ``[n]``.

    Example:
        >>> followed([Rule(20, 10, 0.95, 5, -1, 0)], [None], np.array([0, 5, 10, 20, 30]), np.zeros(5, int))
        array([ True, False,  True,  True, False])
    """
    far = np.iinfo(np.int64).max
    every = np.array([1 if rule is None else rule.every for rule in rules], np.int64)[owner]
    budget = np.array([far if rule is None else rule.budget for rule in rules], np.int64)
    last = np.array([far if end is None else end for end in ends], np.int64)
    most = np.where([rule is None for rule in rules], far, np.minimum(budget, last)).astype(np.int64)[owner]
    return np.asarray((steps <= most) & ((steps % every == 0) | (steps == budget[owner])))
