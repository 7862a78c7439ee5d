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
from anglewise.lab.report.plots.figures import accuracy, readings
from anglewise.lab.report.plots.networks import Own, circles, maps, powers, spectra
from anglewise.lab.report.plots.phase import phase
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
    name = f"run-{results.runs[key][:SHORT]}.html"
    return write_file(run_page(results, key), Path(reader.root) / name if path is None else path)


def run_page(results: Results, key: Key) -> str:
    """The whole page as text.

    Args:
        results: An experiment; only the run's own part is shown.
        key: The run.
    """
    results = results.only([key])
    own: Own = {panel: by_run[key] for panel, by_run in results.arrays([key]).items() if key in by_run}
    plane, rings, power, lines = maps(own), circles(own), powers(own), spectra(own)
    portraits, groups = phase(results), themes(results, without=(*FIRST, "radial_energy"), arrays=False)
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
        lines=[Part(name, group, meaning(name).text) for name, group in lines.items()],
        themes=groups,
        configuration={"arm": arms.get(key[0], key[0]), "seed": key[1], **shared},
    )


def _over_time(results: Results) -> list[Panel]:
    """Accuracy, radius and radial energy."""
    panels = []
    if results.curves.get("test_accuracy"):
        panel = accuracy(results)
        panel.layout["height"] = 300
        panels.append(panel._replace(site="accuracy"))
    for name in ("radius", "radial_energy"):
        panels += [panel._replace(site=f"{spoken(name)}: {panel.site}") for panel in readings(results, name)]
    return panels


def _mark(results: Results, key: Key, panels: list[Panel], now: int | None) -> None:
    """Put the sustained crossing and the slider's step into figures over time."""
    ended = results.ended.get(key)
    for panel in panels:
        if ended is not None and ended.sustained is not None and ended.outcome != "diverged":
            panel.layout["shapes"].append(upright(ended.sustained, "rgba(0,0,0,0.3)", "sustained", "dash"))
        if now is not None:
            panel.layout["shapes"].append(upright(now, "#9aa1a9", "now", width=2))
