"""Several processes that train: the driver or any worker may end at any moment, and nothing is lost or done twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest

from anglewise.lab.store.working import LOCK, busy
from tests.faults.test_kills import EXPERIMENT, numbers
from tests.support import lives


def life(folder, store, *more):
    words = ("--checkpoint", "0.1", "--readings", "radii,motion", "--jobs", "2", *more)
    return lives.begun("run", str(folder / "e.toml"), "--out", str(store), "--quiet", *words)


def workers_of(process):
    """Processes that a process has started and that train for it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process.pid and "resource_tracker" not in (entry / "cmdline").read_text():
                found.append(int(entry.name))
    return found


def wait_until(true, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The numbers of an undisturbed run in two processes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "e.toml").write_text(EXPERIMENT)
    process = life(folder, folder / "store")
    process.join(300)
    assert process.exitcode == 0
    return numbers(folder / "store")


@pytest.mark.slow
def test_drivers_and_workers_that_are_killed_change_no_number(tmp_path, expected):
    (tmp_path / "e.toml").write_text(EXPERIMENT)
    chance, store = random.Random(0), tmp_path / "store"
    for victim in ("worker", "driver", "worker", "driver"):
        process = life(tmp_path, store)
        wait_until(lambda process=process: list(store.glob(f"populations/*{LOCK}")) or not process.is_alive())
        time.sleep(chance.uniform(0.0, 0.4))
        if victim == "driver":
            process.kill()
            process.join()
            continue  # its workers see that, save, and end; the next driver waits for them
        for pid in workers_of(process)[:1]:
            os.kill(pid, signal.SIGKILL)
        time.sleep(chance.uniform(0.0, 0.4))
        process.kill()
        process.join()
    process = life(tmp_path, store)
    process.join(300)
    assert process.exitcode == 0
    assert numbers(store) == expected
    assert not list((store / "populations").iterdir())


@pytest.mark.slow
def test_an_interrupt_has_all_workers_save(tmp_path):
    (tmp_path / "e.toml").write_text(EXPERIMENT.replace("budget = 1500", "budget = 300000"))
    store = tmp_path / "store"
    process = life(tmp_path, store)
    wait_until(lambda: len(list(store.glob("populations/*.news"))) == 2)
    time.sleep(1.0)
    workers = workers_of(process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers hear it too
    process.join(120)
    assert process.exitcode == 1
    assert len(list(store.glob("populations/*/state.safetensors"))) == 2
    assert not list(store.glob("populations/*.*")) and not busy(store)
    assert len(workers) >= 2
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers))
