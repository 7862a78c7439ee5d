"""One run's folder as its writer sees it: rows go to a tail, tails become segments, and the run ends with its outcome.

When a folder is first touched, what an interrupted write left in it is cleared away.  From then on the writer knows the
last step and the number of rows of each kind.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from anglewise.errors import StoreError
from anglewise.files import BESIDE, put
from anglewise.lab.outcome import Outcome
from anglewise.lab.spec import Json
from anglewise.lab.store.layout import (
    KINDS,
    STATE,
    VERSION,
    WEIGHTS,
    gap,
    json_bytes,
    read_json,
    segment_name,
    segments,
)
from anglewise.lab.store.provenance import Provenance
from anglewise.lab.store.rows import contents, counted, from_table, from_tail, pack, read, to_line, to_parquet


class _Known(NamedTuple):
    """Of each kind of rows, the last step and how many there are."""

    last: dict[str, int]
    counts: dict[str, int]


class RunFolder:
    """One run's files; see :class:`~anglewise.lab.store.writer.Store`, whose methods of the same names say more."""

    def __init__(self, path: Path):
        """Touch nothing yet."""
        self.path = path
        self.tail = path / "tail.jsonl"
        self.unsynced: set[Path] = set()

    @cached_property
    def _known(self) -> _Known:
        """What is there on first touch, once what an interrupted write left is cleared away; kept up to date."""
        for left in (*self.path.glob(f"*{BESIDE}"), *self.path.glob(f"{VERSION}/*{BESIDE}")):
            left.unlink()
        if self.tail.exists():
            good = from_tail(self.tail.read_bytes())[1]
            if good < self.tail.stat().st_size:
                os.truncate(self.tail, good)
        sealed, tail = contents(self.path)
        last = {
            kind: max([-1, *(segment.last for segment in sealed[kind]), *(row[0] for row in tail[kind])])
            for kind in KINDS
        }
        return _Known(last, counted(self.path))

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each kind: what was found, and what was added since."""
        return self._known.counts

    def begin(self, spec: Json, provenance: Provenance) -> None:
        """Write what the run is and what it is trained with."""
        self.path.mkdir(exist_ok=True)  # its parent is there, or the store was moved away: then nothing is made
        (self.path / VERSION).mkdir(exist_ok=True)
        self.unsynced |= {self.path.parent, self.path}
        known = read_json(self.path / "spec.json")
        if known is None:
            self._place("spec.json", spec)
        elif known != json.loads(json.dumps(spec)):
            raise StoreError(
                f"{self.path / 'spec.json'} is not the spec of this run: move {self.path} away and run again"
            )
        first = read_json(self.path / "provenance.json")
        if first is None:
            self._place("provenance.json", provenance)
        else:
            changed = {key: x for key, x in provenance.items() if first.get(key) != x}
            self._place("provenance.json", {**first, "resumed": [*first.get("resumed", []), changed]})

    def _place(self, name: str, value: Json) -> None:
        """Write a JSON file that is synced later; where a power cut takes it, it is written anew."""
        beside = self.path / (name + BESIDE)
        beside.write_bytes(json_bytes(value))
        os.replace(beside, self.path / name)
        self.unsynced.add(self.path / name)

    def append(self, rows: Mapping[str, Sequence[Json]]) -> None:
        """Add rows, given by kind."""
        packed = {kind: pack(kind, rows[kind]) for kind in KINDS}
        last, counts = self._known
        if (self.path / "outcome.json").exists():
            raise StoreError(f"run {self.path.name} is finished and takes no more rows: reset or rewind it first")
        for kind in KINDS:
            step = min((row[0] for row in packed[kind]), default=last[kind] + 1)
            if step <= last[kind]:
                raise StoreError(
                    f"run {self.path.name} has {kind} up to step {last[kind]}, got step {step}: rewind it first"
                )
        if not any(packed.values()):
            return
        with self.tail.open("ab") as file:
            file.write(to_line(packed))
        self.unsynced |= {self.tail, self.path}
        for kind in KINDS:
            last[kind] = max((row[0] for row in packed[kind]), default=last[kind])
            counts[kind] += len(packed[kind])

    def segments_of_tail(self) -> dict[Path, bytes]:
        """The tail as one immutable segment of each kind, not yet written."""
        _ = self._known
        sealed, tail = contents(self.path)
        files = {}
        for kind in KINDS:
            if tail[kind]:
                first = sealed[kind][-1].last + 1 if sealed[kind] else 0
                data = to_parquet(kind, tail[kind])
                name = segment_name(kind, first, max(row[0] for row in tail[kind]), data)
                files[self.path / VERSION / name] = data
        return files

    def empty_tail(self) -> None:
        """Forget the tail, whose rows are in segments that a power cut does not take."""
        if self.tail.exists():
            os.truncate(self.tail, 0)

    def tail_bytes(self) -> int:
        """Length of the tail."""
        return self.tail.stat().st_size if self.tail.exists() else 0

    def rewind(self, step: int) -> int:
        """Forget every row beyond a step, and that the run ended; returns the step of the last curve row left."""
        (self.path / "outcome.json").unlink(missing_ok=True)
        _ = self._known
        sealed, tail = contents(self.path)
        for kind in KINDS:
            breaks = [segment.first for segment in sealed[kind] if segment.first <= step and not segment.data()]
            hole = gap(sealed[kind])
            step = min(x for x in (step, *(x - 1 for x in breaks), hole - 1 if hole is not None else step))
        beyond = []
        for kind in KINDS:
            late = [segment for segment in sealed[kind] if segment.last > step]
            for segment in late:
                if segment.first <= step:  # its rows to keep move back to the tail before it goes
                    tail[kind] = from_table(read(segment))
            tail[kind] = [row for row in tail[kind] if row[0] <= step]
            beyond += late
        put(self.tail, to_line(tail) if any(tail.values()) else b"")
        for segment in reversed(beyond):
            os.unlink(segment.path)
        del self._known
        return self._known.last["curves"]

    def without_kept(self) -> None:
        """Remove the files of the last weights and state."""
        for name in (WEIGHTS, STATE):
            (self.path / name).unlink(missing_ok=True)

    def ended(self, outcome: Outcome) -> Outcome:
        """How the run ended, with its segments and its numbers of rows."""
        rows = counted(self.path)
        if rows != self.counts:
            kind = next(kind for kind in KINDS if rows[kind] != self.counts[kind])
            raise StoreError(
                f"{self.path} has {rows[kind]} rows of {kind}, expected {self.counts[kind]}: somebody removed or "
                "changed files while it trained. Run the same command again, which trains that run anew"
            )
        names = tuple(segment.path.name for kind in segments(self.path).values() for segment in kind)
        return replace(outcome, segments=names, rows=rows)


def delete(folder: Path) -> None:
    """Delete a folder; of a link, only the link."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
