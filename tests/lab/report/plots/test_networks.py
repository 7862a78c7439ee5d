import base64
import dataclasses
import json
import re

import numpy as np
import plotly.graph_objects as go
import pytest

from anglewise.lab.report.html.run import run_page
from anglewise.lab.report.plots.networks import FRAMES, TIME, circle, circles, maps, powers, shade, spectra, to_bytes
from anglewise.lab.report.results import Frames
from anglewise.lab.stats.blocks import block_order


def unpacked(packed):
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])


def restored(coded):
    """What the page makes of a map's bytes."""
    raw = np.frombuffer(base64.b64decode(coded["bytes"]), np.uint8).astype(float).reshape(coded["shape"])
    return np.where(raw == 255, np.nan, coded["low"] + (coded["high"] - coded["low"]) * raw / 254)


def all_panels(own):
    groups = [*circles(own).values(), *spectra(own).values()]
    return [*maps(own), *powers(own), *(panel for group in groups for panel in group)]


def test_plotly_accepts_every_figure_and_every_frame(network):
    for panel in all_panels(network()):
        layout = dict(panel.layout)
        for frame in panel.frames or [{"data": [{}] * len(panel.data)}]:
            data = [trace | change for trace, change in zip(panel.data, frame["data"], strict=True)]
            for trace in data:
                if isinstance(trace.get("z"), dict) and "bytes" in trace["z"]:
                    trace["z"] = restored(trace["z"])
            assert len(go.Figure({"data": data, "layout": layout}).data) == len(panel.data) > 0


def test_a_map_shows_the_shares_in_the_block_order_of_the_last_step(network):
    own = network()
    (panel,) = maps(own)
    values = own["fourier_map", "hidden.0.post"].values
    order = block_order(values[-1])
    assert [frame["step"] for frame in panel.frames] == list(range(0, 101, 10))
    for frame, expected in zip(panel.frames, values, strict=True):
        np.testing.assert_allclose(restored(frame["data"][0]["z"]), expected[order], atol=0.5 / 254 + 1e-6)
    assert np.isnan(restored(panel.frames[-1]["data"][0]["z"])[-1]).all()


def test_bytes_keep_none_apart_from_the_largest_value():
    coded = to_bytes(np.array([[0.0, 1.0], [np.nan, 0.5], [2.0, -1.0]]))
    np.testing.assert_allclose(restored(coded), [[0, 1], [np.nan, 0.5], [1, 0]])


def test_wide_networks_have_fewer_frames(network):
    own = {("fourier_map", "h"): Frames(np.arange(100), np.zeros((100, 2048, 56), np.float32))}
    (panel,) = maps(own)
    assert len(panel.frames) < FRAMES and {panel.frames[0]["step"], panel.frames[-1]["step"]} == {0, 99}
    assert sum(len(frame["data"][0]["z"]["bytes"]) for frame in panel.frames) < 8e6


def test_a_circle_joins_tokens_as_its_frequency_has_them():
    n, k = 11, 4
    angle = 2 * np.pi * k * np.arange(n) / n
    frame = circle(7, np.stack([np.cos(angle), np.sin(angle)], axis=1), float(k))
    x, y = unpacked(frame["data"][0]["x"]), unpacked(frame["data"][0]["y"])
    np.testing.assert_allclose(np.diff(np.unwrap(np.arctan2(y, x))), 2 * np.pi / n, rtol=1e-5)
    tokens = frame["data"][0]["customdata"]
    assert sorted(tokens[:-1]) == list(range(n)) and tokens[0] == tokens[-1] == 0
    assert (frame["step"], frame["text"]) == (7, "k = 4")


def test_circles_are_the_tokens_and_stand_on_one_scale(network):
    own = network()
    (table,) = circles(own)
    first, second = circles(own)[table]
    frame = second.frames[-1]["data"][0]
    values = own["circles", table].values
    np.testing.assert_allclose(unpacked(frame["x"]), values[-1, 1, frame["customdata"], 0], rtol=1e-6)
    assert first.layout["yaxis"]["scaleanchor"] == "x"
    assert first.frames[2]["reach"] == pytest.approx(1.1 * np.abs(values[2, 0]).max())
    assert second.frames[-1]["text"] == "k = 5" and first.id != second.id


def test_circles_without_their_frequencies_are_not_drawn_and_unknown_frequencies_do_not_fail(network):
    own = network()
    lost = {panel: frames for panel, frames in own.items() if panel[0] != "circle_frequencies"}
    assert circles(lost) == {}
    assert circle(0, np.zeros((5, 2)), float("nan"))["text"] == "k = 0"


def test_power_is_drawn_frequency_by_step(network):
    own = network()
    table, logits = powers(own)
    np.testing.assert_allclose(
        unpacked(table.data[0]["z"]).reshape(6, 11), own["fourier_power", "embedding"].values.T, rtol=1e-6
    )
    assert table.data[0]["z"]["shape"] == "6, 11" and table.data[0]["y"] == [1, 2, 3, 4, 5, 6]
    assert (table.site, logits.site) == ("embedding", "logit fourier")


def test_spectra_are_lines_that_darken_with_time(network):
    own = network(steps=range(0, 1001, 10))
    found = spectra(own)
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


def test_one_step_and_nothing_finite(network):
    once = network(steps=[40])
    (panel,) = spectra(once)["singular_values"]
    assert len(panel.data) == 1
    blank = {("singular_values", "h"): Frames(np.arange(2), np.full((2, 3), np.nan, np.float32))}
    assert spectra(blank) == {} and maps({}) == [] and powers({}) == []


# the page of a run


def test_a_runs_page_says_what_it_is_and_how_it_ended(measured):
    results = measured()
    text = run_page(results, ("a", 1))
    ended = results.ended["a", 1]
    assert "<h1>a, seed 1</h1>" in text and results.runs["a", 1] in text and "One seed is an illustration" in text
    assert f"Outcome: grokked after {ended.steps} of 200 steps" in text and f"first step {ended.first}" in text
    for part in ("Over time", "Phase portrait", "Circuit", "Spectra and curvature", "Instruments", "Configuration"):
        assert f"<h2>{part}</h2>" in text
    steps = json.loads(re.search(r'data-steps="(.*?)"', text)[1])
    assert steps == list(range(0, 101, 10))


def test_a_runs_figures_have_distinct_places_and_only_its_own_data(measured):
    results = measured(others=("radial_energy",))
    text = run_page(results, ("b", 0))
    block = json.loads(re.search(r'id="panels">(.*?)</script>', text, re.DOTALL)[1])
    ids = [panel["id"] for panel in block]
    assert len(ids) == len(set(ids)) and all(text.count(f'id="{name}"') == 1 for name in ids)
    assert {trace.get("name") for panel in block for trace in panel["data"]} == {"b", None}
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
