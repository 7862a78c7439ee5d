"""A claim over the grid: worlds sorted by effect, those without one apart, and the choice that decides most."""

from __future__ import annotations

import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.report.table import markdown, to_csv
from anglewise.lab.studies.claims.claims import CLAIMS
from anglewise.lab.studies.claims.specification import choices_of, shares_table, specifications, table
from anglewise.lab.studies.claims.worlds import LIKELY, MLP_CHOICES
from tests.support.claims import GRID, record_of

CLAIM = CLAIMS["C02"]


def by_bias(arm, world):
    """The penalty is 6 times as fast without biases alone."""
    return 600.0 / (6.0 if "penalty" in arm and "bias=off" in world else 1.0)


@pytest.fixture(scope="module")
def spec():
    return specifications(CLAIM, record_of(CLAIM, worlds=GRID), "desk")[0]


def test_effects_increase_and_worlds_without_one_are_last(spec):
    effects = [line.effect for line in spec.lines]
    there = [x for x in effects if x is not None]
    assert len(effects) == 16 and 0 < len(there) < 16
    assert effects == sorted(there) + [None] * (16 - len(there))
    assert len(spec.with_effect) == len(there)


def test_an_arm_that_never_generalised_is_named(spec):
    for line in spec.lines:
        assert ("decay .1" in line.never) == (line.effect is None or line.leaves[0].decision.bound in (">= ", "~ "))
        if line.effect is None:
            assert line.never == CLAIM.arms


def test_the_choice_that_decides_most_is_found():
    one = specifications(CLAIM, record_of(CLAIM, worlds=GRID, epochs=by_bias, scatter=0.05), "desk")[0]
    assert max(one.shares, key=one.shares.get) == "bias" and one.shares["bias"] > 0.9
    assert one.decides_most.startswith("The choice 'bias' decides most: 100 %")
    assert one.summary == "Of 16 worlds: 8 supported, 8 refuted."
    assert one.verdict.word == "depends"
    assert markdown(shares_table(one)).splitlines()[2].startswith("| bias | on / off | 100 %")


def test_the_table_has_all_choices_and_every_digit_in_csv(spec):
    lines = to_csv(table(spec)).splitlines()
    head = lines[0].split(",")
    assert head[:5] == ["world", "verdict", "effect", "effect_low", "effect_high"]
    assert head[-8:] == [choice.name for choice in MLP_CHOICES]
    assert len(lines) == 17
    assert float(lines[1].split('"')[2].split(",")[2]) == spec.lines[0].effect
    assert [spec.lines[i].world.name for i in table(spec).marked] == [LIKELY]


def test_the_short_table_marks_bounds():
    censored = record_of(CLAIM, worlds=GRID, epochs=lambda arm, world: 300.0 if "penalty" in arm else 1e5)
    text = markdown(table(specifications(CLAIM, censored, "desk")[0], short=True))
    assert text.count(">= ") == 16 and "| decay .1 |" in text and "is a bound" not in text


def test_one_world_is_no_grid():
    with pytest.raises(AnglewiseError, match="one world alone at desk scale: run anglewise multiverse C02"):
        specifications(CLAIM, record_of(CLAIM), "desk")


def test_worlds_of_unknown_choices_are_refused():
    assert [choice.name for choice in choices_of(["likely", "norm=affine"])] == ["norm", "strength"]
    with pytest.raises(AnglewiseError, match="no list of choices has batch, norm: add it"):
        choices_of(["batch=full", "norm=affine"])
