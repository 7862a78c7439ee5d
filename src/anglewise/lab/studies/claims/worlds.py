r"""Worlds: readings of the paper, one option for every choice that it leaves unstated.

A *choice* is something that the paper does not say, such as the batch.  Its *options* are what the field does.  One
option of each is marked as likely, with the reason.  A *world* takes one option of every choice; the *likely* world
takes the likely ones.

All combinations of eight choices with two options are 256 worlds.  :func:`grid` takes 16 of them: the two-level
fractional factorial :math:`2^{8-4}` of resolution IV, with the generators

.. math:: E = BCD, \quad F = ACD, \quad G = ABC, \quad H = ABD.

Every option stands in half of the worlds, and every pair of options in a quarter of them.  So the effect of one choice
is not mixed with that of another, nor with what two others do together.

Source: Box, Hunter & Hunter, *Statistics for Experimenters*, 2nd edition (2005), table 6.14.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping

from anglewise.errors import SpecError, unknown

LIKELY = "likely"
"""Name of the likely world."""
SEPARATOR = ", "


@dataclasses.dataclass(frozen=True)
class Option:
    """One way to read the paper.

    Args:
        name: Short; letters, digits, dots and hyphens.
        says: What is done, in plain words.
    """

    name: str
    says: str


@dataclasses.dataclass(frozen=True)
class Choice:
    """Something that the paper leaves unstated.

    Args:
        name: Short; letters and hyphens.
        options: Two options, the likely one first.
        reason: Why the first is likely.
    """

    name: str
    options: tuple[Option, Option]
    reason: str

    @property
    def likely(self) -> Option:
        """The option that is likely."""
        return self.options[0]


@dataclasses.dataclass(frozen=True)
class World:
    """One option of every choice.

    Args:
        picks: Name of the option by name of the choice, in the order of the choices.
        unlikely: Those of them that are not the likely ones.
    """

    picks: tuple[tuple[str, str], ...]
    unlikely: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, choices: Iterable[Choice], changed: Mapping[str, str] | None = None) -> World:
        """The likely world of some choices, with other options where `changed` names them.

        Raises:
            SpecError: If there is no such choice or option.

        Example:
            >>> World.of(MLP_CHOICES, {"batch": "full"}).name
            'batch=full'
        """
        choices, changed = tuple(choices), dict(changed or {})
        for name in changed:
            if name not in {choice.name for choice in choices}:
                raise SpecError(unknown("choice", name, [choice.name for choice in choices]))
        picks, unlikely = [], []
        for choice in choices:
            pick = changed.get(choice.name, choice.likely.name)
            if pick not in {option.name for option in choice.options}:
                raise SpecError(unknown(f"option of {choice.name}", pick, [o.name for o in choice.options]))
            picks.append((choice.name, pick))
            if pick != choice.likely.name:
                unlikely.append((choice.name, pick))
        return cls(tuple(picks), tuple(unlikely))

    @classmethod
    def named(cls, name: str, choices: Iterable[Choice]) -> World:
        """The world of a name: the inverse of :attr:`name`.

        Raises:
            SpecError: If the name is not ``likely`` or ``choice=option`` parts with commas between them.

        Example:
            >>> World.named("batch=full, encoding=embedding", MLP_CHOICES)["batch"]
            'full'
        """
        if name == LIKELY:
            return cls.of(choices)
        changed = {}
        for part in name.split(","):
            choice, equals, option = part.strip().partition("=")
            if not equals:
                raise SpecError(f"a world is {LIKELY!r} or choice=option, with commas between several, got {name!r}")
            changed[choice.strip()] = option.strip()
        return cls.of(choices, changed)

    @property
    def name(self) -> str:
        """``likely``, or every pick that is not."""
        return SEPARATOR.join(f"{choice}={option}" for choice, option in self.unlikely) or LIKELY

    def __getitem__(self, choice: str) -> str:
        """The option of a choice.

        Raises:
            SpecError: If the world has no such choice.
        """
        picks = dict(self.picks)
        if choice not in picks:
            raise SpecError(unknown("choice", choice, picks))
        return picks[choice]


MLP_CHOICES = (
    Choice(
        "encoding",
        (
            Option("2-hot", "each operand is a one-hot vector"),
            Option("embedding", "each operand is a learned vector, drawn from N(0, 1); both share one table"),
        ),
        "the group's earliest code feeds a flat input vector into the first layer",
    ),
    Choice(
        "batch",
        (Option("256", "256 examples a step, shuffled once an epoch"), Option("full", "all examples at every step")),
        "the group's earliest code; a step of .3 seconds would then be an epoch; a review says full batch",
    ),
    Choice(
        "bias",
        (Option("on", "every layer has a bias"), Option("off", "no layer has a bias")),
        "PyTorch's default",
    ),
    Choice(
        "initialisation",
        (
            Option("pytorch", "PyTorch's default: uniform, so that first radii are far below sqrt(d)"),
            Option("sphere", "every hidden layer is scaled until its mean radius is sqrt(d)"),
        ),
        "PyTorch's default",
    ),
    Choice(
        "site",
        (
            Option("pre", "the penalty holds pre-activations"),
            Option("post", "the penalty holds activations behind the ReLU"),
        ),
        "the paper says pre-activations for the MLP",
    ),
    Choice(
        "layers",
        (Option("sum", "penalties of layers are added"), Option("mean", "penalties of layers are averaged")),
        "the group's earliest code adds them",
    ),
    Choice(
        "decay-on",
        (Option("all", "weight decay acts on all parameters"), Option("matrices", "weight decay spares biases")),
        "PyTorch's default, and the group's earliest code",
    ),
    Choice(
        "betas",
        (Option(".999", "Adam's second moment decays by .999"), Option(".98", "Adam's second moment decays by .98")),
        "PyTorch's default; .98 is usual in grokking papers",
    ),
)
"""What the paper leaves open of its MLP, as far as the grid covers it."""

TRANSFORMER_CHOICES = (
    Choice(
        "norm",
        (Option("non-affine", "LayerNorm without gains"), Option("affine", "LayerNorm with gains and biases")),
        "tables 3 and 9 give the same 8,000 to 5,200 for the non-affine one",
    ),
    Choice(
        "strength",
        (Option(".05", "the penalty has strength .05"), Option(".01", "the penalty has strength .01")),
        "the paper's strength for modular addition; .01 is its strength on the GPT",
    ),
)
"""What is open of its Transformer."""


def grid(choices: tuple[Choice, ...] = MLP_CHOICES) -> Iterator[World]:
    """The 16 worlds of the fraction for eight choices, all worlds for up to four; the likely one first.

    Raises:
        SpecError: For another number of choices.

    Example:
        >>> worlds = list(grid())
        >>> len(worlds), worlds[0].name
        (16, 'likely')
    """
    if len(choices) != 8 and not 1 <= len(choices) <= 4:
        raise SpecError(f"a grid of worlds is made for 1 to 4 choices or for 8, got {len(choices)}")
    for levels in itertools.product((0, 1), repeat=min(len(choices), 4)):
        if len(choices) == 8:
            a, b, c, d = levels
            levels = (*levels, b ^ c ^ d, a ^ c ^ d, a ^ b ^ c, a ^ b ^ d)
        changed = {choice.name: choice.options[i].name for choice, i in zip(choices, levels, strict=True)}
        yield World.of(choices, changed)
