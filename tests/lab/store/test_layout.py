"""Names cannot leave the store, and a file is put whole or not at all."""

import errno
import json

import pytest

from anglewise.errors import StoreError
from anglewise.lab.store import layout
from anglewise.lab.store.layout import (
    check_marker,
    checked,
    gap,
    put,
    read_json,
    segment_name,
    segments,
    writing,
)


@pytest.mark.parametrize("name", ["..", "a/b", "", "/etc", "A", "a.b", "a\n", "a\0", "é", "a b"])
def test_a_name_that_could_leave_the_folder_is_refused(name):
    with pytest.raises(StoreError, match=r"run_id .* cannot name a folder: use lower-case letters"):
        checked("run_id", name)


def test_hashes_and_slugs_are_names():
    assert checked("run_id", "0f3a-quickstart-9") == "0f3a-quickstart-9"


def test_a_folder_without_marker_is_no_store_and_another_format_is_refused(tmp_path):
    assert not check_marker(tmp_path)
    (tmp_path / layout.MARKER).write_text('{"format": 2}')
    with pytest.raises(StoreError, match="says format 2, expected 1: use the version of anglewise that wrote it"):
        check_marker(tmp_path)
    (tmp_path / layout.MARKER).write_text("torn")
    with pytest.raises(
        StoreError, match=r'is damaged, expected {"format": 1}: anglewise doctor .* --mend writes it anew'
    ):
        check_marker(tmp_path)
    (tmp_path / layout.MARKER).write_text('{"format": 1}')
    assert check_marker(tmp_path)


def test_json_that_is_absent_damaged_or_no_object_is_none(tmp_path):
    path = tmp_path / "x.json"
    assert read_json(path) is None
    for text in (b"{", b"[1]", b"\xff"):
        path.write_bytes(text)
        assert read_json(path) is None
    path.write_text(json.dumps({"a": 1}))
    assert read_json(path) == {"a": 1}


def test_a_failed_put_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    put(tmp_path / "x", b"old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError):
        put(tmp_path / "x", b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x", b"old")]


def test_a_segment_knows_its_bytes(tmp_path):
    (tmp_path / "v1").mkdir()
    path = tmp_path / "v1" / segment_name("curves", 0, 20, b"rows")
    path.write_bytes(b"rows")
    for stray in ("curves-0-20.parquet", path.name + ".tmp", "notes.txt"):
        (tmp_path / "v1" / stray).write_bytes(b"")
    [segment] = segments(tmp_path)["curves"]
    assert segment[:3] == ("curves", 0, 20) and segment.data() == b"rows"
    path.write_bytes(b"rowS")
    assert segment.data() is None
    path.unlink()
    assert segment.data() is None


@pytest.mark.parametrize(
    ("covered", "first_uncovered"),
    [
        ([], None),
        ([(0, 5)], None),
        ([(0, 5), (6, 9)], None),
        ([(1, 5)], 0),
        ([(0, 5), (7, 9)], 6),
        ([(0, 5), (4, 9)], 4),
    ],
)
def test_segments_must_follow_each_other(covered, first_uncovered, tmp_path):
    assert gap([layout.Segment("curves", a, b, "", tmp_path) for a, b in covered]) == first_uncovered


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "disk full: cannot write here. Free space and run the same command again"),
        (errno.EDQUOT, "disk full: cannot write here"),
        (errno.EACCES, "cannot write here: no. Choose a folder that can be written to"),
    ],
)
def test_what_the_system_refuses_becomes_one_line(number, text):
    with pytest.raises(StoreError, match=text), writing("here"):
        raise OSError(number, "no")
