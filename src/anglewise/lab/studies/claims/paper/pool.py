"""All rows of a folder of records as one pool: who reads a cell asks for a system, a scale and a world."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from anglewise.lab.studies.claims.rows import Ran, Sample, Value, read_runs, read_values, sample
from anglewise.lab.studies.claims.worlds import LIKELY


@dataclasses.dataclass(frozen=True)
class Pool:
    """Rows by what they are rows of.

    Args:
        runs: By system, scale, world, arm and seed; a run that stands in several records counts once.
        values: By the same, and name, site and step.
    """

    runs: Mapping[tuple[object, ...], Ran]
    values: Mapping[tuple[object, ...], Value]
    _samples: dict[tuple[str, str, str], Sample] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, records: Path) -> Pool:
        """The rows of every record in a folder; of a row that several have, the first record's counts.

        Raises:
            AnglewiseError: If a file is damaged.
        """
        runs: dict[tuple[object, ...], Ran] = {}
        values: dict[tuple[object, ...], Value] = {}
        for path in sorted(records.glob("*/runs.parquet")):
            for run in read_runs(path):
                runs.setdefault(run[:5], run)
        for path in sorted(records.glob("*/values.parquet")):
            for value in read_values(path):
                values.setdefault(value[:8], value)
        return cls(runs, values)

    def sample(self, system: str, scale: str, world: str = LIKELY) -> Sample:
        """The runs of a system, scale and world that are there, all arms and seeds."""
        where = (system, scale, world)
        if where not in self._samples:
            runs = [run for run in self.runs.values() if run[:3] == where]
            values = [value for value in self.values.values() if value[:3] == where]
            planned: dict[str, list[int]] = {}
            for run in sorted(runs):
                planned.setdefault(run.arm, []).append(run.seed)
            self._samples[where] = sample(runs, values, system=system, scale=scale, world=world, planned=planned)
        return self._samples[where]
