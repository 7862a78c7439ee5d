"""The report: one HTML file that holds everything, opens without a network and begins with the result.

Nothing from a user is ever read as HTML or script.  As a second wall, the page's content security policy lets
only the page's own scripts run, known by their hashes, and lets nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from anglewise.errors import AnglewiseError
from anglewise.lab.report import sections
from anglewise.lab.report.curves import CAPTION
from anglewise.lab.report.figures import COLOURS, Panel, accuracy, readings, survival, targets
from anglewise.lab.report.results import Results, load
from anglewise.lab.report.summary import CRITERIA, NOTE, ArmSummary, Criterion, summaries
from anglewise.lab.report.text import escape, script
from anglewise.lab.report.verdict import verdict

Tables: TypeAlias = dict[Criterion, list[ArmSummary]]


def write_report(
    reader: Any, experiment_id: str | None, path: str | os.PathLike[str], *, command: str | None = None
) -> Path:
    """Write the report of one experiment; an old one is replaced in one move.

    Args:
        reader: A store's reader.
        experiment_id: Which experiment; None where the store holds only one.
        path: Where to; folders are made.
        command: What reproduces the experiment; None for what the store says.

    Returns:
        The path.

    Raises:
        StoreError: If there is no such experiment.
        AnglewiseError: If the file cannot be written.
    """
    return write_page(page(load(reader, experiment_id), command=command), path)


def write_page(text: str, path: str | os.PathLike[str]) -> Path:
    """Write a file as a whole or not at all."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(beside, 0o644)
            os.replace(beside, path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise AnglewiseError(f"cannot write {path}: {error.strerror}; choose another place") from error
    return path


def page(results: Results, *, command: str | None = None) -> str:
    """The whole report as text."""
    from plotly.offline import get_plotlyjs

    radii = readings(results, "radius")
    names = dict.fromkeys(name for name, _ in results.readings if not name.startswith("radius"))
    others = {name: readings(results, name) for name in names}
    tables = summaries(results)
    first = tables["first"]
    ran = any(s.finished for s in first)
    panels = [accuracy(results)] if results.curves.get("test_accuracy") else []
    panels += radii + ([survival(results)] if ran else []) + [p for group in others.values() for p in group]
    body = "\n".join(
        [
            _top(results, tables),
            sections.legend(results),
            _accuracy(results),
            _radii(results, radii),
            _times(results, tables, ran),
            f"<section><h2>How the runs ended</h2>{sections.outcomes(first)}</section>",
            *[_others(results, name, group) for name, group in others.items()],
            _configuration(results),
            _reproduce(results, results.command if command is None else command),
        ]
    )
    data = script([panel._asdict() for panel in panels])
    plotly, own = get_plotlyjs(), _asset("page.js")
    hashes = " ".join(_hash(text) for text in (plotly, own))
    policy = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:"
    title = escape(results.title or results.name)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_asset("page.css")}</style>
</head><body><main>
{body}
</main>
<script type="application/json" id="panels">{data}</script>
<script>{plotly}</script>
<script>{own}</script>
</body></html>
"""


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
    return _box("band", "bands", on=len(results.arms) <= len(COLOURS))


def _accuracy(results: Results) -> str:
    if not results.curves.get("test_accuracy"):
        return "<section><h2>Accuracy</h2><p>No evaluations yet.</p></section>"
    boxes = _controls(
        _bands(results),
        _box("seed", "single seeds"),
        _box("train", "train accuracy (dashed)", on=True),
        _log("accuracy", "x"),
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
    boxes = _controls(
        _bands(results),
        _box("seed", "single seeds"),
        _box("spread", "5 % and 95 % of a network's activations (dotted)") if spread else "",
        _log("radius", "y", on=any(panel.log for panel in panels)),
        _log("radius", "x"),
    )
    has_target = any(targets(results, arm, panel.site) for arm in results.arms for panel in panels)
    note = " Dash-dotted: an arm's target." if has_target else ""
    return (
        f"<section><h2>Radius of every site</h2>{boxes}{_grid(panels)}"
        f'<p class="note">Length of the activations, averaged over samples, in units of the square root of '
        f"their width: 1 is what a vector of unit variance has.{note} {CAPTION}</p></section>"
    )


def _others(results: Results, name: str, panels: list[Panel]) -> str:
    title = escape(name.replace("_", " ").capitalize())
    log = _log(f"{name}-", "y", on=any(panel.log for panel in panels))
    boxes = _controls(_bands(results), _box("seed", "single seeds"), log)
    return f"<section><h2>{title}</h2>{boxes}{_grid(panels)}</section>"


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
    return f'<section><h2>Time to generalise</h2>{figure}{numbers}<p class="note">{NOTE}</p></section>'


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


def _grid(panels: list[Panel]) -> str:
    figures = "".join(
        f'<section><h3>{escape(panel.site)}</h3><div class="plot" id="{escape(panel.id)}"></div></section>'
        for panel in panels
    )
    return f'<div class="panels">{figures}</div>'


def _controls(*inputs: str) -> str:
    return f'<div class="controls">{"".join(inputs)}</div>'


def _box(layer: str, text: str, *, on: bool = False) -> str:
    checked = " checked" if on else ""
    return f'<label><input type="checkbox" data-layer="{layer}"{checked}> {text}</label>'


def _log(prefix: str, axis: str, *, on: bool = False) -> str:
    checked = " checked" if on else ""
    data = f'data-log="{escape(prefix)}" data-axis="{axis}axis"'
    text = "logarithmic steps" if axis == "x" else "logarithmic values"
    return f'<label><input type="checkbox" {data}{checked}> {text}</label>'


def _asset(name: str) -> str:
    return (files("anglewise.lab.report") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
