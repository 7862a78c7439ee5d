"""The report of an experiment: one HTML file that holds everything and begins with the result."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypeAlias

from anglewise.lab.report.comparison import CRITERIA, ArmSummary, Criterion
from anglewise.lab.report.format import escape
from anglewise.lab.report.html import parts as sections
from anglewise.lab.report.html.document import box, controls, document, grid, log, write_page
from anglewise.lab.report.html.instruments import Theme, instruments, themes
from anglewise.lab.report.plots import accuracy, phase, radius, survival
from anglewise.lab.report.plots.bands import CAPTION
from anglewise.lab.report.plots.radius import targets
from anglewise.lab.report.plots.style import COLOURS, Panel
from anglewise.lab.report.results import Results, load
from anglewise.lab.report.runs import every_of
from anglewise.lab.report.summary import NOTE, explained, summaries
from anglewise.lab.report.verdict import verdict

Tables: TypeAlias = dict[Criterion, list[ArmSummary]]


def write_report(
    reader: Any,
    experiment_id: str | None,
    path: str | os.PathLike[str],
    *,
    command: str | None = None,
    baseline: str | None = None,
) -> Path:
    """Write the report of one experiment; an old one is replaced in one move.

    Args:
        reader: A store's reader.
        experiment_id: Which experiment; None where the store holds only one.
        path: Where to; folders are made.
        command: What reproduces the experiment; None for what the store says.
        baseline: The arm that speed-ups refer to; None for the experiment's.

    Returns:
        The path.

    Raises:
        StoreError: If there is no such experiment.
        AnglewiseError: If the file cannot be written.
    """
    return write_page(page(load(reader, experiment_id, baseline), command=command), path)


def page(results: Results, *, command: str | None = None) -> str:
    """The whole report as text."""
    radii = [radius.web(plot) for plot in radius.data(results)]
    portraits, groups = [phase.web(portrait) for portrait in phase.data(results)], instruments(results)
    tables = summaries(results)
    first = tables["first"]
    ran = any(s.finished for s in first)
    panels = [accuracy.web(accuracy.data(results))] if results.curves.get("test_accuracy") else []
    panels += radii + portraits + ([survival.web(survival.data(results))] if ran else [])
    panels += [panel for group in groups for part in group.parts for panel in part.panels]
    body = [
        _top(results, tables),
        sections.legend(results),
        _accuracy(results),
        _radii(results, radii),
        _phase(portraits),
        _times(results, tables, ran),
        f"<section><h2>How the runs ended</h2>{sections.outcomes(first)}</section>",
        _instruments(results, groups),
        _configuration(results),
        _reproduce(results, results.command if command is None else command),
    ]
    return document(results.title or results.name, body, panels)


def _top(results: Results, tables: Tables) -> str:
    first, *rest = verdict(results, tables)
    counts = sections.counts(tables["first"])
    lines = f"<p><strong>{escape(first)}</strong></p>" + "".join(f"<p>{escape(line)}</p>" for line in rest)
    mark = " warning" if "missing" in counts else ""
    made = f", {escape(results.created[:16].replace('T', ' '))}" if results.created else ""
    return (
        f"<header><h1>{escape(results.title or results.name)}</h1>"
        f'<p class="soft">{escape(results.name)}: {len(results.arms)} arms, runs: {escape(counts)}, '
        f"budget {results.budget:,} steps{made}</p></header>"
        f'<div class="verdict{mark}">{lines}</div>'
    )


def _bands(results: Results) -> str:
    return box("band", "bands", on=len(results.arms) <= len(COLOURS))


def _accuracy(results: Results) -> str:
    if not results.curves.get("test_accuracy"):
        return "<section><h2>Accuracy</h2><p>No evaluations yet.</p></section>"
    boxes = controls(
        _bands(results),
        box("seed", "single seeds"),
        box("train", "train accuracy (dashed)", on=True),
        log("accuracy", "x"),
    )
    note = f"The dotted line is the threshold, {100 * results.threshold:g} % of the test examples."
    return (
        f'<section><h2>Test accuracy</h2>{boxes}<div class="plot" id="accuracy"></div>'
        f'<p class="note">{CAPTION} {note}</p></section>'
    )


def _radii(results: Results, panels: list[Panel]) -> str:
    if not panels:
        return "<section><h2>Radii</h2><p>No radii were read.</p></section>"
    spread = any(name in ("radius_q05", "radius_q95") for name, _ in results.readings)
    balance = any(name == "balance_radius" for name, _ in results.readings)
    boxes = controls(
        _bands(results),
        box("seed", "single seeds"),
        box("spread", "5 % and 95 % of a network's activations (dotted)") if spread else "",
        box("theory", "balance radius (dashed)", on=True) if balance else "",
        log("radius", "y", on=any(panel.log for panel in panels)),
        log("radius", "x"),
    )
    has_target = any(targets(results, arm, panel.site) for arm in results.arms for panel in panels)
    note = " Dash-dotted: an arm's target." if has_target else ""
    if balance:
        note += " Dashed: the radius at which theory has the loss's outward push and the penalty's pull cancel."
    return (
        f"<section><h2>Radius of every site</h2>{boxes}{grid(panels)}"
        f'<p class="note">Length of the activations, averaged over samples, in units of the square root of '
        f"their width: 1 is what a vector of unit variance has.{note} {CAPTION}</p></section>"
    )


def _phase(panels: list[Panel]) -> str:
    if not panels:
        return ""
    note = (
        "One line per seed, each from its first step (ring) to its last, with arrows along time: how far the "
        "activations lie from the origin against how well the network generalises. A line that runs right and then "
        "up inflates first and generalises later; one that turns left while it climbs generalises as it shrinks."
    )
    return f'<section><h2>Phase portrait</h2>{grid(panels)}<p class="note">{note}</p></section>'


def _instruments(results: Results, groups: list[Theme]) -> str:
    if not groups:
        return ""
    boxes = controls(_bands(results), box("seed", "single seeds"))
    faint = " A faint upright line is an arm's median time to generalise." if sections.any_reached(results) else ""
    note = f"Readings by theme; open one to draw it. {CAPTION}{faint}"
    return f'<section><h2>Instruments</h2>{boxes}<p class="note">{note}</p>{themes(groups)}</section>'


def _times(results: Results, tables: Tables, ran: bool) -> str:
    figure = "<p>No run has finished yet.</p>"
    if ran:
        radios = "".join(
            f'<label><input type="radio" name="crossing" data-layer="{kind}"{on}> {kind} crossing</label>'
            for kind, on in (("first", " checked"), ("sustained", ""))
        )
        figure = (
            f'<div class="controls">{radios}</div><div class="plot" id="survival"></div>'
            '<p class="note">Kaplan-Meier estimate over finished runs. A tick at the budget marks an arm '
            "with runs that had not generalised by then.</p>"
        )
    numbers = "".join(sections.numbers(results, criterion, tables[criterion]) for criterion in CRITERIA)
    note = explained(NOTE, every_of(results))
    return f'<section><h2>Time to generalise</h2>{figure}{numbers}<p class="note">{escape(note)}</p></section>'


def _configuration(results: Results) -> str:
    spec = results.spec
    shared = {key: spec[key] for key in ("task", "model", "training") if key in spec}
    whole = escape(json.dumps(spec, indent=2, ensure_ascii=False))
    return (
        f"<section><h2>Configuration</h2>{sections.settings(results)}"
        f'<div class="scroll">{sections.nested(shared)}</div>'
        f"<details><summary>the whole specification as JSON</summary><pre>{whole}</pre></details></section>"
    )


def _reproduce(results: Results, command: str) -> str:
    line = (
        f'<pre><code id="command">{escape(command)}</code></pre><button class="copy" type="button">copy</button>'
        if command
        else "<p>No command was recorded.</p>"
    )
    origin = f'<p class="soft">Experiment {escape(results.experiment_id)}</p>{sections.provenance(results)}'
    return f"<section><h2>Reproduce</h2>{line}<h3>Provenance</h3>{origin}</section>"
