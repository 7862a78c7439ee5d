"""A query's result as text: aligned columns for the eye, CSV or JSON for other programs."""

from __future__ import annotations

import csv
import decimal
import io
import json
import math
from typing import TYPE_CHECKING, Any

from anglewise.errors import StoreError, printable, unknown

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("table", "csv", "json")
MOST = 6
"""Values of a list that a table shows; the other formats show all."""


def to_text(table: pa.Table, format: str = "table") -> str:
    """A table as text, without a line end after the last line.

    Args:
        table: A query's result.
        format: ``"table"``: aligned, numbers to the right and to 8 digits, NULL empty, unprintable characters
            escaped.  ``"csv"``: a header, then rows; numbers in full, NULL empty, control characters escaped.
            ``"json"``: a list of objects; NULL is null, and numbers that JSON lacks are the texts ``"NaN"``,
            ``"Infinity"`` and ``"-Infinity"``.

    Returns:
        The text.

    Raises:
        StoreError: For another format.
    """
    names = table.column_names
    columns = [[_plain(x) for x in _values(column)] for column in table.columns]
    rows = list(zip(*columns, strict=True))
    if format == "json":
        objects = [json.dumps(dict(zip(names, map(_json, row), strict=True)), allow_nan=False) for row in rows]
        return "[" + ",\n ".join(objects) + "]"
    if format == "csv":
        sink = io.StringIO()
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(map(printable, names))
        writer.writerows([printable(x) if isinstance(x, str) else x for x in row] for row in rows)
        return sink.getvalue().removesuffix("\n")
    if format == "table":
        return _aligned(names, columns)
    raise StoreError(unknown("format", format, FORMATS))


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Values of a column as Python has them; dates, times and what Python cannot hold as DuckDB writes them."""
    import pyarrow as pa

    if not pa.types.is_temporal(column.type):
        try:
            return column.to_pylist()
        except (ValueError, OverflowError, TypeError):  # a date of the year 290,000 within a list
            pass
    import duckdb

    with duckdb.connect(":memory:") as connection:
        connection.register("column", pa.table({"x": column}))
        return [text for (text,) in connection.execute('SELECT CAST(x AS VARCHAR) FROM "column"').fetchall()]


def _plain(value: Any) -> Any:
    """A sum of integers comes as a Decimal: an integer again."""
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    if isinstance(value, dict):
        return {str(key): _json(_plain(x)) for key, x in value.items()}
    if isinstance(value, list):
        return [_json(_plain(x)) for x in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _aligned(names: list[str], columns: list[list[Any]]) -> str:
    padded = []
    for name, column in zip(names, columns, strict=True):
        shown = [_cell(x) for x in (name, *column)]
        width = max(map(len, shown))
        number = any(isinstance(x, (int, float)) for x in column)
        padded.append([x.rjust(width) if number else x.ljust(width) for x in shown])
    return "\n".join("  ".join(line).rstrip() for line in zip(*padded, strict=True))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and len(value) > MOST:
        return f"[{', '.join(_cell(x) for x in value[:MOST])}, ... {len(value)} values]"
    text = f"{value:.8g}" if isinstance(value, float) else str(value)
    return printable(text).replace("\n", "\\n")
