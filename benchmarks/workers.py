"""A process for each alternative: libraries fight for threads, and share what they compile between models.

The idle ones wait for a word and take no time.  A worker builds its object and runs its first step at once, and says
how many seconds passed since it was started: imports, compilation and all.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Protocol

COLD = {"ANGLEWISE_CACHE": "off", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
"""Environment of a process that has nothing compiled yet, so that its first step tells what compiling takes."""
SILENT = {"TORCH_CPP_LOG_LEVEL": "ERROR", "KINETO_LOG_LEVEL": "5", "PYTHONWARNINGS": "ignore:dynamo_pgo:UserWarning"}
"""Environment of one that does not write between our lines."""


class Failed(Exception):
    """An alternative could not be built or run here; says why in one line."""


class Trains(Protocol):
    """What a worker builds."""

    def run(self, steps: int) -> None:
        """Train so many steps; back when they are done."""


class Timed:
    """Runs steps of something and gives the seconds.

    Args:
        trains: What is run.
        cpu: Whether seconds are those of this process's own processor time, which others on the machine disturb least.
            Only for what has one thread.
    """

    def __init__(self, trains: Trains, *, cpu: bool = False):
        self.trains = trains
        self.clock = time.process_time if cpu else time.perf_counter

    def seconds(self, steps: int) -> float:
        """Seconds that so many steps take."""
        begun = self.clock()
        self.trains.run(steps)
        return self.clock() - begun


class Worker:
    """A process that builds an object and calls its methods when asked.

    Args:
        build: ``"module:function"`` that returns the object.  It is imported in the process alone.
        *arguments: Its arguments, as plain data.

    Raises:
        Failed: If it cannot be built.
    """

    def __init__(self, build: str, *arguments: Any):
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        os.environ.update(COLD | SILENT)  # a spawned process inherits them
        self.begun = time.perf_counter()
        self.process = context.Process(target=_serve, args=(other, build, arguments), daemon=True)
        self.process.start()
        other.close()
        self._answer()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of the object.

        Raises:
            Failed: If it raises.
        """
        with contextlib.suppress(OSError):  # where it has ended, the answer says so
            self.pipe.send((method, arguments))
        return self._answer()

    def first_step(self) -> float:
        """Run one step; seconds since the process was started."""
        self.ask("seconds", 1)
        return time.perf_counter() - self.begun

    def end(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):  # it may have ended already
            self.pipe.send(None)
        self.process.join(20)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()

    def _answer(self) -> Any:
        try:
            good, value = self.pipe.recv()
        except (EOFError, OSError) as error:
            self.process.join()
            raise Failed(f"its process ended with status {self.process.exitcode}") from error
        if not good:
            raise Failed(value)
        return value


def _serve(pipe: Connection, build: str, arguments: tuple[Any, ...]) -> None:
    """What the process does until it is told to end."""
    module, _, function = build.partition(":")

    def answer(call: Callable[[], Any]) -> bool:
        try:
            pipe.send((True, call()))
        except (EOFError, KeyboardInterrupt, BrokenPipeError):
            raise
        except Exception as error:  # whatever it is, it is the answer
            pipe.send((False, f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"[:300]))
            return False
        return True

    built: list[Any] = []
    with contextlib.suppress(EOFError, KeyboardInterrupt, BrokenPipeError):
        if answer(lambda: built.append(getattr(importlib.import_module(module), function)(*arguments))):
            while (order := pipe.recv()) is not None:
                answer(lambda order=order: getattr(built[0], order[0])(*order[1]))
