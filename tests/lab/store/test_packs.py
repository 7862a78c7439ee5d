"""Finished runs in packs are read as they were in their folders, and what is not as it was written is noticed."""

import shutil

import numpy as np
import pytest

from anglewise.cli.main import main
from anglewise.errors import StoreError
from anglewise.lab.outcome import Outcome, Rule
from anglewise.lab.spec import Manifest, Planned, content_hash
from anglewise.lab.store import Reader, Store
from anglewise.lab.store.examine import examine
from anglewise.lab.store.kept import Kept
from anglewise.lab.store.packs import Packs

TRAINING = {"budget": 20, "every": 10, "threshold": 0.95, "sustain": 5, "further": -1, "measure_every": 0}
SPECS = [{"protocol": 3, "seed": seed, "training": TRAINING} for seed in range(5)]
IDS = [content_hash(spec) for spec in SPECS]
RULE = Rule(20, 10, 0.95, 5, -1, 0)
ENDED = Outcome("memorised", 20, t_capped=20, threshold=0.95, budget=20, rule=RULE, trained=20, every=10, seconds=1.5,
                trained_seconds=1.5, readings=({"is": "Motion"},))  # fmt: skip
VIEWS = ("runs", "curves", "readings", "arrays", "experiments")


def curve(step, seed):
    value = float("nan") if step == 10 else 0.1 * seed
    return {"step": step, "train_accuracy": 1.0, "test_accuracy": value, "train_loss": 0.1, "test_loss": None}


def reading(step, name="radius"):
    return {"step": step, "site": "a", "name": name, "value": -0.0 if step else float("inf")}


def array(step):
    return {"step": step, "site": "", "name": "spectrum", "shape": "2", "values": np.array([step, 0.5], "f4")}


def write(store, number, *, ended=True, kept=True):
    run_id = IDS[number]
    store.begin(run_id, SPECS[number], {"code": 1, "started": number // 2})
    store.append(run_id, [curve(0, number)], [reading(0)])
    store.seal(run_id)
    store.append(run_id, [curve(step, number) for step in (10, 20)], [reading(20)], [array(20)] if number % 2 else [])
    if kept:
        state = Kept({"w": np.full(3, number, "f4")}, {"m": np.zeros(3, "f4")}, 20, 20, 1.5, 10, (), {"curves": 3})
        store.keep(run_id, state)
    if ended:
        store.finish(run_id, ENDED)


def fill(root, **kwargs):
    with Store.open(root) as store:
        store.manifest(Manifest("e-1", "e", tuple(Planned(run_id, "a", i) for i, run_id in enumerate(IDS)),
                                spec={"training": TRAINING}))  # fmt: skip
        for number in range(len(SPECS)):
            write(store, number, ended=number < 4, kept=number != 2, **kwargs)
    return root


@pytest.fixture
def root(tmp_path):
    return fill(tmp_path / "store")


def everything(root):
    """All that a reader sees, to the bit."""
    reader = Reader(root, pauses=())
    views = {view: [repr(row) for row in reader.query(f"SELECT * FROM {view}").to_pylist()] for view in VIEWS}
    parts = {
        run_id: (
            reader.spec(run_id), reader.provenance(run_id), reader.kept(run_id) and reader.weights(run_id)["w"].tolist(),
            {**vars(reader.outcome(run_id) or ENDED), "segments": None},
        )
        for run_id in IDS
    }  # fmt: skip
    return views, parts, reader.finished()


def compact(root):
    with Store.open(root) as store:
        return store.compact()


def packs(root):
    return sorted((root / "packs").iterdir())


def folders(root):
    return {path.name for path in (root / "runs").iterdir()}


def test_nothing_that_a_reader_sees_changes(root):
    before = everything(root)
    assert compact(root) == (4, 1)
    assert folders(root) == {IDS[4]} and len(packs(root)) == 1
    assert everything(root) == before
    assert examine(root) == []
    with Store.open(root) as store:
        assert store.finished() == set(IDS[:4])


def test_the_comparison_sees_a_number_that_changed(root):
    """Negative control."""
    before = everything(root)
    compact(root)
    with Store.open(root) as store:
        store.rewind(IDS[0], 10)
    assert everything(root) != before


def test_a_run_that_goes_on_gets_its_folder_back_and_its_rows_once(root):
    before = everything(root)
    compact(root)
    with Store.open(root) as store:
        assert store.rewind(IDS[1], 20) == 20
        store.append(IDS[1], [curve(30, 1)], [])
        assert store.counts(IDS[1]) == {"curves": 4, "readings": 2, "arrays": 1}
        assert store.finished() == {IDS[0], IDS[2], IDS[3]}
    reader = Reader(root)
    assert reader.curves(IDS[1])["step"].tolist() == [0, 10, 20, 30] and reader.outcome(IDS[1]) is None
    assert reader.weights(IDS[1])["w"].tolist() == [1.0, 1.0, 1.0]
    with Store.open(root) as store:
        store.rewind(IDS[1], 20)
        store.finish(IDS[1], ENDED)
        assert store.compact() == (1, 1)  # with those of the pack that it replaces
    assert len(packs(root)) == 1 and everything(root) == before


def test_a_run_that_is_reset_is_gone_also_from_its_pack(root):
    compact(root)
    with Store.open(root) as store:
        store.reset(IDS[0])
        assert IDS[0] not in store.finished()
    reader = Reader(root)
    assert reader.spec(IDS[0]) == {} and reader.outcome(IDS[0]) is None
    assert reader.query(f"SELECT count(*) AS n FROM curves WHERE run_id = '{IDS[0]}'").to_pylist() == [{"n": 0}]
    assert examine(root) == []
    assert compact(root) == (0, 1)
    assert folders(root) == {IDS[4]} and IDS[0] not in Packs(root).run_ids() and len(packs(root)) == 1
    with Store.open(root) as store:
        write(store, 0)
    assert everything(root)[0]["runs"][0].count("memorised") == 1


def test_small_packs_become_one_and_then_stay(root, monkeypatch):
    monkeypatch.setattr("anglewise.lab.store.packing.RUNS_EACH", 3)
    before = everything(root)
    assert compact(root) == (4, 2)
    with Store.open(root) as store:
        store.finish(IDS[4], ENDED)
        assert store.compact() == (1, 1)
        assert store.compact() == (0, 0)
    assert folders(root) == set() and len(packs(root)) == 2
    assert everything(root)[0]["curves"] == before[0]["curves"] and examine(root) == []


def test_a_pack_takes_no_more_weights_than_so_many_bytes(root, monkeypatch):
    monkeypatch.setattr("anglewise.lab.store.packing.BYTES_EACH", 1)
    assert compact(root)[1] == 3, "the run without weights goes with the next"


def test_fewer_folders_than_asked_for_stay(root):
    with Store.open(root) as store:
        assert store.compact(least=6) == (0, 0) and len(folders(root)) == 5


def test_of_two_packs_the_later_one_counts(root):
    compact(root)
    old = packs(root)[0]
    shutil.copytree(old, root / "copy")
    with Store.open(root) as store:
        store.rewind(IDS[0], 0)
        store.finish(IDS[0], Outcome("underfit", 0))
        store.compact()
    (root / "copy").rename(root / "packs" / old.name)  # as if the process was killed before it deleted the old one
    reader = Reader(root)
    assert reader.outcome(IDS[0]).outcome == "underfit" and reader.curves(IDS[0])["step"].tolist() == [0]
    assert compact(root) == (0, 1) and len(packs(root)) == 1
    assert Reader(root).outcome(IDS[0]).outcome == "underfit"


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


SPOILED = {
    "one bit": flip,
    "half": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("kind", ["curves", "readings", "arrays"])
@pytest.mark.parametrize("how", SPOILED)
def test_spoiled_rows_of_a_pack_are_noticed_and_trained_anew(root, how, kind):
    before = everything(root)
    compact(root)
    [path] = packs(root)[0].glob(f"{kind}-*")
    SPOILED[how](path)
    with pytest.raises(StoreError, match=rf"{path} is damaged or missing: run the experiment again, which trains"):
        Reader(root, pauses=()).query(f"SELECT step FROM {kind}")
    [finding] = examine(root)
    assert finding.path == path and "rows of 4 runs" in finding.text and finding.mend is None
    with Store.open(root) as store:
        assert store.finished() == set()
        for number in range(4):
            store.reset(IDS[number])
            write(store, number, kept=number != 2)
        assert store.finished() == set(IDS[:4])
        store.compact()
    assert everything(root) == before and len(packs(root)) == 1


@pytest.mark.parametrize("how", SPOILED)
def test_a_pack_whose_runs_cannot_be_told_is_noticed_and_can_be_removed(root, how, capsys):
    compact(root)
    path = packs(root)[0] / "runs.parquet"
    SPOILED[how](path)
    with pytest.raises(StoreError, match=rf"{path} is damaged or missing: anglewise doctor {root} --mend removes that"):
        Reader(root).query("SELECT run_id FROM runs")
    with Store.open(root) as store:
        assert store.finished() == set() and store.compact() == (0, 0)
    assert main(["doctor", str(root)]) == 1 and "runs.parquet: is damaged or missing" in capsys.readouterr().out
    assert main(["doctor", str(root), "--mend"]) == 0
    assert packs(root) == [] and len(Reader(root).query("SELECT run_id FROM runs")) == 5


def test_rows_of_another_pack_are_noticed(root, monkeypatch):
    monkeypatch.setattr("anglewise.lab.store.packing.RUNS_EACH", 2)
    compact(root)
    (one,), (other,) = (list(pack.glob("curves-*")) for pack in packs(root))
    other.rename(one.with_name(other.name))
    with pytest.raises(StoreError, match="is damaged or missing"):
        Reader(root, pauses=()).query("SELECT step FROM curves")


def test_damaged_weights_cost_the_weights_alone(root):
    compact(root)
    path = packs(root)[0] / "kept.bin"
    data = bytearray(path.read_bytes())
    data[100] ^= 4
    path.write_bytes(data)
    reader = Reader(root)
    assert reader.kept(IDS[0]) is None and reader.kept(IDS[1]) is not None
    with pytest.raises(StoreError, match=r"weights.safetensors is damaged"):
        reader.weights(IDS[0])
    [finding] = examine(root)
    assert f"of the run {IDS[0]} is damaged" in finding.text
    with Store.open(root) as store:
        assert store.finished() == set(IDS[:4])


def test_a_run_without_kept_weights_says_so_from_a_pack_too(root):
    compact(root)
    with pytest.raises(StoreError, match=f"run {IDS[2]} has kept no weights"):
        Reader(root).weights(IDS[2])


def test_what_is_no_pack_is_named(root):
    compact(root)
    (root / "packs" / "notes").mkdir()
    [finding] = examine(root)
    assert finding.path == root / "packs" / "notes" and "is no pack" in finding.text


def test_a_run_that_another_specification_is_named_after_is_noticed(root):
    """Only who recomputes every checksum gets so far."""
    compact(root)
    found = Packs(root).find(IDS[0])
    found.pack.column("spec")[0] = found.pack.column("spec")[1]
    with pytest.raises(StoreError, match=f"holds another run than {IDS[0]}, which it names: see anglewise doctor"):
        found.rows("curves")


def test_a_reader_that_was_open_before_sees_the_same(root):
    reader = Reader(root)
    sql = "SELECT * FROM curves"
    before = repr(reader.query(sql).to_pylist())
    compact(root)
    assert repr(reader.query(sql).to_pylist()) == before
    assert reader.outcome(IDS[0]).outcome == "memorised" and reader.curves(IDS[3])["step"].tolist() == [0, 10, 20]


def test_a_run_that_moves_while_it_is_read_is_read_where_it_then_lies(root, monkeypatch):
    import anglewise.lab.store.lookup as lookup

    real, begun, moved = lookup.contents, [], []

    def contents(path):
        if not begun:
            begun.append(path)
            moved.append(compact(root))
        return real(path)

    before = everything(root)[0]["curves"]
    monkeypatch.setattr(lookup, "contents", contents)
    seen = [repr(row) for row in Reader(root).query("SELECT * FROM curves").to_pylist()]
    assert moved == [(4, 1)] and seen == before


def test_files_of_a_pack_can_be_read_by_anybody(root):
    from pyarrow import parquet

    compact(root)
    [path] = packs(root)[0].glob("curves-*")
    table = parquet.read_table(path)
    assert table.column_names == ["run_id", "step", "train_accuracy", "test_accuracy", "train_loss", "test_loss"]
    assert table.column("run_id").to_pylist() == [run_id for run_id in IDS[:4] for _ in range(3)]


def test_the_verb_says_what_it_did(root, capsys):
    assert main(["compact", str(root)]) == 0
    assert "4 runs moved to packs, 1 packs written" in capsys.readouterr().out
    assert main(["compact", str(root / "runs")]) == 2
    assert "is inside the store" in capsys.readouterr().err
