"""Locks of workers: no run is ever written by two."""

from __future__ import annotations

import json
import multiprocessing
import os

import pytest

from anglewise.errors import StoreError
from anglewise.lab.store import Store
from anglewise.lab.store.working import LOCK, NEWS, STOP, busy, hold, path_of, sweep

OTHER = multiprocessing.get_context("spawn")


def never():
    return False


class Once:
    """Gives up at the second time it is asked."""

    def __init__(self):
        self.asked = 0

    def __call__(self):
        self.asked += 1
        return self.asked > 1


@pytest.fixture
def root(tmp_path):
    Store.open(tmp_path / "store").close()
    return tmp_path / "store"


def _hold_until_told(root, unit, runs, pipe):
    lock = hold(root, unit, runs, never)
    pipe.send(os.getpid())
    pipe.recv()
    lock.close()


@pytest.fixture
def elsewhere(root):
    """Another process that holds the runs a and b."""
    ours, theirs = OTHER.Pipe()
    process = OTHER.Process(target=_hold_until_told, args=(root, "one", ("a", "b"), theirs))
    process.start()
    ours.recv()
    yield process
    if process.is_alive():
        ours.send(None)
    process.join()


def test_what_another_process_writes_is_busy_until_it_is_gone(root, elsewhere):
    assert busy(root) == {"a", "b"}
    assert busy(root, besides=path_of(root, "one", LOCK)) == set()
    elsewhere.kill()
    elsewhere.join()
    assert busy(root) == set()


def test_a_run_is_never_held_by_two(root, elsewhere):
    assert hold(root, "one", ("c",), Once()) is None, "the same unit"
    assert hold(root, "two", ("b", "c"), Once()) is None, "another unit with a run of it"
    assert not path_of(root, "two", LOCK).exists()
    lock = hold(root, "two", ("c",), Once())
    assert lock is not None and busy(root) == {"a", "b", "c"}
    lock.close()


def test_a_lock_that_was_left_behind_keeps_nobody_out(root, elsewhere):
    elsewhere.kill()
    elsewhere.join()
    assert path_of(root, "one", LOCK).exists()
    lock = hold(root, "one", ("a",), Once())
    assert lock is not None
    lock.close()


def test_what_is_not_signed_yet_counts_for_nothing(root):
    lock = hold(root, "one", ("a",), never)
    lock.truncate(0)
    assert busy(root) == set()
    lock.close()


def test_sweeping_removes_what_the_dead_left_and_nothing_else(root, elsewhere):
    for name, ending in (("one", NEWS), ("dead", NEWS), ("dead", STOP), ("dead", LOCK)):
        path_of(root, name, ending).write_text("{}")
    (root / "populations" / "checkpoint").mkdir()
    sweep(root)
    left = {path.name for path in (root / "populations").iterdir()}
    assert left == {"one.lock", "one.news", "checkpoint"}


def test_a_worker_writes_the_runs_that_it_joined_for(root):
    with Store.join(root, "unit", ["5e"]) as store:
        assert json.loads(path_of(root, "unit", LOCK).read_text())["runs"] == ["5e"]
        store.begin("5e", {"seed": 1}, {})
        store.append("5e", [{"step": 0, "train_accuracy": 0, "test_accuracy": 0, "train_loss": 1, "test_loss": 1}], [])
    assert not path_of(root, "unit", LOCK).exists()
    assert (root / "runs" / "5e" / "tail.jsonl").stat().st_size


def test_a_worker_whose_lock_was_taken_away_stops(root):
    with Store.join(root, "unit", ["5e"]) as store:
        path_of(root, "unit", LOCK).unlink()
        with pytest.raises(StoreError, match="its lock was removed, while this process writes to it"):
            store.begin("5e", {"seed": 1}, {})


def test_waiting_for_a_run_can_be_given_up(root, elsewhere):
    assert Store.join(root, "two", ["a"], Once()) is None


def test_a_folder_that_is_no_store_is_not_joined(tmp_path):
    with pytest.raises(StoreError, match="is not a store: it was moved away, or this machine does not see that folder"):
        Store.join(tmp_path, "unit", ["5e"])


@pytest.mark.parametrize("name", ["../out", "A", ""])
def test_a_unit_cannot_name_a_place_outside(root, name):
    with pytest.raises(StoreError, match="cannot name a folder"):
        path_of(root, name, LOCK)
