"""What may be chosen in the playground, within which limits, and settings worth a try.

Four numbers may change while the network trains: the penalty's strength and target, the weight decay, and the learning
rate.  The sizes are chosen before it begins.  The limits keep a run small, whoever asks.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from anglewise.errors import SpecError, shown


class Slider(NamedTuple):
    """A number that may change while the network trains.

    Attributes:
        name: What messages call it.
        title: What the page calls it.
        low: Least value but 0.
        high: Greatest value.
        zero: Whether it may be 0 too.
        log: Whether equal ways of the slider multiply it.
        words: What it does, for somebody who has never seen it.
    """

    name: str
    title: str
    low: float
    high: float
    zero: bool
    log: bool
    words: str


SLIDERS = (
    Slider(
        "strength", "Strength of the penalty", 0.001, 20.0, True, True,
        "How hard the penalty pulls every activation towards the target radius. At 0 there is no penalty.",
    ),
    Slider(
        "target", "Target radius", 0.0, 3.0, True, False,
        "The length that the penalty asks of every activation. 1 is the length of a vector of random numbers.",
    ),
    Slider(
        "decay", "Weight decay", 0.001, 10.0, True, True,
        "How fast all weights shrink by themselves. It also makes activations shorter, but the task can undo that.",
    ),
    Slider(
        "rate", "Learning rate", 0.001, 0.2, False, True,
        "How large a step is. Large steps are fast and rough.",
    ),
)  # fmt: skip
NUMBERS = {slider.name: slider for slider in SLIDERS}
MODULI = (31, 59, 97)
WIDTHS = (64, 128, 200)
BUDGETS = (400, 1000, 3000)
"""Sizes that may be chosen."""
SEEDS = 1000


@dataclasses.dataclass(frozen=True)
class Settings:
    """One small run.

    Args:
        strength, target, decay, rate: See :data:`SLIDERS`.
        p: The task is a + b mod p.
        width: Of both hidden layers.
        budget: Steps at most.
        seed: Of everything that is drawn.
    """

    strength: float = 0.05
    target: float = 1.0
    decay: float = 2.0
    rate: float = 0.05
    p: int = 59
    width: int = 128
    budget: int = 400
    seed: int = 0


class Preset(NamedTuple):
    """Numbers worth a try, and what is seen with them."""

    title: str
    numbers: Mapping[str, float]
    words: str


_OPTIMISER = {"decay": 2.0, "rate": 0.05}
PRESETS = (
    Preset(
        "No penalty", {"strength": 0.0, "target": 1.0, **_OPTIMISER},
        "The network is free to make its activations longer. It learns the training table by heart first. "
        "The radius grows, and test accuracy waits.",
    ),
    Preset(
        "The paper's", {"strength": 0.05, "target": 1.0, **_OPTIMISER},
        "The penalty holds the radius near the target. What is left is to turn. Test accuracy rises sooner.",
    ),
    Preset(
        "Smaller sphere", {"strength": 0.1, "target": 0.5, **_OPTIMISER},
        "A shorter target radius with twice the strength. Often faster still.",
    ),
    Preset(
        "Too strong", {"strength": 20.0, "target": 1.0, **_OPTIMISER},
        "The penalty drowns the task. Every radius sits at the target, and the network learns next to nothing.",
    ),
)  # fmt: skip


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among some values from a page, each within its limits.

    Raises:
        SpecError: If one has no such name, is no number, or lies beyond its limits.

    Example:
        >>> numbers({"strength": 0, "rate": 0.01})
        {'strength': 0.0, 'rate': 0.01}
    """
    checked = {}
    for name, value in values.items():
        slider = NUMBERS.get(name)
        if slider is None:
            raise SpecError(f"the playground has no number {shown(name)}: expected one of {', '.join(NUMBERS)}")
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not good or not (slider.low <= value <= slider.high or (slider.zero and value == 0)):
            zero = "0, or " if slider.zero and slider.low else ""
            raise SpecError(f"{name} must be {zero}from {slider.low:g} to {slider.high:g}, got {shown(value)}")
        checked[name] = float(value)
    return checked


def settings(values: Mapping[str, Any]) -> Settings:
    """The run that some values from a page ask for; what they do not say is as in :class:`Settings`.

    Raises:
        SpecError: If a value is not one of those that may be chosen.
    """
    choices: dict[str, Any] = {"p": MODULI, "width": WIDTHS, "budget": BUDGETS, "seed": range(SEEDS)}
    sizes = {name: value for name, value in values.items() if name in choices}
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value not in choices[name]:
            known = f"0 to {SEEDS - 1}" if name == "seed" else ", ".join(map(str, choices[name]))
            raise SpecError(f"{name} must be one of {known}, got {shown(value)}")
    moved: dict[str, Any] = dict(numbers({name: x for name, x in values.items() if name not in choices}))
    return Settings(**sizes, **moved)
