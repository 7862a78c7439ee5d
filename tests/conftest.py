"""What all tests share."""

from __future__ import annotations

import contextlib
import gc
import os
import platform
import shutil
from importlib.metadata import version

import pytest

from tests.support import sharing, typecheck

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("ANGLEWISE_JOBS", "1")  # tests share the cores already; those of processes ask for them
# many small programs, each run for a few steps: compile fast rather than well (the golden curves do otherwise)
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if version("jaxlib").startswith("0.10.") and platform.machine() == "x86_64":
    # XLA stops at a flag that it does not know, hence the version.  Its older code generator takes half the time;
    # without FMA instructions no product and sum are contracted, so that bits can be compared across programs
    # one thread for each worker, since workers share the cores
    # nor gains a program from being compiled in parts at once
    flags = "--xla_cpu_use_fusion_emitters=false --xla_cpu_max_isa=AVX --xla_cpu_multi_thread_eigen=false"
    flags += " --xla_cpu_parallel_codegen_split_count=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()

typecheck.install()
COMPILED = sharing.compiled_once()


def pytest_unconfigure():
    """The session's compiled programs go with it."""
    if COMPILED:
        shutil.rmtree(COMPILED, ignore_errors=True)


def pytest_collection_modifyitems(items):
    """In which order tests are dealt out."""
    sharing.slow_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """To which worker tests are dealt out."""
    return sharing.scheduler(config, log)


def pytest_collection_finish():
    """What is imported and collected stays to the end, so the garbage collector need not walk through it."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def _programs_shared(request):
    sharing.share_programs("programs_of_their_own" not in request.fixturenames)


@pytest.fixture
def programs_of_their_own():
    """Each owner of programs compiles its own, as users have it."""


@contextlib.contextmanager
def _most_optimisations(on):
    import jax

    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", not on)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="module")
def optimised():
    """Compiled as users have it."""
    with _most_optimisations(True):
        yield


@pytest.fixture(scope="module")
def uncontracted():
    """No product and sum contracted into one rounding, whatever the environment says."""
    with _most_optimisations(False):
        yield


@pytest.fixture
def double():
    """JAX computes in float64."""
    import jax

    with jax.enable_x64(True):
        yield
