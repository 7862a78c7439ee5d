"""One run of a store, read again and again: each time only what was written since.

Rows that are new lie in the tail, behind the last byte that was read, or have moved from there into a segment.  The
tail is read before the list of segments, so a row that moves meanwhile is seen twice and counted once.  A tail of
another file, or a folder of another, means that the run was rewound or begun anew: all of it is then read again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anglewise.lab.outcome import Outcome
from anglewise.lab.store.layout import VERSION, read_json, segments
from anglewise.lab.store.rows import Row, from_tail, read, to_table

RADIUS = "radius"


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
    """The run in the folder `path`, of which nothing has been read yet."""

    def __init__(self, path: Path):
        self.path = path
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
        if stamp[0] is None:
            return News(True, {}, {}, None) if before[0] is not None else None
        curves, readings = self._new()
        values = None if stamp[4] is None else read_json(self.path / "outcome.json")
        radii = {}
        for site in pc.unique(readings.column("site")).to_pylist():
            own = readings.filter(pc.equal(readings.column("site"), site))
            radii[site] = own.column("step").to_numpy(), _numbers(own.column("value"))
        columns = {name: _numbers(curves.column(name)) for name in curves.column_names}
        return News(again, columns, radii, None if values is None else Outcome.from_json(values))

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
            return (None,) * 5
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


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    """NaN stands for None."""
    return np.asarray(pc.fill_null(column, np.nan).to_numpy() if column.null_count else column.to_numpy())
