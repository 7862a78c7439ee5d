"""Which reproductions there are, and their runs in a store.

Each trains as its authors did, see :mod:`anglewise.lab.experiments.reproduce`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anglewise.errors import SpecError, unknown
from anglewise.lab.experiments.reproduce import REPRODUCTIONS
from anglewise.lab.report.comparison import Criterion, time_of
from anglewise.lab.report.results import Results, load
from anglewise.lab.studies.reproduction.analysis import Comparison


def chosen(names: Sequence[str]) -> list[str]:
    """Names of reproductions, all for none given.

    Raises:
        SpecError: For an unknown one.
    """
    for name in names:
        if name not in REPRODUCTIONS:
            raise SpecError(unknown("reproduction", name, REPRODUCTIONS))
    return list(names) or list(REPRODUCTIONS)


def from_results(name: str, results: Results) -> Comparison:
    """A method's finished runs beside its published number."""
    criterion: Criterion = "sustained" if results.sustain > 1 else "first"
    return from_times(name, [time_of(run, criterion) for run in results.ended.values()])


def from_times(name: str, times: Sequence[float | None]) -> Comparison:
    """A method's times, None for beyond the budget, beside its published number."""
    experiment, theirs = REPRODUCTIONS[name]
    return Comparison(name, theirs, experiment.training, tuple(sorted(times, key=lambda t: (t is None, t))))


def read(reader: Any, names: Sequence[str] = ()) -> list[Comparison]:
    """Every reproduction that a store holds finished runs of.

    Raises:
        SpecError: For an unknown one.
    """
    there = {row["experiment_id"] for row in reader.query("SELECT DISTINCT experiment_id FROM experiments").to_pylist()}
    ids = {name: REPRODUCTIONS[name].experiment.experiment_id for name in chosen(names)}
    comparisons = [from_results(name, load(reader, known)) for name, known in ids.items() if known in there]
    return [comparison for comparison in comparisons if comparison.ours]
