"""What matplotlib's figures share: sizes, style, one legend, a way to disk with equal bytes."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from anglewise.errors import AnglewiseError
from anglewise.lab.report.format import count_of, plain
from anglewise.lab.report.html.document import write_file
from anglewise.lab.report.plots import inks
from anglewise.lab.report.plots.inks import Ink
from anglewise.lab.report.results import Results

ENDINGS = (".svg", ".pdf", ".png")
DASHES: dict[str, Any] = {"solid": "-", "dash": "--", "dot": ":", "longdashdot": "-."} | inks.DASHES
"""Plotly's names of dashes, as matplotlib has them."""
ONE_COLUMN, TWO_COLUMNS = 3.4, 6.9
"""Widths of a figure in inches."""
STYLE: Any = {
    "font.size": 9,
    "lines.linewidth": 1.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#ececec",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "text.parse_math": False,
    "svg.hashsalt": "anglewise",
    "svg.fonttype": "path",
}
SMALL: Any = STYLE | {
    "font.size": 7.5, "axes.titlesize": 8, "axes.labelsize": 7.5, "xtick.labelsize": 7, "ytick.labelsize": 7,
    "lines.linewidth": 1.3, "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
}  # fmt: skip
"""Of figures that are as wide as a paper's columns."""


@contextmanager
def styled(style: Any = SMALL) -> Iterator[None]:
    """Draw in one style; names may hold letters that the font lacks."""
    import matplotlib

    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def checked(path: str | os.PathLike[str]) -> Path:
    """A place whose ending names a format.

    Raises:
        AnglewiseError: If it names another.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise AnglewiseError(f"expected a name ending in .svg, .pdf or .png, got {path.name!r}")
    return path


def save(figure: Any, path: Path, dpi: int = 300) -> Path:
    """Write a figure; equal figures give equal bytes in SVG.

    Raises:
        AnglewiseError: If it cannot be written.
    """
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix)
    drawn = io.BytesIO()  # whole before anything is written: a failed drawing leaves the old file as it is
    figure.savefig(drawn, dpi=dpi, metadata=metadata, format=path.suffix[1:])
    return write_file(drawn.getvalue(), path)


def logarithmic(axis: Any, values: np.ndarray) -> None:
    """Make an axis logarithmic, with few numbers at it where its values span little."""
    from matplotlib.ticker import LogLocator

    axis.set_yscale("log")
    values = values[values > 0]
    if len(values) and values.max() < 300 * values.min():
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("")


def legend(figure: Any, results: Results, extra: Sequence[tuple[str, Any]]) -> None:
    """One legend below: every arm with its number of finished runs, then what else has a line of its own."""
    entries = [
        (
            f" {short(results.labels[arm], 42)} (n = {count_of(len(results.finished(arm)), len(results.seeds(arm)))})",
            handle(ink),
        )
        for arm, ink in zip(results.arms, results.inks, strict=True)
    ]  # a leading underscore would drop the entry
    entries += [(f" {name}", drawn) for name, drawn in extra]
    letters = 22 * figure.get_size_inches()[0] / 1.35
    columns = max(1, min(len(entries), int(letters // (max(len(name) for name, _ in entries) + 5))))
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.17 * -(-len(entries) // columns))
    figure.legend(
        [drawn for _, drawn in entries], [name for name, _ in entries], loc="outside lower center", ncols=columns,
        fontsize=7.5, handlelength=1.8, columnspacing=1.2,
    )  # fmt: skip


def handle(ink: Ink) -> Any:
    """An arm's line for a legend."""
    return stroke(ink.colour, ink.line["ls"], **{key: ink.mark[key] for key in ("marker", "mfc", "mec")})


def stroke(colour: str, dashes: Any, **mark: Any) -> Any:
    """A line for a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **{"color": colour, "ls": dashes, "lw": 1.5, "ms": 4} | mark)


def short(name: str, most: int = 30) -> str:
    """A name that fits into a figure."""
    name = plain(name)
    return name if len(name) <= most else f"{name[: most // 2]}\u2026{name[-most // 2 + 2 :]}"
