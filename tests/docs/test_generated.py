"""The committed pages and drawings are what their sources make."""

from __future__ import annotations

import pytest

from anglewise.cli.main import parser_of
from anglewise.lab.readings.quantities import QUANTITIES
from anglewise.lab.readings.sets import READINGS
from docs.generate import ROOT, markdown, pages

MADE = pages()


@pytest.mark.parametrize("path", MADE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_is_what_its_sources_make(path):
    assert path.read_text(encoding="utf-8") == MADE[path], "run python -m docs.generate"


def test_every_picture_has_a_source():
    there = set((ROOT / "docs" / "pictures").glob("*.svg"))
    assert {path.stem for path in there - set(MADE)} == {"hero", "contrasts"}


def test_every_verb_flag_reading_and_value_is_on_a_page():
    cli = MADE[ROOT / "docs" / "reference" / "cli.md"]
    values = MADE[ROOT / "docs" / "reference" / "values.md"]
    (verbs,) = [action.choices for action in parser_of()._actions if isinstance(action.choices, dict)]
    flags = {flag for verb in verbs.values() for action in verb._actions for flag in action.option_strings[-1:]}
    assert [name for name in verbs if f"\n## {name}\n" not in cli] == []
    assert [flag for flag in flags - {"--help"} if f"`{flag}" not in cli] == []
    assert [name for name in (*READINGS, *QUANTITIES) if f"| `{name}` |" not in values] == []


def test_a_docstring_becomes_markdown():
    docstring = """Radius of ``h``, see :class:`~anglewise.geometry.RadialSplit`.

    .. math:: r = |h|

    Args:
        h: Activations,
            shape ``[d]``.

    Returns:
        The length.

    Example:
        >>> 1 + 1
        2
    """
    assert markdown(docstring).split("\n\n") == [
        "Radius of `h`, see `RadialSplit`.",
        "```math\nr = |h|\n```",
        "**Arguments**",
        "- `h`: Activations, shape `[d]`.",
        "**Returns** The length.",
        "**Example**",
        "```pycon\n>>> 1 + 1\n2\n```",
    ]
