"""Compiled programs on disk: a second command compiles nothing that the first one has compiled.

XLA keeps them in a folder of the user's cache, one for each way to compile: the release of jaxlib, the processor with
its instructions, and the number of threads.  A program from another machine or release is never looked at.  What is
kept is what the compiler gave, so no bit of a result changes.  ``ANGLEWISE_CACHE=off`` turns it off,
``ANGLEWISE_CACHE=DIR`` puts it elsewhere; a folder that was chosen for JAX itself (``JAX_COMPILATION_CACHE_DIR``) is
left as it is.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import jax
import platformdirs
from jax.experimental.compilation_cache import compilation_cache

SWITCH = "ANGLEWISE_CACHE"
MOST = 2 * 2**30
"""Bytes that each folder may hold; what was used least recently goes first."""
KEPT = 3
"""Folders of other releases, machines or numbers of threads that stay."""


def folder(environ: Mapping[str, str] = os.environ, cpu_info: Path = Path("/proc/cpuinfo")) -> Path | None:
    """Where programs are kept; None where they are not.

    Args:
        environ: Environment variables.
        cpu_info: Says what the processor is.
    """
    chosen = environ.get(SWITCH, "")
    if chosen.lower() in ("off", "0", "no"):
        return None
    root = Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("anglewise") / "programs"
    threads = environ.get("NPROC") or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else "1")
    how = (_processor(cpu_info), str(threads), environ.get("XLA_FLAGS", ""))
    return root / f"jaxlib-{version('jaxlib')}-{hashlib.sha256(repr(how).encode()).hexdigest()[:12]}"


def _processor(cpu_info: Path) -> str:
    """The processor's name and what it can do: code for one with more instructions would stop on one with fewer."""
    try:
        lines = cpu_info.read_text().splitlines()
    except OSError:
        lines = []
    told = {line.split(":")[0].strip(): line for line in lines}
    return "\n".join(told.get(key, "") for key in ("model name", "flags", "Features")) or platform.processor()


@functools.cache
def use() -> Path | None:
    """Keep compiled programs from now on; returns where, None where that is off or was decided before.

    Where the folder cannot be made, programs are compiled anew each time: slower, and nothing else.
    """
    if jax.config.values["jax_compilation_cache_dir"]:
        return None
    where = folder()
    if where is None:
        return None
    try:
        where.mkdir(parents=True, exist_ok=True)
        os.utime(where)
    except OSError:
        return None
    _forget(where)
    jax.config.update("jax_compilation_cache_dir", str(where))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    jax.config.update("jax_compilation_cache_max_size", MOST)
    compilation_cache.reset_cache()  # something may have been compiled already, without it
    return where


def _forget(here: Path) -> None:
    """Remove the folders that were used least recently, but for a few: releases come and go."""
    others = [path for path in here.parent.glob("jaxlib-*") if path != here]
    for old in sorted(others, key=os.path.getmtime, reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)  # whoever uses it compiles anew
