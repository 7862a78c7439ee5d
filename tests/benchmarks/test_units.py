"""The benchmark of units times every way that there is here; its numbers are not tested."""

from __future__ import annotations

import math

import pytest

from anglewise.errors import MissingError
from benchmarks import units
from benchmarks.cases import FULL, QUICK


def test_each_way_trains_its_runs(monkeypatch):
    trained = []
    monkeypatch.setattr(units, "train", lambda experiment, *rest, **more: trained.append(experiment.seeds))
    times = units.slope("driver", 2, 5)
    assert trained == [2, 5] and math.isfinite(times["each"]) and math.isfinite(times["to begin, s"])


def test_one_process_trains_them_for_real():
    assert units.seconds("one", 1) > 0


def test_a_way_that_lacks_its_library_is_left_out_with_the_reason(monkeypatch):
    def missing(way):
        raise MissingError("--on ray needs ray, which is not installed")

    monkeypatch.setattr(units, "workers", missing)
    with units.opened({"Ray": "ray"}, 1, 2) as opened:
        assert not opened.measures and "needs ray" in opened.left_out["Ray"]


@pytest.mark.parametrize(("speed", "names"), [(QUICK, 1), (FULL, 2)])
def test_the_room_has_its_cases(speed, names):
    assert len(list(units.cases(speed))) == names
