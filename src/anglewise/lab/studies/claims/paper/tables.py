"""The paper's tables with ours beside theirs, computed from a folder of records; trains nothing, imports no JAX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from anglewise.lab.report.format import DASH
from anglewise.lab.report.table import Cell as Shown
from anglewise.lab.report.table import Column, Table
from anglewise.lab.studies.claims.paper.cell import CRITERION, Cell, PaperTable, agrees
from anglewise.lab.studies.claims.paper.pool import Pool
from anglewise.lab.studies.claims.paper.t1_t5 import T1, T2, T3, T4, T5
from anglewise.lab.studies.claims.paper.t6_t10 import T6, T7, T8, T9, T10, TEXT

PAPER: tuple[PaperTable, ...] = (T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, TEXT)
"""All tables, in the paper's order, and what its text and figures say."""
HEAD = ("cell", Column("the paper's", True), "ours [95 %]", "n", Column("scale", True), Column("agrees", True),
        Column("remark", True))  # fmt: skip
NOTE = (
    f"{CRITERION} Scale 'desk' has P 59, 70 % of the pairs and width 128 (the Transformer 64). A remark says where it "
    "differs. Scale 'paper' has P 97, half of the pairs and width 512. A run there takes some 6 core-minutes. Times "
    "are medians over n seeds, readings are means. At desk scale ratios should agree; times and sizes need not."
)


def tables(records: Path) -> list[Table]:
    """The paper's tables, theirs beside ours.

    Args:
        records: Folder of the claims' records; where it is not there, every cell of ours says that nothing was run.

    Raises:
        AnglewiseError: If a record is damaged.
    """
    pool = Pool.of(records)
    return [table(one, pool) for one in PAPER]


def table(paper: PaperTable, pool: Pool) -> Table:
    """One table; remarks have numbers, and stand below it."""
    remarks: list[str] = []
    rows = [row for cell in paper.cells for row in _rows(cell, pool, remarks)]
    below = [f"[{i}] {text}" for i, text in enumerate(remarks, 1)]
    return Table(
        head=HEAD, rows=rows, title=f"{paper.id}. {paper.title}", note="\n".join([*filter(None, [paper.note]), *below])
    )


def _rows(cell: Cell, pool: Pool, remarks: list[str]) -> Iterator[Sequence[Shown]]:
    """A row for each of our scales."""
    mark = ""
    if cell.note:
        if cell.note not in remarks:
            remarks.append(cell.note)
        mark = f"[{remarks.index(cell.note) + 1}]"
    name = f"{cell.row}, {cell.column}" if cell.column else cell.row
    for ours in cell.ours:
        found = ours.of(pool)
        n = str(found.n) if found.n else DASH
        yield name, cell.theirs.text, found.cell, n, found.scale or DASH, agrees(cell.theirs, found), mark
