"""All readings of an experiment by theme: a folded part of the page for each, drawn when it is opened."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from anglewise.lab.readings.quantities import THEMES, meaning, place
from anglewise.lab.report.format import escape
from anglewise.lab.report.html.document import controls, grid, log
from anglewise.lab.report.plots import energy, over_time, spectra
from anglewise.lab.report.plots.panel import web
from anglewise.lab.report.plots.style import Panel
from anglewise.lab.report.results import Results

FIRST = ("radius", "radius_q05", "radius_q95")
"""Readings that the report shows before all others."""
NUMBERS = 300_000
"""Of single seeds, in all figures of the instruments together."""
FEWEST, MOST = 12, 80
"""Points of one curve."""
AT_END = "At the last measurement of each run: median over an arm's seeds, with the middle half of them."


class Part(NamedTuple):
    """One reading: its name, its figures by site, and what it means."""

    name: str
    panels: list[Panel]
    text: str


class Theme(NamedTuple):
    """Readings that belong together."""

    name: str
    parts: list[Part]


def instruments(results: Results, *, without: Collection[str] = FIRST, arrays: bool = True) -> list[Theme]:
    """Every reading that the report does not show before; empty themes are left out.

    Args:
        results: What came out.
        without: Readings that are shown elsewhere.
        arrays: Whether the runs' last spectra are among them.
    """
    names = sorted({name for name, _ in results.readings} - set(without), key=place)
    curves = sum(len(series) for (name, _), series in results.readings.items() if name in names)
    most = int(np.clip(NUMBERS // max(curves, 1), FEWEST, MOST))
    found: dict[str, list[Part]] = {theme: [] for theme in THEMES}
    for name in names:
        told = meaning(name)
        if name == energy.NAME:
            plots = energy.data(results, lazy=True, most=most)
        else:
            plots = over_time.data(results, name, lazy=True, most=most)
        found[told.theme].append(Part(name, [web(plot) for plot in plots], told.text))
    last = results.arrays(results.planned, spectra.CURVES, last=True) if arrays else {}
    for name in spectra.CURVES:
        panels = [web(plot) for plot in spectra.at_the_end(results, last, name)]
        if panels:
            found[meaning(name).theme].append(Part(name, panels, f"{meaning(name).text} {AT_END}"))
    return [Theme(name, parts) for name, parts in found.items() if parts]


def themes(groups: list[Theme]) -> str:
    """The folded parts of the page."""
    return "".join(
        f'<details class="theme" id="{escape(group.name.lower().replace(" ", "-"))}"><summary>'
        f"<strong>{escape(group.name)}</strong> {_listed(group)}</summary>{''.join(map(_part, group.parts))}</details>"
        for group in groups
    )


def _listed(group: Theme) -> str:
    names = [spoken(part.name) for part in group.parts]
    return f'<span class="soft">{escape(", ".join(names))}</span>'


def _part(part: Part) -> str:
    values = log(part.panels[0].id.rpartition("-")[0] + "-", "y", on=any(panel.log for panel in part.panels))
    text = f'<p class="note">{escape(part.text)}</p>' if part.text else ""
    head = f"<h3>{escape(spoken(part.name).capitalize())} <code>{escape(part.name)}</code></h3>"
    return f'<section class="reading">{head}{text}{controls(values)}{grid(part.panels)}</section>'


def spoken(name: str) -> str:
    """A reading's name as words."""
    return name.replace("_", " ")
