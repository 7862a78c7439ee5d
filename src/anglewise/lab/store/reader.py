"""Reading a store with SQL, while it is being written or after.

Rows are read into memory and shown to an in-memory DuckDB that has been cut off from files and network.
Whatever the SQL says, it can touch nothing but these views, whose columns keep their types in an empty
store too.  Each begins with ``experiment_id, run_id, arm, seed``.  A run that belongs to several experiments is there
once for each:

- ``runs(..., experiment, ..., spec)``: every run of every experiment, also one that has not begun.  Between the two
  stand the columns of :class:`~anglewise.lab.outcome.Outcome`, which says what they mean.  `outcome` is NULL until the
  run has ended, and `steps` is then the last recorded one.  `first`, `sustained` and `threshold` are the experiment's
  own.  `trained` is how far the run was trained for any experiment.  `spec` is the run's specification as JSON;
- ``curves(..., step, train_accuracy, test_accuracy, train_loss, test_loss)``;
- ``readings(..., step, site, name, value)``;
- ``arrays(..., step, site, name, shape, values)``: `shape` a text such as ``200,56``, `values` a list;
- ``experiments(..., experiment)``: which runs an experiment consists of.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, cast

import numpy as np

from anglewise.errors import StoreError, unknown
from anglewise.lab.outcome import Ending, Outcome, Rule, outcome_under
from anglewise.lab.spec import Json, Manifest
from anglewise.lab.store.ask import MEMORY, ask
from anglewise.lab.store.kept import Kept, kept_of, weights_of
from anglewise.lab.store.layout import MARKER, STATE, WEIGHTS, check_marker, checked, manifest_files, read_json
from anglewise.lab.store.lookup import Lookup, StoredRun
from anglewise.lab.store.packs import PackedRun, Packs, packed_rows
from anglewise.lab.store.provenance import Provenance
from anglewise.lab.store.rows import to_table
from anglewise.lab.store.views import MEMBER, VIEWS, Member, followed, members_of, orphan

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
TRIES = 20
"""Times that a store is looked at anew because its writer moved runs; each move is noticed at most once."""


class Reader:
    """A store, open for reading.  It takes no lock, and a writer may be at work.

    Args:
        path: Its folder.
        pauses: Seconds to wait before each new attempt, where rows seem damaged: the writer may have rewound or reset
            the run in the middle.

    Raises:
        StoreError: If there is no store, or one of another format.
    """

    def __init__(self, path: str | Path, *, pauses: tuple[float, ...] = (0.02, 0.2)):
        """Check that it is there."""
        self.root, self.pauses = Path(path), pauses
        self.packs = Packs(self.root)
        self._manifests: dict[Path, tuple[tuple[int, int, int], Manifest | None]] = {}
        if not check_marker(self.root):
            raise StoreError(_no_store(self.root))

    @classmethod
    def unchecked(cls, root: Path) -> Reader:
        """A reader of the store in `root`, whose marker may be damaged: for examining it."""
        reader = cls.__new__(cls)
        reader.root, reader.pauses, reader.packs, reader._manifests = root, (), Packs(root), {}
        return reader

    def experiments(self) -> list[Manifest]:
        """Manifests of all experiments, oldest first.

        Raises:
            StoreError: If one is damaged.
        """
        manifests = []
        for path in manifest_files(self.root):
            if (manifest := self._manifest(path)) is not None:
                manifests.append(manifest)
        return sorted(manifests, key=lambda manifest: manifest.created)

    def outcome(self, run_id: str) -> Outcome | None:
        """How the run `run_id` ended; None if it has not, or was never begun."""
        return self._of(run_id, lambda run: run.outcome)

    def outcomes(self, run_ids: Iterable[str]) -> dict[str, Outcome | None]:
        """How each of many runs ended; None for one that has not, or was never begun."""
        ids = [checked("run_id", run_id) for run_id in run_ids]
        return self._settled(lambda lookup: {run_id: lookup.run(run_id).outcome for run_id in ids})

    def spec(self, run_id: str) -> Json:
        """The specification of the run `run_id`; empty if it was never begun."""
        return self._of(run_id, lambda run: run.spec)

    def finished(self) -> set[str]:
        """Runs that have ended; their rows are not checked here."""

        def ended(lookup: Lookup) -> set[str]:
            return {run_id for run_id in lookup.run_ids() if lookup.run(run_id).outcome is not None}

        return self._settled(ended)

    def weights(self, run_id: str) -> dict[str, np.ndarray]:
        """The last weights of the run `run_id`, by name as in the network, such as ``layers.0.weight``.

        Raises:
            StoreError: If none were kept, or they are damaged.
        """
        return self._of(run_id, lambda run: weights_of(run_id, run.file(WEIGHTS), run.path / WEIGHTS))

    def kept(self, run_id: str) -> Kept | None:
        """The last state of the run `run_id`, from which it can go on; None where it is not there."""
        return self._of(run_id, lambda run: kept_of(run.file(WEIGHTS), run.file(STATE)))

    def curves(self, run_id: str) -> dict[str, np.ndarray]:
        """All evaluations of the run `run_id`, for whichever experiment: columns of ``curves``, shape ``[n]``.

        Raises:
            StoreError: If a segment is damaged.
        """
        return columns_of_curves(self.rows("curves", run_id))

    def rows(self, kind: Literal["curves", "readings", "arrays"], run_id: str) -> pa.Table:
        """All rows of a kind of the run `run_id`, for whichever experiment: the columns behind ``seed`` of that view.

        Raises:
            StoreError: If a segment is damaged.
        """
        checked("run_id", run_id)
        return self._settled(lambda lookup: self._rows_of(lookup, kind, run_id), few=True)

    def provenance(self, run_id: str) -> Provenance:
        """What the run `run_id` was trained with; empty if it was never begun."""
        return cast(Provenance, self._of(run_id, lambda run: run.provenance))

    def provenances(self, run_ids: Iterable[str]) -> list[Provenance]:
        """What each of many runs was trained with; empty for one that was never begun."""
        ids = list(run_ids)
        found = self._settled(lambda lookup: [lookup.run(run_id).provenance for run_id in ids])
        return cast(list[Provenance], found)

    def query(self, sql: str, experiment_id: str | None = None, *, timeout: float | None = None) -> pa.Table:
        """Answer SQL over the views that the module's docstring lists.

        Only views that the SQL names are loaded (all of them if it names none).

        Args:
            sql: One statement of DuckDB's dialect.
            experiment_id: Show this experiment alone; None for everything in the store.
            timeout: Seconds after which it is stopped; None for never.

        Returns:
            Its result; a column name that comes up again gets a number.

        Raises:
            StoreError: If the SQL has an error or wants files, takes too long or too much memory, what it asks for is
                damaged, or there is no such experiment.
        """
        import duckdb
        import pyarrow as pa

        named = [view for view in VIEWS if view in sql.lower()] or list(VIEWS)
        tables = self._settled(lambda lookup: self._views(lookup, named, experiment_id))
        config: dict[str, Any] = {
            "temp_directory": "",
            "python_enable_replacements": "false",
            "memory_limit": f"{MEMORY // 2**20}MiB",
        }
        connection = duckdb.connect(":memory:", config=config)
        with connection:
            for view, content in tables.items():
                connection.register(view, content)
            connection.execute("SET enable_external_access = false; SET lock_configuration = true")
            try:
                table = ask(connection, sql, timeout)
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                reason = " ".join(str(error).split("\n\nLINE ")[0].split())
                raise StoreError(f"{reason} -- views: {_described()}") from error
        if table is None:
            raise StoreError(f"the SQL {sql!r} asks for nothing -- views: {_described()}")
        return table.rename_columns(_unique(table.column_names))

    def _manifest(self, path: Path) -> Manifest | None:
        """A manifest, read again only where the file is another; None for somebody's own file."""
        found = os.stat(path)
        stamp = found.st_ino, found.st_mtime_ns, found.st_size
        known = self._manifests.get(path)
        if known is None or known[0] != stamp:
            values = read_json(path)
            if values is None:
                raise StoreError(f"{path} is damaged: run the experiment again, which writes it anew, or delete it")
            known = self._manifests[path] = stamp, Manifest.from_json(values)
        return known[1]

    def _settled(self, read: Callable[[Lookup], T], *, few: bool = False) -> T:
        """What is read of the store as it lies; read again where the writer moved a run meanwhile."""
        for _ in range(TRIES):
            lookup = Lookup(self.root, self.packs, few=few)
            try:
                value = read(lookup)
            except (StoreError, FileNotFoundError):
                if lookup.holds():
                    raise
                continue
            if lookup.holds():
                return value
        return read(Lookup(self.root, self.packs, few=few))

    def _of(self, run_id: str, read: Callable[[StoredRun], T]) -> T:
        """Something of one run."""
        checked("run_id", run_id)
        return self._settled(lambda lookup: read(lookup.run(run_id)), few=True)

    def _members(self, lookup: Lookup, experiment_id: str | None = None) -> list[Member]:
        """All runs, those of the manifests in their order, then any others; or those of one experiment."""
        manifests = self.experiments()
        members = [member for manifest in manifests for member in members_of(manifest)]
        if experiment_id is not None:
            if chosen := [member for member in members if member.experiment_id == experiment_id]:
                return chosen
            raise StoreError(unknown("experiment", experiment_id, [manifest.experiment_id for manifest in manifests]))
        named = {member.run_id for member in members}
        for run_id in lookup.run_ids():
            if run_id not in named and (run := lookup.run(run_id)).is_itself:  # else a copy under another name
                members.append(orphan(run_id, run.spec, run.outcome))
        return members

    def _views(self, lookup: Lookup, named: Sequence[str], experiment_id: str | None) -> dict[str, pa.Table]:
        """The views that were named, as tables."""
        self.packs.check()
        members = self._members(lookup, experiment_id)
        return {view: self._view(lookup, view, members) for view in named}

    def _view(self, lookup: Lookup, view: str, members: list[Member]) -> pa.Table:
        if view == "runs":
            return self._runs(lookup, members)
        if view == "experiments":
            named = [member for member in members if member.experiment_id is not None]
            return _table({name: [getattr(member, name) for member in named] for name in VIEWS[view]}, VIEWS[view])
        return self._rows(lookup, view, members)

    def _runs(self, lookup: Lookup, members: list[Member]) -> pa.Table:
        """A row per run: how it ended by the experiment's rule, or how far it is."""
        runs, endings = [], []
        for member in members:
            run = lookup.run(member.run_id)
            runs.append(run)
            endings.append(self._outcome(lookup, member) or _so_far(run))
        columns: dict[str, list[Any]] = {"spec": [run.spec_text or None for run in runs]}
        for name in VIEWS["runs"]:
            if name in Member._fields:
                columns[name] = [getattr(member, name) for member in members]
            elif name in Rule._fields:
                columns[name] = [
                    getattr(ending, name, None) if member.rule is None else getattr(member.rule, name)
                    for member, ending in zip(members, endings, strict=True)
                ]
            elif name != "spec":
                columns[name] = [getattr(ending, name, None) for ending in endings]
        return _table(columns, VIEWS["runs"])

    def _outcome(self, lookup: Lookup, member: Member) -> Ending | None:
        """How a run ended by a member's rule; None if what was trained does not reach that."""
        run, rule = lookup.run(member.run_id), member.rule
        stored = run.outcome
        if stored is not None and (stored.rule is None or rule is None or stored.rule == rule):
            return stored
        if rule is None or not run.begun:
            return None
        ending = outcome_under(rule, columns_of_curves(self._rows_of(lookup, "curves", member.run_id)))
        if ending is None or stored is None:
            return ending
        return None if rule.every % (stored.every or rule.every) else stored.at(ending)

    def _rows(self, lookup: Lookup, kind: str, members: list[Member]) -> pa.Table:
        """All rows of a kind: of each member those that its experiment follows, joined with what it is called."""
        import pyarrow as pa

        tables, counts = self._tables(lookup, kind, [member.run_id for member in members])
        ends: list[int | None] = []
        for member, n in zip(members, counts, strict=True):
            ending = self._outcome(lookup, member) if member.rule is not None and n else None
            ends.append(None if ending is None else ending.steps)
        rows = pa.concat_tables([to_table(kind, []), *tables]).combine_chunks()
        owner = np.repeat(np.arange(len(counts)), counts)
        kept = followed([member.rule for member in members], ends, rows.column("step").to_numpy(), owner)
        if not kept.all():
            rows, owner = rows.filter(pa.array(kept)), owner[kept]
        for place, name in enumerate(MEMBER):
            column = pa.array([getattr(member, name) for member in members], _arrow(MEMBER[name]))
            if name != "seed":
                column = column.dictionary_encode()  # a text per row would cost more than the row
            rows = rows.add_column(place, name, column.take(pa.array(owner)))
        return rows

    def _tables(self, lookup: Lookup, kind: str, run_ids: Sequence[str]) -> tuple[list[pa.Table], list[int]]:
        """Rows of runs as tables in their order, those that lie together in a pack as one; and each run's number."""
        tables: list[pa.Table] = []
        counts: list[int] = []
        whole: dict[str, pa.Table] = {}
        for pack, some in itertools.groupby(map(lookup.run, run_ids), lambda run: getattr(run, "pack", None)):
            runs = list(some)
            if pack is not None:
                rows, own = packed_rows([run for run in runs if isinstance(run, PackedRun)], kind)
                tables, counts = [*tables, *rows], [*counts, *own]
                continue
            for run in runs:
                if run.run_id not in whole:
                    whole[run.run_id] = self._rows_of(lookup, kind, run.run_id)
                tables.append(whole[run.run_id])
                counts.append(len(tables[-1]))
        return tables, counts

    def _rows_of(self, lookup: Lookup, kind: str, run_id: str) -> pa.Table:
        """One run's rows; read again if the writer rewound or reset it in the middle."""
        for pause in self.pauses:
            try:
                return lookup.run(run_id).rows(kind)
            except StoreError:
                if not lookup.holds():
                    raise  # it was moved, and is looked for again
                time.sleep(pause)
                lookup.again(run_id)
        return lookup.run(run_id).rows(kind)


def columns_of_curves(table: pa.Table) -> dict[str, np.ndarray]:
    """Rows of evaluations as arrays by column; NaN stands for None."""
    plain = {name: _floats(table.column(name)) for name in table.column_names}
    return plain | {"step": plain["step"].astype(np.int64)}


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    import pyarrow.compute as pc

    return np.array(pc.fill_null(column.cast("float64"), np.nan).to_numpy(), float)


def _arrow(of: type) -> Any:
    """Arrow's type of a column."""
    import pyarrow as pa

    return {int: pa.int64(), float: pa.float64(), str: pa.string()}[of]


def _table(columns: Mapping[str, list[Any]], types: Mapping[str, type]) -> pa.Table:
    import pyarrow as pa

    return pa.table({name: pa.array(columns[name], _arrow(of)) for name, of in types.items()})


class _SoFar(NamedTuple):
    """How far a run is that has not ended."""

    steps: int | None
    trained: int | None


def _so_far(run: StoredRun) -> _SoFar:
    last = run.last
    return _SoFar(last, last)


def _described() -> str:
    return ", ".join(f"{view}({', '.join(columns)})" for view, columns in VIEWS.items())


def _unique(names: list[str]) -> list[str]:
    """Names that are all different: one that comes up again gets the first number that is free."""
    unique: list[str] = []
    for name in names:
        free = (f"{name}_{i}" for i in range(1, len(names) + 1))
        unique.append(name if name not in unique else next(x for x in free if x not in names and x not in unique))
    return unique


def _no_store(root: Path) -> str:
    """Message for a folder that is no store, with the nearest one that is."""
    if (root.parent / MARKER).is_file():
        return f"{root} is inside the store {root.parent}: give that"
    inside = sorted(marker.parent for marker in root.glob(f"*/{MARKER}"))
    if inside:
        return f"{root} is not a store, it holds {len(inside)}: give one of {', '.join(map(str, inside))}"
    beside = [str(marker.parent) for marker in root.parent.glob(f"*/{MARKER}")]
    return unknown("store", str(root), beside) + ". Commands that train make one, such as `anglewise run`"
