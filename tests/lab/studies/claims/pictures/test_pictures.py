"""Pictures of claims: every claim can be drawn, nothing that was measured is left out, nothing lies outside."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.report.plots.paper import styled
from anglewise.lab.studies.claims import pictures
from anglewise.lab.studies.claims.claims import CLAIMS
from anglewise.lab.studies.claims.parts import verdict_of
from anglewise.lab.studies.claims.pictures import marks, multiverse, readings, recorded, times
from anglewise.lab.studies.claims.record import Record
from anglewise.lab.studies.claims.rows import Value
from anglewise.lab.studies.claims.rules import Sooner
from anglewise.lab.studies.claims.specification import specifications
from tests.support.claims import GRID, record_of

C02 = CLAIMS["C02"]


def drawn(module, claim, made):
    return painted(lambda: module.figure(claim, made, verdict_of(claim, made, "desk")))


def painted(make):
    """A figure with its layout, and a canvas that measures texts."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with styled():
        figure = make()
        FigureCanvasAgg(figure).draw()
    return figure


def texts(figure):
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def outside(figure):
    """Texts that are cut off by the figure's edge."""
    from matplotlib.text import Text

    width, height = figure.bbox.width, figure.bbox.height
    renderer = figure.canvas.get_renderer()
    found = []
    for text in figure.findobj(Text):
        box = text.get_window_extent(renderer)
        words = re.search("[a-z]", text.get_text())  # numbers of ticks beyond an axis are not drawn
        if words and text.get_visible() and (box.x0 < -2 or box.x1 > width + 2 or box.y1 > height + 2):
            found.append(text.get_text())
    return found


def overlapping(axis):
    """Pairs of labels at an axis that lie on one another."""
    renderer = axis.get_figure(root=True).canvas.get_renderer()
    found = []
    for ticks in (axis.get_xticklabels(), axis.get_yticklabels()):
        boxes = [t.get_window_extent(renderer) for t in ticks if t.get_text() and t.get_visible()]
        found += [
            (a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.shrunk(0.98, 0.8).overlaps(b.shrunk(0.98, 0.8))
        ]
    return found


@pytest.mark.parametrize(
    "claim", [claim for claim in CLAIMS.values() if not claim.recorded], ids=lambda claim: claim.id
)
def test_every_claim_is_drawn_within_its_figure(claim):
    made = record_of(claim)
    kinds = {picture.file.partition("-")[0] for picture in pictures.planned(claim, made, "desk")}
    assert kinds and kinds <= {"times", "readings"}
    for kind in kinds:
        figure = drawn({"times": times, "readings": readings}[kind], claim, made)
        assert outside(figure) == []
        assert all(overlapping(axis) == [] for axis in figure.axes)


def test_every_seed_has_a_mark_and_a_run_beyond_the_budget_too():
    made = record_of(C02, epochs=lambda arm, world: 2900.0, scatter=0.2)
    never = sum(run.sustained is None for run in made.runs)
    figure = drawn(times, C02, made)
    lines = figure.axes[0].lines
    arrows = [line for line in lines if line.get_marker() == ">"]
    seeds = [line for line in lines if line.get_marker() in ("o", "D")]
    assert 0 < never < 20 and (len(arrows), len(seeds)) == (never, 20 - never)
    assert all(line.get_xdata()[0] > 3000 for line in arrows)
    assert any("not in 3,000" in text for text in texts(figure))


def test_arms_that_never_generalise_say_so():
    made = record_of(C02, epochs=lambda arm, world: 1e6)
    rows = times.strips(C02, made, verdict_of(C02, made, "desk"))[0].rows
    assert [row.says for row in rows] == ["none of 10 in 3,000 epochs"] * 2
    figure = drawn(times, C02, made)
    assert "no number: inconclusive" in texts(figure) and outside(figure) == []


def test_the_median_is_that_of_censored_times():
    row = times.Row("a", "a", (100.0, 200.0, 300.0, None), 3000.0)
    assert row.says == "median 250, 1 of 4 not in 3,000"
    assert row._replace(epochs=(100.0, None, None)).says == "median beyond 3,000, 2 of 3 not in 3,000"
    assert row._replace(epochs=()).says == "no run"


def test_a_diverged_run_never_generalised():
    made = record_of(C02)
    runs = (made.runs[0]._replace(outcome="diverged"), *made.runs[1:])
    rows = times.strips(C02, made._replace(runs=runs), verdict_of(C02, made, "desk"))[0].rows
    assert [row.epochs.count(None) for row in rows] == [1, 0]


def test_halves_of_a_control_are_two_rows():
    claim = CLAIMS["K01"]
    made = record_of(claim)
    rows = times.strips(claim, made, verdict_of(claim, made, "desk"))[0].rows
    assert [len(row.epochs) for row in rows] == [10, 10] and rows[0].epochs != rows[1].epochs


def test_long_names_and_many_seeds_fit():
    arm = "decay .001 + straight-through projection 1.25 + affine LayerNorm + outer penalty .05"
    claim = dataclasses.replace(C02, rule=Sooner(arm, "decay .1", 3.0), seeds=60)
    figure = drawn(times, claim, record_of(claim))
    assert outside(figure) == [] and overlapping(figure.axes[0]) == []


def test_curves_have_a_line_for_every_seed_and_a_median():
    claim = CLAIMS["C09"]
    figure = drawn(readings, claim, record_of(claim))
    lines = figure.axes[0].lines
    assert sum(line.get_linewidth() == 0.5 for line in lines) == 20
    medians = [line for line in lines if line.get_linewidth() == 1.8]
    assert len(medians) == 2 and len({line.get_marker() for line in medians}) == 2
    assert "decay .001\n+ penalty" in texts(figure)


def test_a_level_is_drawn_and_wide_ranges_are_logarithmic():
    claim = CLAIMS["C10"]
    made = record_of(claim, values=lambda arm, name, share: 10.0 ** (3 * share))
    axis = drawn(readings, claim, made).axes[0]
    assert axis.get_yscale() == "log"
    assert any(list(line.get_ydata()) == [1.0, 1.0] for line in axis.lines)


def test_a_level_far_from_the_curves_lies_within_the_axis():
    claim = CLAIMS["R01"]
    made = record_of(claim, values=lambda arm, name, share: 10.0 ** (-4 * share))
    low, high = drawn(readings, claim, made).axes[0].get_ylim()
    assert low < 0.9 < high


def test_what_comes_first_is_seen():
    claim = CLAIMS["C14"]
    axis = drawn(readings, claim, record_of(claim)).axes[0]
    triangles = [line for line in axis.lines if line.get_marker() == "^"]
    assert len(triangles) == 10 and {line.get_ydata()[0] for line in triangles} == {0.9}


def test_nothing_read_is_said():
    claim = CLAIMS["C09"]
    assert texts(drawn(readings, claim, record_of(claim)._replace(values=()))).count("nothing was read") == 2


def test_labels_do_not_overlap():
    assert readings.spread([0.1, 0.5, 0.5], [0.1, 0.1, 0.1]) == pytest.approx([0.1, 0.5, 0.6])
    high = readings.spread([0.99, 0.99, 0.99], [0.1, 0.1, 0.1])
    assert high == pytest.approx([0.75, 0.85, 0.95])


def test_a_median_needs_half_of_the_seeds():
    x = np.array([0.0, 1.0])
    steps, values = readings.middle([(x, x), (x[:1], x[:1] + 2), (x[:1], x[:1] + 4)])
    assert list(steps) == [0.0] and list(values) == [2.0]


def test_every_world_of_the_grid_is_drawn():
    spec = specifications(C02, record_of(C02, worlds=GRID), "desk")[0]
    figure = painted(lambda: multiverse.figure(spec))
    assert outside(figure) == [] and all(overlapping(axis) == [] for axis in figure.axes)
    dots = figure.axes[0]
    taken = [line for line in dots.lines if line.get_marker() == "s" and line.get_color() == "#222222"]
    never = [line for line in dots.lines if line.get_marker() == "x"]
    assert len(taken) == 16 * 8 and len(never) == sum(len(line.never) for line in spec.lines) > 0
    shown = [line for line in figure.axes[1].lines if line.get_marker() in marks.MARK.values()]
    assert [line.get_ydata()[0] for line in shown] == [line.effect for line in spec.with_effect]
    said = texts(figure)
    assert "claimed: at least 3" in said and "no difference" in said and "likely" in said
    assert any(text.startswith("no effect") for text in said)


def test_a_grid_without_any_effect_is_drawn():
    spec = specifications(C02, record_of(C02, worlds=GRID, epochs=lambda arm, world: 1e6), "desk")[0]
    figure = painted(lambda: multiverse.figure(spec))
    assert outside(figure) == [] and len(figure.axes) == 2  # no bars: nothing varies


def test_recorded_estimates_are_drawn():
    claim = CLAIMS["R06"]
    low, high = claim.rule.baseline, claim.rule.arm
    numbers = {low: (0.5, 0.4, 0.6), high: (0.8, 0.7, 0.9)}
    values = tuple(
        Value(claim.systems[0], "desk", "likely", arm, 0, claim.rule.name + end, "", 0, x)
        for arm, three in numbers.items()
        for end, x in zip(("", "_low", "_high"), three, strict=True)
    )
    made = Record((), values, {}, {"desk": ("likely",)})
    assert [name for name, _, _ in recorded.estimates(claim, made, "desk")] == [high, low]
    figure = drawn(recorded, claim, made)
    assert "0.800 [0.700, 0.900]" in texts(figure) and outside(figure) == []
    assert [picture.file for picture in pictures.planned(claim, made, "desk")] == ["recorded-desk.svg"]
    assert texts(drawn(recorded, claim, made._replace(values=()))).count("no number") == 2


def test_verdicts_differ_without_colour():
    assert len(set(marks.MARK.values())) == 3


def test_places_of_numbers_are_few_and_within():
    for low, high in ((0.9, 1.3), (0.5, 40.0), (1e-6, 1e6), (200.0, 4000.0)):
        found = marks.places(low, high)
        assert 1 < len(found) <= 9 and all(low <= x <= high for x in found)
    assert math.isfinite(sum(marks.places(1.01, 1.02)) + 1)


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(AnglewiseError, match="ending in"):
        pictures.save_times(C02, record_of(C02), "desk", tmp_path / "times.gif")
