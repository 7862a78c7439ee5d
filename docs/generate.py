"""The pages that nobody writes by hand: ``python -m docs.generate`` in the root writes them.

The command line's page comes from its parser, Python's pages from signatures and docstrings, the values' page from what
the readings announce, and the drawings from :mod:`docs.drawings`.  A test compares the files with what this makes.
"""

from __future__ import annotations

import argparse
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from anglewise.cli.explain import markdown as markdown_of_names
from anglewise.cli.main import parser_of
from anglewise.lazy import public_names
from docs.drawings import drawn
from docs.names import names_file

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
ENVIRONMENT = (
    "Commands on this page run in the environment of the clone: `make lab` sets it up, then "
    "`source .venv/bin/activate`.\n"
)
GENERATED = "<!-- made by docs/generate.py: change the source that it reads, not this page -->\n"
ROOMS = {
    "experiments": "Experiments", "spec": "Experiments", "runner": "Experiments", "outcome": "Experiments",
    "execution": "Experiments",
    "store": "Stores and results",
    "report": "Stores and results", "tuning": "Search", "protocols": "What you extend", "methods": "Methods",
    "models": "Models", "tasks": "Tasks", "readings": "Readings", "catalogue": "Lists of what has a name",
    "errors": "Errors",
}  # fmt: skip
"""By the room in which a name of the laboratory lives: the heading that it stands under."""
PYTHON = {
    "anglewise": "The geometry, for NumPy, PyTorch and JAX arrays alike.",
    "anglewise.torch": "The penalty, its readings, and some other methods, for your PyTorch loop.",
    "anglewise.lab": "The laboratory. A name is imported when you first use it, so importing the package is quick.",
}


def markdown(docstring: str) -> str:
    """A docstring as Markdown: roles become code, formulas become fences, sections become lists, examples stay.

    Example:
        >>> markdown("Sum ``a`` and :math:`b`.")
        'Sum `a` and `b`.'
    """
    text = inspect.cleandoc(docstring)
    text = re.sub(r"``(.+?)``", r"`\1`", text, flags=re.S)
    text = re.sub(r":\w+:`~?(?:[^`<]*\.)?([^`.]+)`", _role, text)
    text = re.sub(r"\n\.\. math:: ?(.*(?:\n(?: +.*|(?=\n +)))*)", _fence, text)
    return "\n\n".join(
        _section(block) for block in re.split(r"\n(?=(?:Args|Attributes|Returns|Raises|Example)s?::?\n)", text)
    )


def _role(match: re.Match[str]) -> str:
    whole = match[0]
    return "`" + (whole.split("`")[1] if whole.startswith(":math:") else match[1]) + "`"


def _fence(match: re.Match[str]) -> str:
    formula = textwrap.dedent(match[1]).strip()
    return "\n```math\n" + formula.replace(r"\operatorname", r"\mathrm") + "\n```\n"


def _section(block: str) -> str:
    head, _, indented = block.partition("\n")
    if head not in ("Args:", "Attributes:", "Returns:", "Raises:", "Example:", "Example::"):
        return block.strip()
    body, _, after = re.sub(r"\n(?=[^ \n])", "\0", indented, count=1).partition("\0")
    body = textwrap.dedent(body).strip("\n")
    if head.startswith("Example"):
        text = f"**Example**\n\n```{'pycon' if head == 'Example:' else 'text'}\n{body}\n```"
    elif head == "Returns:":
        text = f"**Returns** {' '.join(body.split())}"
    else:
        items = [" ".join(item.split()) for item in re.split(r"\n(?=\S)", body)]
        name = {"Args:": "Arguments", "Attributes:": "Attributes", "Raises:": "Raises"}[head]
        text = f"**{name}**\n\n" + "\n".join("- " + re.sub(r"^([\w.*]+):\s", r"`\1`: ", item) for item in items)
    return f"{text}\n\n{after.strip()}".strip()


def signature(name: str, value: Any) -> str:
    """A call as one writes it, with defaults and without types."""
    parts, star = [], False
    for parameter in inspect.signature(value).parameters.values():
        if parameter.name.startswith("_"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        mark = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        star = star or mark == "*"
        parts.append(
            mark + parameter.name + ("" if parameter.default is parameter.empty else f"={_default(parameter)}")
        )
    return f"{name}({', '.join(parts)})"


def _default(parameter: inspect.Parameter) -> str:
    text = repr(parameter.default)
    return "..." if text.startswith("<") else text


def entry(name: str, value: Any) -> Iterator[str]:
    """One public name: heading, call, docstring, and the public methods of a class."""
    yield f"### {name}\n"
    if not callable(value) or not (inspect.isclass(value) or inspect.isfunction(value)):
        yield _data(value)
        return
    if not _is_protocol(value) and not (inspect.isclass(value) and issubclass(value, BaseException)):
        yield f"```text\n{textwrap.fill(signature(name, value), 110, subsequent_indent='    ')}\n```\n"
    yield markdown(value.__doc__ or "") + "\n"
    if not inspect.isclass(value) or issubclass(value, BaseException):
        return
    rows = [
        f"| `{member}` | {_first_sentence(text)} |"
        for member, function in vars(value).items()
        if not member.startswith("_") and (text := _docstring(function))
    ]
    if rows:
        yield "\n".join(["| member | what it does |", "|---|---|", *rows]) + "\n"


def _is_protocol(value: Any) -> bool:
    return bool(getattr(value, "_is_protocol", False))


def _docstring(member: Any) -> str:
    function = getattr(member, "__func__", getattr(member, "fget", member))
    return (function.__doc__ or "") if inspect.isfunction(function) else ""


def _first_sentence(docstring: str) -> str:
    text = " ".join(markdown(docstring).split("\n\n")[0].split())
    return re.sub(r"\|", r"\\|", re.split(r"(?<=\.)\s", text)[0])


def _data(value: Any) -> str:
    if isinstance(value, dict):
        return f"A dictionary by name: {', '.join(f'`{key}`' for key in value)}.\n"
    text = re.sub(r"\b(?:[a-z_]\w*\.)+(\w+)", r"\1", repr(value))  # a union of types, without their modules
    return f"`{text}`\n"


def python_page(module: str, text: str) -> str:
    """Every public name of a module, by room."""
    package = import_module(module)
    names = public_names(Path(str(package.__file__)).with_suffix(".pyi"))
    sections: dict[str, list[str]] = {}
    for name, home in sorted(names.items(), key=lambda pair: (pair[0].lower(), pair[0])):
        room = home.removeprefix("anglewise.").removeprefix("lab.").split(".")[0]
        sections.setdefault(ROOMS[room] if module == "anglewise.lab" else "", []).append(name)
    order = [*dict.fromkeys(ROOMS.values()), ""]
    parts = [GENERATED, f"# {module}\n", f"{text}\n"]
    for heading in sorted(sections, key=order.index):
        parts += [f"## {heading or 'Names'}\n", ", ".join(f"`{name}`" for name in sections[heading]) + "\n"]
        for name in sections[heading]:
            parts += entry(name, getattr(package, name))
    return _joined(parts)


def cli_page() -> str:
    """Every verb with its arguments, from the parser."""
    parser = parser_of()
    (verbs,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    parts = [GENERATED, "# Command line\n", ENVIRONMENT, "Every command says what it can do with `--help`.\n"]
    parts.append(
        _table(("verb", "what it does"), [(f"[{one.dest}](#{one.dest})", one.help) for one in verbs._choices_actions])
    )
    for name, verb in verbs.choices.items():
        parts += [f"## {name}\n", f"{_sentence(verb.description)}\n"]
        usage = " ".join(verb.format_usage().removeprefix("usage: ").split())
        parts.append(f"```text\n{textwrap.fill(usage, 110, subsequent_indent='    ')}\n```\n")
        rows = [
            (f"`{_shown(action)}`", action.help)
            for action in verb._actions
            if action.dest != "help" and action.help != argparse.SUPPRESS
        ]
        parts.append(_table(("argument", "meaning"), rows))
        if verb.epilog:
            parts.append(f"{' '.join(str(verb.epilog).split())}\n")
    return _joined(parts)


def _shown(action: argparse.Action) -> str:
    value = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    if not action.option_strings:
        return str(value) if action.choices is None else "{" + ",".join(map(str, action.choices)) + "}"
    if action.nargs == 0:
        return action.option_strings[-1]
    value = "{" + ",".join(map(str, action.choices)) + "}" if action.choices is not None else value
    return f"{action.option_strings[-1]} {value}"


def values_page() -> str:
    """Every reading with its fields, and every name with its meaning."""
    from anglewise.lab.readings.sets import DEFAULT, READINGS

    parts = [
        GENERATED, "# Readings and values\n", ENVIRONMENT,
        "[How it works](../explanation/how-it-works/index.md) derives the values.\n",
        "## Readings\n", "`--readings A,B` chooses them. The default ones are cheap.\n",
        _table(
            ("reading", "in default", "measures", "fields"),
            [
                (f"`{name}`", "yes" if name in DEFAULT else "", _first_sentence(type(one).__doc__ or ""), _fields(one))
                for name, one in READINGS.items()
            ],
        ),
    ]  # fmt: skip
    head, _, rest = markdown_of_names().partition("\n## ")
    parts += ["## Names of values, outcomes and columns\n", head.split("\n", 1)[1], "\n## " + rest]
    return _joined(parts)


def _fields(reading: Any) -> str:
    return ", ".join(f"`{name}={value!r}`" for name, value in vars(reading).items())


def _sentence(text: str | None) -> str:
    words = " ".join((text or "").split())
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines) + "\n"


def _cell(value: Any) -> str:
    return " ".join(str(value or "").replace("%%", "%").split()).replace("|", "\\|")


def _joined(parts: Iterable[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def pages() -> dict[Path, str]:
    """Every generated file with its text."""
    made = {REFERENCE / "cli.md": cli_page(), REFERENCE / "values.md": values_page()}
    made |= {REFERENCE / f"{module.split('.')[-1]}.md": python_page(module, text) for module, text in PYTHON.items()}
    return made | names_file() | drawn()


if __name__ == "__main__":
    for path, content in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")
