"""A worker on a machine that does not see the store's folder: it trains in a folder of its own, and hands in its files.

It begins with what the store has of its unit, and hands in what has changed after every checkpoint and every run.  So
a machine that is lost costs what was trained since then, as a lost process does.
"""

from __future__ import annotations

import dataclasses
import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from anglewise.lab.engine.placement import first_device
from anglewise.lab.execution.parcels import Outbox, unpack
from anglewise.lab.execution.unit import Unit
from anglewise.lab.execution.worker import work
from anglewise.lab.store import Provenance, Store, collect

EVERY = 0.5
"""Seconds between two words with the driver."""


def work_away(
    unit: Unit,
    session: str,
    image: bytes,
    hand_in: Callable[[bytes | None], bool],
    clock: Callable[[], float] = time.monotonic,
) -> tuple[bool, bytes]:
    """Train what is missing of a unit, in a folder that nobody else sees.

    Args:
        unit: What is to be trained.
        session: Of the driver.
        image: A parcel of what the store has of the unit.
        hand_in: Takes a parcel, or None to only ask; says whether to stop.
        clock: Seconds.

    Returns:
        Whether it came to its end, and the last parcel.
    """
    with tempfile.TemporaryDirectory(prefix="anglewise-") as folder:
        root = Path(folder) / "store"
        Store.open(root).close()
        unpack(root, image, unit, others=True)
        outbox = Outbox(root, unit)
        saved, asked, stopping = outbox.saved(), float("-inf"), False

        def stop() -> bool:
            nonlocal saved, asked, stopping
            if clock() - asked >= EVERY:
                now = outbox.saved()
                parcel = outbox.news() if now == saved else outbox.pack()
                saved, stopping, asked = now, hand_in(parcel), clock()
            return stopping

        return work(root, unit, session, stop=stop), outbox.pack()


def here(unit: Unit) -> Unit:
    """A unit whose provenance says what this machine is, where that was asked of the machine that sends it."""
    told: dict[str, Any] = dict(unit.care.provenance)
    mine = {key: value for key, value in _machine(told.get("precision", "")).items() if key in told}
    if told.get("host") is None:
        mine.pop("host", None)
    return dataclasses.replace(unit, care=dataclasses.replace(unit.care, provenance=cast(Provenance, told | mine)))


@functools.cache
def _machine(precision: str) -> Provenance:
    """What of a run's provenance belongs to the machine."""
    whole = collect(None, str(first_device().device_kind), precision)
    del whole["command"], whole["started"]
    return whole
