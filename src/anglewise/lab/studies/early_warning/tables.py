"""The numbers of the early-warning study as tables: in a terminal, on a page, and every score in a file."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.text import Text

from anglewise.lab.report.format import Estimate, number, percent
from anglewise.lab.report.html.document import write_file
from anglewise.lab.report.table import Cell, Column, Name, Table, terminal, to_csv
from anglewise.lab.stats.estimate import Interval
from anglewise.lab.stats.warning import Horizon
from anglewise.lab.stats.warning_score import FALSE_ALARMS, Score, Split
from anglewise.lab.studies.early_warning.analysis import ASKED, SPLITS, Study, summary

SHOWN = (
    "auc_same_step", "auc_twins", "in_time", "too_early", "lead", "lead_share", "false_structured", "false_control",
)  # fmt: skip
"""Numbers of a row of the table, by name."""
NUMBERS = (*SHOWN[:2], "auc", *SHOWN[2:])
"""In the order of the file of all scores."""
COUNTS = ("horizon", "split", "predictor", "kind", "seeds", "generalised", "never", "controls")
SHARES = ("in_time", "too_early", "false_structured", "false_control")
FORMS: dict[str, Callable[[float], str]] = {"lead": number, **dict.fromkeys(SHARES, percent)}
HEAD = (
    "predictor", Column("runs that generalise / do not", words=True), "AUC at equal steps [95 %]",
    "AUC, only the seed differs [95 %]", "alarm in time [95 %]", "too early [95 %]", "lead, steps [95 %]",
    "lead / time to generalise [95 %]", "false alarms, labels with a rule [95 %]", "false alarms, random labels [95 %]",
)  # fmt: skip
NOTE = (
    "All numbers are on runs held out from fitting and from setting the alarm, which was set to ring in "
    f"{100 * FALSE_ALARMS:.0f} % of training runs that never generalise. AUC: pairs of equal step within one held-out "
    "group, in the second column of equal task and arm too; 0.5 is what knowing nothing gives, or the step alone. In "
    "time: the alarm came at t with t < T <= 2t. Too early: before T/2. The others had none. Lead: T - t, median over "
    "all runs that generalise, a missed one counting as less than any; 'missed' where that is the median, or an end. "
    "Intervals are for new seeds of these tasks and arms: all models and alarms are made again without each seed. They "
    "do not speak of other tasks. Test loss and test accuracy see the answer and stand here as references. Rows of "
    "fewer runs are of the tasks that have the reading."
)


def estimate(name: str, interval: Interval | None) -> Estimate:
    """A number of a score with its interval.

    Args:
        name: One of :data:`NUMBERS`.
        interval: The number; a lead is minus infinity where it is that of a missed alarm.

    Example:
        >>> str(estimate("in_time", Interval(0.44, 0.353, 0.53, "jackknife")))
        '44 % [35, 53]'
        >>> str(estimate("lead", Interval(340.0, float("-inf"), 460.0, "jackknife")))
        '340 [missed, 460]'
    """
    form = FORMS.get(name, "{:.2f}".format)
    if interval is not None and interval.value == interval.low == interval.high == -math.inf:
        interval = interval._replace(low=None, high=None)
    unit = " %" if name in SHARES else ""
    return Estimate(interval, lambda value: "missed" if value == -math.inf else form(value), unit=unit)


def predictors(scores: Sequence[Any], title: str = "") -> Table:
    """Scores of one split and horizon, a predictor each."""
    rows: list[list[Cell]] = [
        [
            Name(score.predictor),
            f"{score.generalised} / {score.never}",
            *(estimate(name, getattr(score, name)) for name in SHOWN),
        ]
        for score in scores
    ]
    return Table(HEAD, rows, title, NOTE)


def tables(study: Study, horizon: Horizon = "doubling") -> list[Table]:
    """The table of every split that has scores."""
    what = {"seeds": "a quarter of the seeds", "arms": "a whole arm", "tasks": "a whole task"}
    return [
        predictors(scores, f"{ASKED[horizon]} Held out: {what[split]}")
        for split in SPLITS
        if (scores := study.of(split, horizon))
    ]


def by_task(study: Study, split: Split = "tasks") -> Table:
    """Alarms task by task, for the primary question: a predictor a row.

    A cell is ``in time + too early of n that generalise; false of n that do not``.
    """
    tasks = list(dict.fromkeys(run.task for run in study.runs))
    return Table(
        ["predictor", *tasks],
        [[Name(score.predictor), *(_alarms(score, task) for task in tasks)] for score in study.of(split)],
        "Each task judged by models that never saw it",
        "In time + too early of the runs that generalise; false of those that do not.",
    )


def _alarms(score: Score, task: str) -> str:
    alarms = [(run.time, step) for run, step in score.alarms if run.task == task]
    reached = [(time, step) for time, step in alarms if time is not None]
    in_time = sum(step is not None and time <= 2 * step for time, step in reached)
    early = sum(step is not None for _, step in reached) - in_time
    never = [step for time, step in alarms if time is None]
    parts = [f"{in_time} + {early} of {len(reached)}"] if reached else []
    parts += [f"false {sum(step is not None for step in never)} of {len(never)}"] if never else []
    return "; ".join(parts)


def print_study(study: Study, console: Console | None = None) -> None:
    """Print the tables of the primary question."""
    console = console or Console()
    console.print(Text(summary(study), style="bold"))
    width = console.width
    for table in map(terminal, tables(study)):
        console.width = 1000  # as wide as it is: what does not fit the window is wrapped there, and nothing is lost
        console.width = max(width, Measurement.get(console, console.options, table).maximum)
        console.print(table)
    console.width = width
    console.print(Text(NOTE, style="dim"))


def all_scores(study: Study) -> Table:
    """One row per horizon, split and predictor."""
    rows = [
        [*(getattr(score, name) for name in COUNTS), *(Estimate(getattr(score, name)) for name in NUMBERS)]
        for score in study.scores
    ]
    return Table([*COUNTS, *NUMBERS], rows)


def write_csv(study: Study, path: str | os.PathLike[str]) -> Path:
    """Write all scores, numbers to four digits.

    A lead, or an end of its interval, is ``-inf`` where it is that of a run without alarm.  Empty: it does not exist.
    """
    return write_file(to_csv(all_scores(study), digits=4), path)
