"""README and pages are written for readers who have two minutes: short sentences, and no riddles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = {"cli.md", "anglewise.md", "torch.md", "lab.md", "values.md"}
"""Pages of ``docs/reference`` that are made from docstrings."""
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"] + [
    path
    for path in sorted((ROOT / "docs").rglob("*.md"))
    if not (path.parent.name == "reference" and path.name in GENERATED)
]
MOST, MEAN = 30, 18


def sentences(text: str) -> list[str]:
    """Sentences of a page's prose.  Tables, code, headings and display formulas are left out; a formula is one word."""
    text = re.sub(r"^( *)```.*?^\1```$", "\n\n", text, flags=re.M | re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"^(?:\||#|!\[).*$", "\n", text, flags=re.M)
    text = re.sub(r"(?<!\\)\$[^$]+\$", "formula", text)
    text = re.sub(r"\]\([^)]*\)", "", text)
    text = re.sub(r"`[^`]+`", "code", text)
    text = re.sub(r"\*[^*\n]+\*(?:(?:,| and) \*[^*\n]+\*)+", "names", text)
    blocks = re.split(r"\n\s*\n|\n(?= *- |\d+\. )", text)
    return [part for block in blocks for part in re.split(r"(?<=[.!?:])[*)\"]*\s+", " ".join(block.split())) if part]


def length(sentence: str) -> int:
    """Words of a sentence; a dash is none."""
    return len(re.findall(r"[^\s\u2013-]\S*", sentence))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sentences_are_short(path: Path) -> None:
    parts = sentences(path.read_text(encoding="utf-8"))
    assert [part for part in parts if length(part) > MOST] == []
    lengths = [length(part) for part in parts if length(part) > 2]
    assert not lengths or sum(lengths) / len(lengths) < MEAN


def test_control_a_long_sentence_is_seen() -> None:
    parts = sentences("# A head\n\nShort one. " + "word " * 31 + ".\n\n```\n" + "code " * 40 + "\n```\n")
    assert [length(part) > MOST for part in parts] == [False, True]


def test_the_readme_is_one_screen() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) < 650 and text.count("\n") < 95
