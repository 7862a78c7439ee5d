"""Scales of colours of both kinds of figures, and what plotly's figures are made of: a panel, its axes, packed numbers.

Every trace carries ``meta = {"arm": index, "layer": name}``; the page shows an arm or a layer by these alone.  Names
are escaped for plotly, which reads a subset of HTML.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

FEW_ARMS = 8
"""Arms up to which a figure shows bands and moments of each."""
STEPS = "optimiser steps"

INK = ((0.0, "#ffffff"), (0.45, "#56B4E9"), (1.0, "#08306B"))
"""Shares, from none to all."""
TIME = ((0.0, "#F0C27A"), (0.35, "#56B4E9"), (0.7, "#0072B2"), (1.0, "#0B1D33"))
"""Steps, from the first to the last."""
CYCLE = ((0.0, "#08306B"), (0.25, "#56B4E9"), (0.5, "#F0C400"), (0.75, "#D55E00"), (1.0, "#08306B"))
"""Angles, once round; light against dark and blue against yellow, for the colour-blind."""
DEAD = "#d9d9d9"
BAR = {"thickness": 10, "outlinewidth": 0, "len": 0.9, "tickfont": {"size": 11}}
"""A colour bar."""


class Panel(NamedTuple):
    """One figure of the page: its place there, what stands above it, its traces, axes and lines.

    `log` says whether its y-axis starts logarithmic.  A `lazy` one waits until its part of the page is opened.  A
    figure that changes with the page's slider has frames: ``{"step": n, "data": [...]}`` with each trace's changes.
    """

    id: str
    site: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    log: bool = False
    lazy: bool = False
    frames: Sequence[Mapping[str, Any]] = ()
    about: str = ""

    @property
    def told(self) -> str:
        """What the figure shows, in words, for a reader who does not see it."""
        return self.about or self.site or self.id


def shade(share: float, scale: Sequence[tuple[float, str]] = TIME) -> str:
    """Colour at a share of a scale."""
    places = [place for place, _ in scale]
    colours = np.array([[int(ink[k : k + 2], 16) for k in (1, 3, 5)] for _, ink in scale], float)
    r, g, b = (round(float(np.interp(share, places, colours[:, c]))) for c in range(3))
    return f"#{r:02x}{g:02x}{b:02x}"


def packed(values: np.ndarray) -> dict[str, str]:
    """Numbers as plotly's base64 arrays: whole ones in as few bytes as they need, others in float32.

    Float32's seven digits are more than a screen shows.
    """
    kind = "f4"
    if np.issubdtype(values.dtype, np.integer) and len(values):
        low, high = int(values.min()), int(values.max())
        kind = next((k for k, top in (("u1", 255), ("u2", 65535), ("i4", 2**31 - 1)) if high <= top), "f4")
        kind = kind if low >= 0 else "f4"
    text = {"dtype": kind, "bdata": base64.b64encode(values.astype(f"<{kind}").tobytes()).decode()}
    return text if values.ndim == 1 else text | {"shape": ", ".join(map(str, values.shape))}


def to_bytes(values: np.ndarray, low: float = 0.0, high: float = 1.0) -> dict[str, Any]:
    """A matrix in one byte per value: 0 to 254 for `low` to `high`, 255 for none; the page undoes it."""
    scaled = np.clip((np.nan_to_num(values, nan=low) - low) / (high - low), 0, 1)
    coded = np.where(np.isfinite(values), np.rint(254 * scaled), 255).astype(np.uint8)
    text = base64.b64encode(coded.tobytes()).decode()
    return {"bytes": text, "low": low, "high": high, "shape": list(values.shape)}


def rule(y: float, ink: str = "#888") -> dict[str, Any]:
    """A dotted line across a figure at one value."""
    stroke = {"color": ink, "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": stroke, "layer": "below"}


def upright(x: float, ink: str, name: str, dash: str = "solid", width: float = 1.2) -> dict[str, Any]:
    """A line from the bottom of a figure to its top at one step; the page finds it by its name."""
    stroke = {"color": ink, "width": width, "dash": dash}
    at = {"x0": x, "x1": x, "y0": 0, "y1": 1}
    return {"type": "line", "yref": "paper", "line": stroke, "layer": "below", "name": name} | at


def axes(title: str, height: int, x: str = STEPS) -> dict[str, Any]:
    """Layout of a figure: what its axes say, with units, and its height in pixels."""
    ticks = {"ticks": "outside", "ticklen": 4, "exponentformat": "e"}
    axis = {"gridcolor": "#ececec", "linecolor": "#999", "zeroline": False} | ticks
    small = {"standoff": 8, "font": {"size": 12}}
    return {
        "height": height,
        "showlegend": False,
        "hovermode": "closest",
        "margin": {"l": 58, "r": 16, "t": 30, "b": 46},
        "xaxis": axis | {"title": {"text": x} | small, "rangemode": "tozero" if x == STEPS else "normal"},
        "yaxis": axis | {"title": {"text": title} | small},
    }
