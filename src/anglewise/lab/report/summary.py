"""A summary: the comparison of an experiment's arms as tables, and its headline with these tables in a terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from anglewise.lab.report.comparison import CRITERIA, ArmSummary, Criterion, summaries
from anglewise.lab.report.contrasts import answers
from anglewise.lab.report.format import DASH, NARROWEST, Estimate, count_of, fixed, known_to, percent, plain
from anglewise.lab.report.headline import headline
from anglewise.lab.report.results import Results
from anglewise.lab.report.runs import every_of
from anglewise.lab.report.table import Cell, Column, Name, Table, terminal

NARROW = (0, 2, 3, 4, 5, 7)
"""Columns of a summary for a terminal; the report has all."""
BRIEF = (
    "A run that never got there, or diverged, counts as the budget. Speed-up: geometric mean of baseline time / arm "
    "time over paired seeds; above 1 is faster. p: sign flips, two-sided, corrected by Holm."
)
NEITHER = "neither reached it"
SIGNS = (
    "Marks of a speed-up say that runs spent their budget, which then counts as their time. \u2264: only the arm's "
    "runs did, so the speed-up is at most this. \u2265: only the baseline's, so it is at least this. \u2248: runs of "
    f"both, so it is only the ratio of capped times. {DASH} {NEITHER}: no run of either did, so nothing can be said."
)
BOUNDS = {
    "\u2264": "only the arm's runs spent their budget, so the speed-up is at most this",
    "\u2265": "only the baseline's runs spent their budget, so the speed-up is at least this",
    "\u2248": "runs of both spent their budget, so the speed-up is only the ratio of capped times",
}
"""What each mark of a speed-up says, where runs spent their budget."""
NOTE = (
    "A run that never got there, or diverged, counts as the budget. Generalised: exact interval. Restricted mean: "
    "Student's t; where some runs never got there, together with the interval of their share. Speed-up: geometric mean "
    "of baseline time / arm time over paired seeds, above 1 is faster, with Student's t on the logarithms. p: sign "
    "flips of the paired log-differences, two-sided."
)


def summary(results: Results, criterion: Criterion, arms: Sequence[ArmSummary]) -> Table:
    """The arms by one criterion; rows with missing runs, or of a control that failed its check, are marked."""
    level, unit = f"{100 * results.threshold:g} % test accuracy", "s" if criterion == "seconds" else "steps"
    titles = {
        "first": f"First crossing of {level}, in steps",
        "sustained": f"Sustained crossing of {level} ({results.sustain} evaluations in a row), in steps",
        "seconds": f"Seconds of training to the first crossing of {level}",
    }
    title = titles[criterion] if results.threshold else "No threshold is set: compare test losses"
    head: list[str | Column] = [
        "arm", Column("runs", words=True), "generalised [95 %]", f"median ({unit})",
        f"restricted mean ({unit}) [95 %]", "speed-up [95 %]", "p", "p (Holm)", "median seconds",
    ]  # fmt: skip
    width = len(head) - (criterion == "seconds")
    rows = [_row(i, arm, results, criterion)[:width] for i, arm in enumerate(arms)]
    marked = frozenset(i for i, arm in enumerate(arms) if arm.missing or arm.unmatched)
    return Table(head[:width], rows, title, explained(NOTE, every_of(results)), marked)


def narrow(results: Results, criterion: Criterion, arms: Sequence[ArmSummary]) -> Table:
    """The same for a terminal: without the column of runs, so what is missing stands under an arm's name."""
    table = summary(results, criterion, arms)
    noted = [arm.missing or arm.illustration or arm.unmatched for arm in arms]
    names = [
        Name(results.labels[arm.arm], str(row[1]) if note else "")
        for arm, row, note in zip(arms, table.rows, noted, strict=True)
    ]
    rows = [[name, *row[1:]] for name, row in zip(names, table.rows, strict=True)]
    mean = table.columns[4].name
    return dataclasses.replace(table, rows=rows, spare=[mean, "p (Holm)", table.columns[2].name]).only(NARROW)


def _row(i: int, arm: ArmSummary, results: Results, criterion: Criterion) -> list[Cell]:
    runs = count_of(arm.finished, arm.planned) + (" (illustration)" if arm.illustration else "")
    runs += f"; {arm.unmatched}" if arm.unmatched else ""
    if arm.share is None:
        return [Name(results.labels[arm.arm], swatch=i), runs, *[None] * 7]
    beyond = f"> {results.budget:,}"
    pairs = f" ({arm.pairs} pairs)" if 0 < arm.pairs < arm.planned else ""
    return [
        Name(results.labels[arm.arm], swatch=i),
        runs,
        Estimate(arm.share, percent, mark=f"{arm.reached}/{arm.finished}, ", unit=" %"),
        arm.median if arm.median is not None else beyond + (" steps" if criterion == "seconds" else ""),
        Estimate(arm.mean),
        "baseline" if arm.arm == results.baseline else ratio(arm, "\u00d7", pairs),
        arm.p,
        arm.p_holm,
        arm.seconds if arm.seconds is not None else f"{beyond} steps",
    ]


def ratio(arm: ArmSummary, unit: str = "", note: str = "") -> Estimate:
    """A speed-up with its mark and interval.

    Args:
        arm: Which.
        unit: Stands behind the value.
        note: Stands last.
    """
    none = f"{DASH} {NEITHER}" if arm.pairs else DASH
    return Estimate(arm.speed_up, lambda value: fixed(value, 2), arm.bound, unit, note, none)


def explained(text: str, every: int) -> str:
    """What stands under a table: how far times are known, the text itself, and what the marks mean.

    Args:
        text: What the columns are.
        every: Steps between two evaluations; 0 for exact times.
    """
    return " ".join(filter(None, (known_to(every), text, SIGNS)))


def brief(every: int, arms: Sequence[ArmSummary]) -> str:
    """What stands under a table in a terminal: of the marks only those that it has.

    Args:
        every: Steps between two evaluations; 0 for exact times.
        arms: The table's rows.
    """
    marks = dict.fromkeys(arm.bound.strip() for arm in arms if arm.bound)
    signs = [f"{mark}: {BOUNDS[mark]}." for mark in marks]
    return " ".join(filter(None, (known_to(every), BRIEF, *signs)))


def facts(results: Results) -> dict[str, Any]:
    """The comparison as values by name, for other programs: headline, contrasts, and every arm by every criterion."""
    tables, found = summaries(results), answers(results)
    return {
        "experiment_id": results.experiment_id,
        "experiment": results.name,
        "title": results.title,
        "baseline": results.baseline,
        "threshold": results.threshold,
        "budget": results.budget,
        "headline": headline(results, tables, found),
        "contrasts": [
            {
                "question": answer.question,
                "with": answer.contrast.arm,
                "without": answer.contrast.without,
                "verdict": answer.verdict,
                "sustained": answer.sustained,
                "speed_up": answer.arm.speed_up,
                "bound": answer.arm.bound,
                "p_holm": answer.arm.p_holm,
                "pairs": answer.arm.pairs,
                "notes": answer.notes,
            }
            for answer in found
        ],
        "tables": tables,
    }


def print_results(
    results: Results, console: Console | None = None, criteria: Sequence[Criterion] = CRITERIA[:1]
) -> None:
    """Print the headline, a table for each criterion, and what their columns mean.

    Args:
        results: What is shown.
        console: Where to; None for standard output.
        criteria: Which tables.
    """
    console = console or Console()
    console.print(Text(plain(results.title or results.name), style="bold"))
    tables = summaries(results)
    for line in headline(results, tables):
        console.print(Text(line))
    if not results.threshold:
        return
    width, console.width = console.width, max(console.width, NARROWEST)
    for criterion in criteria:
        console.print("", terminal(narrow(results, criterion, tables[criterion]), console.width), sep="\n")
    console.width = width
    shown = [arm for criterion in criteria for arm in tables[criterion]]
    console.print("", Text(brief(every_of(results), shown), style="dim"), sep="\n")
