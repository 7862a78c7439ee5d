"""A case becomes a row: what is measured, left out, decided; and processes that say why they failed."""

from __future__ import annotations

import contextlib
import time

import pytest

from benchmarks import cases
from benchmarks.cases import Alternative, Case, Opened, Speed, measured, together, workers
from benchmarks.workers import Failed, Timed, Worker

FAST = Speed(rounds=6, seconds=0.0, restarts=1)


class Counts:
    """Counts its steps instead of training."""

    def __init__(self, most=10**9):
        self.steps, self.most = 0, most

    def run(self, steps):
        self.steps += steps
        if self.steps > self.most:
            raise RuntimeError("no C++ compiler\nwas found")

    def first(self, name):
        if name == "broken":
            raise RuntimeError("it is broken")
        return 0.25

    def seconds(self, name, steps):
        return {"a": 0.002, "b": 0.001}[name] * steps


def counts(most=10**9):
    """A build for a worker."""
    return Timed(Counts(most))


HERE = f"{__name__}:counts"


def case(values, opened=None, **more):
    """A case whose measurements are known."""

    @contextlib.contextmanager
    def open():
        series = {name: iter(each) for name, each in values.items()}
        yield Opened({name: lambda each=each: next(each) for name, each in series.items()}, **(opened or {}))

    return Case("known", "ms", open, **more)


def test_a_row_has_every_alternative_and_every_ratio():
    row = measured("room", case({"a": [2.0] * 6, "b": [1.0] * 6, "c": [4.0] * 6}), FAST)
    assert {name: each["median"] for name, each in row["alternatives"].items()} == {"a": 2.0, "b": 1.0, "c": 4.0}
    assert {name: each["median"] for name, each in row["ratios"].items()} == {"a / b": 2.0, "a / c": 0.5}
    assert row["alternatives"]["a"]["n"] == 6


def test_a_wanted_ratio_is_decided_in_its_row():
    values = {"with": [1.01] * 6, "without": [1.0] * 6}
    row = measured("room", case(values, limit={"with / without": 1.02}), FAST)
    assert row["ratios"]["with / without"]["decision"] == "at most"
    row = measured("room", case(values, limit={"with / without": 1.005}), FAST)
    assert row["ratios"]["with / without"]["decision"] == "above"


def test_restarts_are_pooled_and_told_apart():
    again = iter([{"a": [2.0] * 2, "b": [1.0] * 2}, {"a": [3.0] * 2, "b": [1.0] * 2}])
    row = measured("room", Case("known", "ms", lambda: case(next(again)).open()), Speed(rounds=2, restarts=2))
    assert row["ratios"]["a / b"]["n"] == 4 and row["ratios"]["a / b"]["by_restart"] == [2.0, 3.0]


def test_a_case_may_ask_for_fewer_rounds_and_restarts():
    row = measured("room", case({"a": [1.0] * 6}, rounds=2, restarts=1), Speed(rounds=6, restarts=3))
    assert row["alternatives"]["a"]["n"] == 2


def test_what_was_left_out_stands_in_the_row_and_has_no_ratio():
    opened = {"left_out": {"torch.compile": "no compiler"}, "facts": {"memory_ratio": 1.0}}
    row = measured("room", case({"a": [1.0] * 6}, opened, ratios=(("a", "torch.compile"),)), FAST)
    assert row["left_out"] == {"torch.compile": "no compiler"} and row["ratios"] == {}
    assert row["facts"] == {"memory_ratio": 1.0}


def test_a_worker_times_steps_in_a_process_of_its_own():
    begun = time.perf_counter()
    with workers({"one": Alternative(HERE), "eight": Alternative(HERE, each=8)}, FAST) as opened:
        assert opened.measures["one"]() >= 0 and opened.measures["eight"]() >= 0
    assert all(0 < seconds < time.perf_counter() - begun for seconds in opened.first_steps.values())


def test_an_alternative_that_fails_is_left_out_with_its_reason():
    with workers({"good": Alternative(HERE), "bad": Alternative(HERE, (0,))}, FAST) as opened:
        assert list(opened.measures) == ["good"]
    assert opened.left_out == {"bad": "RuntimeError: no C++ compiler"} and list(opened.first_steps) == ["good"]


def test_a_library_that_is_not_there_is_a_reason():
    with pytest.raises(Failed, match="ModuleNotFoundError: No module named 'benchmarks.nowhere'"):
        Worker("benchmarks.nowhere:trains")


def test_a_process_that_is_killed_is_a_reason():
    worker = Worker(HERE)
    worker.process.kill()
    with pytest.raises(Failed, match="its process ended with status -9"):
        worker.ask("seconds", 1)
    worker.end()


def test_alternatives_of_one_process_are_measured_by_name():
    with together(f"{__name__}:Counts", (), ("a", "broken", "b"), Speed(seconds=0.01)) as opened:
        assert opened.measures["a"]() == pytest.approx(2.0) and opened.measures["b"]() == pytest.approx(1.0)
    assert opened.left_out == {"broken": "RuntimeError: it is broken"}
    assert opened.first_steps == {"a": 0.25, "b": 0.25}


def test_every_room_is_a_module_with_cases():
    assert {"engine", "readings", "overheads", "dropin", "networks"} <= set(cases.rooms())
    for room in cases.rooms():
        for speed in (cases.FULL, cases.QUICK):
            names = [one.name for one in cases.cases(room, speed)]
            assert len(names) == len(set(names))
    assert len(list(cases.cases("engine", cases.FULL))) == 7 and len(list(cases.cases("engine", cases.QUICK))) == 1
