"""The picture of the history shows what its files hold."""

from __future__ import annotations

import copy
import json

import pytest

from benchmarks import picture


def result(date, median, *, quiet=True, quick=False):
    """A result with one ratio."""
    spread = {"median": median, "low": median - 0.1, "high": median + 0.1, "least": 0.1, "most": 9.0, "n": 12}
    row = {"room": "engine", "name": "track C2, full batch + penalty", "unit": "ms per step and network",
           "alternatives": {}, "ratios": {"anglewise / PyTorch eager": spread}}  # fmt: skip
    machine = {"cpu": "A processor", "cores": 2, "device": "cpu", "gemm_gflops": 50.0, "quiet": quiet}
    return {"date": date, "commit": "0123456789ab", "quick": quick, "machine": machine, "rows": [row]}


@pytest.fixture
def history(tmp_path):
    """Three runs of one kind of machine, one of them quick."""
    folder = tmp_path / "history" / "a-processor"
    folder.mkdir(parents=True)
    for i, one in enumerate(
        [result("2026-02-01T", 0.8), result("2026-01-01T", 0.9), result("2026-03-01T", 7, quick=True)]
    ):
        (folder / f"{i}.json").write_text(json.dumps(one))
    return tmp_path / "history"


def test_runs_stand_in_the_order_of_their_dates_and_quick_ones_are_left_out(history):
    found = picture.history(history / "a-processor")
    values = [picture.value(one, *picture.PANELS[0].series[1][1:])["median"] for one in found]
    assert values == [0.9, 0.8]


def test_what_was_not_measured_is_none():
    assert picture.value(result("2026", 1.0), "engine", "no such case", "x") is None
    assert picture.value(result("2026", 1.0), "engine", "track C2, full batch + penalty", "x") is None


def test_error_bars_are_intervals_or_else_ranges():
    one = result("2026", 1.0)["rows"][0]["ratios"]["anglewise / PyTorch eager"]
    assert picture.ends(one) == (0.9, 1.1)
    assert picture.ends(one | {"low": None, "high": None}) == (0.1, 9.0)


def test_every_kind_of_machine_has_its_picture(history, capsys):
    picture.main(["--history", str(history)])
    path = history / "a-processor.svg"
    assert path.is_file() and str(path) in capsys.readouterr().out


def test_the_picture_has_a_white_ground_and_equal_bytes(history, tmp_path):
    found = picture.history(history / "a-processor")
    first, second = (picture.draw(found, tmp_path / f"{i}.svg").read_bytes() for i in range(2))
    assert first == second and b"fill: #ffffff" in first
    other = copy.deepcopy(found)
    other[0]["machine"]["quiet"] = False  # a hollow mark
    assert picture.draw(other, tmp_path / "3.svg").read_bytes() != first


def test_panels_name_cases_that_the_rooms_have():
    from benchmarks import cases

    names = {(room, case.name) for room in ("engine", "overheads", "dropin", "networks")
             for case in cases.cases(room, cases.FULL)}  # fmt: skip
    assert {(room, case) for panel in picture.PANELS for _, room, case, _ in panel.series} <= names


def test_a_folder_without_a_full_run_is_told_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        picture.main(["--history", str(tmp_path)])
    assert "holds no result of a full run: make bench-history makes one" in capsys.readouterr().err
