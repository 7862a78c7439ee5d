"""The command line's surface is frozen: a change of a verb or a flag must also change ``surface.txt``."""

from __future__ import annotations

import argparse
from pathlib import Path

from anglewise.cli.main import VERBS, parser_of

SURFACE = Path(__file__).with_name("surface.txt")


def surface(parser: argparse.ArgumentParser) -> str:
    """All verbs, each with its arguments: what is required or may be left out, choices and plain defaults."""
    lines = [f"anglewise {_text(action)}" for action in parser._actions if action.option_strings]
    (verbs,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for name, verb in verbs.choices.items():
        lines += [
            "",
            name,
            *(f"  {_text(action)}" for action in verb._actions if "--help" not in action.option_strings),
        ]
    return "\n".join(lines) + "\n"


def _text(action: argparse.Action) -> str:
    name = ", ".join(action.option_strings) or action.metavar or action.dest
    value = f" {action.metavar or action.dest.upper()}" if action.option_strings and action.nargs != 0 else ""
    many = f" ({action.nargs})" if action.nargs not in (None, 0) else ""
    choices = f" of {', '.join(map(str, action.choices))}" if action.choices else ""
    plain = action.default not in (None, False, "", argparse.SUPPRESS)
    return name + value + many + choices + (f" = {action.default}" if plain else "")


def test_verbs_and_flags_are_those_that_are_written_down():
    assert surface(parser_of()) == SURFACE.read_text(encoding="utf-8")


def test_control_a_new_flag_is_seen():
    class Changed:
        @staticmethod
        def add(verb):
            verb("fly", lambda arguments: None, "a new verb").add_argument("--high", type=int, default=3)

    text = surface(parser_of([*VERBS, Changed]))
    assert text.removeprefix(SURFACE.read_text(encoding="utf-8")) == "\nfly\n  --debug\n  --high HIGH = 3\n"
