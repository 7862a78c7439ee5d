"""The summary in a terminal: the verdict and one table per criterion."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from anglewise.lab.report.comparison import CRITERIA, ArmSummary, Criterion
from anglewise.lab.report.format import plain
from anglewise.lab.report.results import Results
from anglewise.lab.report.runs import every_of
from anglewise.lab.report.summary import NOTE, cells, columns, explained, heading, summaries
from anglewise.lab.report.verdict import verdict

NARROWEST = 80
"""Columns that the tables take at least; a narrower terminal breaks their lines, and nothing is lost."""
LEFT_OUT = ("p", "median seconds")
"""Columns of the summary for which a terminal is too narrow; the report has them."""


def terminal_table(results: Results, criterion: Criterion, arms: Sequence[ArmSummary]) -> Table:
    """The summary as a rich table; no name in it is read as markup.

    Where runs are missing, or there is only one, or a control's match failed, that stands under the arm's name.
    """
    title = Text(heading(criterion, results), style="bold")
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    names = columns(criterion)
    shown = [i for i, name in enumerate(names) if i != 1 and name not in LEFT_OUT]
    for i in shown:
        name = Text(re.sub(r" (?=[\[(])|(?<=restricted) ", "\n", names[i]))
        table.add_column(
            name, justify="right" if i else "left", no_wrap=i > 0, overflow="fold", min_width=7 if i else 15
        )
    for summary in arms:
        row = cells(summary, results, criterion)
        noted = summary.missing or summary.illustration or summary.unmatched
        note = "\n  " + re.sub(r"(?<=[,;:]) ", "\n  ", row[1]) if noted else ""
        table.add_row(Text(row[0] + note), *[_stacked(row[i]) for i in shown[1:]])
    return table


def _stacked(cell: str) -> Text:
    """An estimate above its interval."""
    return Text(re.sub(r" (?=[\[(])", "\n", cell))


def print_results(results: Results, console: Console | None = None) -> None:
    """Print the verdict, one table per criterion, and what their columns mean."""
    console = console or Console()
    console.print(Text(plain(results.title or results.name), style="bold"))
    found = summaries(results)
    for line in verdict(results, found):
        console.print(Text(line))
    width, console.width = console.width, max(console.width, NARROWEST)
    for criterion in CRITERIA:
        table = terminal_table(results, criterion, found[criterion])
        console.print(table)
    console.width = width
    console.print(Text(explained(NOTE, every_of(results)), style="dim"))
