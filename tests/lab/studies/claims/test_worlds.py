"""Worlds: the grid is a balanced design, and a name is a world."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.studies.claims.systems import SYSTEMS
from anglewise.lab.studies.claims.worlds import LIKELY, MLP_CHOICES, TRANSFORMER_CHOICES, World, grid

WORLDS = list(grid())
SIGNS = np.array([[1 if world[c.name] == c.likely.name else -1 for c in MLP_CHOICES] for world in WORLDS])
"""Shape [16, 8]: 1 where a world takes the likely option."""


def test_the_grid_has_16_different_worlds_and_begins_with_the_likely_one():
    assert len({world.name for world in WORLDS}) == len(WORLDS) == 16
    assert WORLDS[0].name == LIKELY and (SIGNS[0] == 1).all()


def test_every_option_stands_in_half_of_the_worlds_and_every_pair_in_a_quarter():
    np.testing.assert_array_equal(SIGNS.T @ SIGNS, 16 * np.eye(8))
    assert (SIGNS.sum(axis=0) == 0).all()
    for a, b in itertools.combinations(range(8), 2):
        pairs, counts = np.unique(SIGNS[:, [a, b]], axis=0, return_counts=True)
        assert len(pairs) == 4 and set(counts) == {4}


def test_no_choice_is_mixed_with_what_two_others_do_together():
    for a, b, c in itertools.combinations(range(8), 3):
        assert SIGNS[:, a] @ (SIGNS[:, b] * SIGNS[:, c]) == 0
    mixed = [four for four in itertools.combinations(range(8), 4) if SIGNS[:, four].prod(axis=1).sum() != 0]
    assert len(mixed) == 14  # resolution IV and no more: 16 defining words, with the empty one and that of all eight


def test_up_to_four_choices_are_all_crossed():
    for n in (1, 2, 3, 4):
        worlds = list(grid(MLP_CHOICES[:n]))
        assert len({world.name for world in worlds}) == 2**n and worlds[0].name == LIKELY
    assert len(list(grid(TRANSFORMER_CHOICES))) == 4


@pytest.mark.parametrize("n", [0, 5, 7])
def test_another_number_of_choices_has_no_grid(n):
    with pytest.raises(SpecError, match=f"made for 1 to 4 choices or for 8, got {n}"):
        list(grid(MLP_CHOICES[:n]))


@pytest.mark.parametrize("choices", [MLP_CHOICES, TRANSFORMER_CHOICES])
def test_a_name_gives_its_world_back(choices):
    for world in grid(choices):
        assert World.named(world.name, choices) == world


def test_a_name_may_have_spaces_any_order_and_likely_options():
    world = World.named(" batch = full,betas=.999 , bias=off", MLP_CHOICES)
    assert world.name == "batch=full, bias=off" == World.named("bias=off, batch=full", MLP_CHOICES).name
    assert (world["batch"], world["betas"], world["site"]) == ("full", ".999", "pre")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bach=full", "unknown choice 'bach': did you mean 'batch'"),
        ("batch=ful", "unknown option of batch 'ful': did you mean 'full'"),
        ("full", "a world is 'likely' or choice=option, with commas between several, got 'full'"),
        ("", "a world is 'likely' or choice=option"),
        ("batch=full,", "a world is 'likely' or choice=option"),
    ],
)
def test_a_name_that_means_nothing_is_refused(name, message):
    with pytest.raises(SpecError, match=message):
        World.named(name, MLP_CHOICES)


def test_a_world_without_the_choice_says_so():
    with pytest.raises(SpecError, match="unknown choice 'norms': did you mean 'norm'"):
        World.of(TRANSFORMER_CHOICES)["norms"]
    with pytest.raises(SpecError, match="unknown choice 'batch'"):
        World.of((), {"batch": "full"})


def test_every_choice_has_two_named_options_and_a_reason():
    for system in SYSTEMS.values():
        for choice in system.choices:
            assert len({option.name for option in choice.options}) == 2 and choice.reason
            assert choice.likely is choice.options[0] and all(option.says for option in choice.options)
