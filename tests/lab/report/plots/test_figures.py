"""Figures that are curves: what they show is what `data` gives, in the page and in a paper."""

import base64

import numpy as np
import plotly.graph_objects as go
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from anglewise.errors import AnglewiseError
from anglewise.lab.report.format import label
from anglewise.lab.report.plots import curves
from anglewise.lab.report.plots.gallery import FIGURES, draw
from anglewise.lab.report.plots.panel import LAYERS, Plot, paper, web
from anglewise.lab.report.plots.paper import styled
from anglewise.lab.report.results import Series


def unpacked(packed):
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])


def plots_of(results):
    return [curves.accuracy(results), curves.survival(results), *curves.radius(results)]


def flat(panels):
    return [panel for row in panels for panel in (row if isinstance(row, list) else [row])]


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in ("map", "circles", "frequencies")])
def test_page_and_paper_show_the_values_of_the_data(full, name):
    file = FIGURES[name]
    plots = [plot for plot in flat(file.data(full)) if len(plot.values)]
    assert plots
    for plot in plots:
        panel = file.web(plot)
        go.Figure({"data": panel.data, "layout": panel.layout})
        web_curves = [(unpacked(t["x"]), unpacked(t["y"])) for t in panel.data if "bdata" in (t["x"] or {})]
        with styled():
            axis = Figure().subplots()
            file.paper(plot, axis)
        paper_curves = [np.asarray(line.get_xydata(), float).T for line in axis.lines]
        for line in plot.lines:
            for drawn in [web_curves, paper_curves] if line.look.paper else [web_curves]:
                assert any(
                    len(x) == len(line.x)
                    and np.allclose(x, line.x, rtol=1e-5)
                    and np.allclose(y, line.y, rtol=1e-5, equal_nan=True)
                    for x, y in drawn
                ), (plot.id, line.what, line.layer)


def test_plotly_accepts_every_trace_and_layout_of_runs_that_failed(make):
    for plot in plots_of(make(missing=[("man", 0)], diverged=[("adamw-tuned", 1)])):
        panel = web(plot)
        assert len(go.Figure({"data": panel.data, "layout": panel.layout}).data) == len(panel.data) > 0


def test_every_axis_has_a_title_with_its_unit(make):
    panels = [web(plot) for plot in plots_of(make())]
    titles = [panel.layout["yaxis"]["title"]["text"] for panel in panels]
    assert titles == ["accuracy", "share not yet generalised", *["radius |h| / \u221ad"] * 2]
    assert all(panel.layout["xaxis"]["title"]["text"] == "optimiser steps" for panel in panels)


def test_accuracy_and_survival_are_percent_in_both_kinds_of_figures(make):
    for plot in plots_of(make()):
        share, panel = plot.id in ("accuracy", "survival"), web(plot)
        assert (panel.layout["yaxis"].get("tickformat") == ".0%") == share
        hovers = [trace["hovertemplate"] for trace in panel.data if "hovertemplate" in trace]
        assert hovers and all(("%{y:.2~%}" in hover) == share for hover in hovers)
        with styled():
            axis = Figure().subplots()
            paper(plot, axis)
        assert (axis.yaxis.get_major_formatter()(0.5, 0) == "50%") == share


def test_an_arm_has_one_colour_in_every_figure_of_both_kinds(make):
    for plot in plots_of(make()):
        for trace in web(plot).data:
            if trace["line"].get("color"):
                assert trace["line"]["color"] == plot.inks[trace["meta"]["arm"]].colour
    with styled():
        axis = Figure().subplots()
        plot = curves.survival(make())
        paper(plot, axis)
    shown = [line.arm for line in plot.lines if line.look.paper]
    assert [to_hex(line.get_color()) for line in axis.lines] == [plot.inks[arm].colour for arm in shown]


def test_an_arm_has_its_marker_in_both_kinds_of_figures(make):
    plot = curves.accuracy(make({"a+man": 60, "b": 60, "b-tuned": 60}, seeds=2))
    with styled():
        axis = Figure().subplots()
        paper(plot, axis)
    medians = [trace for trace in web(plot).data if trace["meta"]["layer"] == "median"]
    assert [trace["marker"]["symbol"] for trace in medians] == ["triangle-up", "circle", "circle-open"]
    assert [line.get_marker() for line in axis.lines if line.get_marker() != "None"] == ["^", "o", "o"]


def test_every_layer_is_one_that_the_page_knows(full):
    for figure in FIGURES.values():
        for plot in flat(figure.data(full)):
            if isinstance(plot, Plot):
                assert {line.layer for line in plot.lines} <= set(LAYERS)


def test_censored_arms_have_a_mark_at_the_budget(make):
    plot = curves.survival(make({"a": 60, "b": None}))
    marks = [trace for trace in web(plot).data if trace["mode"] == "markers"]
    assert {t["meta"]["arm"] for t in marks} == {1}
    assert {t["meta"]["layer"] for t in marks} == {"first", "sustained"}
    assert [list(line.x) for line in plot.lines if line.tick] == [[200], [200]]
    assert "<br>8 of 8 not within the budget<" in marks[0]["hovertemplate"]


def test_a_target_is_drawn_for_the_arms_and_sites_that_have_one(make):
    results = make()
    assert curves.targets(results, "adamw-common+radial", "hidden.0.pre") == [1.0]
    assert curves.targets(results, "adamw-common", "hidden.0.pre") == []
    results.spec["arms"][1]["methods"][1]["sites"] = ["hidden.1.pre"]
    assert curves.targets(results, "adamw-common+radial", "hidden.0.pre") == []
    assert [line.y[0] for line in curves.radius(results)[1].lines if line.layer == "target"] == [1.0]


def test_wide_ranges_start_logarithmic_and_narrow_ones_do_not(make):
    results = make(others=("growing",))
    assert [web(plot).log for plot in curves.over_time(results, "growing")] == [True, True]
    assert [web(plot).log for plot in curves.radius(results)] == [False, False]


def test_a_site_with_a_value_that_is_not_positive_stays_linear_beside_logarithmic_ones(make):
    results = make(others=("growing",))
    series = results.readings["growing", "hidden.1.pre"]
    results.readings["growing", "hidden.1.pre"] = {key: s._replace(values=s.values - 2) for key, s in series.items()}
    assert [plot.log for plot in curves.over_time(results, "growing")] == [True, False]


def test_radial_energy_of_one_seed_has_the_interval_over_its_inputs(make):
    results = make({"a": 60}, seeds=1, others=("radial_energy",))
    values = results.readings["radial_energy", "hidden.0.pre"]["a", 0]
    error = {("a", 0): Series(values.steps, np.full(len(values.steps), 0.5))}
    results.readings["radial_energy_se", "hidden.0.pre"] = error
    first, second = curves.radial_energy(results)
    np.testing.assert_allclose(first.lines[0].high - first.lines[0].y, 1.96 * 0.5)
    assert second.lines[0].low is None and "over inputs" in first.y
    assert "over seeds" in curves.radial_energy(make({"a": 60}, seeds=2, others=("radial_energy",)))[0].y


def test_names_cannot_be_read_as_plotly_html_or_placeholders(make):
    hostile = "<a href='x'>%{x}</a>"
    for trace in web(curves.accuracy(make({hostile: 60}))).data:
        assert trace["name"] == label(hostile) and "<a" not in trace.get("hovertemplate", "")
        assert "%&#123;x}" in trace["name"]


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_the_picture_is_written(make, tmp_path, suffix):
    arms = {"_under": 60, "$x^2$ & \\alpha": 80, "\u5f27\U0001f600": None}
    path = draw("accuracy-and-radius", make(arms, seeds=2), tmp_path / "new" / f"p{suffix}")
    assert path.stat().st_size > 5000


@pytest.mark.parametrize("arms", [{"a": 60}, {f"arm {i}": 60 + i for i in range(20)}])
def test_the_picture_takes_one_arm_or_many_and_nothing_finished(make, tmp_path, arms):
    missing = [(arm, 0) for arm in arms]
    path = draw("accuracy-and-radius", make(arms, seeds=1, missing=missing, sites=()), tmp_path / "p.png")
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000


def test_the_picture_refuses_other_formats_and_places(make, tmp_path):
    with pytest.raises(AnglewiseError, match=r"ending in \.svg, \.pdf or \.png, got 'p\.gif'"):
        draw("accuracy-and-radius", make({"a": 60}, seeds=1), tmp_path / "p.gif")
    (tmp_path / "file").write_text("")
    with pytest.raises(AnglewiseError, match="cannot write"):
        draw("accuracy-and-radius", make({"a": 60}, seeds=1), tmp_path / "file" / "p.png")
