"""What is kept of a run, and the runner as a whole."""

from __future__ import annotations

import doctest
import json

import pytest

from benchmarks import __main__ as runner
from benchmarks import cases, networks, results, show, timing
from benchmarks.cases import Speed
from tests.benchmarks.test_cases import case


@pytest.fixture
def rooms(monkeypatch, tmp_path):
    """One room with a case of known values and one that fails, on a machine whose speed is known."""

    def fails():
        raise RuntimeError("out of luck")

    def known(room, speed):
        yield case({"ours": [1.0] * 6, "theirs": [2.0] * 6}, {"first_steps": {"ours": 3.0}, "left_out": {"x": "why"}})
        if room == "store":
            yield cases.Case("fails", "ms", fails)

    monkeypatch.setattr(cases, "rooms", lambda: ["engine", "store"])
    monkeypatch.setattr(cases, "cases", known)
    monkeypatch.setattr(cases, "FULL", Speed(rounds=6, restarts=1))
    monkeypatch.setattr(results, "gemm", lambda: 100.0)
    monkeypatch.setattr(results, "HISTORY", tmp_path / "history")
    return tmp_path


def test_a_result_says_on_what_machine_when_and_of_which_code(rooms, capsys):
    out = rooms / "bench.json"
    assert runner.main(["--only", "engine", "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["schema"] == results.SCHEMA and not result["quick"]
    assert {"kind", "cpu", "cores", "device", "gemm_gflops", "load_before", "taken_by_others", "quiet"} <= set(
        result["machine"]
    )
    assert result["machine"]["gemm_gflops"] == 100.0 and result["versions"]["jax"] and result["commit"]
    (row,) = result["rows"]
    assert row["room"] == "engine" and row["ratios"]["ours / theirs"]["median"] == 0.5
    said = capsys.readouterr().out
    assert "ours / theirs" in said and "0.500" in said and "left out: x: why" in said and "3.000" in said


def test_one_case_that_fails_takes_no_other_with_it_but_is_told(rooms, capsys):
    out = rooms / "bench.json"
    assert runner.main(["--out", str(out)]) == 1
    assert [row["room"] for row in json.loads(out.read_text())["rows"]] == ["engine", "store"]
    assert "store: fails: RuntimeError: out of luck" in capsys.readouterr().err


def test_a_history_has_a_file_for_each_run_by_kind_of_machine(rooms):
    runner.main(["--only", "engine", "--out", str(rooms / "bench.json"), "--history"])
    (kept,) = (rooms / "history").rglob("*.json")
    result = json.loads(kept.read_text())
    assert kept.parent.name == result["machine"]["kind"] and kept.name.startswith(result["date"][:10])
    assert results.history_path(result | {"quick": True, "commit": "0123456789-dirty"}).name.endswith(
        "01234567-dirty-quick.json"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--only", "moon"], "got room 'moon', expected some of"), (["--rounds", "0"], "--rounds 0, expected at least 1")],
)
def test_what_cannot_be_meant_is_refused_in_one_line(words, message, capsys):
    with pytest.raises(SystemExit):
        runner.main(words)
    assert message in capsys.readouterr().err


def test_only_cases_that_match_run(rooms):
    runner.main(["--match", "unknown", "--out", str(rooms / "bench.json")])
    assert json.loads((rooms / "bench.json").read_text())["rows"] == []


def test_others_on_the_machine_are_seen(tmp_path):
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 50 900 10 5 5 40 0 0\ncpu0 1 2 3\n")
    assert results._busy(stat) == pytest.approx(2.0)  # idle and waiting for disks count for nobody
    assert results._busy(tmp_path / "none") is None
    assert results._others((None, 0.0), (None, 1.0), 10.0, 2) is None
    assert results._others((0.0, 0.0), (10.0, 10.0), 10.0, 2) == 0  # all of it was ours


@pytest.mark.parametrize("module", [timing, results, networks], ids=lambda module: module.__name__)
def test_examples_of_docstrings_hold(module):
    assert doctest.testmod(module).attempted > 0 and doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("taken", "quiet", "said"), [(0.36, False, "took 36%"), (None, False, "unknown share"), (0.01, True, "")]
)
def test_numbers_of_a_busy_machine_are_marked(taken, quiet, said):
    machine = {"device": "cpu", "cpu": "A processor", "cores": 2, "gemm_gflops": 50.0, "taken_by_others": taken}
    versions = {"jax": "1", "torch": None}
    result = {"commit": "0123456789", "quick": True, "seconds": 9.0, "versions": versions}
    text = show.head(result | {"machine": machine | {"quiet": quiet}})
    assert ("NOT QUIET" in text) is not quiet and said in text and "torch not installed" in text
