"""What every page is made of: one self-contained HTML file, the controls of its figures, a safe way to disk.

Nothing from a user is ever read as HTML or script.  As a second wall, the page's content security policy lets
only the page's own scripts run, known by their hashes, and lets nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from anglewise.errors import AnglewiseError
from anglewise.files import put
from anglewise.lab.report.format import escape, script
from anglewise.lab.report.plots.style import Panel


def write_page(text: str, path: str | os.PathLike[str]) -> Path:
    """Write a text file as a whole or not at all.

    Raises:
        AnglewiseError: If it cannot be written.
    """
    return write_bytes(text.encode("utf-8"), path)


def write_bytes(data: bytes, path: str | os.PathLike[str]) -> Path:
    """Write a file as a whole or not at all; folders are made.

    Raises:
        AnglewiseError: If it cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, data)
    except OSError as error:
        raise AnglewiseError(f"cannot write {path}: {error.strerror}; choose another place") from error
    return path


def document(title: str, body: Iterable[str], panels: Sequence[Panel]) -> str:
    """A whole page: its text, the data of its figures, and the scripts that draw them.

    Args:
        title: Of the window; not yet escaped.
        body: HTML, part by part.
        panels: Figures; each has its place in the body by its id.
    """
    from plotly.offline import get_plotlyjs

    data = script([panel._asdict() for panel in panels])
    plotly, own = get_plotlyjs(), _asset("page.js")
    hashes = " ".join(_hash(text) for text in (plotly, own))
    policy = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:"
    lines = "\n".join(body)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_asset("page.css")}</style>
</head><body><main>
{lines}
</main>
<script type="application/json" id="panels">{data}</script>
<script>{plotly}</script>
<script>{own}</script>
</body></html>
"""


def grid(panels: Sequence[Panel], wide: bool = False) -> str:
    """Places for figures, side by side as far as the window allows, each under the name of its site."""
    places = "".join(
        f"<section>{f'<h3>{escape(panel.site)}</h3>' if panel.site else ''}"
        f'<div class="plot" id="{escape(panel.id)}"></div></section>'
        for panel in panels
    )
    return f'<div class="panels{" wide" if wide else ""}">{places}</div>'


def controls(*inputs: str) -> str:
    """A line of switches."""
    return f'<div class="controls">{"".join(inputs)}</div>'


def box(layer: str, text: str, *, on: bool = False) -> str:
    """A switch for a layer of all figures."""
    checked = " checked" if on else ""
    return f'<label><input type="checkbox" data-layer="{layer}"{checked}> {text}</label>'


def log(prefix: str, axis: str, *, on: bool = False) -> str:
    """A switch to a logarithmic axis, for the figures whose id begins so."""
    checked = " checked" if on else ""
    data = f'data-log="{escape(prefix)}" data-axis="{axis}axis"'
    text = "logarithmic steps" if axis == "x" else "logarithmic values"
    return f'<label><input type="checkbox" {data}{checked}> {text}</label>'


def _asset(name: str) -> str:
    return (files("anglewise.lab.report.html") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
