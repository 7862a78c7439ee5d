"""What a machine says of itself, and what of it keeps it from training what another would."""

from __future__ import annotations

import fcntl
import os

import pytest

from anglewise.lab.execution import machines
from anglewise.lab.execution.machines import differences, machine, probing


def test_a_machine_says_what_it_has():
    mine = machine()
    assert mine["libraries"]["jax"] and mine["cores"] >= 1 and mine["memory_gib"] > 0
    assert not mine["sees"] and not mine["locks"]


def test_equal_machines_differ_in_nothing():
    assert differences([machine(), machine()], machine()) == []


def test_what_is_missing_or_another_release_is_said():
    mine, other = machine(), machine() | {"host": "far"}
    other["libraries"] = mine["libraries"] | {"jax": "0.1", "jaxlib": None}
    told = differences([other, {"host": "dead", "error": "does not answer"}], mine)
    assert told == [
        f"far: jax is 0.1 there, and {mine['libraries']['jax']} here: install the same release",
        f"far: jaxlib is not installed there, expected {mine['libraries']['jaxlib']}: install it there",
        "dead: does not answer",
    ]


@pytest.mark.parametrize("sees", ["lock", "no lock", "nothing"])
def test_a_folder_is_shared_where_a_file_in_it_and_its_lock_are_seen(tmp_path, monkeypatch, sees):
    with probing(tmp_path) as probe:
        assert probe.parent == tmp_path.resolve()
        if sees == "no lock":  # as a network file system that keeps locks to a machine
            monkeypatch.setattr(fcntl, "flock", lambda *arguments: None)
        told = machine(str(probe) if sees != "nothing" else str(tmp_path / "elsewhere"))
    assert (told["sees"], told["locks"]) == {"lock": (True, True), "no lock": (True, False)}.get(sees, (False, False))
    assert os.listdir(tmp_path) == []


def test_a_library_that_is_not_there_has_no_release():
    assert machines._version("no-such-library") is None
