"""Finished runs as a plain list, one row each: what every table is computed from, and what a record's CSV holds.

A store gives the list by :func:`runs_of`, a record's ``runs.csv`` by :func:`read_runs`.  All statistics take the list,
so a table can be computed again from the record alone.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from anglewise.errors import AnglewiseError, unknown
from anglewise.lab.outcome import times
from anglewise.lab.report.results import Results

HIGH = 0.99
"""The second threshold of a leaderboard."""


class Finish(NamedTuple):
    """One finished run: steps to each crossing, and what came after.

    A crossing is None where the run never had it within the budget, or diverged.  It is NaN where nobody looked, as in
    a record that kept only some columns.

    Attributes:
        outcome: Its label, as in :mod:`anglewise.lab.outcome`.
        steps: Steps trained.
        seconds: Seconds that they took; NaN where unknown.
        first: Step of the first crossing of the experiment's threshold.
        sustained: Step of the sustained crossing.
        first99: Step of the first crossing of 99 %.
        sustained99: Step of the sustained crossing of 99 %.
        lowest: Lowest test accuracy since the sustained crossing, in [0, 1]; None without one.
        watched: Steps trained after the sustained crossing.
    """

    arm: str
    seed: int
    outcome: str
    steps: int
    seconds: float
    first: float | None
    sustained: float | None
    first99: float | None
    sustained99: float | None
    lowest: float | None
    watched: int


NEEDED = ("arm", "seed", "outcome", "steps", "first", "sustained")
"""Columns that a record must have; the others may be missing."""


@dataclasses.dataclass(frozen=True)
class Runs:
    """Finished runs of one experiment, with what it takes to compare them.

    Args:
        planned: Number of seeds planned, by arm, in the order planned.
        baseline: The arm that speed-ups refer to.
        budget: Steps at most.
        every: Steps between two evaluations: a crossing is known to that.  0 for exact times.
        threshold: Test accuracy that counts as a crossing.
        sustain: Evaluations in a row that make a crossing sustained.
    """

    finished: tuple[Finish, ...]
    planned: Mapping[str, int]
    baseline: str
    budget: int
    every: int = 0
    threshold: float = 0.95
    sustain: int = 5

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of all arms, in the order planned."""
        return tuple(self.planned)

    def of(self, arm: str) -> dict[int, Finish]:
        """Finished runs of an arm by seed, in the order of the seeds."""
        return dict(self._by_arm.get(arm, {}))

    @functools.cached_property
    def known(self) -> dict[Any, Any]:
        """What was computed of these runs, so that nothing is computed twice."""
        return {}

    @functools.cached_property
    def _by_arm(self) -> dict[str, dict[int, Finish]]:
        by_arm: dict[str, dict[int, Finish]] = {}
        for run in sorted(self.finished, key=lambda run: run.seed):
            by_arm.setdefault(run.arm, {})[run.seed] = run
        return by_arm

    def only(self, arms: Sequence[str]) -> Runs:
        """The same experiment with some of its arms; the first of them becomes the baseline.

        Raises:
            AnglewiseError: If there is no such arm.
        """
        for arm in arms:
            if arm not in self.arms:
                raise AnglewiseError(unknown("arm", arm, self.arms))
        kept = tuple(run for arm in self.arms if arm in arms for run in self._by_arm.get(arm, {}).values())
        planned = {arm: self.planned[arm] for arm in arms}
        return dataclasses.replace(self, finished=kept, planned=planned, baseline=arms[0])


def runs_of(results: Results) -> Runs:
    """Finished runs of a store's experiment."""
    return Runs(
        tuple(finishes(results)),
        {arm: len(results.seeds(arm)) for arm in results.arms},
        results.baseline,
        results.budget,
        every_of(results),
        results.threshold,
        results.sustain,
    )


def every_of(results: Results) -> int:
    """Steps between two evaluations of a store's experiment; 0 where it does not say."""
    return int(results.spec.get("training", {}).get("every", 0))


def collected(
    finished: Iterable[Finish], *, baseline: str, budget: int, every: int, threshold: float = 0.95, sustain: int = 5,
    planned: Mapping[str, int] | None = None,
) -> Runs:  # fmt: skip
    """Finished runs of a record, together with what its rows do not say.

    Args:
        finished: The rows.
        baseline, budget, every, threshold, sustain: As in :class:`Runs`.
        planned: Number of seeds planned, by arm in the order planned; None for those that finished.

    Raises:
        AnglewiseError: If a run stands there twice, or the baseline has none.

    Example:
        >>> row = Finish("adamw", 0, "grokked", 90, 1.0, 60, 60, 70, 70, 0.96, 30)
        >>> collected([row], baseline="adamw", budget=200, every=10).planned
        {'adamw': 1}
    """
    rows = tuple(finished)
    twice = [key for key, n in Counter((run.arm, run.seed) for run in rows).items() if n > 1]
    if twice:
        raise AnglewiseError(f"seed {twice[0][1]} of {twice[0][0]!r} has more than one row: expected one for each run")
    counted = dict(planned) if planned is not None else dict(Counter(run.arm for run in rows))
    if baseline not in counted:
        raise AnglewiseError(f"no run of the baseline {baseline!r}: expected one of {', '.join(counted) or 'no arms'}")
    return Runs(rows, counted, baseline, budget, every, threshold, sustain)


def finishes(results: Results) -> list[Finish]:
    """Every finished run of a store's experiment, arm by arm and seed by seed."""
    rows = []
    for arm in results.arms:
        for seed, run in results.finished(arm).items():
            curve = results.curves["test_accuracy"].get((arm, seed))
            high = (math.nan, math.nan) if curve is None else times(*curve, HIGH, results.sustain)
            crossings = (None,) * 4 if run.outcome == "diverged" else (run.first, run.sustained, *high)
            first, sustained, first99, sustained99 = crossings
            lowest = None
            if sustained is not None and curve is not None and curve.steps[-1] >= sustained:
                lowest = float(np.min(curve.values[curve.steps >= sustained]))
            watched = 0 if sustained is None else run.steps - sustained
            rows.append(
                Finish(
                    arm, seed, run.outcome, run.steps, run.seconds, first, sustained, first99, sustained99, lowest,
                    watched,
                )
            )  # fmt: skip
    return rows


def write_runs(finished: Iterable[Finish]) -> str:
    """Runs as CSV, every digit kept: what a record holds.

    Returns:
        The text; an empty cell stands for None.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Finish._fields)
    writer.writerows(["" if x is None else x for x in run] for run in finished)
    return text.getvalue()


def read_runs(text: str) -> list[Finish]:
    """Runs from CSV: the inverse of :func:`write_runs`.

    Args:
        text: With the columns :data:`NEEDED`, in any order; others of :class:`Finish` may be missing, and then are
            unknown (NaN; None for `lowest`, 0 for `watched`).  Further columns are left out.

    Raises:
        AnglewiseError: If a column is missing, or a cell is no number.

    Example:
        >>> read_runs("arm,seed,outcome,steps,first,sustained\\nadamw,0,grokked,90,60,\\n")[0].first
        60
    """
    reader = csv.DictReader(io.StringIO(text))
    lacking = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if lacking:
        raise AnglewiseError(f"runs without the columns {', '.join(lacking)}: expected {', '.join(Finish._fields)}")
    rows = []
    for row in reader:
        try:
            rows.append(_finish(row))
        except (TypeError, ValueError) as error:
            raise AnglewiseError(f"line {reader.line_num} of the runs: {error}; expected a number there") from error
    return rows


def _finish(row: Mapping[str, str]) -> Finish:
    def maybe(name: str) -> float | None:
        return _number(row[name]) if row.get(name) else None if name in row else math.nan

    return Finish(
        row["arm"], int(row["seed"]), row["outcome"], int(row["steps"]), float(row.get("seconds") or "nan"),
        maybe("first"), maybe("sustained"), maybe("first99"), maybe("sustained99"),
        maybe("lowest") if "lowest" in row else None,
        int(row.get("watched") or 0),
    )  # fmt: skip


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
