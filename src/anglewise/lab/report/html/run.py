"""The page of one run: what one network did, step by step, with a slider through its maps and circles."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anglewise.lab.readings.quantities import meaning
from anglewise.lab.report.format import DASH
from anglewise.lab.report.html.document import document, write_file
from anglewise.lab.report.html.themes import FIRST, Part, panels_of, spoken, themes
from anglewise.lab.report.plots import circles, curves, heatmaps, phase, spectra
from anglewise.lab.report.plots.panel import web
from anglewise.lab.report.plots.style import Panel, upright
from anglewise.lab.report.results import Key, Results, load_run

SHORT = 10
"""Letters of a run's id in the name of its page."""


def write_run_page(reader: Any, run: str, path: str | os.PathLike[str] | None = None) -> Path:
    """Write the page of one run; an old one is replaced in one move.

    Args:
        reader: A store's reader.
        run: The run's id, or a beginning that no other run has.
        path: Where to; None for ``run-<beginning of the id>.html`` in the store.

    Returns:
        The path.

    Raises:
        StoreError: If there is no such run, or several.
        AnglewiseError: If the file cannot be written.
    """
    results, key = load_run(reader, run)
    return write_file(run_page(results, key), Path(reader.root) / page_name(results, key) if path is None else path)


def page_name(results: Results, key: Key) -> str:
    """The name of a run's page."""
    return f"run-{results.runs.get(key, '')[:SHORT]}.html"


def run_page(results: Results, key: Key) -> str:
    """The whole page as text.

    Args:
        results: An experiment; only the run's own part is shown.
        key: The run.
    """
    results = results.only([key])
    arrays = results.arrays([key])
    plane = [heatmaps.map_web(plane) for row in heatmaps.maps(results, arrays) for plane in row]
    power = [heatmaps.power_web(power) for row in heatmaps.powers(results, arrays) for power in row]
    rings: dict[str, list[Panel]] = {}
    for circle in [circle for row in circles.data(results, arrays) for circle in row]:
        rings.setdefault(circle.table, []).append(circles.web(circle))
    lines = {name: [spectra.web(p) for p in plots] for name, plots in spectra.over_steps(results, arrays).items()}
    portraits = [phase.web(plot) for plot in phase.data(results)]
    groups, constant = themes(results, without=(*FIRST, "radial_energy"), arrays=False)
    over_time = _over_time(results)
    moving = plane + [panel for group in rings.values() for panel in group]
    still = power + [panel for group in lines.values() for panel in group]
    steps = sorted({int(frame["step"]) for panel in moving for frame in panel.frames})
    _mark(results, key, over_time, steps[-1] if steps else None)
    arms = {arm["name"]: arm for arm in results.spec.get("arms", ()) if isinstance(arm, Mapping) and "name" in arm}
    shared = {name: results.spec[name] for name in ("task", "model", "training") if name in results.spec}
    return document(
        "run",
        over_time + portraits + moving + still + panels_of(groups),
        results=results,
        inks=results.inks,
        arm=key[0],
        seed=key[1],
        ended=results.ended.get(key),
        run_id=results.runs.get(key, DASH),
        steps=steps,
        over_time=over_time,
        portraits=portraits,
        plane=plane,
        rings=rings,
        power=power,
        lines=[Part(name, group, meaning(name).note) for name, group in lines.items()],
        themes=groups,
        constant=constant,
        configuration={"arm": arms.get(key[0], key[0]), "seed": key[1], **shared},
    )


def _over_time(results: Results) -> list[Panel]:
    """Accuracy, radius and radial energy."""
    panels = []
    if results.curves.get("test_accuracy"):
        panels.append(web(curves.accuracy(results)._replace(title="accuracy", height=300)))
    for name, plots in (("radius", curves.radius(results)), ("radial_energy", curves.radial_energy(results))):
        panels += [web(plot._replace(title=f"{spoken(name)}: {plot.title}")) for plot in plots]
    return panels


def _mark(results: Results, key: Key, panels: list[Panel], now: int | None) -> None:
    """Put the sustained crossing and the slider's step into figures over time."""
    ended = results.ended.get(key)
    for panel in panels:
        if ended is not None and ended.sustained is not None and ended.outcome != "diverged":
            panel.layout["shapes"].append(upright(ended.sustained, "rgba(0,0,0,0.3)", "sustained", "dash"))
        if now is not None:
            panel.layout["shapes"].append(upright(now, "#9aa1a9", "now", width=2))
