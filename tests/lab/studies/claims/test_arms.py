"""Arms: the methods of an arm are what its name says, in every world."""

from __future__ import annotations

import re

import pytest

from anglewise.errors import SpecError
from anglewise.lab.experiments import quickstart
from anglewise.lab.methods.ba2016_norms import LayerNorm, RMSNorm
from anglewise.lab.methods.cliptogrok2026_rows import ClipRows
from anglewise.lab.methods.controls import RadiusClamp
from anglewise.lab.methods.man2025 import MAN
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.projection import ProjectSTE, ProjectTangential
from anglewise.lab.methods.radius_init import RadiusInit
from anglewise.lab.methods.srivastava2014_dropout import Dropout
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.studies.claims import arms
from anglewise.lab.studies.claims.worlds import MLP_CHOICES, TRANSFORMER_CHOICES, World

LIKELY = World.of(MLP_CHOICES)
PARTS = {
    "penalty": RadialPenalty(0.05),
    "penalty .1": RadialPenalty(0.1),
    "penalty 0": RadialPenalty(0.0),
    "outer penalty": RadialPenalty(0.05, side="outer"),
    "outer penalty .2": RadialPenalty(0.2, side="outer"),
    "inner penalty": RadialPenalty(0.05, side="inner"),
    "inner penalty .2": RadialPenalty(0.2, side="inner"),
    "penalty to 4": RadialPenalty(0.05, target=4.0),
    "MAN .15": MAN(zeta=0.15),
    "dropout .1": Dropout(rate=0.1),
    "LayerNorm": LayerNorm(affine=False),
    "affine LayerNorm": LayerNorm(affine=True),
    "RMSNorm": RMSNorm(affine=False),
    "projection": ProjectTangential(target=1.0),
    "projection .5": ProjectTangential(target=0.5),
    "straight-through projection": ProjectSTE(target=1.0),
    "radius at most 2": RadiusClamp(2.0, "outer"),
    "rows at most .8": ClipRows(c=0.8, vectors=False, embedding=True, head=True),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_the_method_that_it_names(part):
    assert arms.mlp(f"decay .5 + {part}", LIKELY) == (AdamW(lr=1e-3, wd=0.5), PARTS[part])


def test_every_part_is_examined():
    assert {re.sub(r" [.\d]+$", "", part) for part in PARTS} == set(arms._EXTRAS)


def test_parts_stand_in_the_order_of_the_name():
    found = arms.mlp("decay .001 + LayerNorm + penalty .1", LIKELY)
    assert found == (AdamW(lr=1e-3, wd=0.001), LayerNorm(affine=False), RadialPenalty(0.1))


def changed(name, **choices):
    return arms.mlp(name, World.of(MLP_CHOICES, {k.replace("_", "-"): v for k, v in choices.items()}))


def test_worlds_change_what_the_parts_mean():
    name = "decay .1 + penalty"
    adam, penalty = changed(name)
    assert (adam.beta2, adam.decay, penalty.sites, penalty.over) == (0.999, "all", (), "sum")
    assert changed(name, site="post")[1].sites == ("hidden.0.post", "hidden.1.post")
    assert changed(name, layers="mean")[1].over == "mean"
    assert changed(name, betas=".98")[0] == AdamW(lr=1e-3, wd=0.1, beta2=0.98)
    assert changed(name, decay_on="matrices")[0] == AdamW(lr=1e-3, wd=0.1, decay="matrices")
    assert changed(name, initialisation="sphere") == (RadiusInit(), adam, penalty)
    for untouched in ({"encoding": "embedding"}, {"batch": "full"}, {"bias": "off"}):  # task, model and training
        assert changed(name, **untouched) == (adam, penalty)


@pytest.mark.parametrize("part", ["penalty .2", "outer penalty", "inner penalty .3", "penalty to 2"])
def test_every_kind_of_penalty_is_where_its_world_has_it(part):
    (_, found), (_, likely) = (changed(f"decay .1 + {part}", **w) for w in ({"site": "post", "layers": "mean"}, {}))
    assert found.sites == ("hidden.0.post", "hidden.1.post") and found.over == "mean"
    assert (found.strength, found.target, found.side) == (likely.strength, likely.target, likely.side)


def test_the_transformers_world_gives_the_strength_where_the_name_does_not():
    world = World.of(TRANSFORMER_CHOICES, {"strength": ".01"})
    assert arms.transformer("decay 1 + penalty", world) == (AdamW(lr=1e-3, wd=1.0, beta2=0.98), RadialPenalty(0.01))
    assert arms.transformer("decay 1 + penalty .3", world)[1] == RadialPenalty(0.3)
    assert arms.transformer("decay 1 + penalty", World.of(TRANSFORMER_CHOICES))[1] == RadialPenalty(0.05)


def test_the_fast_set_up_has_two_optimisers_and_parity_one():
    assert arms.fast("AdamW", LIKELY) == quickstart.COMMON
    assert arms.fast("tuned AdamW + penalty to 2", LIKELY) == (*quickstart.TUNED, RadialPenalty(0.05, 2.0))
    assert arms.plain("decay 1 + penalty", World.of(())) == (AdamW(lr=1e-3, wd=1.0), RadialPenalty(0.05))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("penalty", "an arm begins with 'decay' and a number, got 'penalty'"),
        ("", "an arm begins with 'decay' and a number, got ''"),
        ("decay", "expected a number in the arm's name 'decay', got ''"),
        ("decay x", "expected a number in the arm's name 'decay x', got 'x'"),
        ("decay .1 + penalty x", "expected a number in the arm's name 'penalty x', got 'x'"),
        ("decay .1 + pennalty", "unknown part of an arm 'pennalty': did you mean 'penalty'"),
        ("decay .1 + dropuot .1", "unknown part of an arm 'dropuot .1': did you mean 'dropout'"),
        ("decay .1+penalty", "expected a number in the arm's name 'decay .1\\+penalty', got '.1\\+penalty'"),
        ("decay .1 + penalty to", "penalty to needs a number behind it, as in 'penalty to .5'"),
        ("decay .1 + MAN", "MAN needs a number behind it"),
        ("decay .1 + dropout", "dropout needs a number behind it"),
        ("decay .1 + radius at most", "radius at most needs a number behind it"),
        ("decay .1 + rows at most", "rows at most needs a number behind it"),
        ("decay .1 + LayerNorm 2", "LayerNorm takes no number, got 'LayerNorm 2'"),
        ("decay .1 + affine LayerNorm 2", "affine LayerNorm takes no number"),
        ("decay .1 + RMSNorm 2", "RMSNorm takes no number"),
        ("decay -1", "wd"),
    ],
)
def test_a_name_that_means_nothing_gives_one_line(name, message):
    with pytest.raises(SpecError, match=message) as error:
        arms.mlp(name, LIKELY)
    assert "\n" not in str(error.value)


def test_an_unknown_optimiser_of_the_fast_set_up_gives_the_nearest():
    with pytest.raises(SpecError, match="unknown optimiser 'Adamw': did you mean 'AdamW'"):
        arms.fast("Adamw + penalty", LIKELY)
