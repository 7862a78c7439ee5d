import numpy as np
import plotly.graph_objects as go
import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.report.format import label
from anglewise.lab.report.plots.curves import band, thin
from anglewise.lab.report.plots.figures import accuracy, readings, survival, targets
from anglewise.lab.report.plots.picture import draw
from anglewise.lab.report.plots.style import COLOURS, colour, symbol
from anglewise.lab.report.results import Series


def all_panels(results):
    return [accuracy(results), survival(results), *readings(results, "radius")]


def test_plotly_accepts_every_trace_and_layout(make):
    for panel in all_panels(make(missing=[("man", 0)], diverged=[("adamw-tuned", 1)])):
        figure = go.Figure({"data": panel.data, "layout": panel.layout})
        assert len(figure.data) == len(panel.data) > 0


def test_every_axis_has_a_title_with_its_unit(make):
    titles = [panel.layout["yaxis"]["title"]["text"] for panel in all_panels(make())]
    assert titles == ["accuracy", "share not yet generalised", *["radius |h| / \u221ad"] * 2]
    assert all(panel.layout["xaxis"]["title"]["text"] == "optimiser steps" for panel in all_panels(make()))


def test_an_arm_has_one_colour_in_every_figure(make):
    for panel in all_panels(make()):
        for trace in panel.data:
            if trace["line"].get("color"):
                assert trace["line"]["color"] == colour(trace["meta"]["arm"])


def test_sixty_four_arms_can_be_told_apart():
    assert len({(colour(i), symbol(i)) for i in range(8 * len(COLOURS))}) == 64


def test_a_retired_run_keeps_its_value_and_a_diverged_one_leaves(make):
    results = make({"a": 80, "b": None}, seeds=3, diverged=[("a", 0)])
    found = band(results.curves["test_accuracy"], "a", results)
    assert found.n[-1] == 2 and found.n[0] == 3 and found.median[-1] > 0.9


def test_a_curve_ends_with_the_last_run_of_its_arm(make):
    results = make({"a": 60, "b": None}, seeds=3)
    ends = [series.steps[-1] for (arm, _), series in results.curves["test_accuracy"].items() if arm == "a"]
    found = band(results.curves["test_accuracy"], "a", results)
    assert min(ends) < found.steps[-1] == max(ends) < 200 and found.n[-1] == 3


def test_missing_runs_are_drawn_as_far_as_they_got(make):
    results = make({"a": 60, "b": None}, seeds=2, missing=[("a", 0), ("a", 1)])
    assert band(results.curves["test_accuracy"], "a", results).steps[-1] <= 200 // 3


def test_the_band_is_the_quartiles(make):
    series = {("a", s): Series(np.array([0, 10]), np.array([s, s + 1.0])) for s in range(5)}
    found = band(series, "a", make({"a": 60}))
    np.testing.assert_array_equal((found.low, found.median, found.high), [[1, 2], [2, 3], [3, 4]])


def test_nan_rows_are_left_out(make):
    series = {
        ("a", 0): Series(np.arange(3), np.array([1.0, np.nan, 3.0])),
        ("a", 1): Series(np.arange(2), np.full(2, np.nan)),
    }
    found = band(series, "a", make({"a": 60}))
    assert np.all(np.isfinite(found.median)) and list(found.n) == [1, 1]
    assert len(band({}, "a", make({"a": 60})).steps) == 0


def test_thinning_keeps_both_ends():
    kept = thin(np.arange(5000), 100)
    assert len(kept) <= 100 and kept[0] == 0 and kept[-1] == 4999


def test_censored_arms_have_a_mark_at_the_budget(make):
    marks = [t for t in survival(make({"a": 60, "b": None})).data if t["mode"] == "markers"]
    assert {t["meta"]["arm"] for t in marks} == {1} and {t["meta"]["layer"] for t in marks} == {
        "first",
        "sustained",
    }


def test_a_target_is_drawn_for_the_arms_and_sites_that_have_one(make):
    results = make()
    assert targets(results, "adamw-common+radial", "hidden.0.pre") == [1.0]
    assert targets(results, "adamw-common", "hidden.0.pre") == []
    results.spec["arms"][1]["methods"][1]["sites"] = ["hidden.1.pre"]
    assert targets(results, "adamw-common+radial", "hidden.0.pre") == []
    layers = [t["meta"]["layer"] for t in readings(results, "radius")[1].data]
    assert layers.count("target") == 1


def test_wide_ranges_start_logarithmic_and_narrow_ones_do_not(make):
    results = make(others=("growing",))
    assert [panel.log for panel in readings(results, "growing")] == [True, True]
    assert [panel.log for panel in readings(results, "radius")] == [False, False]


def test_names_cannot_be_read_as_plotly_html_or_placeholders(make):
    hostile = "<a href='x'>%{x}</a>"
    for trace in accuracy(make({hostile: 60})).data:
        assert trace["name"] == label(hostile) and "<a" not in trace.get("hovertemplate", "")
        assert "%&#123;x}" in trace["name"]


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_the_picture_is_written(make, tmp_path, suffix):
    arms = {"_under": 60, "$x^2$ & \\alpha": 80, "\u5f27\U0001f600": None}
    path = draw(make(arms, seeds=2), tmp_path / "new" / f"p{suffix}")
    assert path.stat().st_size > 5000


def test_equal_results_draw_equal_bytes(make, tmp_path):
    one, two = (draw(make({"a": 60}, seeds=2), tmp_path / f"{i}.svg").read_bytes() for i in (1, 2))
    assert one == two


@pytest.mark.parametrize("arms", [{"a": 60}, {f"arm {i}": 60 + i for i in range(20)}])
def test_the_picture_takes_one_arm_or_many_and_nothing_finished(make, tmp_path, arms):
    missing = [(arm, 0) for arm in arms]
    path = draw(make(arms, seeds=1, missing=missing, sites=()), tmp_path / "p.png")
    assert path.stat().st_size > 5000


def test_the_picture_refuses_other_formats_and_places(make, tmp_path):
    with pytest.raises(AnglewiseError, match=r"ending in \.svg, \.pdf or \.png, got 'p\.gif'"):
        draw(make({"a": 60}, seeds=1), tmp_path / "p.gif")
    (tmp_path / "file").write_text("")
    with pytest.raises(AnglewiseError, match="cannot write"):
        draw(make({"a": 60}, seeds=1), tmp_path / "file" / "p.png")
