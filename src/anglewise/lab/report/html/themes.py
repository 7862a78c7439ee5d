"""Themes: all readings of an experiment by what they are about, each a folded part of the page, drawn when opened."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from anglewise.lab.readings.quantities import THEMES, meaning, place
from anglewise.lab.report.plots import curves, spectra
from anglewise.lab.report.plots.panel import web
from anglewise.lab.report.plots.style import Panel
from anglewise.lab.report.results import Results
from anglewise.lab.report.table import Cell, Column, Name, Table

FIRST = ("radius", "radius_q05", "radius_q95")
"""Readings that the report shows before all others."""
NUMBERS = 300_000
"""Of single seeds, in all figures of all themes together."""
FEWEST, MOST = 12, 80
"""Points of one curve."""
AT_END = "At the last measurement of each run: median over an arm's seeds, with the middle half of them."


class Part(NamedTuple):
    """One reading: its name, its figures by site, and what it means."""

    name: str
    panels: list[Panel]
    text: str

    @property
    def spoken(self) -> str:
        """The name as words."""
        return spoken(self.name)

    @property
    def prefix(self) -> str:
        """What the ids of its figures begin with."""
        return self.panels[0].id.rpartition("-")[0] + "-"


class Theme(NamedTuple):
    """Readings that belong together."""

    name: str
    parts: list[Part]


def themes(results: Results, *, without: Collection[str] = FIRST, arrays: bool = True) -> tuple[list[Theme], Table]:
    """Every reading that the report does not show before, and a table of those that never changed.

    Empty themes are left out.

    Args:
        results: The experiment.
        without: Readings that are shown elsewhere.
        arrays: Whether the runs' last spectra are among them.
    """
    still = constants(results, without)
    names = sorted({name for name, _ in results.readings} - set(without) - {name for name, _ in still}, key=place)
    number = sum(len(series) for (name, _), series in results.readings.items() if name in names)
    most = int(np.clip(NUMBERS // max(number, 1), FEWEST, MOST))
    parts: dict[str, list[Part]] = {theme: [] for theme in THEMES}
    for name in names:
        quantity = meaning(name)
        if name == "radial_energy":
            plots = curves.radial_energy(results, lazy=True, most=most)
        else:
            plots = curves.over_time(results, name, lazy=True, most=most)
        parts[quantity.theme].append(Part(name, [web(plot) for plot in plots], quantity.note))
    last = results.arrays(results.planned, spectra.CURVES, last=True) if arrays else {}
    for name in spectra.CURVES:
        if panels := [web(plot) for plot in spectra.at_the_end(results, last, name)]:
            parts[meaning(name).theme].append(Part(name, panels, f"{meaning(name).note} {AT_END}"))
    return [Theme(name, some) for name, some in parts.items() if some], _table(still)


def _table(still: Mapping[tuple[str, str], float]) -> Table:
    """Readings that never changed."""
    rows: list[list[Cell]] = [
        [Name(spoken(name), site), value, meaning(name).note] for (name, site), value in still.items()
    ]
    return Table(["reading", "value", Column("what it is", True)], rows)


def constants(results: Results, without: Collection[str] = ()) -> dict[tuple[str, str], float]:
    """Readings that had one value at every site, step and run that was read, by name and site; not of single points."""
    still: dict[str, dict[tuple[str, str], float]] = {}
    moving = set(without)
    for (name, site), series in results.readings.items():
        values = np.concatenate([np.empty(0), *(of_run.values for of_run in series.values())])
        if len(values) > len(series) and np.ptp(values) == 0:  # NaN is not equal to itself
            still.setdefault(name, {})[name, site] = float(values[0])
        else:
            moving.add(name)
    return {key: value for name, some in still.items() if name not in moving for key, value in some.items()}


def panels_of(groups: list[Theme]) -> list[Panel]:
    """All figures of some themes."""
    return [panel for theme in groups for part in theme.parts for panel in part.panels]


def spoken(name: str) -> str:
    """A reading's name as words."""
    return name.replace("_", " ")
