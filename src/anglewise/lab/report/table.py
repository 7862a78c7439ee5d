"""A table, written once and shown four ways: terminal, Markdown, CSV, and HTML by a template's macro.

A *cell* is text, a number, an estimate with its interval, or a :class:`Name`.  Terminal, Markdown and HTML round
numbers and make names harmless.  CSV keeps every letter and digit, and gives an estimate three columns.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from anglewise.lab.report.format import Estimate, chance, number, plain, text_width
from anglewise.lab.stats import PValue

if TYPE_CHECKING:
    from rich.table import Table as Rich


HEAD = 13
"""Letters in a line of a heading, and of the words beside a number."""
WIDE = 150
"""Letters of a line in a file or a pipe."""


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
        spare: Names of columns that a narrow terminal may leave out, the first of them first.
    """

    head: Sequence[str | Column]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""
    marked: frozenset[int] = frozenset()
    spare: Sequence[str] = ()

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


def terminal(table: Table, width: int | None = None) -> Rich:
    """For a terminal: no cell is read as markup, no name and no number is broken.

    A row is one line where that fits.  Else intervals stand below their estimates, and then columns are left out that
    may be, which the caption says.

    Args:
        table: What is shown.
        width: Letters in a line; None for no limit, with intervals below their estimates.
    """
    if width is None:
        return _drawn(table, _stacked)
    layouts = [_drawn(table, text), _drawn(table, _stacked)]
    for i in range(1, len(table.spare) + 1):
        kept = [k for k, column in enumerate(table.columns) if column.name not in table.spare[:i]]
        away = ", ".join(re.sub(r" [\[(].*", "", plain(name)) for name in table.spare[:i])
        layouts.append(_drawn(table.only(kept), _stacked, f"left out, too wide for here: {away}"))
    return next((layout for layout in layouts if _width(layout) <= width), layouts[-1])


def _drawn(table: Table, form: Callable[[Cell], str], caption: str = "") -> Rich:
    """The table with its cells written in one way."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Rich
    from rich.text import Text

    title = Text(plain(table.title), style="bold") if table.title else None
    shown = Rich(
        title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True,
        caption=Text(caption, style="dim") if caption else None, caption_justify="left",
    )  # fmt: skip
    for i, column in enumerate(table.columns):
        head = textwrap.fill(re.sub(r" [\[(].*", "", plain(column.name)), HEAD)
        unit = "".join(f"\n{part}" for part in re.findall(r"[\[(].*?[\])]", plain(column.name)))
        names = any(isinstance(row[i], Name) for row in table.rows)
        shown.add_column(
            Text(head + unit),
            justify="left" if column.words else "right",
            no_wrap=names or not column.words,
            overflow="fold",
        )
    for i, row in enumerate(table.rows):
        shown.add_row(*(Text(form(cell)) for cell in row), style="yellow" if i in table.marked else "")
    return shown


def _width(shown: Rich) -> int:
    """Letters that a table takes."""
    from rich.console import Console

    return Console(width=10_000).measure(shown).maximum


def printed(table: Table, width: int | None = None) -> str:
    """The same as text, with its note below; ends with a line end.

    Args:
        table: What is shown.
        width: Letters in a line; None for those of the terminal, or 150 where standard output is none.
    """
    from rich.console import Console

    at_a_terminal = width is None and sys.stdout.isatty()
    width = text_width(1000) if at_a_terminal else width or WIDE
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(terminal(table, console.width))
    note = "\n".join(textwrap.fill(line, console.width) for line in table.note.split("\n"))
    return captured.get() + (f"\n{note}\n" if table.note else "")


def _stacked(cell: Cell) -> str:
    """A cell with its interval, and further words, below."""
    if isinstance(cell, Name):
        return plain(cell.text) + (
            f"\n  {re.sub(r'(?<=[,;:]) ', chr(10) + '  ', plain(cell.note))}" if cell.note else ""
        )
    if isinstance(cell, Estimate) and cell.interval is None:
        return textwrap.fill(text(cell), HEAD)
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
