"""Killed at any moment and started again, a store ends with the very rows of an undisturbed one."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from anglewise.errors import StoreError
from anglewise.lab.store import Reader, Store, rows

LAST = 40
OPERATIONS = ("replace", "fsync", "truncate", "unlink", "mkdir")
SCRIPT = textwrap.dedent(
    """
    import json, os, signal, sys
    from pathlib import Path
    from anglewise.lab.outcome import Outcome
    from anglewise.lab.spec import Manifest, Planned
    from anglewise.lab.store import Store

    def curve(step):
        accuracy = float("nan") if step == 20 else 1 / (step + 3)
        losses = {"train_loss": 0.1, "test_loss": 0.2}
        return {"step": step, "train_accuracy": accuracy, "test_accuracy": None, **losses}

    def reading(step, site):
        return {"step": step, "site": site, "name": "radius", "value": step * 0.1}

    def train(root, checkpoint, last=40):
        '''As the engine does: append, seal, checkpoint; after a kill, rewind to the checkpoint.'''
        with Store.open(root) as store:
            store.manifest(Manifest("e", "e", (Planned("r", "a", 0),)))
            if "r" in store.finished():
                return
            saved = json.loads(checkpoint.read_text()) if checkpoint.exists() else None
            if saved is None:
                store.reset("r")
            else:
                assert store.rewind("r", saved) == saved
            store.begin("r", {"seed": 0}, {"code": 1})
            for step in range(0 if saved is None else saved + 5, last + 1, 5):
                store.append("r", [curve(step)], [reading(step, "a"), reading(step, "b")])
                if step % 15 == 0:
                    store.seal("r")
                    beside = checkpoint.with_suffix(".tmp")
                    beside.write_text(json.dumps(step))
                    os.replace(beside, checkpoint)
            store.finish("r", Outcome("memorised", last))
    """
)
trainer: dict = {}
exec(SCRIPT, trainer)
train = trainer["train"]


class Killed(BaseException):
    """No handler of ordinary errors sees it, as none sees SIGKILL."""


def kill_at(patch, moment):
    """Die right before the file-system operation of that number; returns the count so far."""
    count = [0]

    def guarded(real):
        def operation(*args, **kwargs):
            count[0] += 1
            if count[0] == moment:
                raise Killed
            return real(*args, **kwargs)

        return operation

    patch.setattr(os, "fsync", lambda handle: None)  # what it adds shows in a power cut alone
    for name in OPERATIONS:
        patch.setattr(os, name, guarded(getattr(os, name)))
    return count


def seen(root):
    """Curve rows and reading rows as a reader sees them, without the SQL on top."""
    tables = [Reader(root).rows(kind, "r") for kind in ("curves", "readings")]
    return [[repr(row) for row in table.to_pylist()] for table in tables]


@pytest.fixture
def undisturbed(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        count = kill_at(patch, -1)
        train(tmp_path / "undisturbed", tmp_path / "checkpoint-undisturbed")
    return seen(tmp_path / "undisturbed"), count[0]


def test_between_any_two_operations(tmp_path, monkeypatch, undisturbed):
    whole, moments = undisturbed
    assert len(whole[0]) == LAST // 5 + 1 and moments > 40
    for moment in range(1, moments + 1):
        root, checkpoint = tmp_path / str(moment), tmp_path / f"checkpoint-{moment}"
        with monkeypatch.context() as patch:
            kill_at(patch, moment)
            with pytest.raises(Killed):
                train(root, checkpoint)
        if (root / "anglewise-store.json").exists():
            for rows_seen, rows_whole in zip(seen(root), whole, strict=True):
                assert len(set(rows_seen)) == len(rows_seen) and set(rows_seen) <= set(rows_whole)
        train(root, checkpoint)
        assert seen(root) == whole
        assert not list(root.rglob("*.tmp"))


def test_again_while_it_recovers(tmp_path, monkeypatch, undisturbed):
    whole, moments = undisturbed
    for moment in range(7, 60, 4):
        root, checkpoint = tmp_path / str(moment), tmp_path / f"checkpoint-{moment}"
        with monkeypatch.context() as patch:
            kill_at(patch, moments - 8)
            with pytest.raises(Killed):
                train(root, checkpoint)
        with monkeypatch.context() as patch:
            count = kill_at(patch, moment)
            try:
                train(root, checkpoint)
            except Killed:
                pass
            else:
                assert count[0] < moment
        train(root, checkpoint)
        assert seen(root) == whole


@pytest.mark.parametrize("moment", range(1, 10))
def test_while_a_rewind_cuts_through_a_segment(tmp_path, monkeypatch, moment):
    with Store.open(tmp_path) as store:
        store.begin("r", {}, {})
        for first in (0, 3, 6, 9):
            steps = range(first, first + 3)
            store.append("r", [trainer["curve"](i) for i in steps], [trainer["reading"](i, "a") for i in steps])
            if first < 9:
                store.seal("r")
        before = seen(tmp_path)
        with monkeypatch.context() as patch:
            count = kill_at(patch, moment)
            with contextlib.suppress(Killed):
                store.rewind("r", 4)
            assert count[0] == min(moment, 8), "a rewind that takes other steps needs other moments"
        for left, whole in zip(seen(tmp_path), before, strict=True):
            assert left == whole[: len(left)] and len(left) >= 5
        assert store.rewind("r", 4) == 4
        assert seen(tmp_path) == [whole[:5] for whole in before]


def test_a_tail_that_was_not_emptied_would_count_twice_if_nobody_looked(tmp_path, monkeypatch):
    """Negative control: a kill leaves rows both in a segment and in the tail; the rule keeps them single."""
    with Store.open(tmp_path) as store:
        store.begin("r", {}, {})
        store.append("r", [trainer["curve"](0)], [])
        with monkeypatch.context() as patch:
            patch.setattr(os, "truncate", lambda *args: (_ for _ in ()).throw(Killed))
            with pytest.raises(Killed):
                store.seal("r")
    found, tail = rows.contents(tmp_path / "runs/r")
    assert len(found["curves"]) == 1 and not tail["curves"]
    assert len(rows.from_tail((tmp_path / "runs/r/tail.jsonl").read_bytes())[0]["curves"]) == 1
    assert len(seen(tmp_path)[0]) == 1


@pytest.mark.parametrize("moment", [5, 23, 37, 51])
def test_by_sigkill(tmp_path, undisturbed, moment):
    code = SCRIPT + textwrap.dedent(
        """
        left = int(sys.argv[3])
        def guarded(real):
            def operation(*args, **kwargs):
                global left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **kwargs)
            return operation
        for name in sys.argv[4:]:
            setattr(os, name, guarded(getattr(os, name)))
        train(Path(sys.argv[1]), Path(sys.argv[2]))
        """
    )
    places = [str(tmp_path / "store"), str(tmp_path / "checkpoint")]
    died = subprocess.run([sys.executable, "-c", code, *places, str(moment), *OPERATIONS])
    assert died.returncode == -signal.SIGKILL
    train(tmp_path / "store", tmp_path / "checkpoint")
    assert seen(tmp_path / "store") == undisturbed[0]


def test_a_second_process_is_told_who_writes_and_readers_are_not_kept_out(tmp_path):
    code = SCRIPT + textwrap.dedent(
        """
        with Store.open(sys.argv[1]) as store:
            store.begin("r", {}, {})
            store.append("r", [curve(0)], [])
            print("writing", flush=True)
            sys.stdin.read()
        """
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=pipe, stdout=pipe) as other:
        assert other.stdout.readline() == b"writing\n"
        with pytest.raises(StoreError, match=f"is being written by process {other.pid} on .*: wait until it ends, or"):
            Store.open(tmp_path)
        assert len(seen(tmp_path)[0]) == 1
        other.kill()
    Store.open(tmp_path).close()


def test_the_trainer_here_knows_its_checkpoint(tmp_path):
    """Negative control: what recovers above is the store together with a checkpoint, and there is one."""
    train(tmp_path / "store", tmp_path / "checkpoint")
    assert json.loads((tmp_path / "checkpoint").read_text()) == 30
