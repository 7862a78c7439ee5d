"""The writer against a model of itself: two lists of rows."""

import dataclasses
import errno
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from anglewise.errors import StoreError
from anglewise.lab.outcome import Outcome, Rule
from anglewise.lab.spec import Manifest
from anglewise.lab.store import Reader, Store

METRICS = ("train_accuracy", "test_accuracy", "train_loss", "test_loss")
doubles = st.floats() | st.integers(0, 2**64 - 1).map(lambda n: struct.unpack(">d", n.to_bytes(8, "big"))[0])


def curve(step, value=0.5):
    return {"step": step, **dict.fromkeys(METRICS, value)}


def reading(step, value=0.5, name="radius"):
    return {"step": step, "site": "hidden.0.pre", "name": name, "value": value}


def exact(rows):
    return [{k: struct.pack(">d", x) if isinstance(x, float) else x for k, x in row.items()} for row in rows]


def stored(root, run_id="r"):
    """What a reader sees of a run, without the SQL on top: curve rows and reading rows."""
    return [Reader(root).rows(kind, run_id).to_pylist() for kind in ("curves", "readings")]


class Machine(RuleBasedStateMachine):
    """Any sequence of calls, and what must then be there; `rows` counts the rows that were compared."""

    rows = 0

    @initialize()
    def start(self):
        self.root = Path(tempfile.mkdtemp())
        self.store = Store.open(self.root)
        self.curves, self.readings, self.finished = [], [], False
        self.begin()

    def begin(self):
        self.store.begin("r", {"seed": 1}, {"code": 1})

    def last(self, rows):
        return max((row["step"] for row in rows), default=-1)

    @precondition(lambda self: not self.finished)
    @rule(data=st.data(), gaps=st.lists(st.integers(1, 5), max_size=3), n=st.integers(0, 4))
    def append(self, data, gaps, n):
        curves, step = [], self.last(self.curves)
        for gap in gaps:
            step += gap
            curves.append({"step": step, **{name: data.draw(st.none() | doubles) for name in METRICS}})
        low = self.last(self.readings) + 1
        readings = [
            {
                "step": data.draw(st.integers(low, low + 9)),
                "site": "a",
                "name": str(i),
                "value": data.draw(doubles),
            }
            for i in range(n)
        ]
        self.store.append("r", curves, readings)
        self.curves += curves
        self.readings += readings

    @precondition(lambda self: not self.finished)
    @rule()
    def seal(self):
        self.store.seal("r")

    @precondition(lambda self: not self.finished)
    @rule()
    def finish(self):
        self.store.finish("r", Outcome("grokked", 0))
        self.finished = True

    @rule(data=st.data())
    def rewind(self, data):
        step = data.draw(st.integers(-1, max(self.last(self.curves), self.last(self.readings)) + 1))
        left = self.store.rewind("r", step)
        self.curves = [row for row in self.curves if row["step"] <= step]
        self.readings = [row for row in self.readings if row["step"] <= step]
        self.finished = False
        assert left == self.last(self.curves)

    @rule()
    def reset(self):
        self.store.reset("r")
        self.begin()
        self.curves, self.readings, self.finished = [], [], False

    @rule(torn=st.binary(max_size=20))
    def reopen_after_a_torn_write(self, torn):
        self.store.close()
        with (self.root / "runs/r/tail.jsonl").open("ab") as file:
            file.write(b"00000000 " + torn)
        (self.root / "runs/r/v1/left.tmp").write_bytes(torn)
        self.store = Store.open(self.root)

    @invariant()
    def what_is_read_is_what_was_written(self):
        if not hasattr(self, "root"):
            return
        curves, readings = stored(self.root)
        assert exact(curves) == exact(self.curves)
        assert sorted(map(repr, exact(readings))) == sorted(map(repr, exact(self.readings)))
        Machine.rows += len(curves) + len(readings)
        assert self.store.finished() == ({"r"} if self.finished else set())

    def teardown(self):
        if hasattr(self, "root"):
            self.store.close()
            shutil.rmtree(self.root)


BOUNDED = settings(deadline=None, max_examples=25, stateful_step_count=12, derandomize=True)


@pytest.fixture
def fast(monkeypatch):
    """Syncing matters to power cuts alone, and takes most of the time."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def test_any_sequence_of_calls_leaves_what_the_model_holds(fast):
    run_state_machine_as_test(Machine, settings=BOUNDED)
    assert Machine.rows > 100


def test_the_model_notices_a_rewind_that_forgets_too_little(fast):
    """Negative control."""

    class Wrong(Machine):
        @precondition(lambda self: not self.finished and self.curves)
        @rule()
        def rewind(self):
            self.store.rewind("r", self.last(self.curves) + 1)
            self.curves = self.curves[:-1]

    quick = settings(BOUNDED, report_multiple_bugs=False, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Wrong, settings=quick)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "store") as store:
        store.begin("r", {"seed": 1, "arm": {"name": "adamw"}}, {"code": "first", "started": 1})
        yield store


def test_a_run_has_its_spec_and_its_provenance_before_any_row(store):
    reader = Reader(store.root)
    assert reader.spec("r") == {"seed": 1, "arm": {"name": "adamw"}}
    assert reader.provenance("r") == {"code": "first", "started": 1}


def test_going_on_keeps_the_first_provenance_and_adds_what_differs(store):
    for started in (2, 3):
        store.begin("r", {"seed": 1, "arm": {"name": "adamw"}}, {"code": "first", "started": started})
    resumed = [{"started": 2}, {"started": 3}]
    assert Reader(store.root).provenance("r") == {"code": "first", "started": 1, "resumed": resumed}


def test_another_spec_under_the_same_identity_is_refused(store):
    with pytest.raises(StoreError, match=r"spec.json is not the spec of this run: move .* away and run again"):
        store.begin("r", {"seed": 2}, {})


def test_a_step_that_is_there_already_is_refused(store):
    store.append("r", [curve(0), curve(10)], [reading(10)])
    with pytest.raises(StoreError, match="run r has curves up to step 10, got step 10: rewind it first"):
        store.append("r", [curve(10)], [])
    with pytest.raises(StoreError, match="run r has readings up to step 10, got step 5: rewind it first"):
        store.append("r", [curve(20)], [reading(5)])
    assert [row["step"] for row in stored(store.root)[0]] == [0, 10], "a refused append adds nothing"


def test_a_finished_run_takes_no_rows(store):
    store.finish("r", Outcome("memorised", 0))
    with pytest.raises(StoreError, match="run r is finished and takes no more rows: reset or rewind it first"):
        store.append("r", [curve(0)], [])
    store.rewind("r", -1)
    store.append("r", [curve(0)], [])


def test_a_run_that_was_not_begun_takes_no_rows(store):
    with pytest.raises(StoreError, match=r"cannot write .*: No such file or directory"):
        store.append("other", [curve(0)], [])
    assert store.rewind("other", 5) == -1
    store.reset("other")
    assert not (store.root / "runs/other").exists()


def test_an_append_without_rows_writes_nothing(store):
    store.append("r", [], [])
    assert not (store.root / "runs/r/tail.jsonl").exists()


def test_sealing_twice_makes_one_segment(store):
    store.append("r", [curve(0)], [])
    store.seal("r")
    store.seal("r")
    assert len(list((store.root / "runs/r/v1").iterdir())) == 1


def test_a_manifest_keeps_its_first_date(store):
    store.manifest(Manifest("e-1", "a", ()))
    [first] = Reader(store.root).experiments()
    store.manifest(Manifest("e-1", "b", ()))
    (last,) = Reader(store.root).experiments()
    assert last.updated > first.updated == first.created
    assert last == dataclasses.replace(first, name="b", updated=last.updated)


def test_populations_are_folders_that_come_and_go(store):
    folder = store.population_dir("p-1")
    assert store.populations() == [] and not folder.exists()
    folder.mkdir()
    (folder / "state").write_bytes(b"x")
    assert store.populations() == [folder]
    store.drop_population("p-1")
    store.drop_population("p-1")
    assert store.populations() == []


@pytest.mark.parametrize("name", ["..", "../../elsewhere", "/tmp", ""])
def test_no_name_leads_out_of_the_store(store, name):
    calls = [
        lambda: store.manifest(Manifest(name, "e", ())),
        lambda: store.begin(name, {}, {}),
        lambda: store.append(name, [], []),
        lambda: store.seal(name),
        lambda: store.rewind(name, 0),
        lambda: store.finish(name, Outcome("grokked", 0)),
        lambda: store.reset(name),
        lambda: store.population_dir(name),
        lambda: store.drop_population(name),
        lambda: Reader(store.root).spec(name),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="cannot name a folder"):
            call()


def test_deleting_does_not_follow_links(store, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    for name in ("outcome.json", "kept"):
        (precious / name).write_text("x")
    (store.root / "runs/r/v1/inside").symlink_to(precious)
    (store.root / "runs/linked").symlink_to(precious)
    store.population_dir("linked").symlink_to(precious)
    store.reset("r")
    store.reset("linked")
    store.drop_population("linked")
    assert sorted(p.name for p in precious.iterdir()) == ["kept", "outcome.json"]
    assert not list((store.root / "runs").iterdir()) and not store.populations()


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match="is not a store, and not empty: choose a new or an empty folder"):
        Store.open(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_store_of_another_format_is_left_alone(tmp_path):
    (tmp_path / "anglewise-store.json").write_text('{"format": 7}')
    with pytest.raises(StoreError, match="says format 7, expected 1"):
        Store.open(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/anglewise", "/sys/anglewise"])
def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path, place):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"cannot write .*: .*\. Choose a folder that can be written to") as caught:
        Store.open(tmp_path / place)
    assert "\n" not in str(caught.value)


def test_a_second_store_in_this_process_is_refused_until_the_first_is_closed(tmp_path):
    with (
        Store.open(tmp_path),
        pytest.raises(StoreError, match=f"is being written by process {os.getpid()} on"),
    ):
        Store.open(tmp_path)
    Store.open(tmp_path).close()


def test_full_disks_and_later_room(store, monkeypatch):
    store.append("r", [curve(0)], [reading(0)])
    store.seal("r")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    calls = [
        lambda: store.append("r", [curve(10)], []),
        lambda: store.seal("r"),
        lambda: store.finish("r", Outcome("grokked", 10)),
        lambda: store.manifest(Manifest("e", "e", ())),
        lambda: store.begin("s", {}, {}),
        lambda: store.rewind("r", 0),
    ]
    for call in calls:
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with pytest.raises(
                StoreError, match=r"disk full: cannot write .*Free space and run the same command again"
            ):
                call()
        assert stored(store.root)[0][0] == curve(0) and store.finished() == set()
    assert store.rewind("r", 0) == 0
    store.append("r", [curve(10)], [reading(10)])
    store.finish("r", Outcome("grokked", 10))
    assert stored(store.root) == [[curve(0), curve(10)], [reading(0), reading(10)]]
    assert not list(store.root.rglob("*.tmp"))


def test_an_append_cut_short_by_a_full_disk_can_be_repeated(store, monkeypatch):
    store.append("r", [curve(0)], [])
    real = Path.open

    def opened(path, *how):
        file = real(path, *how)
        if path.name != "tail.jsonl":
            return file

        class Half:
            def __enter__(self):
                return self

            def __exit__(self, *error):
                file.close()

            def write(self, data):
                file.write(data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")

        return Half()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        with pytest.raises(StoreError, match="disk full"):
            store.append("r", [curve(10)], [])
    store.append("r", [curve(10)], [])
    assert stored(store.root)[0] == [curve(0), curve(10)]


def test_writing_needs_neither_duckdb_nor_jax():
    code = (
        "import sys; from anglewise.lab.store import Reader, Store, collect, to_text; "
        "print([m for m in ('jax', 'duckdb', 'pyarrow', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_outcomes_are_json_for_anybody(store):
    store.append("r", [curve(0)], [reading(0)])
    outcome = Outcome("grokked", 0, threshold=0.95, rule=Rule(9, 1, 0.95, 5, -1, 0), readings=({"is": "Motion"},))
    store.finish("r", outcome)
    found = json.loads((store.root / "runs/r/outcome.json").read_text())
    names, checksum = found.pop("segments"), found.pop("checksum")
    rows = {"curves": 1, "readings": 1, "arrays": 0}
    rule = {"budget": 9, "every": 1, "threshold": 0.95, "sustain": 5, "further": -1, "measure_every": 0}
    never = dict.fromkeys(("first", "sustained", "t95", "t95_sustained", "t_capped", "budget"))
    known = {"outcome": "grokked", "steps": 0, "threshold": 0.95, "readings": [{"is": "Motion"}], "rule": rule}
    assert found == {**never, **known, "rows": rows} and len(checksum) == 8
    stored = Reader(store.root).outcome("r")
    assert stored == dataclasses.replace(outcome, segments=tuple(names), rows=rows)
    assert sorted(names) == sorted(p.name for p in (store.root / "runs/r/v1").iterdir())
