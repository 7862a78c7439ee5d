"""The site builds without a warning, and a page loads nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("myst_parser")

ROOT = Path(__file__).parents[2]
LOADED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)", re.I)
IN_STYLES = re.compile(r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')\s]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet", "-b", "html", "-c", "docs", "-d"]
    done = subprocess.run(
        [*command, str(folder / "cache"), ".", str(folder / "html")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.mark.slow
def test_every_page_is_built_and_can_be_searched(site):
    pages = {path.relative_to(ROOT).with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    assert [page for page in pages if not (site / page).with_suffix(".html").exists()] == []
    assert (site / "searchindex.js").stat().st_size > 10_000


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site):
    html = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    styles = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.css")}
    assert html and styles
    assert {url for text in html.values() for url in LOADED.findall(text)} == set()
    assert {url for text in [*styles.values(), *html.values()] for url in IN_STYLES.findall(text)} == set()


@pytest.mark.slow
def test_formulas_are_mathml(site):
    text = (site / "docs" / "explanation" / "how-it-works" / "theory.html").read_text(encoding="utf-8")
    assert text.count("<math") > 30 and "\\frac" not in text and "merror" not in text


def test_control_what_is_loaded_from_elsewhere_is_seen():
    assert LOADED.findall('<script async src="https://cdn.example/x.js"></script>') == ["https://cdn.example/x.js"]
    assert LOADED.findall("<link rel=stylesheet href=//fonts.example/css>") == ["//fonts.example/css"]
    assert IN_STYLES.findall("@font-face { src: url('https://fonts.example/a.woff2') }") == [
        "https://fonts.example/a.woff2"
    ]
    assert LOADED.findall('<a href="https://arxiv.org">a paper</a>') == []
