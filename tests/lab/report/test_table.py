"""One table, four writers: each gets the same rows, with names that try to break it."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from anglewise.lab.report.format import Estimate, percent, text_width
from anglewise.lab.report.html.document import environment
from anglewise.lab.report.table import Column, Name, Table, markdown, printed, terminal, text, to_csv
from anglewise.lab.stats import Interval, PValue

HOSTILE = [
    "<img src=x onerror=alert(1)>", "[bold red]x[/]", "a|b", "first\nsecond", "\u202egnp.exe", "\x1b[2J\x9b31m",
    "{{ 7 * 7 }}",
]  # fmt: skip
GIVEN = Interval(1.4142135623730951, 1.26, 1.61, "t")
BARE = Interval(3.0, None, None, "none")
HEAD = ("arm", "speed-up [95 %]", "p", Column("why", words=True))
ROWS = [
    *([Name(name, name), Estimate(GIVEN), PValue(0.03125), name] for name in HOSTILE),
    [Name("bare"), Estimate(BARE), None, ""],
    [Name("none"), Estimate(None), PValue(2e-4, at_most=True), "-"],
]
TABLE = Table(HEAD, ROWS, "Who\x1b[2J wins?", "A <note>.", frozenset({1}))


class Parsed(HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.tags, self.rows = [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def shown(name):
    return text(Name(name))


def steers(written):
    """Characters that a terminal or a reader's direction obeys."""
    return [c for c in written if not c.isprintable() and c != "\n"]


@pytest.mark.parametrize(
    ("interval", "written"),
    [
        (GIVEN, "1.41 [1.26, 1.61]"),
        (BARE, "3"),
        (None, "\u2013"),
        (Interval(3.0, None, 4.0, "t"), "3"),
        (Interval(0.0, 0.0, 0.0, "t"), "0 [0, 0]"),  # control: an interval that is there
    ],
)
def test_an_interval_that_is_not_there_is_not_written(interval, written):
    assert str(Estimate(interval)) == text(Estimate(interval)) == written


def test_marks_units_and_notes_stand_around_an_estimate():
    assert (
        str(Estimate(Interval(0.5, 0.25, 0.75, "exact"), percent, "4/8, ", " %", " (held)"))
        == "4/8, 50 % [25, 75] (held)"
    )
    assert str(Estimate(None, note=" (2 pairs)", none="-")) == "- (2 pairs)"


@pytest.mark.parametrize("width", [100, 200])
def test_a_terminal_gets_every_number_whole_and_obeys_no_name(width):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(terminal(TABLE, width))
    written = console.file.getvalue()
    assert not steers(written) and written.count("1.41") == written.count("[1.26, 1.61]") == len(HOSTILE)
    assert "[0, 0]" not in written and "[\u2013, \u2013]" not in written and "\u2264 0.00020" in written
    if width == 200:
        assert all(shown(name) in written for name in HOSTILE)
        assert printed(TABLE, 200) == written + "\nA <note>.\n"


def test_markdown_keeps_one_line_for_each_row_and_no_tag():
    written = markdown(TABLE)
    assert not steers(written) and len(written.splitlines()) == 2 + len(ROWS)
    rendered = Parsed(MarkdownIt("commonmark").enable("table").render(written))
    assert "img" not in rendered.tags and [len(row) for row in rendered.rows] == [len(HEAD)] * (1 + len(ROWS))
    assert [rendered.rows[i][1] for i in (1, -2, -1)] == ["1.41 [1.26, 1.61]", "3", "\u2013"]
    assert rendered.rows[3][3] == "a|b"


def test_html_shows_every_name_as_text():
    html = str(environment().get_template("parts.html.jinja").module.table(TABLE))
    rendered = Parsed(html)
    assert "img" not in rendered.tags and not steers("".join(map("".join, rendered.rows)))
    assert [row[3] for row in rendered.rows[1:8]] == list(map(shown, HOSTILE))
    assert [rendered.rows[i][1] for i in (1, -2, -1)] == ["1.41 [1.26, 1.61]", "3", "\u2013"]
    assert html.count('<tr class="marked">') == 1 and "\u202e" not in html


def test_csv_keeps_every_letter_and_digit():
    head, *rows = csv.reader(io.StringIO(to_csv(TABLE)))
    assert head == ["arm", "speed-up [95 %]", "speed-up [95 %]_low", "speed-up [95 %]_high", "p", "why"]
    assert [row[0] for row in rows[: len(HOSTILE)]] == [row[5] for row in rows[: len(HOSTILE)]] == HOSTILE
    assert float(rows[0][1]) == GIVEN.value and rows[-2][1:5] == ["3", "", "", ""]
    assert rows[-1][1:5] == ["", "", "", "0.0002"]
    assert to_csv(TABLE, digits=3).splitlines()[1].split(",")[1] == "1.41"


def test_some_columns_of_a_table_are_a_table():
    assert [column.name for column in TABLE.only((0, 2)).columns] == ["arm", "p"]
    assert TABLE.only((0, 2)).rows[0] == [ROWS[0][0], ROWS[0][2]]


def test_text_is_as_wide_as_the_terminal_and_a_table_too(monkeypatch):
    assert text_width(100) == 100  # standard output is none here
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for columns, width in ((60, 80), (90, 90), (300, 100)):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert text_width(100) == width
    monkeypatch.setenv("COLUMNS", "100")
    assert max(map(len, printed(TABLE.only((0, 1, 2))).splitlines())) <= 100
