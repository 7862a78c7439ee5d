"""One run of a store, read again and again: each time only what was written since.

Rows that are new lie in the tail, behind the last byte that was read, or have moved from there into a segment.  The
tail is read before the list of segments, so a row that moves meanwhile is seen twice and counted once.  A tail of
another file, or a folder of another, means that the run was rewound or begun anew: all of it is then read again.  A run
that has ended may move to a pack, which changes nothing of what is known.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anglewise.lab.outcome import Outcome
from anglewise.lab.store.layout import KINDS, VERSION, read_json, segments
from anglewise.lab.store.packs import Packs
from anglewise.lab.store.rows import Row, from_tail, read, to_table

RADIUS = "radius"
PACKED = "packed"
"""Stands for the folder and the outcome of a run in a pack."""


class News(NamedTuple):
    """What was written of a run since it was last read.

    Attributes:
        again: Whether the rows are all that there are, and what was known before is void.
        curves: Columns of the new evaluations, as in the view ``curves``.
        radii: By site, steps and radii.
        outcome: How the run ended; None while it has not.
    """

    again: bool
    curves: dict[str, np.ndarray]
    radii: dict[str, tuple[np.ndarray, np.ndarray]]
    outcome: Outcome | None


class Tail:
    """The run in the folder `path`, of which nothing has been read yet.

    Args:
        path: Its folder, which is not there where the run is in a pack.
        packs: The store's; runs of one store share them.
    """

    def __init__(self, path: Path, packs: Packs | None = None):
        self.path = path
        self.packs = Packs(path.parent.parent) if packs is None else packs
        self.seen: tuple[Any, ...] = (None,) * 5
        self._forget()

    def _forget(self) -> None:
        self.offset = 0
        self.last = {"curves": -1, "readings": -1, "arrays": -1}

    @property
    def arrays(self) -> int:
        """Step of the last array that was stored; -1 for none."""
        return self.last["arrays"]

    def read(self) -> News | None:
        """What is new; None where nothing is.

        Raises:
            StoreError: If a segment is damaged, or was removed while it was read.
        """
        stamp, before = self._stamp(), self.seen
        if stamp == before:
            return None
        self.seen = stamp
        again = any(old is not None and old != new for old, new in zip(before[:2], stamp[:2], strict=True))
        if again or before[0] is None:
            again = True
            self._forget()
        if stamp[0] == PACKED:
            return self._packed()
        if stamp[0] is None:
            return News(True, {}, {}, None) if before[0] is not None else None
        curves, readings = self._new()
        values = None if stamp[4] is None else read_json(self.path / "outcome.json")
        return _news(again, curves, readings, None if values is None else Outcome.from_json(values))

    def _packed(self) -> News | None:
        """All of a run that is in a pack; None if it has just left it."""
        run = self.packs.find(self.path.name)
        if run is None:
            self.seen = (None,) * 5
            return None
        tables = {kind: run.rows(kind) for kind in KINDS}
        self.last = {kind: max(table.column("step").to_pylist(), default=-1) for kind, table in tables.items()}
        readings = tables["readings"]
        return _news(True, tables["curves"], readings.filter(pc.equal(readings.column("name"), RADIUS)), run.outcome)

    def _stamp(self) -> tuple[Any, ...]:
        """What changes when the run does, without reading it: folder, tail (file and content), segments, outcome.

        Of a run that has ended only the outcome is looked at.
        """

        def of(path: Path, *names: str) -> Any:
            try:
                found = os.stat(path)
            except OSError:
                return None
            return tuple(getattr(found, name) for name in names)

        outcome = of(self.path / "outcome.json", "st_ino", "st_mtime_ns")
        if outcome is not None and outcome == self.seen[4]:
            return self.seen
        folder = of(self.path, "st_ino")
        if folder is None:
            packed = self.packs.find(self.path.name) is not None
            if packed and self.seen[4] is not None:
                return self.seen  # it had ended, and moved
            return (PACKED if packed else None, None, None, None, PACKED if packed else None)
        tail = of(self.path / "tail.jsonl", "st_ino", "st_size", "st_mtime_ns")
        return folder, tail and tail[:1], tail, of(self.path / VERSION, "st_mtime_ns"), outcome

    def _new(self) -> tuple[pa.Table, pa.Table]:
        """New evaluations and new radii, in order."""
        lines = self._new_lines()
        sealed = segments(self.path)
        found = {}
        for kind in ("curves", "readings", "arrays"):
            last = self.last[kind]
            new = [segment for segment in sealed[kind] if segment.last > last]
            tables = [] if kind == "arrays" else list(map(read, new))
            self.last[kind] = max([last, *(segment.last for segment in new)])
            rows = [row for row in lines[kind] if row[0] > self.last[kind]]
            self.last[kind] = max([self.last[kind], *(row[0] for row in rows)])
            if kind != "arrays":
                table = pa.concat_tables([*tables, to_table(kind, rows)])
                found[kind] = table.filter(pc.greater(table.column("step"), last)) if tables else table
        readings = found["readings"]
        return found["curves"], readings.filter(pc.equal(readings.column("name"), RADIUS))

    def _new_lines(self) -> dict[str, list[Row]]:
        try:
            with (self.path / "tail.jsonl").open("rb") as file:
                if os.fstat(file.fileno()).st_size < self.offset:
                    self.offset = 0
                file.seek(self.offset)
                rows, good = from_tail(file.read())
        except FileNotFoundError:
            return {kind: [] for kind in self.last}
        self.offset += good
        return rows


def _news(again: bool, curves: pa.Table, radii: pa.Table, outcome: Outcome | None) -> News:
    by_site = {}
    for site in pc.unique(radii.column("site")).to_pylist():
        own = radii.filter(pc.equal(radii.column("site"), site))
        by_site[site] = own.column("step").to_numpy(), _numbers(own.column("value"))
    return News(again, {name: _numbers(curves.column(name)) for name in curves.column_names}, by_site, outcome)


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    """NaN stands for None."""
    return np.asarray(pc.fill_null(column, np.nan).to_numpy() if column.null_count else column.to_numpy())
