"""Where units are trained: the one interface of processes on this machine, of a Ray cluster, of SLURM."""

from __future__ import annotations

import os
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from anglewise.lab.execution.unit import Unit


class Lost(BrokenExecutor):
    """A worker ended before its unit did: killed, out of memory, or its machine is gone."""


def environment(threads: int, gpus: int = 0) -> dict[str, str]:
    """Environment variables of a process that trains on another machine.

    How programs are compiled decides their last bits, so what was chosen for this process goes along.

    Args:
        threads: Of each run.
        gpus: Accelerators; without any it trains on the cores.
    """
    chosen = {key: value for key, value in os.environ.items() if key.startswith("JAX_") or key == "XLA_FLAGS"}
    if gpus:
        chosen.pop("JAX_PLATFORMS", None)
        return chosen
    count = str(threads)
    return chosen | {
        "NPROC": count, "OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu",
    }  # fmt: skip


class Workers(Protocol):
    """Processes that train units; a context manager.

    Attributes:
        slots: Units that are worked on at once; what is sent beyond that waits there.
        ahead: Units that are sent before the first of them has ended.
        members: Runs in one unit, at most.
        threads: Of each run.
        place: Where they are, in words.
    """

    slots: int
    ahead: int
    members: int
    threads: int
    place: str

    def send(self, root: Path, unit: Unit, session: str) -> Future[bool]:
        """Have a unit worked on by :func:`~anglewise.lab.execution.worker.work`.

        Args:
            root: The store.
            unit: What is to be trained.
            session: Names the stop file.

        Returns:
            Whether it came to its end.  Where its worker ended too early, the exception is a `BrokenExecutor`.
        """

    def kill(self) -> None:
        """End all workers at once; what they saved stays."""

    def close(self) -> None:
        """End workers that have nothing to do."""

    def __enter__(self) -> Self:
        """Enter a block at whose end it is closed."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
