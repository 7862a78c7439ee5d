"""Killed at any moment of a compaction, a store has each run once, and the next compaction ends it."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from anglewise.lab.store import Reader, Store
from anglewise.lab.store.examine import examine
from tests.lab.store.test_packs import ENDED, IDS, compact, fill, folders, packs, write

OPERATIONS = ("replace", "rename", "unlink", "rmdir", "mkdir", "truncate")


class Killed(BaseException):
    """No handler of ordinary errors sees it, as none sees SIGKILL."""


def kill_at(patch, moment):
    """Die right before the file-system operation of that number, whichever thread does it; returns the count so far."""
    count = [0]

    def guarded(real):
        def operation(*args, **kwargs):
            count[0] += 1
            if 0 < moment <= count[0]:
                raise Killed
            return real(*args, **kwargs)

        return operation

    patch.setattr(os, "fsync", lambda handle: None)  # what it adds shows in a power cut alone
    for name in OPERATIONS:
        patch.setattr(os, name, guarded(getattr(os, name)))
    patch.setattr(Path, "write_bytes", guarded(Path.write_bytes))
    return count


def seen(root):
    """What a reader sees of every run, and how often SQL sees it."""
    reader = Reader(root, pauses=())
    runs = {
        run_id: (
            [repr(reader.rows(kind, run_id).to_pylist()) for kind in ("curves", "readings", "arrays")],
            reader.outcome(run_id) and reader.outcome(run_id).outcome, reader.spec(run_id), reader.provenance(run_id),
            reader.kept(run_id) and reader.kept(run_id).weights["w"].tolist(),
        )
        for run_id in IDS
    }  # fmt: skip
    sql = "SELECT r.run_id, count(*) AS n FROM runs r JOIN curves c USING (run_id) GROUP BY ALL ORDER BY ALL"
    return runs, reader.query(sql).to_pylist(), reader.finished()


def at_every_moment(tmp_path, monkeypatch, prepare):
    """Compact, killed at every moment; returns how many there were."""
    whole = prepare(tmp_path / "whole")
    before = seen(whole)
    with monkeypatch.context() as patch:
        moments = kill_at(patch, -1)
        compact(whole)
    assert seen(whole) == before
    for moment in range(1, moments[0] + 1):
        root = prepare(tmp_path / str(moment))
        with monkeypatch.context() as patch:
            kill_at(patch, moment)
            with pytest.raises(Killed):
                compact(root)
        assert seen(root) == before, f"right after a kill at moment {moment}"
        with Store.open(root) as store:
            assert store.finished() == before[2]
        compact(root)
        assert seen(root) == before and examine(root) == []
        assert folders(root) == folders(whole) and len(packs(root)) == len(packs(whole))
        assert not list(root.rglob("*.tmp"))
    return moments[0]


def test_of_folders(tmp_path, monkeypatch):
    assert at_every_moment(tmp_path, monkeypatch, fill) > 40


def test_of_folders_and_packs_with_runs_that_were_reset_rewound_or_went_on(tmp_path, monkeypatch):
    def prepare(root):
        fill(root)
        compact(root)
        with Store.open(root) as store:
            store.reset(IDS[0])
            store.rewind(IDS[1], 10)
            store.rewind(IDS[2], 20)
            store.finish(IDS[2], ENDED)
            store.finish(IDS[4], ENDED)
        return root

    assert at_every_moment(tmp_path, monkeypatch, prepare) > 25


def test_of_many_packs_of_which_some_are_small(tmp_path, monkeypatch):
    monkeypatch.setattr("anglewise.lab.store.packing.RUNS_EACH", 2)

    def prepare(root):
        fill(root)
        compact(root)
        with Store.open(root) as store:
            store.reset(IDS[3])
            write(store, 3)
            store.finish(IDS[4], ENDED)
        return root

    assert at_every_moment(tmp_path, monkeypatch, prepare) > 25


def test_of_a_run_that_gets_its_folder_back(tmp_path, monkeypatch):
    for moment in range(1, 40):
        root = fill(tmp_path / str(moment))
        compact(root)
        before = seen(root)
        with monkeypatch.context() as patch:
            count = kill_at(patch, moment)
            try:
                with Store.open(root) as store:
                    store.rewind(IDS[1], 10)
            except Killed:
                pass
        steps = Reader(root).curves(IDS[1])["step"].tolist()
        assert steps in ([0, 10], [0, 10, 20])
        assert {run_id: parts for run_id, parts in seen(root)[0].items() if run_id != IDS[1]} == {
            run_id: parts for run_id, parts in before[0].items() if run_id != IDS[1]
        }
        with Store.open(root) as store:
            assert store.rewind(IDS[1], 10) == 10
        assert not list(root.rglob("*.tmp"))
        if count[0] < moment:
            break
    assert 8 < moment < 39


def test_control_a_folder_that_is_deleted_before_its_pack_is_there_would_be_missed(tmp_path, monkeypatch):
    """Negative control: what is looked at above shows a lost run."""
    import anglewise.lab.store.packing as packing

    before = seen(fill(tmp_path))

    def careless(folder, runs):
        packing._remove(runs[0].path)
        raise Killed

    monkeypatch.setattr(packing, "_write", careless)
    with pytest.raises(Killed):
        compact(tmp_path)
    assert seen(tmp_path) != before


@pytest.mark.parametrize("moment", [3, 9, 13, 30])
def test_by_sigkill(tmp_path, moment):
    root = fill(tmp_path / "store")
    before = seen(root)
    code = textwrap.dedent(
        """
        import os, signal, sys
        from anglewise.lab.store import Store
        left = int(sys.argv[2])
        def guarded(real):
            def operation(*args, **kwargs):
                global left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **kwargs)
            return operation
        with Store.open(sys.argv[1]) as store:
            for name in sys.argv[3:]:
                setattr(os, name, guarded(getattr(os, name)))
            store.compact()
        """
    )
    died = subprocess.run([sys.executable, "-c", code, str(root), str(moment), *OPERATIONS])
    assert died.returncode == -signal.SIGKILL
    assert seen(root) == before
    compact(root)
    assert seen(root) == before and len(packs(root)) == 1
