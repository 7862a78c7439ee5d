"""A result as a table, as CSV and as JSON."""

import csv
import datetime
import decimal
import io
import json

import pyarrow as pa
import pytest

from anglewise.errors import StoreError
from anglewise.lab.store import to_text

TABLE = pa.table(
    {
        "arm": pa.array(["adamw, tuned", "a\x1b[31m\nb", None]),
        "n": pa.array([8, None, 12345], pa.int64()),
        "value": pa.array([0.1, float("nan"), float("-inf")]),
        "sum": pa.array([decimal.Decimal(4), None, decimal.Decimal("0.5")], pa.decimal128(38, 1)),
    }
)


def test_json_tells_null_from_nan():
    assert json.loads(to_text(TABLE, "json")) == [
        {"arm": "adamw, tuned", "n": 8, "value": 0.1, "sum": 4},
        {"arm": "a\x1b[31m\nb", "n": None, "value": "NaN", "sum": None},
        {"arm": None, "n": 12345, "value": "-Infinity", "sum": 0.5},
    ]


def test_json_keeps_nested_values_and_writes_dates_as_text():
    table = pa.table({"a": [[1.0, float("inf")]], "b": [{"x": [None]}], "c": [datetime.date(2026, 1, 2)]})
    assert json.loads(to_text(table, "json")) == [{"a": [1.0, "Infinity"], "b": {"x": [None]}, "c": "2026-01-02"}]


def test_csv_is_read_back_null_is_empty_and_no_terminal_obeys_it():
    rows = list(csv.reader(io.StringIO(to_text(TABLE, "csv"), newline="")))
    assert rows == [
        ["arm", "n", "value", "sum"],
        ["adamw, tuned", "8", "0.1", "4"],
        ["a\\x1b[31m\nb", "", "nan", ""],
        ["", "12345", "-inf", "0.5"],
    ]


def test_numbers_are_aligned_right_and_texts_left():
    assert to_text(pa.table({"arm": ["a", "long"], "step": [7, 1000], "x": [0.5, None]})) == (
        "arm   step    x\na        7  0.5\nlong  1000"
    )


def test_a_name_cannot_steer_the_terminal():
    shown = to_text(TABLE, "table")
    assert "\x1b" not in shown and r"a\x1b[31m\nb" in shown
    assert len(shown.split("\n")) == 4


def test_an_empty_result_is_its_header_or_an_empty_list():
    empty = TABLE.slice(0, 0)
    assert to_text(empty) == "arm  n  value  sum"
    assert to_text(empty, "csv") == "arm,n,value,sum"
    assert to_text(empty, "json") == "[]"


def test_another_format_is_refused_with_the_nearest():
    with pytest.raises(StoreError, match="unknown format 'jsn': did you mean 'json'"):
        to_text(TABLE, "jsn")
