"""What a worker does with a unit: joins the store, trains what is missing, and tells how far it is.

A worker stops at the end of a segment, with everything saved, when its session's stop file lies in the store, when it
is sent SIGTERM, or when the process that started it is gone.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from anglewise.lab.engine.programs import Programs
from anglewise.lab.execution.drive import Interrupted
from anglewise.lab.execution.news import Telling
from anglewise.lab.execution.unit import Unit, train_unit
from anglewise.lab.readings.sets import AT_EVALUATIONS
from anglewise.lab.store import Store
from anglewise.lab.store.working import STOP, path_of


@functools.cache
def programs() -> Programs:
    """This process's programs: units of equal structure that it is given compile once."""
    return Programs(AT_EVALUATIONS)


def work(
    root: Path, unit: Unit, session: str, driver: int | None = None, stop: Callable[[], bool] = lambda: False
) -> bool:
    """Train what a store lacks of a unit.

    Args:
        root: The store, as this process sees it.
        unit: What is to be trained.
        session: Of the driver; names the stop file.
        driver: Number of the process whose end stops this one; None where it may outlive its driver.
        stop: Asked after every segment as well; True saves and ends.

    Returns:
        Whether it came to its end; False where it was stopped, with everything saved.

    Raises:
        StoreError: If the store is not there, or cannot be written.
    """
    with terminated() as asked:

        def stopping() -> bool:
            orphan = driver is not None and os.getppid() != driver
            return orphan or asked.is_set() or path_of(root, session, STOP).exists() or stop()

        store = Store.join(root, unit.unit_id, unit.ids, stopping)
        if store is None:
            return False
        with store:
            telling = Telling(root, unit)
            try:
                train_unit(unit, store, telling, programs(), stopping)
            except Interrupted:
                return False
            finally:
                telling.close()
    return True


@contextlib.contextmanager
def terminated() -> Iterator[threading.Event]:
    """Set by SIGTERM, which then ends nothing by itself; outside the main thread nothing is caught."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number: int, frame: Any) -> None:
        asked.set()

    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
