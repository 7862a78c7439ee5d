"""Inks: an arm keeps its look, and any two arms of a figure differ in more than what some eyes cannot see."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.report.plots.inks import (
    DARK_PAGE,
    DASHES,
    KINDS,
    LIGHT_PAGE,
    MANY,
    SYMBOLS,
    css,
    dark_values,
    ink,
    inks_of,
    inks_of_spec,
    kind_of,
)
from anglewise.lab.spec import to_json
from anglewise.lab.studies.claims.claims import CLAIMS

ALL = [ink(kind, variant) for kind in KINDS for variant in range(MANY)]
# Machado, Oliveira, Fernandes 2009, doi 10.1109/TVCG.2009.113, severity 1; they act on linear sRGB
BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "grey": [[0.2126, 0.7152, 0.0722]] * 3,
    "all colours": np.eye(3),
}
DISTANCE = 12.0
"""In CIELAB (CIE 1976): five times what two fields side by side need to be told apart."""


def linear(colour):
    parts = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    x, y, z = np.cbrt(np.clip(xyz / (0.9505, 1.0, 1.089), 1e-6, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def seen(colour, eye):
    return lab(np.clip(np.array(BLIND[eye]) @ linear(colour), 0, 1))


def contrast(one, other):
    """WCAG 2."""
    low, high = sorted(float(np.dot((0.2126, 0.7152, 0.0722), linear(colour))) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("eye", BLIND)
def test_any_two_inks_differ_by_colour_or_by_dash_or_marker(eye):
    for value in ("colour", "dark"):
        for one, other in itertools.combinations(ALL, 2):
            apart = np.linalg.norm(seen(getattr(one, value), eye) - seen(getattr(other, value), eye))
            assert apart >= DISTANCE or (one.dash, one.symbol) != (other.dash, other.symbol), (one, other)


def test_first_variants_of_kinds_differ_by_marker_alone():
    assert len({ink(kind).symbol for kind in KINDS}) == len(KINDS)


def test_hues_of_common_kinds_are_told_apart_by_whoever_sees_all_colours():
    common = [ink(kind) for kind in ("plain", "radial penalty", "MAN", "norm, sphere or projection", "loss or logits")]
    for one, other in itertools.combinations(common, 2):
        assert np.linalg.norm(seen(one.colour, "all colours") - seen(other.colour, "all colours")) > 2 * DISTANCE


def test_control_the_distance_sees_what_deuteranopes_do_not():
    red, green = "#c00000", "#6a6000"
    near = np.linalg.norm(seen(red, "deuteranopia") - seen(green, "deuteranopia"))
    assert near < np.linalg.norm(seen(red, "all colours") - seen(green, "all colours")) / 2


def test_every_ink_stands_out_from_both_pages():
    assert min(contrast(one.colour, LIGHT_PAGE) for one in ALL) >= 3
    assert min(contrast(one.dark, DARK_PAGE) for one in ALL) >= 3
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_matplotlib_knows_every_dash_and_marker():
    from matplotlib.lines import Line2D

    for one in ALL:
        assert one.dash in DASHES and one.shape in SYMBOLS
        Line2D([0], [0], **one.line | one.mark)


def test_a_name_has_one_kind_wherever_it_stands_and_with_or_without_its_methods():
    for experiment in EXPERIMENTS.values():
        methods = {arm.name: [type(one).__name__ for one in arm.methods] for arm in experiment.arms}
        for arm, found in inks_of(methods, methods).items():
            assert found.kind == kind_of(arm), (experiment.name, arm)


def test_the_quickstarts_arms_look_as_the_tracks_and_alone():
    names = ("adamw-common", "adamw-common+radial", "adamw-tuned", "adamw-tuned+radial", "adamw-tuned+man")
    whole = inks_of(names)
    assert [one.kind for one in whole.values()] == ["plain", "radial penalty", "plain", "radial penalty", "MAN"]
    assert all(inks_of([name])[name] == found for name, found in whole.items())
    assert inks_of(["adam-released", "adamw-tuned"])["adamw-tuned"] == whole["adamw-tuned"]


def test_arms_of_a_claim_look_the_same_in_every_claim():
    looks = {}
    for claim in CLAIMS.values():
        for arm, found in inks_of(claim.arms).items():
            looks.setdefault(arm, []).append(found)
    common = ("decay .001", "decay .1", "decay 1", "decay .001 + penalty", "decay 1 + penalty", "AdamW + penalty")
    assert all(len(set(looks[arm])) == 1 and len(looks[arm]) > 1 for arm in common)


def test_unknown_names_go_by_their_methods_and_without_them_are_plain():
    assert kind_of("mine", ["AdamW", "RadialPenalty"]) == "radial penalty"
    assert kind_of("mine") == kind_of("mine", ["AdamW", "Mine"]) == "plain"
    assert kind_of("without-penalty") == "plain" and kind_of("perpgrad-sgd") == "optimiser or gradient"


def test_arms_of_one_kind_have_variants_until_there_are_none_left():
    found = list(inks_of(f"lr {i}" for i in range(MANY + 2)).values())
    assert len(set(found)) == len(set(found[:MANY])) == MANY


def test_a_part_of_an_experiment_looks_as_the_whole():
    spec = to_json(EXPERIMENTS["quickstart"])
    assert inks_of_spec(["adamw-tuned+man"], spec)["adamw-tuned+man"] == inks_of_spec([], spec)["adamw-tuned+man"]
    assert list(inks_of_spec(["mine"], {})) == ["mine"]


def test_a_page_has_both_values_of_every_ink():
    one = ink("MAN")
    assert f"--ink-0: {one.colour};" in css([one]) and f"--ink-0: {one.dark};" in css([one]).split("dark)")[1]
    table = dark_values([one])
    assert table[one.colour] == one.dark
    assert any(key in one.faint() for key in table)
