"""SQL over a store: what the views hold, and what no SQL can do."""

import math
import os
import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from anglewise.errors import StoreError
from anglewise.lab.outcome import Outcome, Rule
from anglewise.lab.spec import Manifest, Planned
from anglewise.lab.store import Reader, Store
from anglewise.lab.store.layout import put_json, read_json
from anglewise.lab.store.views import VIEWS, columns_of

RUNS = [("a0", "adamw", 0), ("a1", "adamw", 1), ("b0", "angle's", 0), ("b1", "angle's", 1)]
TYPES = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "list<item: float>": "FLOAT[]",
    "list<l: float>": "FLOAT[]",
}


def curve(step, value=0.5):
    return {
        "step": step,
        "train_accuracy": 1.0,
        "test_accuracy": value,
        "train_loss": value,
        "test_loss": None,
    }


def manifest(name, runs, **training):
    planned = tuple(Planned(*run) for run in runs)
    spec = {"training": training} if training else {}
    return Manifest(f"{name}-id", name, planned, baseline="adamw", arms=("adamw", "angle's"), spec=spec)


FULL = Outcome(
    "grokked", 40, 20, 30, 20, 30, 20, 0.9, 40, seconds=4.5, trained=60, every=10, rule=Rule(40, 10, 0.9, 2, -1, 0),
    trained_seconds=8.5,
)  # fmt: skip
"""An outcome of which everything is known that is a number or a text."""


@pytest.fixture
def root(tmp_path):
    """a0 is finished, a1 sealed, b0 in the tail, b1 not begun, and c is in no manifest."""
    with Store.open(tmp_path / "store") as store:
        store.manifest(manifest("first", RUNS[:3]))
        store.manifest(manifest("second", RUNS))
        for run_id in ("a0", "a1", "b0"):
            store.begin(run_id, {}, {})
            store.append(run_id, [curve(0), curve(10, math.nan)], [
                {"step": 10, "site": "hidden.0.pre", "name": "radius", "value": math.inf}
            ])  # fmt: skip
        store.finish("a0", Outcome("grokked", 10, first=10, t95=10, threshold=0.9, seconds=1.5))
        store.seal("a1")
        store.begin("c", {"experiment": "gone", "arm": {"name": "lost"}, "seed": 5}, {})
    return tmp_path / "store"


def test_runs_lists_every_run_whether_it_ended_or_not(root):
    columns = "experiment, run_id, arm, seed, outcome, steps, seconds, t95, t95_sustained"
    found = Reader(root).query(f"SELECT {columns} FROM runs ORDER BY run_id, experiment")
    first, second = (
        [
            (name, "a0", "adamw", 0, "grokked", 10, 1.5, 10, None),
            (name, "a1", "adamw", 1, None, 10, None, None, None),
            (name, "b0", "angle's", 0, None, 10, None, None, None),
        ]
        for name in ("first", "second")
    )
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        *(row for pair in zip(first, second, strict=True) for row in pair),
        ("second", "b1", "angle's", 1, None, None, None, None, None),
        ("gone", "c", "lost", 5, None, None, None, None, None),
    ]


def test_one_experiment_alone_can_be_asked(root):
    opened = Reader(root)
    assert opened.query("SELECT count(*) AS n FROM runs", "first-id").to_pylist() == [{"n": 3}]
    assert opened.query("SELECT count(*) AS n FROM curves", "second-id").to_pylist() == [{"n": 6}]
    with pytest.raises(StoreError, match=r"^unknown experiment 'firs-id': did you mean 'first-id'\?"):
        opened.query("SELECT 1 FROM runs", "firs-id")


def test_the_specification_is_there_as_json(root):
    sql = "SELECT DISTINCT run_id, spec->>'$.arm.name' AS arm FROM runs WHERE spec IS NOT NULL"
    assert Reader(root).query(sql).to_pylist() == [{"run_id": "c", "arm": "lost"}]


def test_rows_come_from_segments_and_tails_alike(root):
    found = Reader(root).query("SELECT * FROM curves ORDER BY run_id, step", "first-id").to_pylist()
    assert [(row["run_id"], row["arm"], row["seed"], row["step"]) for row in found] == [
        (run_id, arm, seed, step) for run_id, arm, seed in RUNS[:3] for step in (0, 10)
    ]
    assert found[0]["test_loss"] is None and math.isnan(found[1]["train_loss"])
    readings = Reader(root).query("SELECT * FROM readings", "first-id").to_pylist()
    assert [(row["run_id"], row["site"], row["value"]) for row in readings] == [
        (run_id, "hidden.0.pre", math.inf) for run_id, _, _ in RUNS[:3]
    ]


def test_experiments_say_which_runs_they_consist_of(root):
    opened = Reader(root)
    assert [m.name for m in opened.experiments()] == ["first", "second"]
    counted = opened.query("SELECT experiment, count(DISTINCT run_id) FROM experiments GROUP BY 1 ORDER BY 1")
    assert [tuple(row.values()) for row in counted.to_pylist()] == [("first", 3), ("second", 4)]


def test_one_run_by_its_identity(root):
    opened = Reader(root)
    assert opened.outcome("a0").threshold == 0.9 and opened.outcome("a1") is None
    assert opened.spec("c")["seed"] == 5 and opened.spec("b1") == {} and opened.provenance("b1") == {}


def test_columns_are_the_fields_of_what_is_stored(root):
    """One definition: a field that is added to an outcome is a column, and what is written under it is read there."""
    scalars = [name for name, x in vars(FULL).items() if isinstance(x, (str, int, float))]
    assert list(columns_of(Outcome)) == scalars and list(columns_of(Planned)) == list(Planned._fields)
    assert list(VIEWS["runs"]) == ["experiment_id", "experiment", *Planned._fields, *scalars, "spec"]
    with Store.open(root) as store:
        store.manifest(manifest("full", [("f", "adamw", 3)], **FULL.rule._asdict()))
        store.begin("f", {}, {})
        store.finish("f", FULL)
    (row,) = Reader(root).query("SELECT * FROM runs", "full-id").to_pylist()
    assert {name: row[name] for name in scalars} == {name: getattr(FULL, name) for name in scalars}
    assert (row["experiment"], row["run_id"], row["arm"], row["seed"]) == ("full", "f", "adamw", 3)


def test_column_types_do_not_depend_on_what_is_there(root, tmp_path):
    Store.open(tmp_path / "empty").close()
    expected = {
        "runs": "VARCHAR VARCHAR VARCHAR VARCHAR BIGINT VARCHAR BIGINT BIGINT BIGINT BIGINT BIGINT BIGINT DOUBLE "
        "BIGINT DOUBLE BIGINT BIGINT DOUBLE VARCHAR",
        "curves": "VARCHAR VARCHAR VARCHAR BIGINT BIGINT DOUBLE DOUBLE DOUBLE DOUBLE",
        "readings": "VARCHAR VARCHAR VARCHAR BIGINT BIGINT VARCHAR VARCHAR DOUBLE",
        "arrays": "VARCHAR VARCHAR VARCHAR BIGINT BIGINT VARCHAR VARCHAR VARCHAR FLOAT[]",
        "experiments": "VARCHAR VARCHAR VARCHAR VARCHAR BIGINT",
    }
    for store in (root, tmp_path / "empty"):
        for view, types in expected.items():
            described = Reader(store).query(f"DESCRIBE {view}")
            assert " ".join(described.column("column_type").to_pylist()) == types
            found = Reader(store).query(f"SELECT * FROM {view}")
            assert " ".join(TYPES[str(field.type)] for field in found.schema) == types
    assert Reader(tmp_path / "empty").query("SELECT * FROM runs").num_rows == 0


def test_sql_that_names_no_view_sees_them_all(root):
    assert Reader(root).query("SHOW TABLES").column("name").to_pylist() == [
        "arrays",
        "curves",
        "experiments",
        "readings",
        "runs",
    ]


def test_a_column_name_that_comes_again_gets_a_number(root):
    found = Reader(root).query("SELECT 1 AS x, 2 AS x, 3 AS x_1, 4 AS x")
    assert found.column_names == ["x", "x_2", "x_1", "x_3"]


def test_an_error_in_the_sql_is_one_line_that_lists_the_views(root):
    for sql, reason in [
        ("SELECT foo FROM runs", 'Binder Error: Referenced column "foo" not found'),
        ("SELECT * FROM missing", "Catalog Error: Table with name missing does not exist"),
        ("SELEC 1", "Parser Error: syntax error at or near"),
        ("SELECT arm::INT FROM runs", "Conversion Error: Could not convert string"),
    ]:
        with pytest.raises(
            StoreError, match=rf"{reason}.* -- views: runs\(experiment_id, experiment, run_id, arm, seed"
        ) as caught:
            Reader(root).query(sql)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sql", ["", "-- nothing"])
def test_sql_that_asks_for_nothing_is_refused(root, sql):
    with pytest.raises(StoreError, match="asks for nothing -- views: "):
        Reader(root).query(sql)


FORBIDDEN = [
    "COPY runs TO '{0}/stolen.csv'",
    "SELECT 1; COPY runs TO '{0}/stolen.csv'",
    "EXPORT DATABASE '{0}/stolen'",
    "ATTACH '{0}/stolen.db'",
    "SELECT * FROM read_csv('{0}/secret.csv')",
    "SELECT * FROM read_text('{0}/secret.csv')",
    "SELECT * FROM '{0}/secret.csv'",
    "SELECT * FROM glob('{0}/*')",
    "SELECT * FROM local_variable",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "SET temp_directory = '{0}'",
    "PRAGMA profiling_output = '{0}/stolen.json'",
    "LOAD httpfs",
    "INSTALL httpfs",
    "CREATE PERSISTENT SECRET s (TYPE http)",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_no_sql_reaches_beyond_the_views(root, tmp_path, sql):
    local_variable = pa.table({"a": [1]})
    (tmp_path / "secret.csv").write_text("a\n1\n")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StoreError, match=" -- views: "):
        Reader(root).query(sql.format(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before and len(local_variable) == 1


def test_an_open_duckdb_would_do_it(tmp_path):
    """Negative control: the statements above are refused for what they do, not for how they are written."""
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE runs AS SELECT 1 AS run_id")
        for sql in (*FORBIDDEN[:3], *FORBIDDEN[4:8]):
            connection.execute(sql.format(tmp_path))
    assert (tmp_path / "stolen.csv").exists()


def test_a_missing_store_is_said_with_the_nearest_one(root, tmp_path):
    with pytest.raises(StoreError, match=rf"unknown store '{tmp_path}/stor': did you mean '{root}'"):
        Reader(tmp_path / "stor")
    with pytest.raises(StoreError, match=rf"{tmp_path} is not a store, it holds 1: give one of {root}"):
        Reader(tmp_path)
    with pytest.raises(StoreError, match=rf"is inside the store {root}: give that"):
        Reader(root / "runs")


def test_a_damaged_manifest_is_named(root):
    (root / "experiments/first-id.json").write_text("{")
    with pytest.raises(StoreError, match=r"first-id.json is damaged: run the experiment again, which writes it anew"):
        Reader(root).query("SELECT * FROM runs")


def test_reading_beside_a_writer_sees_every_row_once_and_none_vanish(tmp_path):
    steps, done = 60, threading.Event()

    def write():
        with Store.open(tmp_path) as store:
            store.begin("r", {}, {})
            for step in range(steps):
                store.append("r", [curve(step)], [])
                if step % 3 == 2:
                    store.seal("r")
            store.finish("r", Outcome("memorised", steps))
        done.set()

    Store.open(tmp_path).close()
    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while not done.is_set():
        found = Reader(tmp_path).query("SELECT step FROM curves ORDER BY step").column("step").to_pylist()
        assert found == list(range(len(found))) and len(found) >= seen
        seen = len(found)
    writer.join()
    assert Reader(tmp_path).query("SELECT count(*) AS n FROM curves").to_pylist() == [{"n": steps}]


def test_rows_that_are_sealed_while_they_are_read_do_not_vanish(tmp_path, monkeypatch):
    with Store.open(tmp_path) as store:
        store.begin("r", {}, {})
        store.append("r", [curve(0), curve(1)], [])
        real, sealed = os.listdir, []

        def sealing(folder):
            names = real(folder)
            if not sealed:
                sealed.append(folder)
                store.seal("r")
            return names

        monkeypatch.setattr(os, "listdir", sealing)
        assert Reader(tmp_path).query("SELECT step FROM curves").column("step").to_pylist() == [0, 1]
        assert sealed and not (tmp_path / "runs/r/tail.jsonl").read_bytes()


def test_a_run_that_is_rewound_while_it_is_read_is_read_again(root, monkeypatch):
    """The first look finds a segment that has gone when it is opened."""
    real, missed = Path.read_bytes, []

    def once_missing(path):
        if path.suffix == ".parquet" and not missed:
            missed.append(path)
            raise FileNotFoundError(path)
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", once_missing)
    assert Reader(root).query("SELECT count(*) AS n FROM curves", "first-id").to_pylist() == [{"n": 6}]
    assert missed


RULE = {"budget": 40, "every": 10, "threshold": 0.9, "sustain": 2, "further": -1, "measure_every": 0}


def ruled(name, runs=(("r", "adamw", 0),), **rule):
    return manifest(name, runs, **RULE | rule)


@pytest.fixture
def judged(tmp_path):
    """One run to step 40, in experiments that look at it differently; it crosses .9 at 20 and falls below at 40."""
    with Store.open(tmp_path / "store") as store:
        for name, rule in (
            ("whole", {}),
            ("short", {"budget": 20}),
            ("coarse", {"every": 20}),
            ("low", {"sustain": 1}),
        ):
            store.manifest(ruled(name, **rule))
        store.manifest(ruled("longer", budget=60))
        store.manifest(ruled("finer", every=5))
        store.begin("r", {"seed": 0}, {})
        values = {0: 0.1, 10: 0.5, 20: 0.92, 30: 0.96, 40: 0.3}
        store.append("r", [curve(step, value) for step, value in values.items()], [])
        ended = {"first": 20, "sustained": 20, "t95": 30, "t_capped": 20, "threshold": 0.9, "budget": 40}
        trained = {"trained": 40, "trained_seconds": 8.0, "seconds": 8.0, "every": 10, "rule": Rule(**RULE)}
        store.finish("r", Outcome("grokked", 40, **ended, **trained))
    return Reader(tmp_path / "store")


def test_each_experiment_judges_a_run_by_its_own_rule(judged):
    columns = "experiment, outcome, steps, seconds, first, sustained, t95, t_capped, budget, every, trained"
    found = {
        row.pop("experiment"): tuple(row.values()) for row in judged.query(f"SELECT {columns} FROM runs").to_pylist()
    }
    assert found == {
        "whole": ("grokked", 40, 8.0, 20, 20, 30, 20, 40, 10, 40),
        "short": ("reached-not-held", 20, 4.0, 20, None, None, 20, 20, 10, 40),
        "coarse": ("reached-not-held", 40, 8.0, 20, None, None, 20, 40, 20, 40),
        "low": ("grokked", 40, 8.0, 20, 20, 30, 20, 40, 10, 40),
        "longer": (None, 40, None, None, None, None, None, 60, 10, 40),
        "finer": (None, 40, None, None, None, None, None, 40, 5, 40),
    }


def test_each_experiment_sees_the_evaluations_that_it_asked_for(judged):
    found = {}
    for row in judged.query("SELECT experiment_id, step FROM curves ORDER BY step").to_pylist():
        found.setdefault(row["experiment_id"].removesuffix("-id"), []).append(row["step"])
    assert found["short"] == [0, 10, 20] and found["coarse"] == [0, 20, 40]
    assert found["whole"] == found["longer"] == [0, 10, 20, 30, 40]


def test_a_store_of_before_is_read_and_its_labels_are_those_of_today(tmp_path):
    """PROTOCOL 2: no rule in the outcome, the training in the spec, 'memorised' also for what reached the threshold."""
    with Store.open(tmp_path / "store") as store:
        store.manifest(ruled("old", [("r", "adamw", 0), ("s", "adamw", 1)]))
        for run_id, first in (("r", 20), ("s", None)):
            store.begin(run_id, {"experiment": "old", "arm": {"name": "adamw"}, "training": RULE, "seed": 0}, {})
            store.append(run_id, [curve(step) for step in (0, 10, 20, 30, 40)], [])
            ended = {"outcome": "memorised", "steps": 40, "seconds": 1.0, "t95": first, "t95_sustained": None}
            store.finish(run_id, Outcome("memorised", 40))
            path = store.root / "runs" / run_id / "outcome.json"
            ended |= {"threshold": 0.9, "first": first, "sustained": None, "budget": 40}
            put_json(path, ended | {key: read_json(path)[key] for key in ("segments", "rows")})
    found = Reader(tmp_path / "store").query(
        "SELECT run_id, outcome, first, t_capped, trained FROM runs ORDER BY run_id"
    )
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("r", "reached-not-held", 20, 20, 40),
        ("s", "memorised", None, 40, 40),
    ]
    assert Reader(tmp_path / "store").query("SELECT count(*) AS n FROM curves").to_pylist() == [{"n": 10}]
