"""A store is examined without believing it, and what its rows still say is put right."""

from __future__ import annotations

import json
import shutil

import pytest

from anglewise.cli.main import main
from anglewise.errors import StoreError
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.models.mlp import MLP
from anglewise.lab.report.progress import progress_for
from anglewise.lab.runner import train
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.store import Reader, Store
from anglewise.lab.store.examine import examine
from anglewise.lab.tasks.modular import Modular

SMALL = Experiment(
    "small", Modular(p=5, operation="x", train=0.7), MLP(hidden=(16,)), (Arm("plain", (AdamW(lr=0.02),)),),
    Training(budget=20, every=4, measure_every=8), seeds=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("examine") / "store"
    with Store.open(root) as store:
        train(SMALL, store, progress_for(quiet=True), provenance={"python": "3"})
    return root


@pytest.fixture
def root(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "store")


def runs(root):
    return [root / "runs" / run.run_id for run in SMALL.runs()]


def table(root):
    sql = "SELECT seed, outcome, steps, t95, first, seconds FROM runs ORDER BY seed"
    return Reader(root).query(sql).to_pylist()


def again(root):
    with Store.open(root) as store:
        return train(SMALL, store, progress_for(quiet=True), provenance={"python": "3"})


def test_a_whole_store_has_no_findings(root, capsys):
    assert examine(root) == []
    assert main(["doctor", str(root)]) == 0 and "everything is as it was written" in capsys.readouterr().out


def edited(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_an_edited_outcome_is_not_believed_and_is_worked_out_from_the_rows(root):
    before, path = table(root), runs(root)[0] / "outcome.json"
    edited(path, t95=3, first=3, outcome="grokked")
    assert table(root)[0] | {"seconds": None} == before[0] | {
        "seconds": None
    }  # from the rows; seconds were lost with it
    (finding,) = examine(root)
    assert finding.path == path and finding.text == "is damaged"
    assert len(again(root).missing) == 1 and table(root) == before and examine(root) == []


def test_an_outcome_whose_checksum_was_removed_too_is_compared_with_the_rows(root, capsys):
    before, path = table(root), runs(root)[0] / "outcome.json"
    content = json.loads(path.read_text())
    del content["checksum"]
    path.write_text(json.dumps(content | {"steps": 12}))
    (finding,) = examine(root)
    assert finding.text == "steps is 12, the rows say 20"
    assert main(["doctor", str(root)]) == 1 and "--mend: worked out from the rows" in capsys.readouterr().out
    assert main(["doctor", str(root), "--mend"]) == 0
    assert table(root) == before and examine(root) == []


def test_swapped_folders_are_noticed_everywhere_and_get_their_names_back(root):
    before, (one, two) = table(root), runs(root)
    one.rename(root / "runs" / "t"), two.rename(one), (root / "runs" / "t").rename(two)
    with pytest.raises(StoreError, match=r"holds another run than it is named after: see anglewise doctor"):
        Reader(root).query("SELECT * FROM curves")
    with pytest.raises(StoreError, match=r"holds another run .* --mend gives it its name back, or move it away"):
        again(root)
    assert main(["doctor", str(root), "--mend"]) == 0
    assert table(root) == before and not again(root).missing


def test_a_copied_run_counts_once(root):
    shutil.copytree(runs(root)[0], root / "runs" / "a-copy")
    shutil.copytree(runs(root)[0], root / "runs" / "a copy")
    assert len(table(root)) == 2
    texts = {finding.path.name: finding.text for finding in examine(root)}
    assert "of which" in texts["a-copy"] and texts["a copy"] == "is no run, and is not read"


def test_strangers_are_left_alone_and_do_not_matter(root):
    before = table(root)
    (root / "runs" / ".ipynb_checkpoints").mkdir()
    (root / "runs" / ".DS_Store").write_bytes(b"\0")
    (root / "experiments" / "._x.json").write_bytes(b"\0\5\26\7")
    (root / "experiments" / "notes.json").write_text("{}")
    assert table(root) == before and not again(root).missing
    assert {finding.path.name for finding in examine(root)} == {
        ".ipynb_checkpoints",
        ".DS_Store",
        "._x.json",
        "notes.json",
    }
    assert main(["doctor", str(root), "--mend"]) == 1 and (root / "experiments" / "notes.json").exists()


@pytest.mark.parametrize("name", ["weights.safetensors", "state.safetensors"])
def test_a_flipped_bit_in_what_was_kept_is_found(root, name):
    path = runs(root)[0] / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    (finding,) = examine(root)
    assert finding.path == path and "is damaged" in finding.text
    main(["doctor", str(root), "--mend"])
    assert not path.exists() and examine(root) == []


def test_a_damaged_marker_says_how_it_is_mended_and_is(root):
    (root / "anglewise-store.json").write_text("")
    with pytest.raises(
        StoreError, match=r"is damaged, expected \{\"format\": 1\}: anglewise doctor .* --mend writes it"
    ):
        Reader(root)
    assert main(["doctor", str(root), "--mend"]) == 0
    assert len(table(root)) == 2


def test_a_missing_segment_of_readings_is_found_and_trained_again(root):
    before = Reader(root).query("SELECT count(*) AS n FROM readings").to_pylist()
    path = next(runs(root)[0].glob("v1/readings-*"))
    path.unlink()
    (finding,) = examine(root)
    assert finding.path.name == path.name and finding.text == "is missing"
    assert len(again(root).missing) == 1
    assert Reader(root).query("SELECT count(*) AS n FROM readings").to_pylist() == before


def test_what_is_left_of_an_interrupted_write_is_removed(root):
    (root / "report.html.tmp").write_text("half")
    assert main(["doctor", str(root), "--mend"]) == 0
    assert not (root / "report.html.tmp").exists()


def test_a_folder_that_is_no_store_is_refused_and_left_as_it_is(tmp_path):
    with pytest.raises(StoreError, match=r"has no folders runs and experiments: it is not a store"):
        examine(tmp_path)
    assert main(["doctor", str(tmp_path)]) == 2 and not list(tmp_path.iterdir())
    assert main(["doctor", "--mend"]) == 2


def test_machines_can_read_what_was_found(root, capsys):
    (root / "runs" / "x y").mkdir()
    assert main(["doctor", str(root), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == 2 and told["findings"][0]["text"] == "is no run, and is not read"


def test_every_byte_of_the_json_files_is_guarded(root):
    """One flipped bit in any of them: noticed, or of no meaning; never another number."""
    before = table(root)
    for path in (runs(root)[0] / "outcome.json", next((root / "experiments").glob("*.json"))):
        good = path.read_bytes()
        for place in range(0, len(good), 7):
            path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
            try:
                seen = table(root)
            except StoreError:
                continue
            assert [row | {"seconds": None} for row in seen] == [row | {"seconds": None} for row in before]
        path.write_bytes(good)
