"""Figures of the leaderboards' records, drawn from their rows: ``python -m records.render`` writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from anglewise.lab.studies.leaderboard import analysis
from anglewise.lab.studies.leaderboard import show as leaderboard
from anglewise.lab.studies.penalty import show as penalty


def draw_figures(records: Path, record: Callable[[str], Any], names: Sequence[str] = ()) -> Iterator[Path]:
    """Draw ``figure.svg`` and ``penalty.svg`` of every leaderboard's record that has them.

    Args:
        records: The folder of records.
        record: Reads one by its name.
        names: Only these; empty for all.
    """
    for folder in sorted(records.glob("leaderboard-*")):
        if names and folder.name not in names:
            continue
        own = record(folder.name)
        if (folder / "figure.svg").exists():
            rows = analysis.rows(own.runs.runs, own.runs.samples)
            yield leaderboard.save_figure(own.runs.runs, rows, folder / "figure.svg")
        if (folder / "penalty.svg").exists():
            yield penalty.save_figure(own.penalty.runs, own.penalty.effects(), folder / "penalty.svg")
