r"""Formulas in Markdown are such that GitHub renders them.

GitHub reads a page as Markdown first and looks for formulas in what is left.  Markdown takes the backslash from ``\,``
and ``\{``, turns a pair of ``_`` or ``*`` into emphasis and ends a table's cell at ``|``.  So the test parses each page
as Markdown, and a formula must come out as it was written.  A ``math`` fence is left alone by Markdown: display
formulas stand there.  Some macros are refused by GitHub itself, fence or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", "build", "runs", "node_modules"} & set(path.relative_to(ROOT).parts[:-1])
)
REFUSED = {
    "operatorname", "mbox", "phantom", "hphantom", "vphantom", "newcommand", "renewcommand", "providecommand",
    "DeclareMathOperator", "newenvironment", "renewenvironment", "def", "gdef", "edef", "xdef", "let", "require",
    "href", "url", "class", "cssId", "style", "unicode", "mmlToken",
}  # fmt: skip
"""Macros that GitHub refuses: those that define others, hide text, or reach outside of the formula."""

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")


def complaints(text: str) -> list[str]:
    """What GitHub would not render, one line each."""
    return [
        f"line {(token.map or [0])[0] + 1}: {complaint}"
        for token in _with_lines(MARKDOWN.parse(text))
        for complaint in _of_block(token)
    ]


def _with_lines(tokens: list[Token]) -> Iterator[Token]:
    """Blocks, each with a place: a table's cells have none of their own."""
    place = None
    for token in tokens:
        place = token.map or place
        token.map = place
        yield token


def _of_block(token: Token) -> Iterator[str]:
    if token.type == "fence" and token.info.strip() == "math":
        yield from _of_formula(token.content.strip())
    if token.type == "inline":
        yield from _of_inline(token)


def _of_inline(token: Token) -> Iterator[str]:
    """Complaints about the formulas in a paragraph, a heading or a cell."""
    source = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", lambda code: "\0" * len(code[0]), token.content, flags=re.DOTALL)
    if "$$" in source:
        yield "'$$' is read as Markdown: put a display formula into a ```math fence"
        return
    if "$\0" in source:
        yield "'$`' is GitHub's alone: write '$...$', or a ```math fence"
        return
    places = [match.start() for match in re.finditer(r"(?<!\\)\$", source)]
    if len(places) % 2:
        yield f"{len(places)} '$', expected pairs: {token.content[:60]!r}"
        return
    left = _after_markdown(token.children or [])
    for begin, end in zip(places[::2], places[1::2], strict=True):
        body = source[begin + 1 : end]
        yield from _of_formula(body)
        if "\n" in body:
            yield f"a formula over a line end: {body!r}"
        elif f"${body}$" not in left:
            yield f"Markdown changes the formula (escapes, emphasis, HTML, links): {body!r}"
        if body != body.strip() or not body:
            yield f"space beside '$': {body!r}"
        if begin and not re.match(r"[\s(\[\"']", source[begin - 1]):
            yield f"{source[begin - 1]!r} before '$': {body!r}"
        if not re.match(r"[\s)\].,;:!?\"']|$", source[end + 1 : end + 2]):
            yield f"{source[end + 1]!r} after '$': {body!r}"
        if re.search(r"[^ ][<>]|[<>][^ ]", body):
            yield f"no space around '<' or '>': {body!r}"


def _after_markdown(children: list[Token]) -> str:
    """The text that Markdown leaves, with a mark wherever it saw something else, and no link's text."""
    parts, links = [], 0
    for child in children:
        links += (child.type == "link_open") - (child.type == "link_close")
        parts.append(child.content if child.type == "text" and not links else "\0")
    return "".join(parts)


def _of_formula(body: str) -> Iterator[str]:
    refused = sorted(REFUSED & set(re.findall(r"\\([a-zA-Z]+)", body)))
    if refused:
        yield f"GitHub refuses the macro {', '.join(refused)}: {body[:60]!r}"
    bare = re.sub(r"\\[{}\\]", "", body)
    lefts, rights = (len(re.findall(rf"\\{side}(?![a-zA-Z])", body)) for side in ("left", "right"))
    if bare.count("{") != bare.count("}") or lefts != rights:
        yield f"brackets do not match: {body[:60]!r}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_github_renders_every_formula(path: Path) -> None:
    assert complaints(path.read_text(encoding="utf-8")) == []


def test_formulas_are_there_to_be_tested() -> None:
    folder = ROOT / "docs" / "explanation" / "how-it-works"
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.md"))
    assert text.count("$") > 200 and text.count("```math") > 20


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r"$\operatorname{mean} x$", "refuses the macro operatorname"),
        ("```math\n\\DeclareMathOperator{\\x}{x}\n```\n", "refuses the macro DeclareMathOperator"),
        (r"$a\,b$", "Markdown changes"),
        (r"$a\;b\!c$", "Markdown changes"),
        (r"$\{1, 2\}$", "Markdown changes"),
        (r"$\bar{x}_i + y_{j}$", "Markdown changes"),
        ("$a*b$ and $c*d$", "Markdown changes"),
        ("$[a](b)$", "Markdown changes"),
        ("[of $a$](b.md)", "Markdown changes"),
        ("$a <b > c$", "Markdown changes"),
        ("$a<b$", "no space around"),
        ("$a +\nb$", "over a line end"),
        ("$a$, $b", "expected pairs"),
        ("|$a$|\n|-|\n|$|h|$|\n", "expected pairs"),
        ("2$a$", "'2' before"),
        ("$a$b", "'b' after"),
        ("*$a$*", "before"),
        ("$ a$", "space beside"),
        ("text\n$$\na\n$$\n", "```math fence"),
        ("$`a`$", "GitHub's alone"),
        ("```math\n\\frac{a}{b\n```\n", "brackets do not match"),
    ],
)
def test_control_what_github_does_not_render_is_seen(text: str, said: str) -> None:
    assert any(said in complaint for complaint in complaints(text)), complaints(text)


@pytest.mark.parametrize(
    "text",
    [
        r"With $h = r u$ ($r = |h|$), $\sum_i x_i$; and $\tfrac1d\bigl(r - \tau\sqrt d\bigr)^2$.",
        "text\n```math\na\\,b \\\\ \\{c\\}_{d}\n```\nmore",
        "`$HOME` and ``$(nproc)``",
        "```sh\necho $HOME\n```\n",
        "| a | b |\n|---|---|\n| $x_1$ | $y$ |\n",
    ],
)
def test_control_what_github_renders_is_let_through(text: str) -> None:
    assert complaints(text) == []
