"""Verbs that say what has a name, ``list``, and what a name means, ``explain``."""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
from collections.abc import Sequence

from anglewise.cli.flags import AddVerb, add_json
from anglewise.cli.names import KINDS, Named, named
from anglewise.cli.output import print_json
from anglewise.errors import SpecError

NARROWEST, WIDEST = 80, 120
"""Letters of a line."""


def add(verb: AddVerb) -> None:
    """Add the verbs."""
    parser = verb("list", _print_listing, "list what has a name, by groups")
    parser.add_argument("what", choices=KINDS)
    words = "only what has each word in its name, its group or its text: anglewise list methods optimiser"
    parser.add_argument("words", nargs="*", metavar="WORD", help=words)
    add_json(parser)
    parser = verb("explain", _print_explanation, "what a name means: a reading, value, method, outcome, column, ...")
    parser.add_argument("name", nargs="?", metavar="NAME", help="any name that anglewise writes (default: list them)")
    parser.add_argument("--markdown", action="store_true", help="the reference of all names, as Markdown")
    add_json(parser)


def _print_listing(arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json("list", kind=arguments.what, names=[_plain(one) for one in named(arguments.what, arguments.words)])
    else:
        print(listing(arguments.what, arguments.words))


def _print_explanation(arguments: argparse.Namespace) -> None:
    from anglewise.cli.explain import explain, markdown, meanings, names_by_kind

    if arguments.markdown and arguments.name is not None:
        raise SpecError(f"got {arguments.name!r} and --markdown: --markdown writes all names, leave the name out")
    if arguments.json and arguments.markdown:
        raise SpecError("got --json and --markdown: they are two forms of the same, give one")
    if arguments.json and arguments.name is None:
        print_json("explain", names=names_by_kind())
    elif arguments.json:
        print_json("explain", name=arguments.name, meanings=meanings(arguments.name))
    else:
        print(markdown() if arguments.markdown else explain(arguments.name))


def listing(what: str, words: Sequence[str] = ()) -> str:
    """Names by groups, with what each is and its fields' defaults.

    Args:
        what: One of :data:`~anglewise.cli.names.KINDS`.
        words: Only what has each of them in its name, its group or its text.

    Raises:
        SpecError: If nothing has them.
    """
    found = named(what, words)
    if not found:
        raise SpecError(f"none of the {what} has {' and '.join(map(repr, words))}: see anglewise list {what}")
    width = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
    indent = 2 + min(max(len(one.name) for one in found) + 2, 24)
    groups: dict[str, list[Named]] = {}
    for one in found:
        groups.setdefault(one.group, []).append(one)
    blocks = [
        "\n".join([*([group] if group else []), *(_entry(one, indent, width) for one in some)])
        for group, some in groups.items()
    ]
    total = len(named(what))
    count = f"{len(found)} of {total} {what}" if len(found) < total else f"{total} {what}"
    more = "" if what == "figures" else f"; one of them in full: anglewise explain {found[0].name}"
    more = f"; train one: anglewise run {found[0].name}" if what == "experiments" else more
    return "\n\n".join([*blocks, count + more])


def _entry(one: Named, indent: int, width: int) -> str:
    """A name with its text, and its fields below."""
    head = f"  {one.name} ".ljust(indent)
    lines = textwrap.wrap(one.text, width - indent) or [""]
    fields = textwrap.wrap(_fields(one), width - indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join([head + lines[0], *(" " * indent + line for line in (*lines[1:], *fields))])


def _fields(one: Named) -> str:
    if one.kind == "experiments":
        n = len(one.fields["arms"])
        return (
            f"{n} {'arm' if n == 1 else 'arms'}: {', '.join(one.fields['arms'])}; "
            f"{one.fields['seeds']} seeds, {one.fields['budget']:,} steps"
        )
    return ", ".join(
        name if value is None else f"{name}={json.dumps(value, separators=(',', ':'))}"
        for name, value in one.fields.items()
    )


def _plain(one: Named) -> dict[str, object]:
    """A name without its kind, which all of a list share."""
    return {key: value for key, value in one._asdict().items() if key != "kind"}
