"""Parcels: a unit's files reach another folder whole and in order, and nothing else is ever written."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from anglewise.errors import StoreError
from anglewise.lab.engine import checkpoint
from anglewise.lab.execution import parcels
from anglewise.lab.execution.parcels import GONE, Outbox, packed, unpack
from anglewise.lab.execution.unit import Care, Unit
from anglewise.lab.store import Store
from anglewise.lab.store.layout import STATE
from tests.support.training import FEW, ONE, everything, nothing_trained, trained

RUNS = tuple(ONE.runs())
UNIT = Unit(RUNS, FEW, Care({}))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "store"
    trained(ONE, folder)
    return folder


def parcel(files, gone=()):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr(GONE, json.dumps(list(gone)))
        for name, data in files.items():
            archive.writestr(name, data)
    return whole.getvalue()


def empty(folder):
    Store.open(folder).close()
    return folder


def test_what_is_packed_is_what_is_there(store, tmp_path):
    other = empty(tmp_path / "other")
    unpack(other, packed(store, UNIT), UNIT)
    manifest = next((store / "experiments").glob("*.json"))
    (other / "experiments" / manifest.name).write_bytes(manifest.read_bytes())
    assert everything(other, ONE) == everything(store, ONE)
    assert nothing_trained(ONE, other)


def test_an_outbox_packs_what_has_changed_since(store, tmp_path):
    source, target = empty(tmp_path / "source"), empty(tmp_path / "target")
    box = Outbox(source, UNIT)
    assert zipfile.ZipFile(io.BytesIO(box.pack())).namelist() == [GONE]
    unpack(source, packed(store, UNIT), UNIT)
    unpack(target, box.pack(), UNIT)
    assert packed(target, UNIT) != packed(empty(tmp_path / "nothing"), UNIT)
    gone = source / "runs" / RUNS[0].run_id / "outcome.json"
    gone.unlink()
    (source / "runs" / RUNS[1].run_id / "tail.jsonl").write_bytes(b"more\n")
    second = box.pack()
    assert zipfile.ZipFile(io.BytesIO(second)).namelist() == [GONE, f"runs/{RUNS[1].run_id}/tail.jsonl"]
    unpack(target, second, UNIT)
    assert not (target / "runs" / RUNS[0].run_id / "outcome.json").exists()
    assert (target / "runs" / RUNS[1].run_id / "tail.jsonl").read_bytes() == b"more\n"


def test_news_travel_alone_and_once(tmp_path):
    source = empty(tmp_path / "source")
    box = Outbox(source, UNIT)
    assert box.news() is None
    news = f"populations/{UNIT.unit_id}.news"
    (source / news).write_text("{}")
    (source / "runs" / RUNS[0].run_id).mkdir()
    (source / "runs" / RUNS[0].run_id / "tail.jsonl").write_text("row")
    assert zipfile.ZipFile(io.BytesIO(box.news())).namelist() == [GONE, news]
    assert box.news() is None
    assert "tail.jsonl" in str(zipfile.ZipFile(io.BytesIO(box.pack())).namelist()), "the rows still wait"


def test_a_checkpoint_or_an_end_is_seen(tmp_path):
    source = empty(tmp_path / "source")
    box = Outbox(source, UNIT)
    before = box.saved()
    assert box.saved() == before
    folder = source / "populations" / "abc"
    folder.mkdir()
    checkpoint.write(folder / STATE, {}, {"runs": [RUNS[0].run_id]})
    saved = box.saved()
    assert saved != before
    (source / "runs" / RUNS[0].run_id).mkdir()
    (source / "runs" / RUNS[0].run_id / "outcome.json").write_text("{}")
    assert box.saved() != saved


def test_rows_come_before_the_outcome_and_the_checkpoint_last(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(parcels, "put", lambda path, data: written.append(path.name))
    run = f"runs/{RUNS[0].run_id}"
    names = ["populations/abc/" + STATE, f"{run}/outcome.json", f"{run}/tail.jsonl", f"{run}/v1/curves-1.parquet",
             f"{run}/weights.safetensors", f"{run}/{STATE}", f"{run}/spec.json"]  # fmt: skip
    unpack(empty(tmp_path / "s"), parcel(dict.fromkeys(names, b"")), UNIT)
    kept = ["weights.safetensors", STATE]
    assert written == ["spec.json", "curves-1.parquet", "tail.jsonl", *kept, "outcome.json", STATE]


def test_a_checkpoint_that_is_gone_goes_last_with_its_folder(tmp_path):
    root = empty(tmp_path / "s")
    (root / "populations" / "abc").mkdir()
    (root / "populations" / "abc" / STATE).write_bytes(b"")
    unpack(root, parcel({f"runs/{RUNS[0].run_id}/outcome.json": b"{}"}, ["populations/abc/" + STATE]), UNIT)
    assert not (root / "populations" / "abc").exists()
    assert (root / "runs" / RUNS[0].run_id / "outcome.json").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../outside", "/etc/passwd", "runs/../../outside", f"runs/{RUNS[0].run_id}/../../lock", "lock",
        f"runs/{RUNS[0].run_id}/v1/a/b", f"runs/{RUNS[0].run_id}/.hidden", f"runs/{RUNS[0].run_id}/spec.json.tmp",
        "runs/another/spec.json", "populations/abc/other", "populations/another.news", "populations/../lock",
        "experiments/e.json", "anglewise-store.json", f"runs/{RUNS[0].run_id}//spec.json", "runs\\x\\y",
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", ["file", "gone"])
def test_a_path_that_is_none_of_the_unit_is_refused(tmp_path, name, way):
    root = empty(tmp_path / "s")
    before = sorted(tmp_path.rglob("*"))
    bad = parcel({name: b"x"}) if way == "file" else parcel({}, [name])
    with pytest.raises(StoreError, match="a worker handed in .* expected files of its runs"):
        unpack(root, bad, UNIT)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("data", [b"", b"no parcel", parcel({}).replace(b"[]", b"[x")])
def test_what_is_no_parcel_is_refused(tmp_path, data):
    with pytest.raises(StoreError, match="bytes that are no parcel"):
        unpack(empty(tmp_path / "s"), data, UNIT)


def test_runs_that_share_a_checkpoint_come_along_without_their_weights(store, tmp_path):
    source, target = empty(tmp_path / "source"), empty(tmp_path / "target")
    unpack(source, packed(store, UNIT), UNIT)
    folder = source / "populations" / "abc"
    folder.mkdir()
    checkpoint.write(folder / STATE, {}, {"runs": [run.run_id for run in RUNS]})
    one = Unit(RUNS[:1], FEW, Care({}))
    with pytest.raises(StoreError, match="expected files of its runs"):
        unpack(target, packed(source, one), one)
    unpack(target, packed(source, one), one, others=True)
    other = target / "runs" / RUNS[1].run_id
    assert (other / "outcome.json").exists() and not (other / "weights.safetensors").exists()
    with Store.open(target) as opened:
        assert opened.finished_of([run.run_id for run in RUNS]) == {run.run_id for run in RUNS}


def test_a_run_in_a_pack_gets_its_folder_back(store, tmp_path):
    source, target = empty(tmp_path / "source"), empty(tmp_path / "target")
    unpack(source, packed(store, UNIT), UNIT)
    with Store.open(source) as opened:
        assert opened.compact().runs == len(RUNS) and not any((source / "runs").iterdir())
    unpack(target, packed(source, UNIT), UNIT)
    with Store.open(target) as opened:
        assert opened.finished() == {run.run_id for run in RUNS}
