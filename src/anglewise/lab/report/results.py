"""Results of one experiment as plain data: what was planned, what has finished, how it went.

Everything that reports reads this and nothing else; :func:`load` fills it from a store.  A run counts as
finished once it has an outcome.  A planned run without one is *missing*, and stays in every count.  *Arrays* (spectra,
maps, circles: readings that are no single number) may be large, so they are loaded when a figure asks for them.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from anglewise.errors import StoreError, unknown
from anglewise.lab.spec import Manifest

Key: TypeAlias = tuple[str, int]
"""A run within an experiment: (arm, seed)."""


class Ended(NamedTuple):
    """How a finished run ended: steps trained, seconds they took, steps to the two crossings or None."""

    outcome: str
    steps: int
    seconds: float
    first: int | None
    sustained: int | None


class Series(NamedTuple):
    """Values of one run over its steps; both of shape ``[n]``, steps increasing."""

    steps: np.ndarray
    values: np.ndarray


class Frames(NamedTuple):
    """Arrays of one run: steps of shape ``[n]``, increasing, and values of shape ``[n, ...]``."""

    steps: np.ndarray
    values: np.ndarray


Arrays: TypeAlias = Mapping[tuple[str, str], Mapping[Key, Frames]]
"""Arrays by (name, site), then by run."""


def no_arrays(keys: Collection[Key], names: Collection[str] | None = None, *, last: bool = False) -> Arrays:
    """What there is where no arrays were read."""
    return {}


@dataclasses.dataclass(frozen=True)
class Results:
    """One experiment.

    Args:
        experiment_id: Its id in the store.
        name: As the user called it.
        title: One line, possibly empty.
        arms: Names in the order planned.
        baseline: The arm that speed-ups refer to.
        planned: All runs of the plan.
        ended: Those that have finished.
        curves: By ``train_accuracy`` and ``test_accuracy``, then by run; finished or not.
        readings: By (name, site), then by run.
        budget: Steps at most, the same for all arms.
        threshold: Test accuracy at which a run counts as generalised.
        sustain: Evaluations in a row that make a crossing sustained.
        spec: The experiment's specification as JSON.
        command: What reproduces it.
        provenance: By key, each value with the number of runs that have it.
        created: When the experiment was planned.
        runs: Ids in the store.
        arrays: ``(runs, names, last=False) -> Arrays``, read from the store when called: those of some runs, by name
            (None for all), of every step or of the last.
    """

    experiment_id: str
    name: str
    title: str
    arms: tuple[str, ...]
    baseline: str
    planned: tuple[Key, ...]
    ended: Mapping[Key, Ended]
    curves: Mapping[str, Mapping[Key, Series]]
    readings: Mapping[tuple[str, str], Mapping[Key, Series]]
    budget: int
    threshold: float = 0.95
    sustain: int = 5
    spec: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    command: str = ""
    provenance: Mapping[str, Counter[str]] = dataclasses.field(default_factory=dict)
    created: str = ""
    runs: Mapping[Key, str] = dataclasses.field(default_factory=dict)
    arrays: Callable[..., Arrays] = no_arrays

    def seeds(self, arm: str) -> list[int]:
        """Planned seeds of an arm, in order."""
        return sorted(seed for name, seed in self.planned if name == arm)

    def finished(self, arm: str) -> dict[int, Ended]:
        """Finished runs of an arm, by seed."""
        return {seed: self.ended[arm, seed] for seed in self.seeds(arm) if (arm, seed) in self.ended}

    def select(self, wanted: Sequence[str]) -> Results:
        """The same experiment with only some of its arms (by name) or runs (by id, or its unique beginning).

        Raises:
            StoreError: If a name is neither, or the beginning of several ids.
        """
        kept: list[Key] = []
        for name in wanted:
            matches = [key for key in self.planned if key[0] == name]
            matches = matches or [key for key, run_id in self.runs.items() if name and run_id.startswith(name)]
            if not matches:
                raise StoreError(unknown("arm or run", name, [*self.arms, *self.runs.values()][: len(self.arms) + 8]))
            if len({self.runs.get(key, key) for key in matches}) > 1 and name not in self.arms:
                raise StoreError(f"{len(matches)} runs begin with {name!r}: give more of the id")
            kept += matches
        return self.only(kept) if wanted else self

    def only(self, keys: Collection[Key]) -> Results:
        """The same experiment with only some of its runs."""
        keys = set(keys)

        def of(by_run: Mapping[Key, Any]) -> dict[Key, Any]:
            return {key: value for key, value in by_run.items() if key in keys}

        arms = tuple(arm for arm in self.arms if any(name == arm for name, _ in keys))
        panels = {panel: of(series) for panel, series in self.readings.items()}
        return dataclasses.replace(
            self,
            arms=arms,
            baseline=self.baseline if self.baseline in arms else arms[0],
            planned=tuple(key for key in self.planned if key in keys),
            ended=of(self.ended),
            curves={name: of(series) for name, series in self.curves.items()},
            readings={panel: series for panel, series in panels.items() if series},
            runs=of(self.runs),
        )


def load(reader: Any, experiment_id: str | None = None, baseline: str | None = None) -> Results:
    """Results of one experiment of a store.

    Args:
        reader: Anything with the store reader's ``experiments()``, ``query(sql)`` and ``provenance(run_id)``.
        experiment_id: Which; None where the store holds only one.
        baseline: The arm that speed-ups refer to; None for the experiment's.

    Returns:
        Plain data, independent of the store.

    Raises:
        StoreError: If the store holds no such experiment, or several and none was chosen, or no such arm.
    """
    manifest = chosen_manifest(reader, experiment_id)
    keys: dict[Key, str] = {(run.arm, run.seed): run.run_id for run in manifest.runs}
    chosen = f"experiment_id = {_quoted(manifest.experiment_id)}"
    started = reader.query(
        f"SELECT run_id, arm, seed, outcome, steps, seconds, first, sustained FROM runs WHERE {chosen}"
    ).to_pylist()
    training = manifest.training
    threshold = float(training.get("threshold", 0.95))
    ended = {(row["arm"], row["seed"]): _ended(row) for row in started if row["outcome"] is not None}
    accuracies = ("train_accuracy", "test_accuracy")
    curves = reader.query(
        f"SELECT arm, seed, step, {', '.join(accuracies)} FROM curves WHERE {chosen} ORDER BY arm, seed, step"
    )
    readings = reader.query(
        f"SELECT arm, seed, name, site, step, value FROM readings WHERE {chosen} ORDER BY name, site, arm, seed, step"
    )
    by_run = _groups(curves, ["arm", "seed"])
    by_panel: dict[tuple[str, str], dict[Key, Series]] = {}
    for (name, site, arm, seed), rows in _groups(readings, ["name", "site", "arm", "seed"]).items():
        by_panel.setdefault((name, site), {})[arm, int(seed)] = _series(readings, rows, "value")
    if baseline is not None and baseline not in manifest.arms:
        raise StoreError(unknown("arm", baseline, manifest.arms) + " (baseline)")
    return Results(
        experiment_id=manifest.experiment_id,
        name=manifest.name,
        title=manifest.title,
        arms=manifest.arms,
        baseline=manifest.baseline if baseline is None else baseline,
        planned=tuple(keys),
        ended=ended,
        curves={
            name: {(arm, int(seed)): _series(curves, rows, name) for (arm, seed), rows in by_run.items()}
            for name in accuracies
        },
        readings=by_panel,
        budget=int(training.get("budget") or max((run.steps for run in ended.values()), default=1)),
        threshold=threshold,
        sustain=int(training.get("sustain", 5)),
        spec=manifest.spec,
        command=manifest.command,
        provenance=_tally([reader.provenance(run_id) for run_id in dict.fromkeys(keys.values())]),
        created=manifest.created,
        runs=keys,
        arrays=_Stored(reader, manifest.experiment_id),
    )


def chosen_manifest(reader: Any, experiment_id: str | None = None) -> Manifest:
    """The manifest of one experiment of a store.

    Args:
        reader: A store's reader.
        experiment_id: Which; None where the store holds only one.

    Raises:
        StoreError: If the store holds no such experiment, or several and none was chosen.
    """
    manifests: dict[str, Manifest] = {
        m.experiment_id: m for m in sorted(reader.experiments(), key=_updated, reverse=True)
    }
    if not manifests:
        raise StoreError("the store holds no experiment: run one first")
    if experiment_id is None and len(manifests) > 1:
        names = ", ".join(manifests)
        raise StoreError(
            f"the store holds {len(manifests)} experiments: choose one with --experiment ID; newest first: {names}"
        )
    if experiment_id is not None and experiment_id not in manifests:
        raise StoreError(unknown("experiment", experiment_id, manifests))
    return manifests[experiment_id or next(iter(manifests))]


def newest(reader: Any) -> tuple[str | None, tuple[str, ...]]:
    """The experiment of a store that was run last, and the others, newest first; None where there is none."""
    ids = [m.experiment_id for m in sorted(reader.experiments(), key=_updated, reverse=True)]
    return (ids[0] if ids else None), tuple(ids[1:])


def _updated(manifest: Manifest) -> str:
    return manifest.updated or manifest.created


def load_run(reader: Any, run: str) -> tuple[Results, Key]:
    """The newest experiment that a run belongs to, with this run alone, and what the run is called there.

    Args:
        reader: A store's reader.
        run: Its id, or a beginning that no other run has.

    Raises:
        StoreError: If there is no such run, or several.
    """
    newest = sorted(reader.experiments(), key=_updated)
    homes = {planned.run_id: m.experiment_id for m in newest for planned in m.runs}
    matches = [run_id for run_id in homes if run and run_id.startswith(run)]
    if not matches:
        raise StoreError(unknown("run", run, list(homes)[:12]))
    if len(matches) > 1:
        raise StoreError(f"{len(matches)} runs begin with {run!r}: give more of the id")
    results = load(reader, homes[matches[0]])
    results = results.only([next(key for key, run_id in results.runs.items() if run_id == matches[0])])
    return results, results.planned[0]


@dataclasses.dataclass(frozen=True)
class _Stored:
    """Arrays of a store, read when called."""

    reader: Any
    experiment_id: str

    def __call__(self, keys: Collection[Key], names: Collection[str] | None = None, *, last: bool = False) -> Arrays:
        wanted = ", ".join(f"({_quoted(arm)}, {seed})" for arm, seed in keys) or "(NULL, NULL)"
        where = f"experiment_id = {_quoted(self.experiment_id)} AND (arm, seed) IN ({wanted})"
        if names is not None:
            where += f" AND name IN ({', '.join(map(_quoted, names)) or 'NULL'})"
        newest = "QUALIFY row_number() OVER (PARTITION BY arm, seed, name, site ORDER BY step DESC) = 1" if last else ""
        table = self.reader.query(
            f'SELECT arm, seed, name, site, step, shape, "values" FROM arrays WHERE {where} {newest} '
            "ORDER BY name, site, arm, seed, step"
        )
        arrays: dict[tuple[str, str], dict[Key, Frames]] = {}
        for (name, site, arm, seed), rows in _groups(table, ["name", "site", "arm", "seed"]).items():
            part = table.slice(rows.start, rows.stop - rows.start)
            arrays.setdefault((name, site), {})[arm, int(seed)] = _frames(part)
        return arrays


def _frames(table: Any) -> Frames:
    """Arrays of one name, site and run; those of another shape than the last one are left out."""
    shapes = table.column("shape").to_pylist()
    kept = [i for i, shape in enumerate(shapes) if shape == shapes[-1]]
    shape = tuple(int(n) for n in shapes[-1].split(","))
    values = [np.asarray(table.column("values")[i].values, np.float32).reshape(shape) for i in kept]
    return Frames(table.column("step").to_numpy()[kept].astype(int), np.stack(values))


def _ended(row: Mapping[str, Any]) -> Ended:
    steps = int(row["steps"] or 0)
    return Ended(row["outcome"], steps, _number(row["seconds"]), row["first"], row["sustained"])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _groups(table: Any, by: Sequence[str]) -> dict[tuple[Any, ...], slice]:
    """Consecutive rows with equal keys, of a table sorted by them."""
    columns = [table.column(name).to_pylist() for name in by]
    groups: dict[tuple[Any, ...], slice] = {}
    for i, key in enumerate(zip(*columns, strict=True)):
        groups[key] = slice(groups[key].start if key in groups else i, i + 1)
    return groups


def _series(table: Any, rows: slice, column: str) -> Series:
    part = table.slice(rows.start, rows.stop - rows.start)
    return Series(
        part.column("step").to_numpy().astype(int),
        np.array([_number(value) for value in part.column(column).to_pylist()], float),
    )


def _tally(records: Sequence[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """How many runs have which value, for every key; nested keys are joined by dots."""
    counts: dict[str, Counter[str]] = {}
    for record in records:
        for key, value in _flat(record):
            counts.setdefault(key, Counter())[value] += 1
    return counts


def _flat(record: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in record.items():
        if isinstance(value, Mapping):
            pairs += _flat(value, f"{prefix}{key}.")
        else:
            text = shlex.join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            pairs.append((prefix + str(key), text))
    return pairs
