"""The paper's tables in the terminal, as Markdown, CSV or a page."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anglewise.files import put
from anglewise.lab.report.html.document import still, write_file
from anglewise.lab.report.table import Column, Table, markdown, printed, text, to_csv
from anglewise.lab.studies.claims.paper.tables import HEAD, NOTE, tables

ENDINGS = (".md", ".csv", ".html")
TITLE = "The paper's tables, theirs beside ours"
COPY = Path(__file__).with_name("tables.json")
"""The package's copy, for those who installed it without the records."""


def known(records: Path) -> list[Table]:
    """The tables of a folder of records where it is there, else the package's copy.

    Raises:
        AnglewiseError: If a record is damaged.
    """
    return tables(records) if records.is_dir() else from_json(json.loads(COPY.read_text(encoding="utf-8")))


def terminal(records: Path) -> str:
    """All tables as text; arguments and errors as of :func:`known`."""
    return "\n".join([*map(printed, known(records)), NOTE])


def write(records: Path, to: Path) -> Path:
    """Write the tables; the ending of `to` is the format.

    Raises:
        AnglewiseError: If a record is damaged, or the file cannot be written.
    """
    found = known(records)
    if to.suffix == ".html":
        content = still("tables", heading=TITLE, about=NOTE, tables=found)
    elif to.suffix == ".csv":
        content = to_csv(joined(found))
    else:
        content = f"# {TITLE}\n\n{NOTE}\n\n" + "\n".join(map(section, found))
    return write_file(content, to)


def section(table: Table) -> str:
    """One table as a section in Markdown, its remarks below as a list."""
    lines = table.note.split("\n")
    remarks = [line for line in lines if line.startswith("[")]
    about = [line for line in lines if line and not line.startswith("[")]
    below = "\n".join(f"- {line}" for line in remarks)
    parts = [f"## {table.title}", *about, markdown(table).rstrip(), below]
    return "\n\n".join(filter(None, parts)) + "\n"


def joined(found: Sequence[Table]) -> Table:
    """All tables as one, with the table's name in front of every row and its remark as words."""
    rows = []
    for table in found:
        remarks = dict(line.split(" ", 1) for line in table.note.split("\n") if line.startswith("["))
        rows += [[table.title.partition(".")[0], *row[:-1], remarks.get(str(row[-1]), "")] for row in table.rows]
    return Table([Column("table", True), *HEAD], rows)


def to_json(found: Sequence[Table]) -> list[dict[str, Any]]:
    """Tables as JSON values, every cell as text."""
    return [
        {"title": table.title, "note": table.note, "rows": [[text(cell) for cell in row] for row in table.rows]}
        for table in found
    ]


def from_json(values: Sequence[dict[str, Any]]) -> list[Table]:
    """The inverse of :func:`to_json`; estimates stay text."""
    return [Table(HEAD, one["rows"], one["title"], one["note"]) for one in values]


def copy(records: Path) -> Path:
    """Write the package's copy from the records.

    Raises:
        AnglewiseError: If a record is damaged.
        OSError: If the disk does not take it.
    """
    found = [dataclasses.replace(table, marked=frozenset()) for table in tables(records)]
    put(COPY, (json.dumps(to_json(found), indent=1, ensure_ascii=False) + "\n").encode())
    return COPY
