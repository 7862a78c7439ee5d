"""A document: one self-contained HTML file, made from a template and the data of its figures.

Templates escape every name.  Nothing from a user is ever read as HTML or script.  As a second wall, the page's content
security policy lets only the page's own scripts run, known by their hashes, and lets nothing be fetched.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from anglewise.errors import AnglewiseError
from anglewise.files import put
from anglewise.lab.outcome import MEANINGS
from anglewise.lab.report.format import number, plain, script
from anglewise.lab.report.plots.inks import css, dark_values
from anglewise.lab.report.plots.style import Panel
from anglewise.lab.report.table import text


def write_file(content: str | bytes, path: str | os.PathLike[str]) -> Path:
    """Write a file as a whole or not at all; folders are made.

    Raises:
        AnglewiseError: If it cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, content if isinstance(content, bytes) else content.encode("utf-8"))
    except OSError as error:
        raise AnglewiseError(f"cannot write {path}: {error.strerror}; choose another place") from error
    return path


def document(template: str, panels: Sequence[Panel], **data: Any) -> str:
    """A whole page: its text, the data of its figures, and the scripts that draw them.

    Args:
        template: Name of its template, without the endings.
        panels: Figures; each has its place in the page by its id.
        **data: What the template shows, not yet escaped.
    """
    scripts = [plotly(), _asset("page.js")]
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return environment().get_template(f"{template}.html.jinja").render(
        policy=Markup(f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:"),
        style=Markup(_asset("page.css") + css(data.get("inks", ()))),
        scripts=list(map(Markup, scripts)),
        panels=Markup(script([panel._asdict() for panel in panels])),
        dark=json.dumps(dark_values(data.get("inks", ()))),
        **data,
    )  # fmt: skip


def plotly() -> str:
    """The library that draws figures in a page: plotly.js, its part for cartesian axes, under the MIT licence."""
    return _asset("vendor/plotly-cartesian.min.js")


def still(template: str, **data: Any) -> str:
    """A whole page without figures, and so without a script.

    Args:
        template: Name of its template, without the endings.
        **data: What the template shows, not yet escaped.
    """
    return environment().get_template(f"{template}.html.jinja").render(
        policy=Markup("default-src 'none'; style-src 'unsafe-inline'"), style=Markup(_asset("page.css")), scripts=[],
        panels=Markup("[]"), dark="{}", **data,
    )  # fmt: skip


@functools.cache
def environment() -> Environment:
    """What templates are read with: an unknown name is an error, and what is printed is harmless."""
    templates = Environment(
        loader=PackageLoader("anglewise.lab.report.html"), undefined=StrictUndefined, autoescape=True,
        finalize=_harmless, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    templates.filters |= {"number": number, "count": "{:,}".format, "cell": text, "lines": _lines}
    templates.filters |= {"brief": brief, "step": step}
    templates.globals |= {"MEANINGS": MEANINGS, "inks": ()}
    return templates


def _harmless(value: Any) -> Any:
    return value if hasattr(value, "__html__") else plain(value)


def step(value: int | None) -> str:
    """A step of training, or that it never came."""
    return "not reached" if value is None else f"{value:,}"


def _lines(value: str) -> Markup:
    """Text whose line ends stay."""
    return Markup("\n").join(map(plain, value.split("\n")))


def brief(value: Any) -> str:
    """A value of a specification in one line; an object as a call."""
    if isinstance(value, dict):
        fields = ", ".join(f"{key}={brief(item)}" for key, item in value.items() if key != "is")
        return f"{value.get('is', '')}({fields})"
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(brief, value))})"
    return str(value)


def _asset(name: str) -> str:
    return (files("anglewise.lab.report.html") / name).read_text(encoding="utf-8")
