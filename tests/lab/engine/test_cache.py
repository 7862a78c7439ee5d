"""Compiled programs on disk: kept apart by all that they depend on, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from anglewise.lab.engine import cache

CPU = "processor : 0\nmodel name : Some CPU\nflags : fpu avx\n"


@pytest.fixture
def cpu(tmp_path):
    (tmp_path / "cpuinfo").write_text(CPU)
    return tmp_path / "cpuinfo"


def test_it_can_be_turned_off_and_put_elsewhere(tmp_path, cpu):
    for off in ("off", "OFF", "0", "no"):
        assert cache.folder({cache.SWITCH: off}, cpu) is None
    assert cache.folder({cache.SWITCH: str(tmp_path)}, cpu).parent == tmp_path
    assert cache.folder({}, cpu).parent.name == "programs"


def test_another_processor_number_of_threads_or_flag_has_another_folder(tmp_path, cpu):
    here = {cache.SWITCH: str(tmp_path), "NPROC": "2"}
    folders = {cache.folder(here, cpu), cache.folder(here | {"NPROC": "1"}, cpu)}
    folders.add(cache.folder(here | {"XLA_FLAGS": "--xla_cpu_max_isa=AVX"}, cpu))
    cpu.write_text(CPU.replace("avx", "avx avx512f"))
    folders.add(cache.folder(here, cpu))
    cpu.write_text(CPU.replace("Some", "Other"))
    folders.add(cache.folder(here, cpu))
    assert len(folders) == 5
    cpu.write_text(CPU)
    assert cache.folder(here, cpu) in folders


def test_folders_of_other_releases_go_but_for_the_latest(tmp_path):
    for i in range(6):
        (tmp_path / f"jaxlib-{i}").mkdir()
        (tmp_path / f"jaxlib-{i}" / "program").write_text("x")
        os.utime(tmp_path / f"jaxlib-{i}", (i, i))
    (tmp_path / "other").mkdir()
    cache._forget(tmp_path / "jaxlib-0")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jaxlib-0", "jaxlib-3", "jaxlib-4", "jaxlib-5", "other"]


PROGRAM = """
import jax, jax.numpy as jnp, jax.monitoring
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
x = jnp.ones(3) + 1  # compiled before the cache is used
from anglewise.lab.engine.programs import Programs
Programs()
jax.jit(lambda x: jnp.tanh(x) @ x)(x)
print(sum(event.endswith("cache_hits") for event in hits), sum(event.endswith("cache_misses") for event in hits))
"""


def hits_and_misses(**environment):
    clean = {key: x for key, x in os.environ.items() if not key.startswith("JAX_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**clean, "JAX_PLATFORMS": "cpu", **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return tuple(map(int, done.stdout.split()))


def test_a_second_process_compiles_nothing(tmp_path):
    first = hits_and_misses(ANGLEWISE_CACHE=str(tmp_path / "cache"))
    again = hits_and_misses(ANGLEWISE_CACHE=str(tmp_path / "cache"))
    assert first[0] == 0 and first[1] > 0
    assert again[0] == first[1] and again[1] == 0


def test_a_folder_that_cannot_be_made_or_that_is_damaged_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert hits_and_misses(ANGLEWISE_CACHE=str(tmp_path / "file" / "below")) == (0, 0)
    hits_and_misses(ANGLEWISE_CACHE=str(tmp_path / "cache"))
    for program in (tmp_path / "cache").glob("*/*-cache"):
        program.write_bytes(program.read_bytes()[:20])
    assert hits_and_misses(ANGLEWISE_CACHE=str(tmp_path / "cache"))[0] == 0


def test_a_cache_that_was_chosen_for_jax_stays(tmp_path):
    hits_and_misses(JAX_COMPILATION_CACHE_DIR=str(tmp_path / "theirs"), ANGLEWISE_CACHE=str(tmp_path / "ours"))
    assert not (tmp_path / "ours").exists()
