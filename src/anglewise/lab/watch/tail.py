"""One run of a store, read again and again: each time only what was written since.

Rows that are new lie in the tail, behind the last byte that was read, or have moved from there into a segment.  The
tail is read before the list of segments, so a row that moves meanwhile is seen twice and counted once.  A tail of
another file, or a folder of another, means that the run was rewound or begun anew: all of it is then read again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from anglewise.lab.outcome import Outcome
from anglewise.lab.store.layout import VERSION, Segment, read_json, segments
from anglewise.lab.store.rows import Row, from_tail, read

RADIUS = "radius"


class News(NamedTuple):
    """What was written of a run since it was last read.

    Attributes:
        again: Whether the rows are all that there are, and what was known before is void.
        curves: Evaluations: step, train and test accuracy, train and test loss.
        radii: By step and site.
        outcome: How the run ended; None while it has not.
    """

    again: bool
    curves: list[Row]
    radii: dict[int, dict[str, float]]
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
            return News(True, [], {}, None) if before[0] is not None else None
        rows = self._rows()
        values = None if stamp[4] is None else read_json(self.path / "outcome.json")
        radii: dict[int, dict[str, float]] = {}
        for step, site, name, value in rows["readings"]:
            if name == RADIUS:
                radii.setdefault(step, {})[site] = value
        return News(again, rows["curves"], radii, None if values is None else Outcome.from_json(values))

    def _stamp(self) -> tuple[Any, ...]:
        """What changes when the run does: folder, tail and outcome, without reading them."""

        def of(path: Path, *names: str) -> Any:
            try:
                found = os.stat(path)
            except OSError:
                return None
            return tuple(getattr(found, name) for name in names)

        tail = self.path / "tail.jsonl"
        return (
            of(self.path, "st_ino"), of(tail, "st_ino"), of(tail, "st_size", "st_mtime_ns"),
            of(self.path / VERSION, "st_mtime_ns"), of(self.path / "outcome.json", "st_ino", "st_mtime_ns"),
        )  # fmt: skip

    def _rows(self) -> dict[str, list[Row]]:
        """New rows by kind, in order."""
        rows: dict[str, list[Row]] = {kind: [] for kind in self.last}
        tail = self._new_lines()
        sealed = segments(self.path)
        for kind in rows:
            for segment in sealed[kind]:
                if segment.last > self.last[kind]:
                    rows[kind] += self._sealed(segment)
                    self.last[kind] = segment.last
            rows[kind] += [row for row in tail[kind] if row[0] > self.last[kind]]
            self.last[kind] = max([self.last[kind], *(row[0] for row in tail[kind])])
        return rows

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

    def _sealed(self, segment: Segment) -> list[Row]:
        """Rows of a segment that were not seen in the tail; of arrays only that there are some."""
        import pyarrow.compute as pc

        if segment.kind == "arrays":
            return []
        table = read(segment)
        table = table.filter(pc.greater(table.column("step"), self.last[segment.kind]))
        if segment.kind == "readings":
            table = table.filter(pc.equal(table.column("name"), RADIUS))
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
