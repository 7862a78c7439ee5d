"""What a page may ask of the playground, and what is refused."""

import dataclasses
import re

import pytest

from anglewise.errors import SpecError
from anglewise.lab.watch.play.settings import BUDGETS, MODULI, PRESETS, SLIDERS, WIDTHS, Settings, numbers, settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strength": -1}, "strength must be 0, or from 0.001 to 20, got -1"),
        ({"strength": 1e9}, "strength must be 0, or from 0.001 to 20, got 1000000000.0"),
        ({"rate": 0}, "rate must be from 0.001 to 0.2, got 0"),
        ({"target": float("nan")}, "target must be from 0 to 3, got nan"),
        ({"rate": "0.1"}, "rate must be from 0.001 to 0.2, got '0.1'"),
        ({"decay": True}, "decay must be 0, or from 0.001 to 10, got True"),
        ({"p": 4096}, "p must be one of 31, 59, 97, got 4096"),
        ({"width": 128.0}, "width must be one of 64, 128, 200, got 128.0"),
        ({"budget": 10**9}, "budget must be one of 400, 1000, 3000, got 1000000000"),
        ({"seed": -1}, "seed must be one of 0 to 999, got -1"),
        ({"hidden": [9999]}, "the playground has no number 'hidden': expected one of strength, target, decay, rate"),
    ],
)
def test_what_lies_beyond_the_limits_is_refused_in_one_line(values, message):
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        settings(values)


def test_sizes_cannot_change_while_it_trains():
    with pytest.raises(SpecError, match="has no number 'p'"):
        numbers({"p": 59})


def test_what_is_not_said_is_as_at_the_start_and_all_limits_can_be_asked_for():
    assert settings({}) == Settings() and settings({"strength": 0}) == dataclasses.replace(Settings(), strength=0.0)
    ends = {slider.name: slider.high for slider in SLIDERS}
    assert settings({**ends, "p": MODULI[-1], "width": WIDTHS[-1], "budget": BUDGETS[-1], "seed": 999}).strength == 20.0


def test_every_setting_worth_a_try_lies_within_the_limits():
    assert PRESETS[0].title == "No penalty"
    assert all(numbers(preset.numbers) == dict(preset.numbers) for preset in PRESETS)
