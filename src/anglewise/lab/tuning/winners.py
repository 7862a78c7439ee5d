"""Winners of a search as files: an arm that any experiment can lay over itself, and how it was found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anglewise.files import put
from anglewise.lab.catalogue import METHODS, SCHEDULES
from anglewise.lab.protocols.schedule import Schedule
from anglewise.lab.spec import Arm, Experiment
from anglewise.lab.store import Provenance, Store
from anglewise.lab.tuning.search import FIRST_SEED, Search, Trial, search
from anglewise.lab.tuning.space import Entry


def tune(
    entry: Entry, experiment: Experiment, rules: Search, out: Path, to: Path, command: str,
    provenance: Provenance, stop: Callable[[], bool],
) -> Path:  # fmt: skip
    """Search one entry's setting in a store of its own, and write its winner.

    Returns:
        The winner's file.

    Raises:
        SpecError: For a search that cannot be meant.
        Interrupted: When `stop` said so.
    """
    to.mkdir(parents=True, exist_ok=True)  # where it cannot be, nothing is searched
    names = {cls: name for name, cls in (*METHODS.items(), *SCHEDULES.items())}
    with Store.open(out / entry.arm.name) as store:
        best, tried = search(
            entry, experiment, rules, store, provenance=provenance, say=lambda text: print(text, flush=True), stop=stop
        )
    found = {
        "command": command,
        "commit": str(provenance.get("git_commit") or "") + ("-dirty" if provenance.get("git_dirty") else ""),
        "device": str(provenance.get("device") or ""),
        **summary(entry, experiment, rules, best, tried),
    }
    path = to / f"{entry.arm.name}.toml"
    put(path, toml(Arm(entry.arm.name, best.arm.methods), found, names).encode())
    return path


def summary(entry: Entry, experiment: Experiment, rules: Search, best: Trial, tried: Sequence[Trial]) -> dict[str, Any]:
    """What a winner's file says about how it was found."""
    return {
        "track": experiment.name,
        "score": round(best.score, 2),
        "trial": best.name,
        "trials": len(tried),
        "rounds": rules.rounds,
        "tuning_seeds": rules.seeds,
        "first_tuning_seed": FIRST_SEED,
        "validation_share": rules.validation,
        "budget": experiment.training.budget,
        "space": [
            f"{type(entry.arm.methods[axis.method]).__name__}.{axis.field} in [{axis.low:g}, {axis.high:g}], "
            + ("log" if axis.log else "linear")
            for axis in entry.axes
        ],
        "at_the_border": [
            f"{type(entry.arm.methods[axis.method]).__name__}.{axis.field}"
            for axis, x in zip(entry.axes, best.point, strict=True)
            if x < 0.02 or x > 0.98
        ],
    }


def toml(arm: Arm, found: Mapping[str, Any], names: Mapping[type, str]) -> str:
    """A winner's file: an arm that any experiment can lay over itself, and how it was found."""
    lines = ["[search]", *(f"{key} = {_toml(value)}" for key, value in found.items()), ""]
    methods = ",\n".join(f"  {_table(method, names)}" for method in arm.methods)
    return "\n".join([*lines, f'[arms."{arm.name}"]', f"methods = [\n{methods},\n]", ""])


def _table(value: Any, names: Mapping[type, str]) -> str:
    defaults = {f.name: f.default for f in dataclasses.fields(value)}
    parts = [f'is = "{names[type(value)]}"']
    for name, default in defaults.items():
        own = getattr(value, name)
        if isinstance(own, Schedule):
            parts.append(f"{name} = {_table(own, names)}")
        elif own != default:
            parts.append(f"{name} = {_toml(own)}")
    return "{ " + ", ".join(parts) + " }"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value)
