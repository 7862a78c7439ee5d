"""Make this record again from trajectories.parquet: scores.csv, false-alarms.csv, figure.svg and README.md.

Run it as ``python records/early-warning/make.py``; it takes about a minute.  Numbers of README.md are fields of
readme.template.md: ``{tasks[radius].in_time}`` is a number with its interval, ``:value``, ``:low`` and ``:high`` are
parts of it.  A test fails if README.md is not what the template and the scores give, or if the template has a number
of its own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.experiments.early_warning import ARMS, EXPERIMENTS, MODEL, RADIAL_AT_HALF, TASKS
from anglewise.lab.report.table import markdown
from anglewise.lab.stats.estimate import LEVEL, Interval
from anglewise.lab.stats.warning import Horizon, Trajectory
from anglewise.lab.stats.warning_score import FALSE_ALARMS
from anglewise.lab.studies.early_warning.analysis import Study, study_of
from anglewise.lab.studies.early_warning.show import save_figure
from anglewise.lab.studies.early_warning.tables import NUMBERS, estimate, predictors, write_csv
from anglewise.lab.studies.early_warning.trajectories import restore

HERE = Path(__file__).parent
ON_THE_WAY = 0.2
"""Test accuracy that a run must pass to count as on its way; none that has no rule to find comes near."""


class Number(NamedTuple):
    """A number of the scores, which a template writes in whole or in part."""

    name: str
    found: Interval

    def __format__(self, part: str) -> str:
        """With its interval, or one of ``value``, ``low`` and ``high`` alone."""
        if not part:
            return str(estimate(self.name, self.found))
        return str(estimate(self.name, Interval(getattr(self.found, part), None, None, "none")))


def scores() -> dict[tuple[str, str], dict[str, Any]]:
    """Rows of scores.csv by (horizon, split) and predictor; numbers of a row are attributes, intervals or None."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in csv.DictReader((HERE / "scores.csv").read_text().splitlines()):
        ends = {name: [float(row[name + end] or "nan") for end in ("", "_low", "_high")] for name in NUMBERS}
        numbers = {name: Interval(*each, "") if each[0] == each[0] else None for name, each in ends.items()}
        counts = {name: int(row[name]) for name in ("seeds", "generalised", "never", "controls")}
        found.setdefault((row["horizon"], row["split"]), {})[row["predictor"]] = SimpleNamespace(
            predictor=row["predictor"], kind=row["kind"], **counts, **numbers
        )
    return found


def table(horizon: Horizon, split: str) -> str:
    """All predictors of one way of holding out, in Markdown."""
    return markdown(predictors(list(scores()[horizon, split].values()))).rstrip()


def false_alarms(made: Study) -> str:
    """Every false alarm on held-out tasks, as CSV, with the best test accuracy of its run by half of the budget."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["predictor", "task", "arm", "seed", "control", "step", "test_accuracy"])
    for score in made.of("tasks"):
        for run, step in score.alarms:
            if step is not None and run.time is None:
                best = np.nanmax(run.series["test_accuracy", ""])
                writer.writerow(
                    [score.predictor, run.task, run.arm, run.seed, int(run.control), f"{step:g}", f"{best:g}"]
                )
    return text.getvalue()


def on_their_way(blind: Collection[str]) -> tuple[int, int]:
    """False alarms of some predictors in runs that have a rule to learn, and how many of these were on their way."""
    rows = list(csv.DictReader((HERE / "false-alarms.csv").read_text().splitlines()))
    best = [float(row["test_accuracy"]) for row in rows if row["predictor"] in blind and row["control"] == "0"]
    return len(best), sum(accuracy > ON_THE_WAY for accuracy in best)


def readme(runs: Sequence[Trajectory]) -> str:
    """README.md, from the template, scores.csv and the runs."""
    return (HERE / "readme.template.md").read_text().format(**fields(runs))


def fields(runs: Sequence[Trajectory]) -> dict[str, Any]:
    """What the template may name: numbers of the scores, counts of runs, and settings of the experiments."""
    found = scores()
    tasks = found["doubling", "tasks"]
    blind = [row for row in tasks.values() if row.kind in ("geometry", "rival", "together")]
    rates = [row.false_structured.value for row in blind]
    false, on_the_way = on_their_way({row.predictor for row in blind})
    named: dict[str, Any] = {}
    for (horizon, split), rows in found.items():
        above = [row.predictor for row in rows.values() if row.false_structured.low > FALSE_ALARMS]
        prefix = "" if horizon == "doubling" else "ever_"
        named[f"{prefix}above_{split}"] = ", ".join(above) or "none"
        named[f"{prefix}{split}"] = {
            name: SimpleNamespace(**{n: Number(n, getattr(row, n)) for n in NUMBERS if getattr(row, n) is not None})
            for name, row in rows.items()
        }
    seen = [row for row in tasks.values() if row.kind != "baseline" and row.predictor != "radius"]
    lower = [row.predictor for row in seen if row.auc_twins.high < row.auc_same_step.low]
    ordered = [f"{a.predictor} above {b.predictor}" for a in seen for b in seen if a.auc_twins.low > b.auc_twins.high]
    every, fourier = tasks["radius"], tasks["Fourier gain"]
    return named | {
        "lower": ", ".join(lower) or "none",
        "ordered": ", ".join(ordered) or "none",
        "table": table("doubling", "tasks"),
        "level": f"{100 * LEVEL:.0f} %",
        "alpha": f"{100 * FALSE_ALARMS:.0f} %",
        "least_false": f"{100 * min(rates):.0f}",
        "most_false": f"{100 * max(rates):.0f} %",
        "false": false,
        "on_their_way": on_the_way,
        "on_the_way": f"{100 * ON_THE_WAY:.0f} %",
        "runs": len(runs),
        "fourier_runs": fourier.generalised + fourier.never,
        "generalised": every.generalised,
        "structured": every.never - every.controls,
        "controls": every.controls,
        "seeds": every.seeds,
        "tasks_count": len({run.task for run in runs}),
        "arms_count": len({run.arm for run in runs}),
        "penalised": sum(RADIAL_AT_HALF in arm.methods for arm in ARMS),
        "plain": sum(RADIAL_AT_HALF not in arm.methods for arm in ARMS),
        "threshold": f"{100 * EXPERIMENTS[0].training.threshold:.0f} %",
        "budget": f"{EXPERIMENTS[0].training.budget:,}",
        "p": {name: task.p for name, task in TASKS.items()},
        "width": MODEL.hidden,
        "embedding": MODEL.embedding,
    }


def main() -> None:
    """Write all four."""
    runs = restore(HERE / "trajectories.parquet")
    made = study_of(runs)
    write_csv(made, HERE / "scores.csv")
    (HERE / "false-alarms.csv").write_text(false_alarms(made))
    save_figure(made, HERE / "figure.svg")
    (HERE / "README.md").write_text(readme(runs))


if __name__ == "__main__":
    main()
