"""What a writing process says of itself: read whole or not at all, and only while it lives."""

import os
import subprocess
import sys
import time

import pytest

from anglewise.lab.store.status import STATUS, Status, read_status, remove_status, write_status

NOW = Status("tiny-0123abcd", "training", 2.0, 1.0, 3.0, ("a", "b"), 40.0, 20.0, 90.0)


def test_what_is_written_is_read_and_nothing_else_is_left(tmp_path):
    assert read_status(tmp_path) is None
    write_status(tmp_path, NOW)
    assert read_status(tmp_path) == NOW and [path.name for path in tmp_path.iterdir()] == [STATUS]
    remove_status(tmp_path)
    assert read_status(tmp_path) is None and not list(tmp_path.iterdir())


def test_a_process_that_was_killed_does_nothing_now(tmp_path):
    code = f"import sys; sys.path[:] = {sys.path}; from pathlib import Path; import anglewise.lab.store.status as s; "
    code += f"s.write_status(Path({str(tmp_path)!r}), s.Status('x', 'training', 1.0, 1.0, 1.0))"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / STATUS).exists() and read_status(tmp_path) is None


def test_a_process_on_another_machine_counts_as_gone_once_it_is_silent(tmp_path):
    for heard, alive in ((time.time() - 5, True), (time.time() - 500, False)):
        write_status(tmp_path, Status("x", "training", 1.0, 1.0, heard, host="another"))
        assert (read_status(tmp_path) is not None) == alive


def test_the_machine_is_not_named(tmp_path):
    write_status(tmp_path, NOW)
    assert os.uname().nodename not in (tmp_path / STATUS).read_text() or len(os.uname().nodename) < 3


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"experiment_id": 1, "nonsense": 2}', '{"runs": 3}'])
def test_what_is_not_a_status_is_none(tmp_path, text):
    (tmp_path / STATUS).write_text(text)
    assert read_status(tmp_path) is None


def test_a_folder_that_takes_nothing_stops_nobody(tmp_path):
    write_status(tmp_path / "nowhere", NOW)
    remove_status(tmp_path / "nowhere")
    assert read_status(tmp_path / "nowhere") is None
