import base64
import re

import numpy as np
import plotly.graph_objects as go
import pytest

from anglewise.lab.readings.quantities import QUANTITIES, THEMES, drawing, meaning, place
from anglewise.lab.report.html.experiment import page
from anglewise.lab.report.html.themes import themes
from anglewise.lab.report.plots import curves, phase
from anglewise.lab.report.plots.bands import array_band, band, mean_band
from anglewise.lab.report.plots.panel import web
from anglewise.lab.report.plots.phase import arrows, lines
from anglewise.lab.report.results import Series


def unpacked(packed):
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])


def readings(results, name, **how):
    """The page's panels of a reading."""
    plots = curves.radius(results) if name == "radius" else curves.over_time(results, name, **how)
    return [web(plot) for plot in plots]


def layers(panel, layer):
    return [trace for trace in panel.data if trace["meta"]["layer"] == layer]


def test_every_reading_is_shown_once_under_its_theme(make):
    results = make(others=("radial_energy", "effective_rank", "angular_speed", "hessian_top", "never_heard_of"))
    groups = {group.name: [part.name for part in group.parts] for group in themes(results)[0]}
    assert groups == {
        "Geometry": ["radius_q50"],
        "Gradients": ["radial_energy"],
        "Motion": ["angular_speed"],
        "Spectra": ["effective_rank"],
        "Curvature": ["hessian_top"],
        "Other": ["never_heard_of"],
    }
    ids = [panel.id for group in themes(results)[0] for part in group.parts for panel in part.panels]
    assert len(ids) == len(set(ids)) == 12


def test_instruments_are_drawn_only_when_opened_and_the_first_figures_at_once(make):
    results = make(others=("radial_energy",))
    assert all(panel.lazy for group in themes(results)[0] for part in group.parts for panel in part.panels)
    assert not any(panel.lazy for panel in readings(results, "radius"))


def test_every_theme_is_known_and_every_meaning_has_an_axis_and_a_line():
    assert {told.theme for told in QUANTITIES.values()} <= set(THEMES)
    assert all(told.title and told.text.endswith((".", "0", "1")) for told in QUANTITIES.values())


@pytest.mark.parametrize(
    ("name", "theme", "words"),
    [
        ("test_radius_q95", "Geometry", "On test examples."),
        ("hessian_trace_total", "Curvature", "total loss"),
        ("hessian_trace_se", "Curvature", "Standard error"),
        ("radial_energy_se", "Gradients", "Standard error"),
        ("angular_gradient_x2", "Gradients", "multiplied by this factor"),
        ("test_", "Other", ""),
        ("test_<b>", "Other", ""),
        ("_total", "Other", ""),
    ],
)
def test_names_made_of_others_mean_what_these_mean(name, theme, words):
    told = meaning(name)
    assert told.theme == theme and words in told.text and told.title


def test_readings_are_sorted_as_they_are_listed_and_what_is_made_of_them_follows():
    names = [
        "zz",
        "test_radius",
        "hessian_top",
        "radius_std",
        "hessian_trace_se_total",
        "hessian_trace",
        "radius",
        "_se",
    ]
    listed = [
        "radius",
        "test_radius",
        "radius_std",
        "hessian_trace",
        "hessian_trace_se_total",
        "hessian_top",
        "_se",
        "zz",
    ]
    assert sorted(names, key=place) == listed


def test_an_unknown_array_is_a_curve_if_it_has_one_axis_and_nothing_if_it_has_more():
    assert drawing("strange", 1).kind == "curve" and drawing("strange", 2) is None
    assert drawing("hessian_density", 2).kind == "density"


def test_curves_of_an_instrument_are_the_readings(make):
    results = make({"a": 60, "b": 90}, seeds=3, others=("radial_energy",))
    panel = readings(results, "radial_energy", lazy=True, most=80)[0]
    series = results.readings["radial_energy", panel.site]
    lines = layers(panel, "median")
    assert len(lines) == 2
    found = band(series, "a", results)
    np.testing.assert_allclose(unpacked(lines[0]["y"]), found.median, rtol=1e-6)
    np.testing.assert_array_equal(unpacked(lines[0]["x"]), found.steps)
    seeds = layers(panel, "seed")[0]
    gaps = np.flatnonzero(np.isnan(unpacked(seeds["y"])))
    assert len(gaps) == 3
    np.testing.assert_allclose(unpacked(seeds["y"])[: gaps[0]], series["a", 0].values, rtol=1e-6)
    assert list(unpacked(seeds["customdata"])[gaps]) == [0, 1, 2]


def test_a_single_seed_has_neither_band_nor_thin_line(make):
    panel = readings(make({"a": 60}, seeds=1, others=("radial_energy",)), "radial_energy", lazy=True, most=50)[0]
    assert [trace["meta"]["layer"] for trace in panel.data] == ["median"]


def test_the_moment_of_generalisation_is_marked_for_arms_that_have_one(make):
    results = make({"a": 60, "never": None}, others=("radial_energy",))
    for panel in [*readings(results, "radius"), *readings(results, "radial_energy")]:
        marks = [shape for shape in panel.layout["shapes"] if shape.get("name")]
        assert [shape["name"] for shape in marks] == ["arm 0"]
        assert marks[0]["x0"] == marks[0]["x1"] == np.median([results.ended["a", s].first for s in range(8)])
    assert readings(make({f"a{i}": 60 for i in range(9)}), "radius")[0].layout["shapes"] == []


def test_radial_energy_has_its_line_at_one(make):
    panel = readings(make(others=("radial_energy",)), "radial_energy")[0]
    assert [shape["y0"] for shape in panel.layout["shapes"] if "name" not in shape] == [1.0]


def test_the_balance_radius_is_dashed_beside_the_measured_one(make):
    results = make({"a": 60, "b": 90}, seeds=2)
    balance = {("b", s): Series(np.array([0, 50]), np.array([1.0, 2.0 + s])) for s in (0, 1)}
    results.readings["balance_radius", "hidden.1.pre"] = balance
    first, second = readings(results, "radius")
    assert not layers(first, "theory")
    (line,) = layers(second, "theory")
    assert line["line"]["dash"] == "dash" and line["meta"]["arm"] == 1
    np.testing.assert_array_equal(unpacked(line["y"]), [1.0, 2.5])
    assert "balance radius (dashed)" in page(results) and "balance radius" not in page(make({"a": 60}, seeds=1))


def test_readings_that_are_all_nan_leave_an_empty_figure_that_plotly_accepts(make):
    results = make({"a": 60}, seeds=2)
    results.readings["rho", ""] = {("a", s): Series(np.arange(3), np.full(3, np.nan)) for s in (0, 1)}
    (panel,) = readings(results, "rho", lazy=True, most=20)
    go.Figure({"data": panel.data, "layout": panel.layout})
    assert not layers(panel, "median") and page(results)


def test_negative_values_are_not_cut_off(make):
    results = make({"a": 60}, seeds=1)
    results.readings["angular_cosine", "h"] = {("a", 0): Series(np.arange(3), np.array([-0.5, 0.0, 0.5]))}
    assert readings(results, "angular_cosine")[0].layout["yaxis"]["rangemode"] == "normal"


def test_forty_runs_with_a_hundred_readings_fit_into_twelve_megabytes(make):
    names = tuple(f"reading_{i}" for i in range(100))
    results = make({f"arm {i}": 60 + i for i in range(4)}, seeds=10, sites=("h.0", "h.1", "h.2"))
    for name in names:
        for site in ("h.0", "h.1", "h.2"):
            results.readings[name, site] = results.readings["radius", "h.0"]
    assert len(page(results).encode()) < 12e6


def test_an_interval_is_students_and_shrinks_to_the_mean_for_one_run(make):
    series = {("a", s): Series(np.array([0, 10]), np.array([s, s + 1.0])) for s in range(5)}
    found = mean_band(series, "a", make({"a": 60}))
    np.testing.assert_allclose(found.median, [2, 3])
    np.testing.assert_allclose(found.high - found.median, 2.776445 * np.std(range(5), ddof=1) / np.sqrt(5), rtol=1e-6)
    alone = mean_band({("a", 0): series["a", 0]}, "a", make({"a": 60}))
    np.testing.assert_array_equal(alone.low, alone.high)
    assert len(mean_band({}, "a", make({"a": 60})).steps) == 0


def test_names_are_escaped_in_themes(make):
    text = page(make({"a": 60}, seeds=1, sites=("<i>",), others=("<b>x</b>",)))
    assert "<b>" not in text and "<i>" not in text and "&lt;b&gt;x&lt;/b&gt;" in text
    assert not re.search(r'data-log="[^"]*<', text)


# the last spectra of the runs


def test_spectra_at_the_end_are_the_middle_of_an_arms_runs(measured):
    results = measured({"a": 60}, seeds=3)
    groups = {group.name: {part.name: part for part in group.parts} for group in themes(results)[0]}
    (panel,) = groups["Spectra"]["singular_values"].panels
    last = [frames.values[-1] for frames in results.arrays(results.planned)["singular_values", panel.site].values()]
    (line,) = layers(panel, "median")
    np.testing.assert_allclose(unpacked(line["y"]), np.median(last, axis=0), rtol=1e-6)
    assert len(layers(panel, "band")) == 1 and "hessian_density" in groups["Curvature"]
    assert "fourier_power" in groups["Circuits"] and "fourier_map" not in groups["Circuits"]


def test_densities_share_a_grid_and_shares_are_sorted():
    one, two = np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[0.0, 2.0], [3.0, 3.0]])
    found = array_band("hessian_density", [one, two])
    assert (found.steps[0], found.steps[-1]) == (0, 2) and found.median[0] == 2 and found.median[-1] == 1.5
    assert list(array_band("fourier_power", [np.array([0.1, 0.7, 0.2])]).median) == pytest.approx([0.7, 0.2, 0.1])


def test_spectra_of_unequal_length_and_of_nothing():
    found = array_band("singular_values", [np.array([3.0, 1.0]), np.array([1.0]), np.full(2, np.nan)])
    assert list(found.median) == [2.0, 1.0] and found.n[0] == 2
    assert array_band("singular_values", [np.full(2, np.nan)]) is None


# phase portraits


def drawn(results, site="hidden.0.pre"):
    return list(lines(results, site))


def test_a_way_joins_radius_and_accuracy_of_one_run(make):
    results = make({"a": 60}, seeds=1)
    (way,) = drawn(results)
    rows = np.isin(results.readings["radius", "hidden.0.pre"]["a", 0].steps, way.note)
    np.testing.assert_array_equal(way.x, results.readings["radius", "hidden.0.pre"]["a", 0].values[rows])
    np.testing.assert_array_equal(way.y, results.curves["test_accuracy"]["a", 0].values[rows])
    assert drawn(results, "nowhere") == []


def test_a_radius_that_is_read_less_often_is_interpolated(make):
    results = make({"a": 60}, seeds=1)
    results.readings["radius", "x"] = {("a", 0): Series(np.array([10, 30]), np.array([1.0, 3.0]))}
    (way,) = drawn(results, "x")
    assert way.note[0] == 10 and way.note[-1] == 30 and way.x[len(way.x) // 2] == 2.0
    results.readings["radius", "x"] = {("a", 0): Series(np.array([10]), np.array([np.nan]))}
    assert drawn(results, "x") == []


def test_arrows_stand_at_equal_times_and_at_the_end(make):
    (way,) = drawn(make({"a": 60}, seeds=1))
    places = arrows(way.note, 4)
    assert places[-1] == len(way.note) - 1 and len(places) == 4 and places[0] > 0
    assert np.ptp(np.diff(way.note[places])) <= 4
    assert list(arrows(way.note[:1])) == []


def test_the_line_of_an_arm_is_the_median_of_its_runs_at_each_step(make):
    results = make({"a": 60}, seeds=3)
    middle, runs = drawn(results)
    assert (middle.layer, runs.layer) == ("path", "seed")
    step = int(middle.note[5])
    for values, series in (
        (middle.x, results.readings["radius", "hidden.0.pre"]),
        (middle.y, results.curves["test_accuracy"]),
    ):
        assert values[5] == pytest.approx(np.median([s.values[s.steps == step][0] for s in series.values()]))
    assert np.isnan(runs.y).sum() == 3 and set(runs.note) == {0, 1, 2}


def test_many_runs_are_drawn_as_their_median_and_some_of_them(make):
    (_, runs) = drawn(make({"a": 60}, seeds=40))
    assert len(set(runs.note)) == 24


def test_a_portrait_has_arrows_and_a_ring_for_each_arm(make):
    results = make({"a": 60, "b": None}, seeds=3, missing=[("b", 2)])
    panels = [phase.web(plot) for plot in phase.data(results)]
    assert [panel.site for panel in panels] == ["hidden.0.pre", "hidden.1.pre"]
    for panel in panels:
        go.Figure({"data": panel.data, "layout": panel.layout})
        modes = [trace["mode"] for trace in panel.data]
        assert (modes.count("lines+markers"), modes.count("markers"), modes.count("lines")) == (2, 2, 2)
        assert panel.layout["xaxis"]["title"]["text"] == "radius |h| / \u221ad"
    assert phase.data(make({"a": 60}, sites=())) == [] and phase.data(make({"a": 60}, curves={})) == []
