"""Somebody else's hands in a store while it is written: noticed, in one line, and nothing of theirs is harmed."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from anglewise.errors import StoreError
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.models.mlp import MLP
from anglewise.lab.report.progress import progress_for
from anglewise.lab.runner import Interrupted, train
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.store import Reader, Store, writer
from anglewise.lab.tasks.modular import Modular

LONG = Experiment(
    "long", Modular(p=5, train=0.5), MLP(hidden=(8,)), (Arm("plain", (AdamW(lr=0.01, wd=0.1),)),),
    Training(budget=200, every=4, measure_every=40), seeds=1,
)  # fmt: skip


def trained(root, stop=lambda: False, **kwargs):
    with Store.open(root) as store:
        return train(LONG, store, progress_for(quiet=True), provenance={}, stop=stop, **kwargs)


def numbers(root):
    return [
        repr(Reader(root).query(f"SELECT * FROM {view} ORDER BY ALL").to_pylist()) for view in ("curves", "readings")
    ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    root = tmp_path_factory.mktemp("hands") / "store"
    trained(root)
    return numbers(root)


@pytest.fixture
def sealed(monkeypatch):
    """Every checkpoint turns tails into segments, however short they are."""
    monkeypatch.setattr(writer, "TAIL", 0)


def interrupted(root, after=2):
    calls = iter(range(10**6))
    with pytest.raises(Interrupted):
        trained(root, stop=lambda: next(calls) >= after)


def test_a_bit_that_flips_in_a_checkpoint_costs_time_and_no_number(tmp_path, undisturbed):
    interrupted(tmp_path / "store")
    (state,) = (tmp_path / "store" / "populations").glob("*/state.safetensors")
    data = bytearray(state.read_bytes())
    data[-9] ^= 0x20
    state.write_bytes(data)
    trained(tmp_path / "store")
    assert numbers(tmp_path / "store") == undisturbed


@pytest.mark.parametrize("which", [0, -1])
@pytest.mark.parametrize("kind", ["curves", "readings"])
def test_a_segment_that_goes_while_a_run_waits_to_go_on_is_made_again(tmp_path, undisturbed, sealed, kind, which):
    interrupted(tmp_path / "store", after=1)
    interrupted(tmp_path / "store", after=3)
    segments = sorted((tmp_path / "store").glob(f"runs/*/v1/{kind}-*"))
    assert len(segments) > 1
    segments[which].unlink()
    trained(tmp_path / "store")
    assert numbers(tmp_path / "store") == undisturbed


def test_a_tail_that_goes_while_a_run_waits_to_go_on_is_made_again(tmp_path, undisturbed):
    interrupted(tmp_path / "store", after=3)
    [tail] = (tmp_path / "store").glob("runs/*/tail.jsonl")
    assert tail.stat().st_size > 0
    tail.unlink()
    trained(tmp_path / "store")
    assert numbers(tmp_path / "store") == undisturbed


@pytest.mark.parametrize("which", [0, -1])
def test_a_segment_that_goes_while_a_run_trains_is_said_and_made_again(tmp_path, undisturbed, sealed, which):
    calls = iter(range(10**6))

    def taking():
        if next(calls) == 5:
            sorted((tmp_path / "store").glob("runs/*/v1/curves-*"))[which].unlink()
        return False

    wanted = (
        r"rows of curves, expected 51: somebody removed or changed files while it trained. Run the same command again"
    )
    with pytest.raises(StoreError, match=wanted):
        trained(tmp_path / "store", stop=taking, checkpoint_seconds=0.0)
    trained(tmp_path / "store")
    assert numbers(tmp_path / "store") == undisturbed


@pytest.mark.parametrize("hand", ["lock removed", "lock replaced", "store moved"])
def test_a_writer_whose_lock_or_store_is_taken_away_stops_and_leaves_no_ghost(tmp_path, undisturbed, hand):
    root, calls = tmp_path / "store", iter(range(10**6))

    def taking():
        if next(calls) == 2:
            if hand == "store moved":
                root.rename(tmp_path / "moved")
            else:
                (root / "lock").unlink()
                if hand == "lock replaced":
                    (root / "lock").write_text("")
        return False

    with pytest.raises(StoreError, match=r"was moved, or its lock was removed, while this process writes to it"):
        trained(root, stop=taking, checkpoint_seconds=0.0)
    if hand == "store moved":
        assert not root.exists()
        (tmp_path / "moved").rename(root)
    trained(root)
    assert numbers(root) == undisturbed


def test_a_lock_that_is_a_link_is_refused_and_its_target_left_alone(tmp_path):
    Store.open(tmp_path / "store").close()
    (tmp_path / "letter").write_text("dear reader")
    (tmp_path / "store" / "lock").unlink()
    (tmp_path / "store" / "lock").symlink_to(tmp_path / "letter")
    with pytest.raises(StoreError, match=r"lock is a symbolic link, expected a file: remove it and run again"):
        Store.open(tmp_path / "store")
    assert (tmp_path / "letter").read_text() == "dear reader"


def test_a_store_that_was_copied_is_a_store(tmp_path, undisturbed):
    interrupted(tmp_path / "store")
    shutil.copytree(tmp_path / "store", tmp_path / "copy")
    trained(tmp_path / "copy")
    assert numbers(tmp_path / "copy") == undisturbed


def test_a_file_that_may_not_be_read_is_one_line(tmp_path, monkeypatch):
    trained(tmp_path / "store")
    real = Path.read_bytes

    def refuse(path):
        if path.suffix == ".parquet":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(StoreError, match=r"^cannot read .*\.parquet: Permission denied. Make it readable, or see: "):
        numbers(tmp_path / "store")
