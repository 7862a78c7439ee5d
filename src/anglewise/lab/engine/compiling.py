"""Seconds that this process has spent on compiling programs, so that nobody takes them for training.

JAX reports each piece of it: tracing a function, lowering it, and compiling it.  Pieces may lie within one another, so
what counts is the time that they cover together.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable

import jax

AHEAD = "anglewise compiles ahead"
"""Name of the thread whose compiling nobody waits for: it does not count."""
PIECES = "/jax/core/compile/"
"""How the names of JAX's events for it begin."""


class Covered:
    """The time that pieces cover, each told at its own end."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        """Nothing is covered yet."""
        self.clock = clock
        self.pieces: list[tuple[float, float]] = []
        self.before = 0.0

    def add(self, seconds: float) -> None:
        """A piece ends now and began so many seconds ago."""
        now = self.clock()
        begun = now - seconds
        while self.pieces and self.pieces[-1][0] >= begun:  # it lay within this one
            self.pieces.pop()
        if self.pieces:
            begun = max(begun, self.pieces[-1][1])
        self.pieces.append((begun, now))
        if len(self.pieces) > 64:  # nothing that ends later began before these
            (first, last), *self.pieces = self.pieces
            self.before += last - first

    @property
    def seconds(self) -> float:
        """In all."""
        return self.before + sum(end - begun for begun, end in self.pieces)


@functools.cache
def _covered() -> Covered:
    """What this process has spent; JAX is asked to report from the first call on."""
    covered = Covered()

    def heard(event: str, duration_secs: float, **_: str | int) -> None:
        if event.startswith(PIECES) and threading.current_thread().name != AHEAD:
            covered.add(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(heard)
    return covered


def seconds_compiling() -> float:
    """Seconds that this process has spent on compiling, since this was first called.

    Example:
        >>> before = seconds_compiling()
        >>> seconds_compiling() >= before
        True
    """
    return _covered().seconds


def add_seconds(seconds: float) -> None:
    """Count seconds that other processes spent on compiling for this one."""
    _covered().before += seconds
