"""A segment that is truncated, altered or gone is noticed everywhere, and its run is trained anew."""

import pytest

from anglewise.errors import StoreError
from anglewise.lab.outcome import Outcome
from anglewise.lab.spec import Manifest, Planned
from anglewise.lab.store import Reader, Store
from anglewise.lab.store.rows import to_line

SPOILED = {
    "empty": lambda path, data: path.write_bytes(b""),
    "one byte": lambda path, data: path.write_bytes(data[:1]),
    "half": lambda path, data: path.write_bytes(data[: len(data) // 2]),
    "footer torn": lambda path, data: path.write_bytes(data[:-1]),
    "one bit": lambda path, data: path.write_bytes(data[:50] + bytes([data[50] ^ 4]) + data[51:]),
    "gone": lambda path, data: path.unlink(),
}


def curves(first, last):
    return [
        {
            "step": step,
            "train_accuracy": 1.0,
            "test_accuracy": 0.1,
            "train_loss": 0.0,
            "test_loss": 1.0 / (step + 1),
        }
        for step in range(first, last + 1)
    ]


def readings(first, last):
    return [{"step": step, "site": "a", "name": "radius", "value": 1.0} for step in range(first, last + 1)]


def train(store, first=0):
    store.begin("r", {}, {})
    for start in range(first, 15, 5):
        store.append("r", curves(start, start + 4), readings(start, start + 4))
        store.seal("r")


@pytest.fixture
def root(tmp_path):
    with Store.open(tmp_path) as store:
        store.manifest(Manifest("e", "e", (Planned("r", "a", 0),)))
        train(store)
    return tmp_path


def segment(root, number, kind="curves"):
    return sorted((root / "runs/r/v1").glob(f"{kind}-*"))[number]


def steps(root, kind="curves"):
    reader = Reader(root, pauses=())  # to look again never helps here
    return reader.query(f"SELECT step FROM {kind} ORDER BY step").column("step").to_pylist()


@pytest.mark.parametrize("kind", ["curves", "readings"])
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("how", SPOILED)
def test_a_finished_run_with_a_spoiled_segment_is_not_finished(root, how, number, kind):
    with Store.open(root) as store:
        store.finish("r", Outcome("memorised", 14))
        assert store.finished() == {"r"}
    path = segment(root, number, kind)
    SPOILED[how](path, path.read_bytes())
    with pytest.raises(StoreError, match=rf"{path} is damaged or missing: run the experiment again, which trains"):
        steps(root, kind)
    with Store.open(root) as store:
        assert store.finished() == set()
        store.reset("r")
        train(store)
        store.finish("r", Outcome("memorised", 14))
        assert store.finished() == {"r"}
    assert steps(root, kind) == list(range(15))


@pytest.mark.parametrize("kind", ["curves", "readings"])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("how", SPOILED)
def test_rewinding_says_that_rows_were_lost(root, how, number, kind):
    path = segment(root, number, kind)
    SPOILED[how](path, path.read_bytes())
    with pytest.raises(StoreError, match="is damaged or missing"):
        steps(root, kind)
    with Store.open(root) as store:
        assert store.rewind("r", 14) == 5 * number - 1, "only rows before the damage are left, of both kinds"
    assert steps(root) == steps(root, "readings") == list(range(5 * number))


def test_rewinding_says_that_nothing_was_lost(root):
    """Negative control."""
    with Store.open(root) as store:
        assert store.rewind("r", 14) == 14
        assert store.rewind("r", 12) == 12
    assert steps(root) == steps(root, "readings") == list(range(13))


def test_a_run_whose_folder_is_gone_has_lost_its_rows(root):
    with Store.open(root) as store:
        store.reset("r")
        assert store.rewind("r", 9) == -1


def test_a_hole_in_an_unfinished_run_is_named(root):
    segment(root, 1).unlink()
    with pytest.raises(StoreError, match="curves from step 5 on is damaged or missing"):
        steps(root)


def test_segments_beside_those_a_run_ended_with_do_not_count(root):
    with Store.open(root) as store:
        store.finish("r", Outcome("memorised", 14))
    path = segment(root, 0)
    path.with_name(path.name.replace("000000000000", "000000000099")).write_bytes(path.read_bytes())
    (root / "runs/r/tail.jsonl").write_bytes(to_line({"curves": [(99, 1.0, 1.0, 1.0, 1.0)], "readings": []}))
    assert steps(root) == list(range(15))


@pytest.mark.parametrize("text", ["", "{", '{"outcome": "grokked"}', "[]"])
def test_a_damaged_outcome_is_none(root, text):
    with Store.open(root) as store:
        store.finish("r", Outcome("memorised", 14))
    (root / "runs/r/outcome.json").write_text(text)
    with Store.open(root) as store:
        assert store.finished() == set()
