"""The page of one run: what one network did, step by step, with a slider through its maps and circles."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anglewise.lab.readings.quantities import meaning
from anglewise.lab.report.format import DASH, escape, number
from anglewise.lab.report.html import parts as sections
from anglewise.lab.report.html.document import box, controls, document, grid, log, write_page
from anglewise.lab.report.html.instruments import FIRST, instruments, spoken, themes
from anglewise.lab.report.plots import accuracy, circles, energy, fourier_map, frequencies, phase, radius, spectra
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
    return write_page(run_page(results, key), Path(reader.root) / name if path is None else path)


def run_page(results: Results, key: Key) -> str:
    """The whole page as text.

    Args:
        results: An experiment; only the run's own part is shown.
        key: The run.
    """
    results = results.only([key])
    arrays = results.arrays([key])
    plane = [fourier_map.web(plane) for row in fourier_map.data(results, arrays) for plane in row]
    power = [frequencies.web(power) for row in frequencies.data(results, arrays) for power in row]
    rings: dict[str, list[Panel]] = {}
    for circle in [circle for row in circles.data(results, arrays) for circle in row]:
        rings.setdefault(circle.table, []).append(circles.web(circle))
    lines = {name: [spectra.web(p) for p in plots] for name, plots in spectra.over_steps(results, arrays).items()}
    over_time = []
    if results.curves.get("test_accuracy"):
        over_time.append(accuracy.web(accuracy.data(results)._replace(title="accuracy", height=300)))
    for name, plots in (("radius", radius.data(results)), ("radial_energy", energy.data(results))):
        over_time += [radius.web(plot._replace(title=f"{spoken(name)}: {plot.title}")) for plot in plots]
    moving = plane + [panel for group in rings.values() for panel in group]
    steps = sorted({int(frame["step"]) for panel in moving for frame in panel.frames})
    _mark(results, key, over_time, steps[-1] if steps else None)
    portraits, groups = (
        [phase.web(p) for p in phase.data(results)],
        instruments(results, without=(*FIRST, "radial_energy"), arrays=False),
    )
    panels = over_time + portraits + moving + power + [panel for group in lines.values() for panel in group]
    panels += [panel for group in groups for part in group.parts for panel in part.panels]
    body = [
        _top(results, key),
        _slider(steps),
        _time(over_time),
        _portraits(portraits),
        _circuit(plane, rings, power),
        _lines(lines),
        f"<section><h2>Instruments</h2>{themes(groups)}</section>" if groups else "",
        _about(results, key),
    ]
    return document(f"{key[0]}, seed {key[1]}: {results.name}", body, panels)


def _top(results: Results, key: Key) -> str:
    arm, seed = key
    ended = results.ended.get(key)
    if ended is None:
        told = "This run has not finished."
    else:
        first = f"step {ended.first:,}" if ended.first is not None else "not reached"
        sustained = f"step {ended.sustained:,}" if ended.sustained is not None else "not reached"
        told = (
            f"Outcome: {ended.outcome} after {ended.steps:,} of {results.budget:,} steps ({number(ended.seconds)} s). "
            f"{100 * results.threshold:g} % test accuracy: first {first}, sustained {sustained}."
        )
    mark = "" if ended is not None else " warning"
    return (
        f"<header><h1>{escape(arm)}, seed {seed}</h1>"
        f'<p class="soft">Run {escape(results.runs.get(key, DASH))} of “{escape(results.title or results.name)}”. '
        "One seed is an illustration.</p></header>"
        f'<div class="verdict{mark}"><p><strong>{escape(told)}</strong></p></div>'
    )


def _slider(steps: list[int]) -> str:
    if len(steps) < 2:
        return ""
    return (
        '<nav class="slider" aria-label="step"><button type="button" id="play">play</button>'
        f'<input type="range" id="slider" min="0" max="{len(steps) - 1}" value="{len(steps) - 1}" '
        f'data-steps="{escape(json.dumps(steps))}" aria-label="measured step">'
        f'<span>step <output id="step">{steps[-1]:,}</output></span></nav>'
    )


def _time(panels: list[Panel]) -> str:
    if not panels:
        return "<section><h2>Over time</h2><p>No evaluations yet.</p></section>"
    note = (
        "Upright lines: where the run first reached the threshold (solid), from where on it stayed there (dashed), "
        "and the slider's step (grey). Of the radius, dash-dotted is the target and dashed the radius at which theory "
        "has the loss's push and the penalty's pull cancel; a random direction has a radial energy of 1."
    )
    boxes = controls(
        box("train", "train accuracy (dashed)", on=True),
        box("theory", "balance radius (dashed)", on=True),
        box("spread", "5 % and 95 % of the activations (dotted)"),
        log("rad", "y", on=any(panel.log for panel in panels)),
    )
    return f'<section><h2>Over time</h2>{boxes}{grid(panels, wide=True)}<p class="note">{note}</p></section>'


def _portraits(panels: list[Panel]) -> str:
    if not panels:
        return ""
    note = "Radius against test accuracy, from the ring to the last arrow; arrows stand at equal times."
    return f'<section><h2>Phase portrait</h2>{grid(panels)}<p class="note">{note}</p></section>'


def _circuit(plane: list[Panel], rings: Mapping[str, list[Panel]], power: list[Panel]) -> str:
    if not plane and not rings and not power:
        return (
            "<section><h2>Circuit</h2><p>No map, circles or powers were read: they exist for tasks that turn a cyclic "
            "group, and are read with --readings all.</p></section>"
        )
    parts = []
    if plane:
        note = (
            "Share of a neuron's variance over all pairs that each frequency explains; rows in the order of the last "
            "step, by best frequency. Blocks are neurons that share a frequency; grey rows are dead neurons."
        )
        parts.append(f'<h3>Neurons by frequency</h3><p class="note">{note}</p>{grid(plane)}')
    if rings:
        note = (
            "The tokens of a table in the plane of each of its strongest frequencies, joined and coloured in the "
            "order in which a perfect circle would have them; the axes' scale changes with the step."
        )
        parts.append(f'<h3>Circles of tokens</h3><p class="note">{note}</p>')
    for site, group in rings.items():
        parts.append(f'<h3><code>{escape(site)}</code></h3><div class="small">{grid(group)}</div>')
    if power:
        note = "A band is a frequency that has been found; the table's or the logits' shares add up to at most 1."
        parts.append(f'<h3>Power of every frequency</h3><p class="note">{note}</p>{grid(power)}')
    return f"<section><h2>Circuit</h2>{''.join(parts)}</section>"


def _lines(lines: Mapping[str, list[Panel]]) -> str:
    if not lines:
        return ""
    parts = "".join(
        f'<h3>{escape(spoken(name).capitalize())}</h3><p class="note">{escape(meaning(name).text)}</p>{grid(group)}'
        for name, group in lines.items()
    )
    note = "The darker a line, the later the step."
    return f'<section><h2>Spectra and curvature</h2><p class="note">{note}</p>{parts}</section>'


def _about(results: Results, key: Key) -> str:
    arms = results.spec.get("arms", ())
    own = [arm for arm in arms if isinstance(arm, Mapping) and arm.get("name") == key[0]]
    shared = {name: results.spec[name] for name in ("task", "model", "training") if name in results.spec}
    told = sections.nested({"arm": own[0] if own else key[0], "seed": key[1], **shared})
    return f'<section><h2>Configuration</h2><div class="scroll">{told}</div></section>'


def _mark(results: Results, key: Key, panels: list[Panel], now: int | None) -> None:
    """Put the sustained crossing and the slider's step into figures over time."""
    ended = results.ended.get(key)
    for panel in panels:
        if ended is not None and ended.sustained is not None and ended.outcome != "diverged":
            panel.layout["shapes"].append(upright(ended.sustained, "rgba(0,0,0,0.3)", "sustained", "dash"))
        if now is not None:
            panel.layout["shapes"].append(upright(now, "#9aa1a9", "now", width=2))
