"""Rows of curves and readings as bytes, and back, bit for bit.

A *curve row* is one evaluation of one run: (step, train accuracy, test accuracy, train loss, test loss), each a number
or None.  A *reading row* is one value of a reading: (step, site, name, value).  An *array row* is one array of a
reading: (step, site, name, shape such as "200,56", values).  The values are float32, row by row: here their
little-endian bytes, in a table a list.  NaN and infinity are values like any other.

Rows lie in Parquet segments or, before that, in lines of the tail.  A line is a checksum in eight hexadecimal digits, a
space, and one append's rows as JSON.
"""

from __future__ import annotations

import base64
import json
import math
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from anglewise.errors import StoreError
from anglewise.lab.spec import Json
from anglewise.lab.store.layout import KINDS, Segment, read_bytes, segments

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS: dict[str, dict[str, type]] = {
    "curves": {
        "step": int,
        "train_accuracy": float,
        "test_accuracy": float,
        "train_loss": float,
        "test_loss": float,
    },
    "readings": {"step": int, "site": str, "name": str, "value": float},
    "arrays": {"step": int, "site": str, "name": str, "shape": str, "values": bytes},
}
FLOATS = np.dtype("<f4")

Row: TypeAlias = tuple[Any, ...]
"""The values of one row, in the order of its kind's columns; the first is its step."""
Rows: TypeAlias = dict[str, list[Row]]
"""Rows by kind."""


def pack(kind: str, rows: Iterable[Json]) -> list[Row]:
    """Rows given as mappings, in the order and types of the kind's columns."""
    columns = COLUMNS[kind].items()
    return [tuple(None if row[name] is None else _packed(row[name], of) for name, of in columns) for row in rows]


def _packed(value: Any, of: type) -> Any:
    return np.asarray(value, FLOATS).tobytes() if of is bytes else of(value)


def to_line(rows: Rows) -> bytes:
    """One line of the tail.  A number that JSON lacks is written as the 16 digits of its bits."""
    plain = {
        kind: [[_plain(x) for x in row] for row in rows[kind]]
        for kind in KINDS
        if rows.get(kind)  # a run without arrays has lines like those of a store that knew none
    }
    text = json.dumps(plain, separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def from_tail(data: bytes) -> tuple[Rows, int]:
    """Rows of a tail, up to the first line that is torn or altered, and the number of bytes up to there."""
    rows: Rows = {kind: [] for kind in KINDS}
    good = 0
    for line in data.splitlines(keepends=True):
        text = line[9:-1]  # of a blank one the checksum is zero, which says nothing
        if not text or not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(text):
            break
        good += len(line)
        for kind, values in json.loads(text).items():
            types = COLUMNS[kind].values()
            rows[kind] += [tuple(map(_restore, types, row)) for row in values]
    return rows, good


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return struct.pack(">d", value).hex() if isinstance(value, float) and not math.isfinite(value) else value


def _restore(kind: type, value: Any) -> Any:
    if kind is bytes:
        return base64.b64decode(value)
    if kind is float and isinstance(value, str):
        return struct.unpack(">d", bytes.fromhex(value))[0]
    return value


def to_table(kind: str, rows: list[Row]) -> pa.Table:
    """Rows as an Arrow table of the kind's fixed schema."""
    import pyarrow as pa

    types = {int: pa.int64(), float: pa.float64(), str: pa.string(), bytes: pa.list_(pa.float32())}
    schema = pa.schema([(name, types[of]) for name, of in COLUMNS[kind].items()])
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [
        _lists(column) if pa.types.is_list(of) else pa.array(column, of)
        for column, of in zip(columns, schema.types, strict=True)
    ]
    return pa.table(arrays, schema=schema)


def from_table(table: pa.Table) -> list[Row]:
    """The rows of a table of :func:`to_table`."""
    import pyarrow as pa

    def plain(column: pa.ChunkedArray) -> list[Any]:
        if not pa.types.is_list(column.type):
            return list(column.to_pylist())
        return [np.asarray(x.values, FLOATS).tobytes() for x in column]

    return list(zip(*map(plain, table.columns), strict=True))


def _lists(column: Iterable[bytes]) -> pa.Array:
    """Float32 arrays, given as bytes, as lists."""
    import pyarrow as pa

    values = [np.frombuffer(x, FLOATS) for x in column]
    ends = np.cumsum([0, *(len(x) for x in values)], dtype=np.int32)
    return pa.ListArray.from_arrays(ends, pa.array(np.concatenate([np.empty(0, FLOATS), *values]), pa.float32()))


def to_parquet(kind: str, rows: list[Row]) -> bytes:
    """A segment's bytes."""
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    texts = [name for name, of in COLUMNS[kind].items() if of is str]  # a dictionary of doubles merges all NaNs
    parquet.write_table(to_table(kind, rows), sink, use_dictionary=texts, compression="zstd")
    return bytes(sink.getvalue())


def read(segment: Segment) -> pa.Table:
    """A segment's rows.

    Raises:
        StoreError: If its bytes are not those that were written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    data = segment.data()
    if data is None:
        raise StoreError(damaged(segment.path))
    return parquet.ParquetFile(pa.BufferReader(data)).read(use_threads=False)


def damaged(path: Path) -> str:
    """Message for a segment that is not what was written."""
    return f"{path} is damaged or missing: run the experiment again, which trains that run anew"


def counted(run: Path) -> dict[str, int]:
    """How many rows of each kind a run has."""
    import pyarrow as pa
    from pyarrow import parquet

    sealed, tail = contents(run)
    counts = {kind: len(tail[kind]) for kind in KINDS}
    for kind in KINDS:
        for segment in sealed[kind]:
            if (data := segment.data()) is not None:
                counts[kind] += parquet.ParquetFile(pa.BufferReader(data)).metadata.num_rows
    return counts


def contents(run: Path) -> tuple[dict[str, list[Segment]], Rows]:
    """Segments of a run, and the rows of its tail that are in none of them.

    The tail is read first: rows that move into a segment meanwhile are then seen twice, and counted once.
    """
    tail, _ = from_tail(read_bytes(run / "tail.jsonl") or b"")
    sealed = segments(run)
    for kind in KINDS:
        last = sealed[kind][-1].last if sealed[kind] else -1
        tail[kind] = [row for row in tail[kind] if row[0] > last]
    return sealed, tail
