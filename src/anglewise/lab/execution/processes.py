"""Workers on this machine: processes, each with its share of the cores.

The products of small networks do not scale over threads, so several runs of one thread each train more than one run of
several threads.  How many threads a run has changes the order in which products are summed, hence its last bits.  So
the number of workers is decided by the experiment and the machine, never by what is missing.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from types import TracebackType
from typing import Self

import loky

from anglewise.errors import SpecError
from anglewise.lab.engine.placement import first_device
from anglewise.lab.execution.unit import Unit
from anglewise.lab.execution.worker import work
from anglewise.lab.execution.workers import Workers

SWITCH = "ANGLEWISE_JOBS"
"""Environment variable: the number of workers where none is given."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_jobs(runs: int, bytes_each: int = 0) -> int:
    """Workers that train an experiment fastest on this machine's cores.

    A worker takes seconds to start, so each is to have at least two runs.  On two cores one process with two threads
    was as fast as two processes (docs/performance.md), so there it stays one.

    Args:
        runs: Of the whole experiment, whether they are missing or not.
        bytes_each: Memory of a run; all workers together are to fit into half of the machine's.
    """
    chosen = os.environ.get(SWITCH)
    if chosen is not None:
        return checked_jobs(chosen, SWITCH)
    if cores() <= FEW:
        return 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return max(1, min(cores(), runs // 2, memory // max(bytes_each + OWN, 1)))


FEW = 2
"""Cores that one process uses as well as several do."""
OWN = 2**29
"""Bytes that a worker takes for itself: libraries and compiled programs."""


def checked_jobs(text: str, where: str) -> int:
    """A number of workers.

    Raises:
        SpecError: If it is not a whole number from 1 to 1,024.
    """
    if not (text.strip().isascii() and text.strip().isdigit() and 1 <= int(text) <= 1024):
        raise SpecError(f"{where} is {text!r}, expected a whole number of processes from 1 to 1024")
    return int(text)


def local(runs: int, bytes_each: int, jobs: int | None = None) -> Processes | None:
    """The workers that train runs on this machine; None where this process is to train them itself.

    Args:
        runs: How many there are, whether they are missing or not.
        bytes_each: Memory of a run.
        jobs: How many workers; None for what suits the machine.

    Raises:
        SpecError: If several are asked for where members train as one program on an accelerator.
    """
    device = first_device()
    if device.platform != "cpu":
        if jobs is not None and jobs > 1:
            raise SpecError(
                f"got {jobs} jobs on {device.device_kind}, expected 1: there, runs train together as one program. "
                "Add JAX_PLATFORMS=cpu to train on the cores"
            )
        return None
    if jobs is None:
        jobs = default_jobs(runs, bytes_each)
    return Processes(jobs) if jobs > 1 else None


def threads_of(workers: Workers | None) -> int:
    """Threads that each run has: a number that its last bits depend on."""
    return cores() if workers is None else workers.threads


class Processes:
    """Worker processes on this machine.

    A process that ends too early (killed, out of memory) is replaced by a new one; the others do not notice.

    Args:
        jobs: How many.
    """

    members = 1

    def __init__(self, jobs: int):
        """Start nothing yet."""
        self.slots = self.ahead = jobs
        self.threads = max(1, cores() // jobs)
        self.place = f"{jobs} processes"
        self._processes = [self._process() for _ in range(jobs)]
        self._given: list[Future[bool] | None] = [None] * jobs

    def _process(self) -> loky.ProcessPoolExecutor:
        threads = str(self.threads)
        env = {"NPROC": threads, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
        return loky.ProcessPoolExecutor(1, initializer=_begin, env=env, timeout=None)

    def send(self, root: Path, unit: Unit, session: str) -> Future[bool]:
        """Give a unit to a process that has nothing to do; no more than `slots` at once."""
        slot = next(i for i, given in enumerate(self._given) if given is None or given.done())
        before = self._given[slot]
        if before is not None and isinstance(before.exception(), BrokenExecutor):
            self._processes[slot].shutdown(wait=False)
            self._processes[slot] = self._process()
        future: Future[bool] = self._processes[slot].submit(work, root, unit, session, os.getpid())
        self._given[slot] = future
        return future

    def kill(self) -> None:
        """End all processes at once."""
        for process in self._processes:
            process.shutdown(wait=False, kill_workers=True)

    def close(self) -> None:
        """End processes that have nothing to do."""
        for process in self._processes:
            process.shutdown(wait=True)

    def __enter__(self) -> Self:
        """Enter a block at whose end it is closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; after an error or a second Ctrl-C, kill."""
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.kill()
        self.close()


def _begin() -> None:
    """Ctrl-C in a terminal reaches every process of it; the driver decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
