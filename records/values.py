"""Readings of a record's runs: one number per run, site and moment, and their means over seeds."""

from __future__ import annotations

import csv
import dataclasses
import io

import numpy as np
from scipy import stats

from anglewise.lab.report.format import Estimate, number
from anglewise.lab.stats import Interval

LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Values:
    """Rows with the columns ``arm``, ``seed``, ``site``, ``moment`` and one per reading."""

    rows: tuple[dict[str, str], ...]

    @classmethod
    def read(cls, text: str) -> Values:
        """From CSV."""
        return cls(tuple(csv.DictReader(io.StringIO(text))))

    def of(self, reading: str, arm: str, site: str, moment: str) -> np.ndarray:
        """One number per seed.

        Raises:
            KeyError: If there is none.
        """
        wanted = {"arm": arm, "site": site, "moment": moment}
        found = [float(row[reading]) for row in self.rows if all(row[key] == value for key, value in wanted.items())]
        if not found:
            raise KeyError(f"no {reading} of {wanted}")
        return np.array(found)

    def interval(self, reading: str, arm: str, site: str, moment: str) -> Interval:
        """Mean over seeds with Student's interval."""
        own = self.of(reading, arm, site, moment)
        if len(own) < 2:
            return Interval(float(own[0]), None, None, "none")
        half = stats.t.ppf((1 + LEVEL) / 2, len(own) - 1) * own.std(ddof=1) / np.sqrt(len(own))
        return Interval(float(own.mean()), float(own.mean() - half), float(own.mean() + half), "t")

    def mean(self, reading: str, arm: str, site: str, moment: str) -> str:
        """The mean as text."""
        return number(self.interval(reading, arm, site, moment).value, 2)

    def mean_with_interval(self, reading: str, arm: str, site: str, moment: str) -> str:
        """The mean and its interval as text."""
        return str(Estimate(self.interval(reading, arm, site, moment), lambda value: number(value, 2)))

    def below(self, bound: float, reading: str, moment: str) -> str:
        """How many of the means, one per arm and site, have an interval below a bound, of how many."""
        panels = sorted({(row["arm"], row["site"]) for row in self.rows if row["moment"] == moment})
        ends = [self.interval(reading, arm, site, moment).high for arm, site in panels]
        return f"{sum(end is not None and end < bound for end in ends)} of {len(ends)}"
