"""Packs: finished runs of a store, many to a file, as they are read.

::

    packs/<number>-<crc32>/runs.parquet              a row per run: its JSON files as texts, and how many rows it has
    packs/<number>-<crc32>/<kind>-<crc32>.parquet    the rows of all its runs, in the order of the runs
    packs/<number>-<crc32>/kept.bin                  the files of their last weights and states, one behind the other

A pack is written once, by :mod:`~anglewise.lab.store.packing`, and never changed.  The checksum of ``runs.parquet``
stands in the name of the folder, and ``runs.parquet`` names the files beside it with theirs, so what is damaged, edited
or from another pack is noticed.  What ``kept.bin`` holds carries checksums of its own.

A run counts once.  Its folder in ``runs/`` hides it in every pack, also where that folder is empty.  Of several packs
that have it, the one of the highest number counts.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from anglewise.errors import StoreError
from anglewise.lab.outcome import Outcome
from anglewise.lab.spec import Json
from anglewise.lab.store.layout import KINDS, STATE, WEIGHTS, is_itself, read_bytes

if TYPE_CHECKING:
    import pyarrow as pa

PACKS, RUNS, KEPT = "packs", "runs.parquet", "kept.bin"
NOTE = b"anglewise-pack"
"""Key under which ``runs.parquet`` names the files beside it."""
FILES = {"weights": WEIGHTS, "state": STATE}
"""Columns of ``runs.parquet`` that say where in ``kept.bin`` which file of a run lies."""
TABLES = 8
"""Tables of rows that are kept in memory: one pack's after the other is asked for."""
_NAME = re.compile(r"(\d{6,})-([0-9a-f]{8})")


class Pack:
    """One pack, of which nothing has been read yet.

    Args:
        path: Its folder.
    """

    def __init__(self, path: Path):
        """Take number and checksum from the folder's name."""
        self.path = path
        match = _NAME.fullmatch(path.name)
        assert match is not None, "only folders named as packs are"
        self.number, self.crc = int(match[1]), match[2]
        self._columns: dict[str, list[Any]] = {}

    @functools.cached_property
    def index(self) -> pa.Table | None:
        """A row per run; None if it is not what was written."""
        import pyarrow as pa
        from pyarrow import parquet

        data = read_bytes(self.path / RUNS)
        if data is None or f"{zlib.crc32(data):08x}" != self.crc:
            return None
        return parquet.ParquetFile(pa.BufferReader(data)).read(use_threads=False)

    def column(self, name: str) -> list[Any]:
        """A column of the index, a value per run; empty if the index is damaged."""
        if name not in self._columns:
            self._columns[name] = [] if self.index is None else self.index.column(name).to_pylist()
        return self._columns[name]

    @functools.cached_property
    def run_ids(self) -> list[str]:
        """Its runs, in the order of their rows."""
        return self.column("run_id")

    @functools.cached_property
    def themselves(self) -> list[bool]:
        """Of each run, whether its identity is the hash of its specification."""
        return [is_itself(run_id, text) for run_id, text in zip(self.run_ids, self.column("spec"), strict=True)]

    @functools.cached_property
    def outcomes(self) -> list[Outcome | None]:
        """How each run ended."""
        rows = zip(*(self.column(kind) for kind in KINDS), strict=True)
        measured = {text: json.loads(text) for text in set(self.column("readings_taken"))}
        return [
            Outcome.from_json(
                {**json.loads(text), "readings": measured[taken], "rows": dict(zip(KINDS, counts, strict=True))}
            )
            for text, taken, counts in zip(self.column("outcome"), self.column("readings_taken"), rows, strict=True)
        ]

    @functools.cached_property
    def provenances(self) -> list[Json]:
        """What each run was trained with; runs that were trained together share one object."""
        known: dict[str, Json] = {text: json.loads(text) for text in set(self.column("provenance"))}
        return [known[text] for text in self.column("provenance")]

    @property
    def files(self) -> Mapping[str, str]:
        """Of each kind of which there are rows, the name of the file."""
        assert self.index is not None
        names: Mapping[str, str] = json.loads(self.index.schema.metadata[NOTE])
        return names

    @functools.cached_property
    def starts(self) -> Mapping[str, np.ndarray]:
        """Of each kind, where each run's rows begin, and where the last ones end: shape ``[runs + 1]``."""
        return {kind: np.cumsum([0, *self.column(kind)]) for kind in KINDS}

    def spoiled(self, kind: str) -> Path | None:
        """The file of a kind's rows, if it is not what was written."""
        name = self.files.get(kind)
        if name is None:
            return None
        data = read_bytes(self.path / name)
        whole = data is not None and name == f"{kind}-{zlib.crc32(data):08x}.parquet"
        return None if whole else self.path / name

    @functools.cached_property
    def is_whole(self) -> bool:
        """Whether index and rows are there, byte for byte."""
        return self.index is not None and not any(map(self.spoiled, KINDS))

    def table(self, kind: str) -> pa.Table:
        """The rows of all its runs.

        Raises:
            StoreError: If the file is not what was written, or has another number of rows.
        """
        import pyarrow as pa
        from pyarrow import parquet

        from anglewise.lab.store.rows import COLUMNS, damaged, to_table

        name = self.files.get(kind)
        if name is None:
            return to_table(kind, [])
        data = read_bytes(self.path / name)
        if data is None or name != f"{kind}-{zlib.crc32(data):08x}.parquet":
            raise StoreError(damaged(self.path / name))
        table = parquet.ParquetFile(pa.BufferReader(data)).read(columns=list(COLUMNS[kind]), use_threads=True)
        if len(table) != self.starts[kind][-1]:
            raise StoreError(damaged(self.path / name))
        return table.combine_chunks()


class PackedRun(NamedTuple):
    """A run in a pack: which, and at which place."""

    packs: Packs
    pack: Pack
    place: int

    @property
    def run_id(self) -> str:
        """Its identity."""
        return self.pack.run_ids[self.place]

    @property
    def path(self) -> Path:
        """What messages name."""
        return self.pack.path

    @property
    def is_itself(self) -> bool:
        """Whether its identity is the hash of its specification."""
        return self.pack.themselves[self.place]

    @property
    def spec_text(self) -> str:
        """Its specification as canonical JSON."""
        return str(self.pack.column("spec")[self.place])

    @property
    def spec(self) -> Json:
        """Its specification."""
        return self._json("spec")

    @property
    def provenance(self) -> Json:
        """What it was trained with."""
        return self.pack.provenances[self.place]

    @property
    def outcome(self) -> Outcome | None:
        """How it ended."""
        return self.pack.outcomes[self.place]

    @property
    def outcome_values(self) -> Json:
        """The same as JSON values."""
        return {} if self.outcome is None else self.outcome.to_json()

    @property
    def begun(self) -> bool:
        """Whether there may be rows."""
        return True

    @property
    def last(self) -> int | None:
        """Its last recorded step."""
        steps = [table.column("step")[-1].as_py() for kind in KINDS if len(table := self.rows(kind))]
        return max(steps, default=None)

    def rows(self, kind: str) -> pa.Table:
        """All its rows of a kind.

        Raises:
            StoreError: If they are damaged.
        """
        (table,), _ = packed_rows([self], kind)
        return table

    def file(self, name: str) -> bytes | None:
        """The bytes of one of its files of weights and state; None where it was not kept."""
        column = next(column for column, file in FILES.items() if file == name)
        at, size = (self.pack.column(f"{column}_{what}")[self.place] for what in ("at", "bytes"))
        if at is None:
            return None
        try:
            with (self.pack.path / KEPT).open("rb") as file:
                file.seek(at)
                return file.read(size)
        except OSError:
            return b""

    def _json(self, column: str) -> Json:
        values: Json = json.loads(self.pack.column(column)[self.place])
        return values


def packed_rows(runs: Sequence[PackedRun], kind: str) -> tuple[list[pa.Table], list[int]]:
    """All rows of runs of one pack, runs that follow each other as one table; and how many each run has.

    Raises:
        StoreError: If they are damaged, or a run is another than it is named after.
    """
    pack, starts = runs[0].pack, runs[0].pack.starts[kind]
    for run in runs:
        if not run.is_itself:
            raise StoreError(f"{pack.path} holds another run than {run.run_id}, which it names: see anglewise doctor")
    places = np.array([run.place for run in runs])
    whole = runs[0].packs.table(pack, kind)
    breaks = [0, *(1 + np.flatnonzero(np.diff(places) != 1)).tolist(), len(places)]
    tables = [
        whole.slice(starts[places[i]], starts[places[j - 1] + 1] - starts[places[i]])
        for i, j in itertools.pairwise(breaks)
    ]
    return tables, (starts[places + 1] - starts[places]).tolist()


class Packs:
    """All packs of a store, looked at again whenever one is asked for; what was read of one is kept.

    Args:
        root: Folder of the store.
    """

    def __init__(self, root: Path):
        """Read nothing yet."""
        self.folder = root / PACKS
        self._listed: tuple[str, ...] = ()
        self._sorted: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        self._known: dict[str, Pack] = {}
        self._places: dict[str, tuple[Pack, int]] = {}
        self._tables: dict[tuple[str, str], pa.Table] = {}

    def names(self) -> tuple[str, ...]:
        """Names of the folders that are there, by number."""
        try:
            listed = tuple(os.listdir(self.folder))
        except FileNotFoundError:
            return ()
        if listed != self._listed:
            names = [name for name in listed if _NAME.fullmatch(name)]
            self._sorted = tuple(sorted(names, key=lambda name: (int(name.partition("-")[0]), name)))
            self._listed = listed
        return self._sorted

    def all(self) -> list[Pack]:
        """The packs, by number."""
        names = self.names()
        if names != self._names:
            self._known = {name: self._known.get(name) or Pack(self.folder / name) for name in names}
            self._places = {run_id: (pack, i) for pack in self._known.values() for i, run_id in enumerate(pack.run_ids)}
            self._tables = {key: table for key, table in self._tables.items() if key[0] in self._known}
            self._names = names
        return list(self._known.values())

    def find(self, run_id: str) -> PackedRun | None:
        """A run, where it is in a pack; its folder is not looked for."""
        self.all()
        return self.at(run_id)

    def at(self, run_id: str) -> PackedRun | None:
        """The same among the packs that were there when they were last looked at."""
        found = self._places.get(run_id)
        return None if found is None else PackedRun(self, *found)

    def run_ids(self) -> list[str]:
        """All runs that are in a pack, once each."""
        self.all()
        return list(self._places)

    def check(self) -> None:
        """Look whether it can be told which runs every pack has.

        Raises:
            StoreError: If it cannot.
        """
        for pack in self.all():
            if pack.index is None:
                raise StoreError(
                    f"{pack.path / RUNS} is damaged or missing: anglewise doctor {self.folder.parent} --mend removes "
                    "that pack. Then run the experiment again, which trains its runs anew"
                )

    def table(self, pack: Pack, kind: str) -> pa.Table:
        """The rows of a pack's runs; those asked for last are at hand.

        Raises:
            StoreError: If they are damaged.
        """
        key = pack.path.name, kind
        if key not in self._tables:
            while len(self._tables) >= TABLES:
                del self._tables[next(iter(self._tables))]
            self._tables[key] = pack.table(kind)
        return self._tables[key]
