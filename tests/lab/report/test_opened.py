"""What Python and a notebook show of an experiment."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from anglewise.lab.report.html.card import card
from anglewise.lab.report.opened import ExperimentResults
from tests.lab.conftest import synthetic

VOID = {"path", "circle", "rect", "meta", "br"}


class Elements(HTMLParser):
    """Elements of a fragment, with what is open at its end."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.attributes = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def test_a_notebook_gets_one_closed_element_without_scripts():
    parsed = Elements(card(synthetic()))
    assert parsed.open == [] and parsed.tags[0] == "div"
    assert parsed.tags.count("table") == 3
    assert not {"script", "iframe", "link", "img", "object"} & set(parsed.tags)
    assert not [name for name in parsed.attributes if name.startswith("on") or name in ("src", "href")]


def test_the_headline_and_the_table_stand_in_it():
    text = card(synthetic())
    assert "Does the radial penalty speed up AdamW on modular addition?" in text
    assert "times as fast [" in text and "AdamW, usual settings + radial penalty" in text


def test_names_of_users_are_escaped():
    evil = '<script>alert("x")</script>'
    parsed = Elements(text := card(synthetic({evil: 100, "b": 50}, title=evil)))
    assert "script" not in parsed.tags and "&lt;script&gt;" in text


def test_missing_runs_are_marked():
    assert 'class="headline warning"' in card(synthetic(missing={("man", 3)}))
    assert "warning" not in card(synthetic()).split("</style>")[1]


def test_the_style_sheet_touches_nothing_outside_of_it():
    style = card(synthetic()).split("<style>")[1].split("</style>")[0]
    selectors = [part for rule in style.split("}") if "{" in rule for part in rule.split("{")[0].split(",")]
    assert len(selectors) > 10
    assert [one for one in selectors if not one.strip().startswith(".anglewise")] == []


def test_results_whose_store_is_gone_say_so_instead_of_failing():
    shown = repr(ExperimentResults(Path("nowhere"), "small-1"))
    assert shown.startswith("ExperimentResults('nowhere', 'small-1'): ") and "nowhere" in shown.split(": ", 1)[1]
