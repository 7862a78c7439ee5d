"""A file is written whole or not at all, whatever interrupts it."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from matplotlib.figure import Figure

from anglewise import files
from anglewise.errors import AnglewiseError
from anglewise.files import put, put_all, settle
from anglewise.lab.report.html.document import write_file
from anglewise.lab.report.plots import paper


def refusing(name, monkeypatch, number=errno.ENOSPC):
    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, name, refuse)


@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch, operation):
    path = tmp_path / "x"
    put(path, b"old")
    refusing(operation, monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        put(path, b"new")
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["x"]


def test_what_a_kill_left_behind_is_used_again(tmp_path):
    (tmp_path / f"x{files.BESIDE}").write_bytes(b"half of an earlier wri")
    put(tmp_path / "x", b"whole")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"x": b"whole"}


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    put(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"new"


def test_a_device_is_written_into_and_not_replaced(tmp_path):
    put(tmp_path / "x", b"1")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    put(tmp_path / "pipe", b"through")
    assert os.read(reader, 100) == b"through" and not (tmp_path / "pipe").is_file()
    os.close(reader)


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch, ending):
    path = tmp_path / f"x.{ending}"
    paper.save(Figure(figsize=(1, 1)), path)
    good = path.read_bytes()
    refusing("replace", monkeypatch)
    with pytest.raises(AnglewiseError, match=rf"^cannot write {path}: No space left on device; choose another place$"):
        paper.save(Figure(figsize=(1, 1)), path)
    assert path.read_bytes() == good


@pytest.mark.parametrize("ending", ["svg", "pdf"])
def test_a_picture_on_a_full_device_is_one_line(tmp_path, ending):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    (tmp_path / f"x.{ending}").symlink_to("/dev/full")
    with pytest.raises(AnglewiseError, match="No space left on device; choose another place"):
        paper.save(Figure(figsize=(1, 1)), tmp_path / f"x.{ending}")


def test_a_drawing_that_fails_leaves_the_old_picture(tmp_path):
    path = tmp_path / "x.svg"
    paper.save(Figure(figsize=(1, 1)), path)
    good = path.read_bytes()

    class Broken(Figure):
        def draw(self, renderer):
            raise ValueError("nothing to draw")

    with pytest.raises(ValueError, match="nothing to draw"):
        paper.save(Broken(figsize=(1, 1)), path)
    assert path.read_bytes() == good and np.frombuffer(good, np.uint8).size


def test_a_page_in_a_place_that_cannot_be_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AnglewiseError, match="cannot write .*: (File exists|Not a directory); choose another place"):
        write_file("x", tmp_path / "file" / "page.html")


def many(folder, n=40):
    return {folder / f"{i:02d}": str(i).encode() for i in range(n)}


def test_many_files_are_written_with_two_syncs(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(files, "_sync_file_system", lambda folder: synced.append(folder) or True)
    monkeypatch.setattr(files, "sync", lambda path: synced.append(path))
    put_all(many(tmp_path))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == many(tmp_path)
    assert synced == [tmp_path, tmp_path], "the file system, then the one folder"


def test_few_files_are_synced_one_by_one(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(files, "sync", lambda path: synced.append(path.name))
    put_all({tmp_path / "x": b"1", tmp_path / "y": b"2"})
    assert synced == ["x.tmp", "y.tmp", tmp_path.name]


@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_many_files_of_which_one_fails_leave_the_old_ones(tmp_path, monkeypatch, operation):
    put_all({tmp_path / "x": b"old", tmp_path / "y": b"old"})
    refusing(operation, monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        put_all({tmp_path / "x": b"new", tmp_path / "y": b"new"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"x": b"old", "y": b"old"}


def test_where_the_system_cannot_sync_everything_each_file_is_synced(tmp_path, monkeypatch):
    monkeypatch.setattr(files.platform, "release", lambda: "5.4.0-generic")
    synced = []
    monkeypatch.setattr(files, "sync", synced.append)
    settle(list(many(tmp_path)))
    assert synced == list(many(tmp_path))


def test_what_the_system_says_when_a_sync_fails_is_raised(tmp_path, monkeypatch):
    class Refusing:
        def syncfs(self, handle):
            return -1

    monkeypatch.setattr(files.sys, "platform", "linux")
    monkeypatch.setattr(files.platform, "release", lambda: "6.1.0")
    monkeypatch.setattr(files.ctypes, "CDLL", lambda *args, **kwargs: Refusing())
    monkeypatch.setattr(files.ctypes, "get_errno", lambda: errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        settle(list(many(tmp_path)))


def test_what_is_not_there_needs_no_sync(tmp_path):
    settle([tmp_path / "gone"])
    assert not (tmp_path / "gone").exists()
