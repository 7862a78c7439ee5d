"""A query's result as text: aligned columns for the eye, CSV or JSON for other programs."""

from __future__ import annotations

import csv
import decimal
import io
import json
import math
from typing import TYPE_CHECKING, Any

from anglewise.errors import StoreError, unknown

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
            escaped.  ``"csv"``: a header, then rows; numbers in full, NULL empty.  ``"json"``: a list of
            objects; NULL is null, and numbers that JSON lacks are the texts ``"NaN"``, ``"Infinity"`` and
            ``"-Infinity"``.

    Returns:
        The text.

    Raises:
        StoreError: For another format.
    """
    names = table.column_names
    columns = [[_plain(x) for x in column.to_pylist()] for column in table.columns]
    rows = list(zip(*columns, strict=True))
    if format == "json":
        objects = [json.dumps(dict(zip(names, map(_json, row), strict=True)), allow_nan=False) for row in rows]
        return "[" + ",\n ".join(objects) + "]"
    if format == "csv":
        sink = io.StringIO()
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
        return sink.getvalue().removesuffix("\n")
    if format == "table":
        return _aligned(names, columns)
    raise StoreError(unknown("format", format, FORMATS))


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
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
