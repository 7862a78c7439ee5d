"""What the views of a store consist of: which run an experiment means, and which of its rows.

A run may belong to several experiments, each with a rule of its own (budget, evaluation grid, threshold).  Every view
has one row per experiment and thing seen: the same run is there once in each of its experiments, its curves as far as
that experiment follows it, and its outcome as that experiment judges it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.outcome import Rule
from anglewise.lab.store.layout import KINDS
from anglewise.lab.store.rows import COLUMNS

MEMBER = {"experiment_id": str, "run_id": str, "arm": str, "seed": int}
"""The columns that every view begins with."""
VIEWS: dict[str, dict[str, type]] = {
    "runs": {
        "experiment_id": str,
        "experiment": str,
        "run_id": str,
        "arm": str,
        "seed": int,
        "outcome": str,
        "steps": int,
        "seconds": float,
        "t95": int,
        "t95_sustained": int,
        "threshold": float,
        "first": int,
        "sustained": int,
        "t_capped": int,
        "budget": int,
        "every": int,
        "trained": int,
        "spec": str,
    },
    **{kind: MEMBER | COLUMNS[kind] for kind in KINDS},
    "experiments": {"experiment_id": str, "experiment": str, "run_id": str, "arm": str, "seed": int},
}


class Member(NamedTuple):
    """A run as an experiment means it; without an experiment, as it was last trained."""

    experiment_id: str | None
    experiment: str | None
    run_id: str
    arm: str | None
    seed: int | None
    rule: Rule | None


def members_of(manifest: Mapping[str, Any]) -> list[Member]:
    """The runs of an experiment, in the order planned."""
    rule = Rule.of((manifest.get("spec") or {}).get("training") or {})
    return [
        Member(manifest["experiment_id"], manifest["name"], run["run_id"], run["arm"], run["seed"], rule)
        for run in manifest["runs"]
    ]


def orphan(run_id: str, spec: Mapping[str, Any], outcome: Mapping[str, Any]) -> Member:
    """A run that no manifest names, by what its own files say."""
    arm = (spec.get("arm") or {}).get("name") or "+".join(str(one.get("is")) for one in spec.get("methods", ())) or None
    rule = Rule.of(outcome.get("rule") or spec.get("training") or {})
    return Member(None, spec.get("experiment"), run_id, arm, spec.get("seed"), rule)


def followed(rule: Rule | None, steps: np.ndarray, end: int | None) -> np.ndarray:
    """Which rows of a run an experiment sees: those on its grid, up to where it ends the run.

    Args:
        rule: The experiment's.
        steps: Steps of the rows, shape ``[n]``.
        end: Where the run ends by the rule; None while it goes on.
    """
    if rule is None:
        return np.ones(len(steps), bool)
    return rule.on_grid(steps) & (steps <= (rule.budget if end is None else end))


def spec_text(spec: Mapping[str, Any]) -> str | None:
    """A run's specification as a JSON text for SQL; None where there is none."""
    return json.dumps(spec, sort_keys=True) if spec else None
