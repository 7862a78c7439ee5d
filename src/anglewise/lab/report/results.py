"""Results of one experiment as plain data: what was planned, what has finished, how it went.

Everything that reports reads this and nothing else; :func:`load` fills it from a store.  A run counts as
finished once it has an outcome.  A planned run without one is *missing*, and stays in every count.  *Arrays* (spectra,
maps, circles: readings that are no single number) may be large, so they are loaded when a figure asks for them.
"""

from __future__ import annotations

import dataclasses
import functools
import shlex
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from anglewise.errors import StoreError, unknown
from anglewise.lab.report.labels import spoken
from anglewise.lab.report.plots.inks import Ink, inks_of_spec
from anglewise.lab.spec import Manifest

FEW = 500
"""Runs up to which a query names each."""
T = TypeVar("T")
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
    """What was read of one run: increasing steps of shape ``[n]``, and numbers or arrays of shape ``[n, ...]``."""

    steps: np.ndarray
    values: np.ndarray


Arrays: TypeAlias = Mapping[tuple[str, str], Mapping[Key, Series]]
"""By (name, site), then by run."""


@dataclasses.dataclass(frozen=True)
class Results:
    """One experiment.

    Args:
        arms: Names in the order planned.
        baseline: The arm that speed-ups refer to.
        planned: All runs of the plan.
        ended: Those that have finished.
        curves: By ``train_accuracy``, ``test_accuracy`` and ``test_loss``, then by run; finished or not.
        budget: Steps at most, the same for all arms.
        threshold: Test accuracy at which a run counts as generalised; 0 for an experiment without one.
        sustain: Evaluations in a row that make a crossing sustained.
        command: What reproduces it.
        provenance: By key, each value with the number of runs that have it.
        created: When the experiment was planned.
        runs: Ids in the store.
        arrays: ``(runs, names=None, last=False)``, read from the store when called: the arrays of some runs, by name
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
    arrays: Callable[..., Arrays] = lambda *_, **__: {}

    @functools.cached_property
    def inks(self) -> tuple[Ink, ...]:
        """How each arm looks, in the order of :attr:`arms`; the same where only some of them are shown."""
        found = inks_of_spec(self.arms, self.spec)
        return tuple(found[arm] for arm in self.arms)

    @functools.cached_property
    def labels(self) -> dict[str, str]:
        """What people call each arm: its label, or its name in words."""
        given = [arm for arm in self.spec.get("arms", ()) if isinstance(arm, Mapping)]
        said = {arm.get("name"): str(arm.get("label") or "") for arm in given}
        return {arm: said.get(arm) or spoken(arm) for arm in self.arms}

    @functools.cached_property
    def _keys(self) -> dict[str, list[Key]]:
        by_arm: dict[str, list[Key]] = {}
        for key in sorted(self.planned, key=lambda key: key[1]):
            by_arm.setdefault(key[0], []).append(key)
        return by_arm

    @functools.cached_property
    def _known(self) -> dict[str, Any]:
        return {}

    def once(self, name: str, make: Callable[[Results], T]) -> T:
        """What is computed of these results, computed once.

        Args:
            name: What it is.
            make: Computes it.
        """
        if name not in self._known:
            self._known[name] = make(self)
        known: T = self._known[name]
        return known

    def keys_of(self, arm: str) -> list[Key]:
        """Planned runs of an arm, in the order of their seeds."""
        return self._keys.get(arm, [])

    def seeds(self, arm: str) -> list[int]:
        """Planned seeds of an arm, in order."""
        return [seed for _, seed in self.keys_of(arm)]

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
            run_id = None if name in self.arms else _one_run(name, self.runs.values(), self.arms)
            kept += [key for key in self.planned if (key[0] == name if run_id is None else self.runs[key] == run_id)]
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
        reader: Anything with the store reader's ``experiments()``, ``query(sql)`` and ``provenances(run_ids)``.
        experiment_id: Which; None where the store holds only one.
        baseline: The arm that speed-ups refer to; None for the experiment's.

    Returns:
        Plain data, independent of the store.

    Raises:
        StoreError: If the store holds no such experiment, or several and none was chosen, or no such arm.
    """
    manifest = _chosen(reader, experiment_id)
    if baseline is not None and baseline not in manifest.arms:
        raise StoreError(unknown("arm", baseline, manifest.arms) + " (baseline)")

    def rows(sql: str) -> list[dict[str, Any]]:
        return reader.query(sql, manifest.experiment_id).to_pylist()

    ended = {
        (row["arm"], row["seed"]): Ended(
            row["outcome"], row["steps"] or 0, _numbers(row["seconds"]).item(), row["first"], row["sustained"]
        )
        for row in rows(
            "SELECT arm, seed, outcome, steps, seconds, first, sustained FROM runs WHERE outcome IS NOT NULL"
        )
    }
    drawn = ("train_accuracy", "test_accuracy", "test_loss")
    seen = ", ".join(("arm", "seed", "step", *drawn))
    curves = _series(reader.query(f"SELECT {seen} FROM curves", manifest.experiment_id), ("arm", "seed"), drawn)
    read = reader.query("SELECT name, site, arm, seed, step, value FROM readings", manifest.experiment_id)
    readings: dict[tuple[str, str], dict[Key, Series]] = {}
    for (name, site, arm, seed), series in _series(read, ("name", "site", "arm", "seed"), ("value",))[0]:
        readings.setdefault((name, site), {})[arm, seed] = series
    training = manifest.training
    runs: dict[Key, str] = {(run.arm, run.seed): run.run_id for run in manifest.runs}
    return Results(
        experiment_id=manifest.experiment_id,
        name=manifest.name,
        title=manifest.title,
        arms=manifest.arms,
        baseline=manifest.baseline if baseline is None else baseline,
        planned=tuple(runs),
        ended=ended,
        curves={name: dict(found) for name, found in zip(drawn, curves, strict=True)},
        readings=readings,
        budget=int(training.get("budget") or max((run.steps for run in ended.values()), default=1)),
        threshold=float(training.get("threshold", 0.95)),
        sustain=int(training.get("sustain", 5)),
        spec=manifest.spec,
        command=manifest.command,
        provenance=_tally(reader.provenances(dict.fromkeys(runs.values()))),
        created=manifest.created,
        runs=runs,
        arrays=functools.partial(_arrays, reader, manifest.experiment_id),
    )


def _series(table: Any, groups: Sequence[str], columns: Sequence[str]) -> list[list[tuple[tuple[Any, ...], Series]]]:
    """Rows by group: the groups sorted, and each in the order of its steps.  NumPy sorts faster here than SQL.

    Args:
        table: An Arrow table, in any order.
        groups: Columns whose values say which group a row belongs to.
        columns: Columns of values.

    Returns:
        For each of `columns`, the groups with their series; NaN stands for NULL.
    """
    whole = table.combine_chunks()
    if not len(whole):
        return [[] for _ in columns]
    group = np.zeros(len(whole), np.int64)
    for name in groups:
        codes, values = _codes(whole.column(name))
        group = group * len(values) + codes
    steps = np.array(whole.column("step").to_numpy(), int)
    order = np.argsort(group, kind="stable")
    ordered, by_step = group[order], steps[order]
    if np.any((ordered[1:] == ordered[:-1]) & (by_step[1:] < by_step[:-1])):
        order = np.lexsort((steps, group))
    group, steps = group[order], steps[order]
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    ends = [*starts[1:].tolist(), len(whole)]
    keys = list(zip(*(whole.column(name).take(order[starts]).to_pylist() for name in groups), strict=True))
    found = []
    for name in columns:
        numbers = np.array(whole.column(name).cast("float64").fill_null(float("nan")).to_numpy(), float)[order]
        cuts = zip(keys, starts.tolist(), ends, strict=True)
        found.append([(key, Series(steps[low:high], numbers[low:high])) for key, low, high in cuts])
    return found


def _codes(column: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of each value its place among the different ones, and these, sorted."""
    chunk = column.combine_chunks()
    chunk = chunk.chunk(0) if hasattr(chunk, "num_chunks") else chunk
    if not str(chunk.type).startswith("int"):
        chunk = chunk if hasattr(chunk, "indices") else chunk.dictionary_encode()
        names = np.array(chunk.dictionary.to_pylist(), object)
        order = np.argsort(names)
        rank = np.empty(len(names), np.int64)
        rank[order] = np.arange(len(names))
        return rank[np.asarray(chunk.indices)], names[order]
    values, codes = np.unique(np.asarray(chunk), return_inverse=True)
    return codes, values


def _chosen(reader: Any, experiment_id: str | None) -> Manifest:
    """The manifest of one experiment; None where the store holds only one."""
    manifests = {manifest.experiment_id: manifest for manifest in _newest_first(reader)}
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
    ids = [manifest.experiment_id for manifest in _newest_first(reader)]
    return (ids[0] if ids else None), tuple(ids[1:])


def _newest_first(reader: Any) -> list[Manifest]:
    return sorted(reader.experiments(), key=lambda manifest: manifest.updated or manifest.created, reverse=True)


def load_run(reader: Any, run: str) -> tuple[Results, Key]:
    """The newest experiment that a run belongs to, with this run alone, and what the run is called there.

    Args:
        reader: A store's reader.
        run: Its id, or a beginning that no other run has.

    Raises:
        StoreError: If there is no such run, or several.
    """
    homes = {planned.run_id: m.experiment_id for m in reversed(_newest_first(reader)) for planned in m.runs}
    run_id = _one_run(run, homes)
    results = load(reader, homes[run_id])
    results = results.only([next(key for key in results.planned if results.runs[key] == run_id)])
    return results, results.planned[0]


def _one_run(beginning: str, run_ids: Collection[str], arms: Sequence[str] = ()) -> str:
    """The id that begins so; the message for none lists the arms that may be named instead."""
    matches = {run_id for run_id in run_ids if beginning and run_id.startswith(beginning)}
    if not matches:
        raise StoreError(unknown("arm or run" if arms else "run", beginning, [*arms, *list(run_ids)[:12]]))
    if len(matches) > 1:
        raise StoreError(f"{len(matches)} runs begin with {beginning!r}: give more of the id")
    return matches.pop()


def _arrays(
    reader: Any, experiment_id: str, keys: Collection[Key], names: Collection[str] | None = None, *, last: bool = False
) -> Arrays:
    """Arrays of a store; those of another shape than the run's last one are left out."""
    some = ", ".join(f"({_quoted(arm)}, {seed})" for arm, seed in keys) or "(NULL, NULL)"
    which = f"(arm, seed) IN ({some})" if len(keys) <= FEW else "true"  # of more, SQL would be slow to choose
    named = "" if names is None else f"AND name IN ({', '.join(map(_quoted, names)) or 'NULL'})"
    newest = "QUALIFY row_number() OVER (PARTITION BY arm, seed, name, site ORDER BY step DESC) = 1" if last else ""
    table = reader.query(
        f'SELECT arm, seed, name, site, step, shape, "values" FROM arrays WHERE {which} {named} '
        f"{newest} ORDER BY name, site, arm, seed, step",
        experiment_id,
    )
    frames: dict[tuple[str, str], dict[Key, dict[int, np.ndarray]]] = {}
    chosen = set(keys)
    for row, flat in zip(table.drop(["values"]).to_pylist(), table.column("values"), strict=True):
        if (row["arm"], row["seed"]) not in chosen:
            continue
        values = np.asarray(flat.values, np.float32).reshape([int(n) for n in row["shape"].split(",")])
        by_run = frames.setdefault((row["name"], row["site"]), {})
        by_run.setdefault((row["arm"], row["seed"]), {})[row["step"]] = values
    return {panel: {key: _stacked(steps) for key, steps in by_run.items()} for panel, by_run in frames.items()}


def _stacked(frames: Mapping[int, np.ndarray]) -> Series:
    *_, newest = frames.values()
    alike = {step: values for step, values in frames.items() if values.shape == newest.shape}
    return Series(np.array(list(alike), int), np.stack(list(alike.values())))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _numbers(values: Any) -> np.ndarray:
    """NaN stands for None."""
    return np.array(values, float)


def _tally(records: Iterable[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """How many runs have which value, for every key; nested keys are joined by dots."""
    counts: dict[str, Counter[str]] = {}
    known = list(records)
    alike = {id(record): record for record in known}  # many runs share one record
    for mark, number in Counter(map(id, known)).items():
        for key, value in _flat(alike[mark]):
            counts.setdefault(key, Counter())[value] += number
    return counts


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", shlex.join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
