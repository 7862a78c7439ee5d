"""The strip plot, and the drawing for readers without scripts: what is drawn, and where."""

import dataclasses

import pytest

from anglewise.lab.report.contrasts import answers
from anglewise.lab.report.plots import still, strip
from anglewise.lab.report.plots.curves import accuracy


def made(results):
    return strip.data(results, answers(results))


def test_every_finished_run_is_a_dot_and_a_late_one_a_cross(make):
    results = make({"base": None, "fast": 50}, missing=[("fast", 0)])
    plotted = made(results)
    assert [len(row.dots) for row in plotted.rows] == [8, 7]
    for drawing in strip.drawings(plotted).values():
        kinds = [mark.kind for mark in drawing.marks if mark.text.startswith("seed")]
        assert (kinds.count("cross"), kinds.count("dot")) == (8, 7)


def test_the_answer_stands_beside_the_arm_that_it_is_about(make):
    base, fast = made(make({"base": 100, "fast": 50})).rows
    assert (base.said, base.first) == ("", True)
    assert fast.said == "1.95 times as fast [1.87, 2.07]" and fast.brief == "1.95\u00d7 [1.87, 2.07]" and not fast.first


def test_a_row_in_words_has_n_median_and_range(make):
    base, never = made(make({"base": 100, "never": None}, seeds=4)).rows
    assert base.spoken.startswith("base: 4 runs, median ") and ", from " in base.spoken
    assert "median beyond the budget, 4 not within the budget" in never.spoken


@pytest.mark.parametrize("width", strip.WIDTHS)
def test_nothing_is_drawn_outside(make, width):
    results = make({"a-rather-long-name-of-an-arm": 180, "b": 4, "c": None}, seeds=12)
    drawing = strip.draw(made(results), width)
    dots = [mark for mark in drawing.marks if mark.kind in ("dot", "cross")]
    assert len(dots) == 36
    assert all(0 <= mark.x <= width and 0 <= mark.y <= drawing.height for mark in drawing.marks)
    assert min(mark.x for mark in dots) < max(mark.x for mark in dots) - width / 5


def test_dots_at_one_place_stay_apart():
    lifts = strip.lifted([10.0] * 4, 4.0)
    assert len(set(lifts)) == 4 and max(map(abs, lifts)) <= 16
    assert strip.lifted([10.0, 40.0, 80.0], 4.0) == [0.0, 0.0, 0.0]  # control


def test_no_runs_and_one_time_for_all_can_be_drawn(make):
    none = make({"a": 100}, seeds=2, missing=[("a", 0), ("a", 1)])
    assert strip.draw(made(none), 700).marks
    same = make({"a": 100, "b": 90}, seeds=2)
    ended = {key: run._replace(first=100) for key, run in same.ended.items()}
    drawing = strip.draw(made(dataclasses.replace(same, ended=ended)), 700)
    assert len({mark.x for mark in drawing.marks if mark.kind == "dot"}) == 1


def test_a_still_drawing_has_the_median_of_every_arm_and_the_threshold(make):
    drawing = still.draw(accuracy(make({"a": 60, "b": 90})))
    curves = [mark for mark in drawing.marks if mark.css == "curve"]
    assert [mark.arm for mark in curves] == [0, 1] and all(mark.text.count("L") > 10 for mark in curves)
    assert sum(mark.css == "rule" for mark in drawing.marks) == 1
    assert any(mark.text == "100%" for mark in drawing.marks)
    numbers = [float(part) for part in curves[0].text[1:].replace("L", " ").split()]
    assert all(0 <= x <= still.WIDTH for x in numbers[::2]) and all(0 <= y <= still.HEIGHT for y in numbers[1::2])
