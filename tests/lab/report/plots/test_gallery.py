import numpy as np
import pytest

from anglewise.errors import AnglewiseError, StoreError
from anglewise.lab.report.plots.gallery import FIGURES, draw, figure
from anglewise.lab.report.plots.paper import styled
from anglewise.lab.report.results import Series
from anglewise.lab.stats.blocks import block_order


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_and_equal_runs_give_equal_bytes(full, tmp_path, name):
    one, two = (draw(name, full, tmp_path / f"{i}.svg").read_bytes() for i in (1, 2))
    assert one == two and len(one) > 5000


@pytest.mark.parametrize("ending", [".pdf", ".png"])
def test_other_formats_are_written(full, tmp_path, ending):
    assert draw("phase", full, tmp_path / "deep" / f"p{ending}").stat().st_size > 5000


@pytest.mark.parametrize("name", [name for name in FIGURES if FIGURES[name].needs])
def test_a_figure_without_its_readings_says_which_to_ask_for(make, tmp_path, name):
    known = FIGURES[name]
    bare = make({"a": 60}, seeds=1, sites=())
    with pytest.raises(AnglewiseError, match=f"needs the reading '{known.needs[0]}'.*--readings {known.ask} "):
        draw(name, bare, tmp_path / "p.svg")
    assert not (tmp_path / "p.svg").exists()


@pytest.mark.parametrize("name", FIGURES)
def test_one_seed_and_many_arms_are_drawn(measured, at_sites, tmp_path, name):
    for arms in ({"only": None}, {f"arm {i}": 60 + i for i in range(10)}):
        results = measured(arms, seeds=1, others=at_sites)
        for whole in ("rho", "hessian_trace"):
            results.readings[whole, ""] = dict(results.readings["radial_energy", "hidden.0.pre"])
        assert draw(name, results, tmp_path / "p.png").stat().st_size > 5000


def test_readings_that_are_all_nan_are_lacking(make, tmp_path):
    results = make({"a": 60}, seeds=1)
    results.readings["hessian_trace", ""] = {("a", 0): Series(np.arange(2), np.full(2, np.nan))}
    with pytest.raises(AnglewiseError, match="needs the reading 'hessian_trace'"):
        draw("curvature", results, tmp_path / "p.svg")


def test_curves_and_labels_are_those_of_the_runs(full):
    with styled():
        drawn = figure("energy", full)
    axis = drawn.axes[0]
    values = [full.readings["radial_energy", "hidden.0.pre"]["_a", s].values for s in (0, 1)]
    line = next(line for line in axis.lines if line.get_color() == full.inks[0].colour and len(line.get_xdata()) > 2)
    shortest = min(map(len, values))
    np.testing.assert_allclose(line.get_ydata()[:shortest], np.mean([v[:shortest] for v in values], axis=0), rtol=1e-6)
    assert axis.get_title(loc="left") == "hidden.0.pre" and "95 % interval" in axis.get_ylabel().replace("\n", " ")
    assert axis.get_xlabel() == "optimiser steps"
    assert [text.get_text() for text in drawn.legends[0].texts] == [" _a (n = 2)", " $b$ <i> (n = 2)"]


def test_the_map_is_in_block_order(full):
    with styled():
        drawn = figure("map", full)
    values = full.arrays([("_a", 0)], last=True)["fourier_map", "hidden.0.post"]["_a", 0].values[-1]
    shown = np.ma.filled(drawn.axes[0].images[0].get_array(), np.nan)
    np.testing.assert_array_equal(shown, values[block_order(values)])
    assert drawn.axes[0].get_title(loc="left") == "_a\nseed 0, step 100"


def test_only_some_arms_or_runs(full):
    assert full.select(["_a"]).planned == (("_a", 0), ("_a", 1)) and full.select(["_a"]).baseline == "_a"
    only = full.select([full.runs["$b$ <i>", 1][:3]])
    assert only.arms == ("$b$ <i>",) and only.planned == (("$b$ <i>", 1),) and only.baseline == "$b$ <i>"
    assert {key for series in only.readings.values() for key in series} == {("$b$ <i>", 1)}
    assert full.select([]) is full
    with pytest.raises(StoreError, match="unknown arm or run 'nobody'"):
        full.select(["nobody"])
    with pytest.raises(StoreError, match="4 runs begin with '0': give more of the id"):
        full.select(["0"])
