"""A table, written once and shown four ways: terminal, Markdown, CSV, and HTML by a template's macro.

A *cell* is text, a number, an estimate with its interval, or a :class:`Name`.  Terminal, Markdown and HTML round
numbers and make names harmless.  CSV keeps every letter and digit, and gives an estimate three columns.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from anglewise.lab.report.format import Estimate, chance, number, plain
from anglewise.lab.stats import PValue

if TYPE_CHECKING:
    from rich.table import Table as Rich


class Name(NamedTuple):
    """What a row is about.

    Attributes:
        text: The name.
        note: What a reader must know of it; stands behind or below it.
        swatch: Index of the arm whose colour stands before it on a page.
    """

    text: str
    note: str = ""
    swatch: int | None = None


class Column(NamedTuple):
    """A column's heading, and whether its cells are words rather than numbers."""

    name: str
    words: bool = False


Cell: TypeAlias = str | float | PValue | Estimate | Name | None


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows under a head.

    Args:
        head: Columns; a name alone is a column of numbers, and the first one is always of words.
        rows: Cells, as many in each row as there are columns.
        title: What the table shows.
        note: What its columns mean.
        marked: Indices of rows that stand out.
    """

    head: Sequence[str | Column]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""
    marked: frozenset[int] = frozenset()

    @property
    def columns(self) -> list[Column]:
        """The columns."""
        columns = [column if isinstance(column, Column) else Column(column) for column in self.head]
        return [columns[0]._replace(words=True), *columns[1:]]

    def only(self, wanted: Sequence[int]) -> Table:
        """The same table with some of its columns."""
        rows = [[row[i] for i in wanted] for row in self.rows]
        return dataclasses.replace(self, head=[self.head[i] for i in wanted], rows=rows)


def text(cell: Cell) -> str:
    """A cell in one harmless line."""
    if isinstance(cell, Name):
        return plain(cell.text) + (f" ({plain(cell.note)})" if cell.note else "")
    if isinstance(cell, PValue) or cell is None:
        return chance(cell)
    return number(cell) if isinstance(cell, (int, float)) else plain(cell)


def terminal(table: Table) -> Rich:
    """For a terminal: no cell is read as markup, no number is broken, and intervals stand below their estimates."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Rich
    from rich.text import Text

    title = Text(plain(table.title), style="bold") if table.title else None
    shown = Rich(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for i, column in enumerate(table.columns):
        head = textwrap.fill(re.sub(r" [\[(].*", "", plain(column.name)), 13)
        unit = "".join(f"\n{part}" for part in re.findall(r"[\[(].*?[\])]", plain(column.name)))
        shown.add_column(
            Text(head + unit), justify="left" if column.words else "right", no_wrap=i > 0, overflow="fold",
            min_width=7 if i else 15,
        )  # fmt: skip
    for row in table.rows:
        shown.add_row(*(Text(_stacked(cell)) for cell in row))
    return shown


def printed(table: Table, width: int = 150) -> str:
    """The same as text, with its note below; ends with a line end."""
    from rich.console import Console

    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(terminal(table))
    return captured.get() + (f"{table.note}\n" if table.note else "")


def _stacked(cell: Cell) -> str:
    if isinstance(cell, Name):
        return plain(cell.text) + (
            f"\n  {re.sub(r'(?<=[,;:]) ', chr(10) + '  ', plain(cell.note))}" if cell.note else ""
        )
    return re.sub(r" (?=[\[(])", "\n", text(cell))


def markdown(table: Table) -> str:
    """For a page in Markdown; ends with a line end."""
    head = [column.name for column in table.columns]
    return "\n".join(map(markdown_line, (head, ["---"] * len(head), *table.rows))) + "\n"


def markdown_line(cells: Sequence[Cell]) -> str:
    """One row in Markdown."""
    texts = (text(cell).replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return f"| {' | '.join(texts)} |"


def to_csv(table: Table, digits: int = 17) -> str:
    """For other programs; an empty cell is a number that does not exist.

    Args:
        table: What is written.
        digits: Significant digits of numbers; 17 for all.
    """
    estimates = {i for row in table.rows for i, cell in enumerate(row) if isinstance(cell, Estimate)}
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    ends = [("", "_low", "_high") if i in estimates else ("",) for i in range(len(table.head))]
    writer.writerow(column.name + end for column, some in zip(table.columns, ends, strict=True) for end in some)
    for row in table.rows:
        parts = [_parts(cell) if i in estimates else _parts(cell)[:1] for i, cell in enumerate(row)]
        writer.writerow(_digits(part, digits) for some in parts for part in some)
    return lines.getvalue()


def _parts(cell: Cell) -> Sequence[str | float | None]:
    """A value and the ends of its interval."""
    if isinstance(cell, Estimate):
        return cell.interval[:3] if cell.interval is not None else (None, None, None)
    value = cell.value if isinstance(cell, PValue) else cell.text if isinstance(cell, Name) else cell
    return (value, None, None)


def _digits(value: str | float | None, digits: int) -> str:
    if isinstance(value, float):
        return repr(value).removesuffix(".0") if digits == 17 else f"{value:.{digits}g}"
    return "" if value is None else str(value)
