"""Rows survive both of their forms bit for bit, and a torn tail ends where it is torn."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anglewise.errors import StoreError
from anglewise.lab.store.layout import Segment, segment_name, segments
from anglewise.lab.store.rows import (
    COLUMNS,
    contents,
    from_table,
    from_tail,
    pack,
    read,
    to_line,
    to_parquet,
    to_table,
)

doubles = st.integers(0, 2**64 - 1).map(lambda n: struct.unpack(">d", n.to_bytes(8, "big"))[0]) | st.floats()
steps = st.integers(0, 10**12)
curves = st.tuples(steps, *[st.none() | doubles] * 4)
readings = st.tuples(steps, st.text(), st.text(), doubles)
floats = st.lists(st.floats(width=32)).map(lambda x: np.asarray(x, "<f4").tobytes())
arrays = st.tuples(steps, st.text(), st.text(), st.text(), floats)
all_kinds = st.fixed_dictionaries(
    {"curves": st.lists(curves), "readings": st.lists(readings), "arrays": st.lists(arrays)}
)
EXACT = settings(deadline=None, max_examples=100, derandomize=True)


def bits(rows):
    return [[struct.pack(">d", x) if isinstance(x, float) else x for x in row] for row in rows]


def segment(tmp_path, kind, rows):
    data = to_parquet(kind, rows)
    path = tmp_path / segment_name(kind, 0, 9, data)
    path.write_bytes(data)
    return Segment(kind, 0, 9, path.stem.rsplit("-", 1)[1], path)


@given(all_kinds)
@EXACT
def test_a_tail_line_gives_back_the_very_bits(rows):
    found, good = from_tail(to_line(rows))
    assert {kind: bits(found[kind]) for kind in found} == {kind: bits(rows[kind]) for kind in rows}
    assert good == len(to_line(rows))


@given(all_kinds)
@EXACT
def test_a_segment_gives_back_the_very_bits(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("segment")
    for kind, some in rows.items():
        found = read(segment(folder, kind, some))
        assert found.schema == to_table(kind, []).schema
        assert bits(from_table(found)) == bits(some)


def test_neighbouring_doubles_stay_apart():
    """Negative control: the comparison above tells one bit, a sign of zero and two NaNs apart."""
    for a, b in [(1.0, 1.0 + 2**-52), (0.0, -0.0), (float("nan"), -float("nan"))]:
        assert bits([(a,)]) != bits([(b,)])


def test_mappings_are_packed_in_the_order_of_the_columns():
    row = {"name": "radius", "value": 1, "site": "hidden.0.pre", "step": 3, "more": 0}
    assert pack("readings", [row]) == [(3, "hidden.0.pre", "radius", 1.0)]
    assert list(COLUMNS["readings"]) == ["step", "site", "name", "value"]
    row = {"step": 3, "site": "a", "name": "map", "shape": "1,2", "values": np.array([1.5, np.nan])}
    assert pack("arrays", [row]) == [(3, "a", "map", "1,2", np.array([1.5, np.nan], "<f4").tobytes())]


def test_a_tail_line_of_a_store_that_knew_no_arrays_is_read():
    line = to_line({"curves": [], "readings": [(3, "a", "radius", 1.0)]})
    assert b"arrays" not in line
    assert from_tail(line)[0] == {"curves": [], "readings": [(3, "a", "radius", 1.0)], "arrays": []}


LINES = [
    to_line({"curves": [(step, 0.5, None, float("inf"), 0.1)], "readings": [(step, "a\nb", "é", 0.1 * step)]})
    for step in range(3)
]


def test_a_tail_torn_at_any_byte_loses_its_last_line_and_no_other():
    whole = b"".join(LINES)
    for cut in range(len(whole) - len(LINES[-1]), len(whole)):
        rows, good = from_tail(whole[:cut])
        assert [row[0] for row in rows["curves"]] == [row[0] for row in rows["readings"]] == [0, 1]
        assert good == len(whole) - len(LINES[-1])


def test_a_tail_altered_at_any_byte_ends_before_it():
    whole = b"".join(LINES)
    for at in range(len(LINES[0]), len(LINES[0] + LINES[1])):
        altered = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        assert [row[0] for row in from_tail(altered)[0]["curves"]] == [0]


@pytest.mark.parametrize("junk", [b"\n", b"00000000 \n", b"00000000 ", b"\0" * 40, b"\0" * 40 + b"\n", b"zz\r\n"])
def test_junk_ends_a_tail(junk):
    assert from_tail(LINES[0] + junk + LINES[1])[1] == len(LINES[0])


def test_an_intact_tail_is_read_to_its_end():
    assert [row[0] for row in from_tail(b"".join(LINES))[0]["curves"]] == [0, 1, 2]


def test_an_altered_segment_is_refused_by_name(tmp_path):
    found = segment(tmp_path, "curves", [(0, 1.0, None, 2.0, 3.0)])
    data = found.path.read_bytes()
    for bad in (b"", data[:-1], data[: len(data) // 2], data[:40] + b"\0" + data[41:]):
        found.path.write_bytes(bad)
        with pytest.raises(StoreError, match=rf"{found.path} is damaged or missing: run the experiment again"):
            read(found)
    found.path.write_bytes(data)
    assert len(read(found)) == 1


def test_tail_rows_that_a_segment_holds_count_once(tmp_path):
    (tmp_path / "v1").mkdir()
    rows = {"curves": [(step, 1.0, 1.0, 1.0, 1.0) for step in (0, 5, 9)], "readings": [(9, "a", "b", 1.0)]}
    segment(tmp_path / "v1", "curves", rows["curves"])
    (tmp_path / "tail.jsonl").write_bytes(
        to_line(rows) + to_line({"curves": [(10, 1.0, 1.0, 1.0, 1.0)], "readings": []})
    )
    found, tail = contents(tmp_path)
    assert found == segments(tmp_path) and len(found["curves"]) == 1
    assert [row[0] for row in tail["curves"]] == [10] and [row[0] for row in tail["readings"]] == [9]
