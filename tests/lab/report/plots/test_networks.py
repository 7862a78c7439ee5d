import base64
import dataclasses
import json
import re

import numpy as np
import plotly.graph_objects as go
import pytest
from matplotlib.figure import Figure

from anglewise.lab.report.html.run import run_page
from anglewise.lab.report.plots import circles, heatmaps, spectra
from anglewise.lab.report.plots.heatmaps import FRAMES
from anglewise.lab.report.plots.paper import styled
from anglewise.lab.report.plots.style import TIME, shade, to_bytes
from anglewise.lab.report.results import Series
from anglewise.lab.stats.blocks import block_order


def unpacked(packed):
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])


def restored(coded):
    """What the page makes of a map's bytes."""
    raw = np.frombuffer(base64.b64decode(coded["bytes"]), np.uint8).astype(float).reshape(coded["shape"])
    return np.where(raw == 255, np.nan, coded["low"] + (coded["high"] - coded["low"]) * raw / 254)


@pytest.fixture
def seen(make):
    """A figure's data of one network, flat."""

    def data(figure, arrays):
        rows = figure(make({"a": 60}, seeds=1), {panel: {("a", 0): frames} for panel, frames in arrays.items()})
        return [item for row in (rows.values() if isinstance(rows, dict) else rows) for item in row]

    return data


def drawn(paper, panel):
    """What matplotlib draws."""
    with styled():
        axis = Figure().subplots()
        paper(panel, axis)
    return axis


def test_page_and_paper_show_the_values_of_the_data(network, seen):
    (plane,) = seen(heatmaps.maps, network())
    paper = np.ma.filled(drawn(heatmaps.map_paper, plane).images[0].get_array(), np.nan)
    web = restored(heatmaps.map_web(plane).frames[-1]["data"][0]["z"])
    np.testing.assert_array_equal(paper, plane.values[-1])
    np.testing.assert_allclose(web, plane.values[-1], atol=0.5 / 254 + 1e-6)
    for circle in seen(circles.data, network()):
        closed, _, k = circles.ring(circle.points[-1], circle.frequencies[-1])
        axis, frame = drawn(circles.paper, circle), circles.web(circle).frames[-1]
        np.testing.assert_array_equal(axis.lines[0].get_xydata(), circle.points[-1, closed])
        np.testing.assert_array_equal(
            np.stack([unpacked(frame["data"][0][name]) for name in "xy"], axis=1), circle.points[-1, closed]
        )
        assert axis.get_title(loc="left") == frame["text"] == f"k = {k}"
    for power in seen(heatmaps.powers, network()):
        mesh = drawn(heatmaps.power_paper, power).collections[0]
        np.testing.assert_array_equal(np.asarray(mesh.get_array()).reshape(power.values.T.shape), power.values.T)
        np.testing.assert_array_equal(
            unpacked(heatmaps.power_web(power).data[0]["z"]).reshape(power.values.T.shape), power.values.T
        )


def test_plotly_accepts_every_figure_and_every_frame(network, seen):
    figures = (heatmaps.maps, heatmaps.map_web), (circles.data, circles.web), (heatmaps.powers, heatmaps.power_web)
    for panel in [
        web(item) for data, web in (*figures, (spectra.over_steps, spectra.web)) for item in seen(data, network())
    ]:
        layout = dict(panel.layout)
        for frame in panel.frames or [{"data": [{}] * len(panel.data)}]:
            data = [trace | change for trace, change in zip(panel.data, frame["data"], strict=True)]
            for trace in data:
                if isinstance(trace.get("z"), dict) and "bytes" in trace["z"]:
                    trace["z"] = restored(trace["z"])
            assert len(go.Figure({"data": data, "layout": layout}).data) == len(panel.data)


def test_a_map_shows_the_shares_in_the_block_order_of_the_last_step(network, seen):
    own = network()
    (panel,) = map(heatmaps.map_web, seen(heatmaps.maps, own))
    values = own["fourier_map", "hidden.0.post"].values
    order = block_order(values[-1])
    assert [frame["step"] for frame in panel.frames] == list(range(0, 101, 10))
    for frame, expected in zip(panel.frames, values, strict=True):
        np.testing.assert_allclose(restored(frame["data"][0]["z"]), expected[order], atol=0.5 / 254 + 1e-6)
    assert np.isnan(restored(panel.frames[-1]["data"][0]["z"])[-1]).all()


def test_bytes_keep_none_apart_from_the_largest_value():
    coded = to_bytes(np.array([[0.0, 1.0], [np.nan, 0.5], [2.0, -1.0]]))
    np.testing.assert_allclose(restored(coded), [[0, 1], [np.nan, 0.5], [1, 0]])


def test_wide_networks_have_fewer_frames(seen):
    own = {("fourier_map", "h"): Series(np.arange(100), np.zeros((100, 2048, 56), np.float32))}
    (panel,) = map(heatmaps.map_web, seen(heatmaps.maps, own))
    assert len(panel.frames) < FRAMES and {panel.frames[0]["step"], panel.frames[-1]["step"]} == {0, 99}
    assert sum(len(frame["data"][0]["z"]["bytes"]) for frame in panel.frames) < 8e6


def test_a_circle_joins_tokens_as_its_frequency_has_them():
    n, k = 11, 4
    angle = 2 * np.pi * k * np.arange(n) / n
    tokens, turns, frequency = circles.ring(np.stack([np.cos(angle), np.sin(angle)], axis=1), float(k))
    np.testing.assert_allclose(np.diff(np.unwrap(angle[tokens])), 2 * np.pi / n, rtol=1e-9)
    np.testing.assert_allclose(turns[:-1], np.arange(n) / n)
    assert sorted(tokens[:-1]) == list(range(n)) and tokens[0] == tokens[-1] == 0 and frequency == 4


def test_circles_are_the_tokens_and_stand_on_one_scale(network, seen):
    own = network()
    first, second = map(circles.web, seen(circles.data, own))
    frame = second.frames[-1]["data"][0]
    values = own["circles", "embedding"].values
    np.testing.assert_allclose(unpacked(frame["x"]), values[-1, 1, frame["customdata"], 0], rtol=1e-6)
    assert first.layout["yaxis"]["scaleanchor"] == "x"
    assert first.frames[2]["reach"] == pytest.approx(1.1 * np.abs(values[2, 0]).max())
    assert second.frames[-1]["text"] == "k = 5" and first.id != second.id


def test_circles_without_their_frequencies_are_not_drawn_and_unknown_frequencies_do_not_fail(network, seen):
    own = network()
    lost = {panel: frames for panel, frames in own.items() if panel[0] != "circle_frequencies"}
    assert seen(circles.data, lost) == []
    assert circles.ring(np.zeros((5, 2)), float("nan"))[2] == 0


def test_power_is_drawn_frequency_by_step(network, seen):
    own = network()
    table, logits = map(heatmaps.power_web, seen(heatmaps.powers, own))
    np.testing.assert_allclose(
        unpacked(table.data[0]["z"]).reshape(6, 11), own["fourier_power", "embedding"].values.T, rtol=1e-6
    )
    assert table.data[0]["z"]["shape"] == "6, 11" and table.data[0]["y"] == [1, 2, 3, 4, 5, 6]
    assert (table.site, logits.site) == ("embedding", "logit fourier")


def test_spectra_are_lines_that_darken_with_time(network, make):
    own = network(steps=range(0, 1001, 10))
    arrays = {panel: {("a", 0): frames} for panel, frames in own.items()}
    groups = spectra.over_steps(make({"a": 60}, seeds=1), arrays)
    found = {name: [spectra.web(plot) for plot in plots] for name, plots in groups.items()}
    assert list(found) == ["singular_values", "weight_singular_values", "hessian_density", "strange"]
    (panel,) = found["singular_values"]
    *lines, scale = panel.data
    assert len(lines) == 12 and scale["marker"]["cmax"] == 1000
    assert (
        (lines[0]["line"]["color"], lines[-1]["line"]["color"])
        == (shade(0), shade(1))
        == (TIME[0][1].lower(), TIME[-1][1].lower())
    )
    np.testing.assert_allclose(unpacked(lines[-1]["y"]), own["singular_values", panel.site].values[-1], rtol=1e-6)
    (density,) = found["hessian_density"]
    np.testing.assert_allclose(unpacked(density.data[0]["x"]), own["hessian_density", ""].values[0, 0], rtol=1e-6)
    assert density.layout["yaxis"]["type"] == "log"


def test_one_step_and_nothing_finite(network, seen):
    panel = spectra.web(seen(spectra.over_steps, network(steps=[40]))[0])
    assert len(panel.data) == 1
    blank = {("singular_values", "h"): Series(np.arange(2), np.full((2, 3), np.nan, np.float32))}
    assert seen(spectra.over_steps, blank) == seen(heatmaps.maps, {}) == seen(heatmaps.powers, {}) == []


# the page of a run


def test_a_runs_page_says_what_it_is_and_how_it_ended(measured):
    results = measured()
    text = run_page(results, ("a", 1))
    ended = results.ended["a", 1]
    assert "<h1>a, seed 1</h1>" in text and results.runs["a", 1] in text and "One seed is an illustration" in text
    assert f"Outcome: grokked after {ended.steps} of 200 steps" in text and f"first step {ended.first}" in text
    for part in ("Over time", "Phase portrait", "Circuit", "Spectra and curvature", "All readings", "Configuration"):
        assert f"<h2>{part}</h2>" in text
    steps = json.loads(re.search(r'data-steps="(.*?)"', text)[1])
    assert steps == list(range(0, 101, 10))


def test_a_runs_figures_have_distinct_places_and_only_its_own_data(measured):
    results = measured(others=("radial_energy",))
    text = run_page(results, ("b", 0))
    block = json.loads(re.search(r'id="panels"[^>]*>(.*?)</script>', text, re.DOTALL)[1])
    ids = [panel["id"] for panel in block]
    assert len(ids) == len(set(ids)) and all(text.count(f'id="{name}"') == 1 for name in ids)
    names = {trace.get("name") for panel in block for trace in panel["data"]}
    assert {name for name in names if not (name or "").startswith("step ")} == {"b", None}
    marks = [shape["name"] for shape in block[0]["layout"]["shapes"] if "name" in shape]
    assert marks == ["arm 0", "sustained", "now"]


def test_a_run_without_arrays_or_end_says_so(make):
    results = make({"a": 90}, seeds=2, missing=[("a", 0)], runs={("a", 0): "ab" * 10, ("a", 1): "cd" * 10})
    text = run_page(results, ("a", 0)).split("<script>")[0]
    assert "This run has not finished." in text and "No map, circles or powers were read" in text
    assert 'id="slider"' not in text and '"now"' not in text
    bare = dataclasses.replace(results, curves={}, readings={}, spec={})
    assert "No evaluations yet" in run_page(bare, ("a", 1))


def test_a_diverged_run_marks_no_generalisation(make):
    results = make({"a": 60}, seeds=1, diverged=[("a", 0)])
    text = run_page(results, ("a", 0)).split("<script>")[0]
    assert "Outcome: diverged" in text and '"sustained"' not in text and '"arm 0"' not in text


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_a_scale_is_read_between_its_colours(share):
    assert re.fullmatch("#[0-9a-f]{6}", shade(share))
