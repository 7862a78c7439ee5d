"""What tests share so that nothing is made twice: compiled programs, and a worker for the tests of one file.

:class:`Programs` belongs to whoever trains.  So two calls of ``train`` compile the same program twice, which is seldom
what a test is about.  In tests, owners whose readings, placement and way to compile are equal are handed the programs
of one common owner.  A test of ownership itself asks for the fixture ``programs_of_their_own``.

XLA's own cache serves what that cannot: other workers, subprocesses, and all other compiled functions.  It stores what
the compiler gave, so no bit of a result changes.  It lives as long as the session, in a folder of its own.
"""

from __future__ import annotations

import functools
import os
import sys
import tempfile

import pytest

MODULE = "anglewise.lab.engine.programs"
"""Imported by tests that train, and not for others."""
MOST = 32
"""Structures that a common owner keeps: each program holds memory maps, of which a process has a limited number."""
HOW = ("jax_disable_most_optimizations", "jax_enable_x64")
"""Settings that a program is compiled under."""
LAWS = "tests/laws/test_methods.py"
CACHE = "JAX_COMPILATION_CACHE_DIR"


def compiled_once() -> str | None:
    """Point XLA's cache to a new folder, for this process and all that it starts; None where there is one already."""
    if CACHE in os.environ:
        return None
    os.environ[CACHE] = folder = tempfile.mkdtemp(prefix="anglewise-tests-xla-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    return folder


@functools.lru_cache(maxsize=8)
def _common(owner, at_evaluations, place, how):
    return owner(at_evaluations, place=place, most=MOST)


def _shared_of(alone):
    def of(self, run, readings=()):
        import jax

        how = jax.jit, *(jax.config.read(name) for name in HOW)
        return alone(_common(type(self), self._at_evaluations, self._place, how), run, readings)

    of.alone = alone
    return of


def share_programs(on: bool = True) -> None:
    """Let all owners share programs, or each have its own again; without effect before the engine is imported."""
    if MODULE not in sys.modules:
        return
    owner = sys.modules[MODULE].Programs
    alone = getattr(owner.of, "alone", owner.of)
    owner.of = _shared_of(alone) if on else alone


def scope_of(nodeid: str) -> str:
    """What runs on one worker: the tests of a file, and of the laws, which are many, those of one method.

    Not by the mark ``xdist_group``: pytest-xdist 3.8.0 writes it into a field that pytest 9.2.0 no longer reads.
    """
    file, _, test = nodeid.partition("::")
    case = test.partition("[")[2].rstrip("]") if file == LAWS else ""
    return f"{file}[{case}]"


def scheduler(config, log):
    """Deals out scopes in their order, each to one worker."""
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class ByScope(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid)

    return ByScope(config, log)


def slow_first(items: list[pytest.Item]) -> None:
    """Scopes with slow tests first: a scope's last test may come long after its first, so none may begin last."""
    slow = {scope_of(item.nodeid) for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: scope_of(item.nodeid) not in slow)
