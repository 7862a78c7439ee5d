"""The early-warning study: which readings tell that a run is about to generalise, how early and how surely.

Its predictors were fixed before any of its runs was looked at.  What they are made of and what is asked stands in
:mod:`anglewise.lab.stats.warning`, how an alarm is set in :mod:`anglewise.lab.stats.alarm`, what is scored and with
which interval in :mod:`anglewise.lab.stats.warning_score`.  This module reads runs, tries every predictor on every
split, and shows all of them, those that do not work too.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from anglewise.errors import StoreError
from anglewise.lab.report.html.document import write_page as write_text
from anglewise.lab.stats.estimate import Interval
from anglewise.lab.stats.warning import NOISE, STEP, Horizon, Measure, Predictor, Trajectory
from anglewise.lab.stats.warning_score import FALSE_ALARMS, Score, Split, evaluate
from anglewise.lab.studies.early_warning.numbers import NUMBERS, SHOWN, written
from anglewise.lab.studies.early_warning.trajectories import collect

RADIUS = (Measure("radius"),)
ENERGY = (Measure("radial_energy"),)
SPEED = (Measure("angular_speed"),)
RANK = (Measure("effective_rank"), Measure("stable_rank"))
FOURIER = (Measure("fourier_max"), Measure("fourier_coherence", log=False))
NORM = (Measure("weight_norm"),)
LOSS = (Measure("train_loss"),)
GEOMETRY = (*RADIUS, *ENERGY, *SPEED, *RANK, *NORM)

PREDICTORS = (
    Predictor("base rate", "baseline", ()),
    Predictor("elapsed time", "baseline", (Measure(STEP),)),
    Predictor("noise", "baseline", (Measure(NOISE, log=False),)),
    Predictor("radius", "geometry", RADIUS),
    Predictor("radial energy", "geometry", ENERGY),
    Predictor("angular speed", "geometry", SPEED),
    Predictor("rank", "geometry", RANK),
    Predictor("Fourier gain", "geometry", FOURIER),
    Predictor("weight norm", "rival", NORM),
    Predictor("train loss", "rival", LOSS),
    Predictor("together", "together", GEOMETRY),
    Predictor("together + Fourier gain", "together", (*GEOMETRY, *FOURIER)),
    Predictor("together + train loss", "together", (*GEOMETRY, *LOSS)),
    Predictor("test loss", "reference", (Measure("test_loss"),)),
    Predictor("test accuracy", "reference", (Measure("test_accuracy", log=False),)),
)
"""All that is tried.  "Together" leaves Fourier gain out, which only tasks with a cyclic group have."""
NEEDED = "energy,motion,spectrum,norms,embedding,neuron-fourier"
"""Readings to ask for when the runs are made."""
SPLITS: tuple[Split, ...] = ("seeds", "arms", "tasks")
HORIZONS: tuple[Horizon, ...] = ("doubling", "ever")
ASKED = {
    "doubling": "Will it generalise before elapsed time has doubled?",
    "ever": "Will it generalise within the budget?",
}
HEAD = (
    "predictor",
    "runs that generalise / do not",
    "AUC at equal steps [95 %]",
    "AUC, only the seed differs [95 %]",
    "alarm in time [95 %]",
    "too early [95 %]",
    "lead, steps [95 %]",
    "lead / time to generalise [95 %]",
    "false alarms, labels with a rule [95 %]",
    "false alarms, random labels [95 %]",
)
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


@dataclasses.dataclass(frozen=True)
class Study:
    """What came out.

    Args:
        runs: All that were looked at.
        scores: Of every predictor on every split and horizon, those it can be tried on.
        missing: Planned runs that had not finished, and were left out.
    """

    runs: tuple[Trajectory, ...]
    scores: tuple[Score, ...]
    missing: int = 0

    def of(self, split: Split, horizon: Horizon = "doubling") -> list[Score]:
        """Scores of one split and horizon, in the order of the predictors."""
        return [score for score in self.scores if (score.split, score.horizon) == (split, horizon)]


def study(
    readers: Sequence[Any], predictors: Sequence[Predictor] = PREDICTORS, *, horizons: Sequence[Horizon] = HORIZONS
) -> Study:
    """Try predictors on all finished runs of some stores.

    Args:
        readers: Readers of stores that together hold several tasks, each with several arms and seeds.
        predictors: What is tried.
        horizons: What is asked.

    Raises:
        StoreError: If there are no such runs.
    """
    names = {measure.name for predictor in predictors for measure in predictor.measures}
    runs, missing = collect(readers, names)
    return study_of(runs, predictors, horizons=horizons, missing=missing)


def study_of(
    runs: Sequence[Trajectory],
    predictors: Sequence[Predictor] = PREDICTORS,
    *,
    horizons: Sequence[Horizon] = HORIZONS,
    missing: int = 0,
) -> Study:
    """Try predictors on runs.

    Raises:
        StoreError: If no predictor can be tried: three groups at least are needed to hold out.
    """
    scores = []
    for horizon in horizons:
        for split in SPLITS:
            for predictor in predictors:
                try:
                    scores.append(evaluate(runs, predictor, split, horizon))
                except ValueError:  # too few groups have its readings: it has no row
                    continue
    if not scores:
        raise StoreError(
            f"{len({run.task for run in runs})} tasks, {len({run.arm for run in runs})} arms and "
            f"{len({run.seed for run in runs})} seeds: the study holds each out in turn and needs at least 3 of one"
        )
    return Study(tuple(runs), tuple(scores), missing)


def cells(score: Score) -> list[str]:
    """A row of the table, as text."""
    return [
        score.predictor,
        f"{score.generalised} / {score.never}",
        *(written(name, getattr(score, name)) for name in SHOWN),
    ]


def heading(split: Split, horizon: Horizon) -> str:
    """What one table shows."""
    what = {"seeds": "a quarter of the seeds", "arms": "a whole arm", "tasks": "a whole task"}[split]
    return f"{ASKED[horizon]} Held out: {what}"


def summary(made: Study) -> str:
    """What was looked at, in one line."""
    never = [run for run in made.runs if run.time is None]
    controls = sum(run.control for run in never)
    left = f"; {made.missing} planned runs had not finished and are left out" if made.missing else ""
    return (
        f"{len(made.runs)} runs of {len({run.task for run in made.runs})} tasks: {len(made.runs) - len(never)} "
        f"generalised, {len(never) - controls} with a rule to learn did not within their budget, {controls} had random "
        f"labels{left}"
    )


def print_study(made: Study, console: Console | None = None) -> None:
    """Print the tables of the primary question."""
    console = console or Console()
    console.print(Text(summary(made), style="bold"))
    width = console.width
    for split in SPLITS:
        scores = made.of(split)
        if scores:
            table = _terminal(heading(split, "doubling"), scores)
            console.width = 1000  # as wide as it is: what does not fit the window is wrapped there, and nothing is lost
            console.width = max(width, Measurement.get(console, console.options, table).maximum)
            console.print(table)
    console.width = width
    console.print(Text(NOTE, style="dim"))


def to_csv(made: Study) -> str:
    """All scores, numbers in full: one row per horizon, split and predictor.

    A lead, or an end of its interval, is ``-inf`` where it is that of a run without alarm.  Empty: it does not exist.
    """
    plain = ("horizon", "split", "predictor", "kind", "seeds", "generalised", "never", "controls")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*plain, *(f"{name}{end}" for name in NUMBERS for end in ("", "_low", "_high"))])
    for score in made.scores:
        row = [str(getattr(score, name)) for name in plain]
        for name in NUMBERS:
            found: Interval | None = getattr(score, name)
            ends = (None, None, None) if found is None else (found.value, found.low, found.high)
            row += ["" if end is None else f"{end:.4g}" for end in ends]
        writer.writerow(row)
    return text.getvalue()


def write_csv(made: Study, path: str | os.PathLike[str]) -> Path:
    """Write :func:`to_csv`."""
    return write_text(to_csv(made), path)


def _terminal(title: str, scores: Sequence[Score]) -> Table:
    table = Table(title=Text(title, style="bold"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    rows = [[cell.replace(" [", "\n[") for cell in cells(score)] for score in scores]
    for i, name in enumerate(HEAD):  # no number is broken
        head = Text(textwrap.fill(name.replace(" [95 %]", ""), 13) + "\n[95 %]" * name.endswith("]"))
        table.add_column(head, justify="right" if i else "left", overflow="fold", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
