"""Killed at any moment and started again, an experiment ends with the very numbers of an undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from anglewise.lab.store import Reader
from tests.support import lives

KILLS = 20
EXPERIMENT = """
name = "killed"
seeds = 2
[task]
is = "modular"
p = 11
[model]
is = "mlp"
hidden = [16]
[training]
budget = 1500
every = 3
batch = 16
measure_every = 300
[arms.plain]
methods = [{ is = "adamw", lr = 0.01, wd = 0.1 }]
[arms.radial]
methods = [{ is = "adamw", lr = 0.01, wd = 0.1 }, { is = "radial", strength = 0.1 }]
"""


def begun(folder, store):
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(folder / "cache"), "JAX_PLATFORMS": "cpu"}
    environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    words = ["run", str(folder / "e.toml"), "--out", str(store), "--quiet", "--checkpoint", "0.1"]
    words += ["--readings", "radii"]
    return subprocess.Popen(
        [sys.executable, "-m", "anglewise.cli.main", *words],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def life(folder, store):
    """The same, of few readings: with and without a past, and of both cadences."""
    few = ("--readings", "radii,motion,spectrum")
    return lives.begun("run", str(folder / "e.toml"), "--out", str(store), "--quiet", "--checkpoint", "0.1", *few)


def whole(folder, store):
    process = life(folder, store)
    process.join(300)
    assert process.exitcode == 0


def numbers(store):
    """Every row as text, to the bit: a double is written with all its digits, and NaN equals NaN."""
    reader = Reader(store)
    return [
        [repr(row) for row in reader.query(f"SELECT * FROM {view} ORDER BY ALL").to_pylist()]
        for view in (
            "curves", "readings", "arrays", "(SELECT run_id, arm, seed, outcome, steps, t95, t95_sustained FROM runs)",
        )
    ]  # fmt: skip


@pytest.mark.slow
def test_twenty_random_kills_change_no_number(tmp_path):
    (tmp_path / "e.toml").write_text(EXPERIMENT)
    whole(tmp_path, tmp_path / "warm")  # fills the compilation cache, so that lives are short
    started = time.monotonic()
    whole(tmp_path, tmp_path / "undisturbed")
    usual = time.monotonic() - started
    expected = numbers(tmp_path / "undisturbed")
    assert len(expected[0]) == 4 * 501
    chance, kills, in_training, round_ = random.Random(0), 0, 0, 0
    while kills < KILLS:
        store = tmp_path / f"disturbed{round_}"
        round_ += 1
        while True:
            process = life(tmp_path, store)
            process.join(chance.uniform(0.3, 0.75) * usual if kills < KILLS else 300)
            if process.is_alive():
                process.kill()
                process.join()
                kills += 1
                part = list((store / "runs").glob("*")) if store.exists() else []
                in_training += any(not (run / "outcome.json").exists() for run in part)
                continue
            assert process.exitcode == 0
            break
        assert numbers(store) == expected, f"after {kills} kills"
    assert in_training >= KILLS // 4  # the kills met training, not only imports


def test_interrupt_saves_and_the_same_command_goes_on(tmp_path):
    (tmp_path / "e.toml").write_text(EXPERIMENT.replace("budget = 1500", "budget = 60000"))
    process = begun(tmp_path, tmp_path / "store")
    deadline = time.monotonic() + 120
    while not list((tmp_path / "store").glob("runs/*/spec.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "interrupted: run the same command again to go on from here" in err.decode()
    assert "Traceback" not in err.decode()
    assert list((tmp_path / "store").glob("populations/*/state.safetensors"))
