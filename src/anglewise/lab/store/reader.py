"""Reading a store with SQL, while it is being written or after.

Rows are read into memory and shown to an in-memory DuckDB that has been cut off from files and network:
whatever the SQL says, it can touch nothing but these views, whose columns keep their types in an empty
store too:

- ``runs(run_id, experiment, arm, seed, outcome, steps, seconds, t95, t95_sustained)``: every run of every
  experiment, also one that has not begun.  `outcome` is NULL until it has ended, and `steps` is then the last
  recorded one;
- ``curves(run_id, arm, seed, step, train_accuracy, test_accuracy, train_loss, test_loss)``;
- ``readings(run_id, arm, seed, step, site, name, value)``;
- ``arrays(run_id, arm, seed, step, site, name, shape, values)``: `shape` a text such as ``200,56``, `values` a list;
- ``experiments(experiment_id, experiment, run_id, arm, seed)``: which runs an experiment consists of.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from anglewise.errors import StoreError, unknown
from anglewise.lab.store.layout import KINDS, MARKER, VERSION, check_marker, checked, gap, read_json
from anglewise.lab.store.rows import COLUMNS, contents, damaged, read, to_table

if TYPE_CHECKING:
    import pyarrow as pa

_RUN = {"run_id": str, "arm": str, "seed": int}
VIEWS: dict[str, dict[str, type]] = {
    "runs": {
        "run_id": str,
        "experiment": str,
        "arm": str,
        "seed": int,
        "outcome": str,
        "steps": int,
        "seconds": float,
        "t95": int,
        "t95_sustained": int,
    },
    **{kind: _RUN | COLUMNS[kind] for kind in KINDS},
    "experiments": {"experiment_id": str, "experiment": str} | _RUN,
}


class Known(NamedTuple):
    """What a run is called."""

    experiment: str | None
    arm: str | None
    seed: int | None


class Reader:
    """A store, open for reading: takes no lock, and minds no writer at work.

    Args:
        path: Its folder.

    Raises:
        StoreError: If there is no store, or one of another format.
    """

    def __init__(self, path: str | Path):
        """Look whether it is there."""
        self.root = Path(path)
        if not check_marker(self.root):
            raise StoreError(_no_store(self.root))

    def experiments(self) -> list[dict[str, Any]]:
        """Manifests of all experiments, oldest first.

        Raises:
            StoreError: If one is damaged.
        """
        found = []
        for path in sorted(self.root.glob("experiments/*.json")):
            manifest = read_json(path)
            if manifest is None:
                raise StoreError(f"{path} is damaged: run the experiment again, which writes it anew")
            found.append(manifest)
        return sorted(found, key=lambda manifest: str(manifest.get("created")))

    def outcome(self, run_id: str) -> dict[str, Any] | None:
        """How a run ended; None if it has not, or was never begun."""
        return read_json(self._run(run_id) / "outcome.json")

    def spec(self, run_id: str) -> dict[str, Any]:
        """What a run is; empty if it was never begun."""
        return read_json(self._run(run_id) / "spec.json") or {}

    def provenance(self, run_id: str) -> dict[str, Any]:
        """What a run was trained with; empty if it was never begun."""
        return read_json(self._run(run_id) / "provenance.json") or {}

    def query(self, sql: str) -> pa.Table:
        """Answer SQL over the views that the module's docstring lists.

        Only views that the SQL names are loaded (all of them if it names none).

        Args:
            sql: One statement of DuckDB's dialect.

        Returns:
            Its result; a column name that comes up again gets a number.

        Raises:
            StoreError: If the SQL has an error or wants files, or what it asks for is damaged.
        """
        import duckdb

        named = [view for view in VIEWS if view in sql.lower()] or list(VIEWS)
        known = self._known()
        connection = duckdb.connect(":memory:", config={"temp_directory": "", "python_enable_replacements": "false"})
        with connection:
            for view in named:
                connection.register(view, self._view(view, known))
            connection.execute("SET enable_external_access = false; SET lock_configuration = true")
            try:
                answer = connection.sql(sql)
                table = None if answer is None else answer.to_arrow_table()
            except duckdb.Error as error:
                reason = " ".join(str(error).split("\n\nLINE ")[0].split())
                raise StoreError(f"{reason} -- views: {_views()}") from error
        if table is None:
            raise StoreError(f"the SQL {sql!r} asks for nothing -- views: {_views()}")
        return table.rename_columns(_unique(table.column_names))

    def _run(self, run_id: str) -> Path:
        return self.root / "runs" / checked("run_id", run_id)

    def _known(self) -> dict[str, Known]:
        """All runs: those of the manifests in their order, then any others."""
        known: dict[str, Known] = {}
        for manifest in self.experiments():
            for run in manifest["runs"]:
                known.setdefault(run["run_id"], Known(manifest["name"], run["arm"], run["seed"]))
        for folder in sorted(self.root.glob("runs/*/")):
            if folder.name not in known:
                spec = read_json(folder / "spec.json") or {}
                arm = (spec.get("arm") or {}).get("name")
                known[folder.name] = Known(spec.get("experiment"), arm, spec.get("seed"))
        return known

    def _view(self, view: str, known: dict[str, Known]) -> pa.Table:
        if view == "runs":
            return _table(view, [self._ended(run_id, of) for run_id, of in known.items()])
        if view == "experiments":
            return _table(
                view,
                [
                    {"experiment_id": manifest["experiment_id"], "experiment": manifest["name"], **run}
                    for manifest in self.experiments()
                    for run in manifest["runs"]
                ],
            )
        return self._rows(view, known)

    def _ended(self, run_id: str, known: Known) -> dict[str, Any]:
        outcome = self.outcome(run_id)
        if outcome is None:
            found, tail = contents(self._run(run_id))
            last = [segment.last for kind in KINDS for segment in found[kind]]
            outcome = {"steps": max([*last, *(row[0] for kind in KINDS for row in tail[kind])], default=None)}
        return {**outcome, "run_id": run_id, **known._asdict()}

    def _rows(self, kind: str, known: dict[str, Known]) -> pa.Table:
        """All rows of a kind: each run's own, joined with what the run is called."""
        import pyarrow as pa

        tables = [self._settled(kind, run_id) for run_id in known]
        rows = pa.concat_tables([to_table(kind, []), *tables]).combine_chunks()
        owner = pa.array(np.repeat(np.arange(len(tables)), [len(table) for table in tables]))
        for place, name in enumerate(_RUN):
            values = [run_id if name == "run_id" else getattr(of, name) for run_id, of in known.items()]
            column = pa.array(values, pa.int64() if name == "seed" else pa.string())
            if name != "seed":
                column = column.dictionary_encode()  # a text per row would cost more than the row
            rows = rows.add_column(place, name, column.take(owner))
        return rows

    def _settled(self, kind: str, run_id: str) -> pa.Table:
        """One run's rows; read again if the writer rewound or reset it in the middle."""
        for pause in (0.02, 0.2):
            try:
                return self._stored(kind, run_id)
            except StoreError:
                time.sleep(pause)
        return self._stored(kind, run_id)

    def _stored(self, kind: str, run_id: str) -> pa.Table:
        import pyarrow as pa

        run = self._run(run_id)
        outcome = self.outcome(run_id)
        found, tail = contents(run)
        if outcome is not None:  # what it ended with, and nothing else
            names = {name for name in outcome.get("segments", ()) if name.startswith(kind)}
            lost = names - {segment.path.name for segment in found[kind]}
            if lost:
                raise StoreError(damaged(run / VERSION / min(lost)))
            found[kind] = [segment for segment in found[kind] if segment.path.name in names]
            tail[kind] = []
        hole = gap(found[kind])
        if hole is not None:
            raise StoreError(damaged(run / f"{kind} from step {hole} on"))
        tables = [read(segment) for segment in found[kind]]
        return pa.concat_tables([*tables, to_table(kind, tail[kind])])


def _table(view: str, rows: list[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa

    types = {int: pa.int64(), float: pa.float64(), str: pa.string()}
    return pa.table({name: pa.array([row.get(name) for row in rows], types[of]) for name, of in VIEWS[view].items()})


def _views() -> str:
    return ", ".join(f"{view}({', '.join(columns)})" for view, columns in VIEWS.items())


def _unique(names: list[str]) -> list[str]:
    """Names that are all different: one that comes up again gets the first number that is free."""
    found: list[str] = []
    for name in names:
        free = (f"{name}_{i}" for i in range(1, len(names) + 1))
        found.append(name if name not in found else next(x for x in free if x not in names and x not in found))
    return found


def _no_store(root: Path) -> str:
    """Message for a folder that is no store, with the nearest one that is."""
    if (root.parent / MARKER).is_file():
        return f"{root} is inside the store {root.parent}: give that"
    inside = sorted(marker.parent for marker in root.glob(f"*/{MARKER}"))
    if inside:
        return f"{root} is not a store, it holds {len(inside)}: give one of {', '.join(map(str, inside))}"
    beside = [str(marker.parent) for marker in root.parent.glob(f"*/{MARKER}")]
    return unknown("store", str(root), beside) + ". Commands that train make one, such as `anglewise run`"
