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

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from anglewise.errors import StoreError, unknown
from anglewise.lab.outcome import Ending, Outcome, outcome_under
from anglewise.lab.spec import Json, Manifest
from anglewise.lab.store.ask import MEMORY, ask
from anglewise.lab.store.kept import Kept, kept_in, weights_in
from anglewise.lab.store.layout import (
    KINDS,
    MARKER,
    VERSION,
    check_marker,
    checked,
    gap,
    is_itself,
    manifest_files,
    read_json,
    run_folders,
)
from anglewise.lab.store.provenance import Provenance
from anglewise.lab.store.rows import contents, damaged, read, to_table
from anglewise.lab.store.views import MEMBER, VIEWS, Member, followed, members_of, orphan, spec_text

if TYPE_CHECKING:
    import pyarrow as pa


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
        if not check_marker(self.root):
            raise StoreError(_no_store(self.root))

    @classmethod
    def unchecked(cls, root: Path) -> Reader:
        """A reader of the store in `root`, whose marker may be damaged: for examining it."""
        reader = cls.__new__(cls)
        reader.root, reader.pauses = root, ()
        return reader

    def experiments(self) -> list[Manifest]:
        """Manifests of all experiments, oldest first.

        Raises:
            StoreError: If one is damaged.
        """
        manifests = []
        for path in manifest_files(self.root):
            values = read_json(path)
            if values is None:
                raise StoreError(f"{path} is damaged: run the experiment again, which writes it anew, or delete it")
            if (manifest := Manifest.from_json(values)) is not None:
                manifests.append(manifest)
        return sorted(manifests, key=lambda manifest: manifest.created)

    def outcome(self, run_id: str) -> Outcome | None:
        """How the run `run_id` ended; None if it has not, or was never begun."""
        values = read_json(self._run(run_id) / "outcome.json")
        return None if values is None else Outcome.from_json(values)

    def spec(self, run_id: str) -> Json:
        """The specification of the run `run_id`; empty if it was never begun."""
        return read_json(self._run(run_id) / "spec.json") or {}

    def finished(self) -> set[str]:
        """Runs that have ended; their rows are not checked here."""
        return {run.name for run in run_folders(self.root) if read_json(run / "outcome.json") is not None}

    def weights(self, run_id: str) -> dict[str, np.ndarray]:
        """The last weights of the run `run_id`, by name as in the network, such as ``layers.0.weight``.

        Raises:
            StoreError: If none were kept, or they are damaged.
        """
        return weights_in(self._run(run_id))

    def kept(self, run_id: str) -> Kept | None:
        """The last state of the run `run_id`, from which it can go on; None where it is not there."""
        return kept_in(self._run(run_id))

    def curves(self, run_id: str) -> dict[str, np.ndarray]:
        """All evaluations of the run `run_id`, for whichever experiment: columns of ``curves``, shape ``[n]``.

        Raises:
            StoreError: If a segment is damaged.
        """
        table = self._settled("curves", run_id)
        plain = {name: np.array(table.column(name).to_pylist(), float) for name in table.column_names}
        return plain | {"step": plain["step"].astype(np.int64)}

    def rows(self, kind: Literal["curves", "readings", "arrays"], run_id: str) -> pa.Table:
        """All rows of a kind of the run `run_id`, for whichever experiment: the columns behind ``seed`` of that view.

        Raises:
            StoreError: If a segment is damaged.
        """
        return self._settled(kind, run_id)

    def provenance(self, run_id: str) -> Provenance:
        """What the run `run_id` was trained with; empty if it was never begun."""
        return cast(Provenance, read_json(self._run(run_id) / "provenance.json") or {})

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
        known = self._members(experiment_id)
        config: dict[str, Any] = {
            "temp_directory": "",
            "python_enable_replacements": "false",
            "memory_limit": f"{MEMORY // 2**20}MiB",
        }
        connection = duckdb.connect(":memory:", config=config)
        with connection:
            for view in named:
                connection.register(view, self._view(view, known))
            connection.execute("SET enable_external_access = false; SET lock_configuration = true")
            try:
                table = ask(connection, sql, timeout)
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                reason = " ".join(str(error).split("\n\nLINE ")[0].split())
                raise StoreError(f"{reason} -- views: {_views()}") from error
        if table is None:
            raise StoreError(f"the SQL {sql!r} asks for nothing -- views: {_views()}")
        return table.rename_columns(_unique(table.column_names))

    def _run(self, run_id: str) -> Path:
        return self.root / "runs" / checked("run_id", run_id)

    def _members(self, experiment_id: str | None = None) -> list[Member]:
        """All runs, those of the manifests in their order, then any others; or those of one experiment."""
        manifests = self.experiments()
        members = [member for manifest in manifests for member in members_of(manifest)]
        if experiment_id is not None:
            if chosen := [member for member in members if member.experiment_id == experiment_id]:
                return chosen
            raise StoreError(unknown("experiment", experiment_id, [manifest.experiment_id for manifest in manifests]))
        named = {member.run_id for member in members}
        for folder in run_folders(self.root):
            spec = read_json(folder / "spec.json") or {}
            if folder.name not in named and is_itself(folder.name, spec):  # else a copy under another name
                members.append(orphan(folder.name, spec, self.outcome(folder.name)))
        return members

    def _view(self, view: str, members: list[Member]) -> pa.Table:
        if view == "runs":
            return _table(view, [self._judged(member) for member in members])
        if view == "experiments":
            return _table(view, [member._asdict() for member in members if member.experiment_id is not None])
        return self._rows(view, members)

    def _judged(self, member: Member) -> dict[str, Any]:
        """A run's row: how it ended by the experiment's rule, or how far it is."""
        rule = {} if member.rule is None else member.rule._asdict()
        row = {**member._asdict(), **rule, "spec": spec_text(self.spec(member.run_id))}
        outcome = self._outcome(member)
        if outcome is not None:
            return {**vars(outcome), **row}
        sealed, tail = contents(self._run(member.run_id))
        steps = [segment.last for kind in KINDS for segment in sealed[kind]]
        last = max([*steps, *(line[0] for kind in KINDS for line in tail[kind])], default=None)
        return {**row, "steps": last, "trained": last}

    def _outcome(self, member: Member) -> Ending | None:
        """How a run ended by a member's rule; None if what was trained does not reach that."""
        stored, rule = self.outcome(member.run_id), member.rule
        if stored is not None and (stored.rule is None or rule is None or stored.rule == rule):
            return stored
        if rule is None or not (self._run(member.run_id) / VERSION).exists():
            return None
        ending = outcome_under(rule, self.curves(member.run_id))
        if ending is None or stored is None:
            return ending
        return None if rule.every % (stored.every or rule.every) else stored.at(ending)

    def _rows(self, kind: str, members: list[Member]) -> pa.Table:
        """All rows of a kind: of each member those that its experiment follows, joined with what it is called."""
        import pyarrow as pa

        whole: dict[str, pa.Table] = {}
        tables = []
        for member in members:
            if member.run_id not in whole:
                whole[member.run_id] = self._settled(kind, member.run_id)
            table = whole[member.run_id]
            if len(table) and member.rule is not None:
                steps = table.column("step").to_numpy()
                ending = self._outcome(member)
                end = None if ending is None else ending.steps
                kept = followed(member.rule, steps, end)
                table = table if kept.all() else table.filter(pa.array(kept))
            tables.append(table)
        rows = pa.concat_tables([to_table(kind, []), *tables]).combine_chunks()
        owner = pa.array(np.repeat(np.arange(len(tables)), [len(table) for table in tables]))
        for place, name in enumerate(MEMBER):
            column = pa.array([getattr(member, name) for member in members], _arrow(MEMBER[name]))
            if name != "seed":
                column = column.dictionary_encode()  # a text per row would cost more than the row
            rows = rows.add_column(place, name, column.take(owner))
        return rows

    def _settled(self, kind: str, run_id: str) -> pa.Table:
        """One run's rows; read again if the writer rewound or reset it in the middle."""
        for pause in self.pauses:
            try:
                return self._stored(kind, run_id)
            except StoreError:
                time.sleep(pause)
        return self._stored(kind, run_id)

    def _stored(self, kind: str, run_id: str) -> pa.Table:
        import pyarrow as pa

        run = self._run(run_id)
        if not is_itself(run_id, read_json(run / "spec.json")):
            raise StoreError(f"{run} holds another run than it is named after: see anglewise doctor {self.root}")
        outcome = self.outcome(run_id)
        by_kind, tail = contents(run)
        sealed, unsealed = by_kind[kind], tail[kind]
        if outcome is not None:  # what it ended with, and nothing else
            names = {name for name in outcome.segments or () if name.startswith(kind)}
            lost = names - {segment.path.name for segment in sealed}
            if lost:
                raise StoreError(damaged(run / VERSION / min(lost)))
            sealed, unsealed = [segment for segment in sealed if segment.path.name in names], []
        hole = gap(sealed)
        if hole is not None:
            raise StoreError(damaged(run / f"{kind} from step {hole} on"))
        whole = pa.concat_tables([*map(read, sealed), to_table(kind, unsealed)])
        expected = ((outcome and outcome.rows) or {}).get(kind, len(whole))
        if len(whole) != expected:
            raise StoreError(f"{run} has {len(whole)} rows of {kind}, expected {expected}: run the experiment again")
        return whole


def _arrow(of: type) -> Any:
    """Arrow's type of a column."""
    import pyarrow as pa

    return {int: pa.int64(), float: pa.float64(), str: pa.string()}[of]


def _table(view: str, rows: list[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa

    columns = VIEWS[view].items()
    return pa.table({name: pa.array([row.get(name) for row in rows], _arrow(of)) for name, of in columns})


def _views() -> str:
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
