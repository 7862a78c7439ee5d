"""One panel of curves as plain numbers, and how plotly (`web`) and matplotlib (`paper`) draw the same numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from anglewise.lab.report.format import label, number, plain
from anglewise.lab.report.plots.bands import Band, wide
from anglewise.lab.report.plots.inks import Ink, ink
from anglewise.lab.report.plots.paper import DASHES, logarithmic, short, stroke
from anglewise.lab.report.plots.style import FEW_ARMS, STEPS, Panel, axes, packed, rule, upright

KINDS = {False: "linear", True: "log"}
"""Plotly's names of an axis, by whether it is logarithmic."""
FEW = 12
"""Points up to which a curve shows each of them."""


class Look(NamedTuple):
    """How a layer is drawn: width in pixels, dash, opacity, with markers, as a staircase, in papers too.

    Without a dash of its own, it has the arm's.
    """

    width: float
    dash: str = ""
    opacity: float = 1.0
    marked: bool = False
    staircase: bool = False
    paper: bool = True


LAYERS = {
    "median": Look(2.2, marked=True),
    "first": Look(2.2, marked=True, staircase=True),
    "sustained": Look(2.2, marked=True, staircase=True, paper=False),
    "measured": Look(4.4, "solid", opacity=0.45),
    "train": Look(1.2, "dash"),
    "theory": Look(1.6, "dash"),
    "target": Look(1.2, "longdashdot"),
    "spread": Look(1.0, "dot", paper=False),
    "seed": Look(0.8, "solid", opacity=0.55, paper=False),
    "path": Look(1.2),
}
"""Layers, which the page switches on and off by name; the layer "band" belongs to the line that it surrounds."""
MAIN = ("measured", "path")
"""Layers that the page shows as it shows medians: always."""


class Line(NamedTuple):
    """One curve of an arm (-1 for none); all arrays have shape ``[n]``.

    The name is the arm's, or says what the line stands for.  `what` says what the values are.  `low` and `high` are the
    ends of the band.  `note` holds a whole number for each point, such as how many runs, and `noted` is what the hover
    text says of it.  `dash` and `ink` replace those of the layer and the arm.  A tick is no line but an upright tick at
    each point.
    """

    arm: int
    name: str
    what: str
    x: np.ndarray
    y: np.ndarray
    layer: str = "median"
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    note: np.ndarray | None = None
    noted: str = "%{customdata} runs"
    dash: str = ""
    ink: str = ""
    tick: bool = False

    @property
    def look(self) -> Look:
        """How it is drawn."""
        look = LAYERS[self.layer]
        return look._replace(dash=self.dash or look.dash, marked=look.marked and not self.ink)


class Plot(NamedTuple):
    """One panel, whose id is its place in the page and whose title stands above it.

    `x` and `y` say what the axes hold, with units.  `rules` are values worth a dotted line across.  `moments` are steps
    worth an upright line, by the index of the arm.  `inks` are the arms'.  `log` and `log_x` make an axis logarithmic.
    `limits` are the ends of the y-axis where they are not those of the values.  With `percent`, axis and hover text
    show shares as percent.
    The page draws a `lazy` panel when its part is opened.  With `inside`, a paper's panel explains its dashes.
    """

    id: str
    title: str
    y: str
    lines: Sequence[Line]
    x: str = STEPS
    rules: Sequence[float] = ()
    moments: Mapping[int, float] = {}
    inks: Sequence[Ink] = ()
    log: bool = False
    log_x: bool = False
    limits: tuple[float, float] | None = None
    percent: bool = False
    height: int = 300
    lazy: bool = False
    inside: bool = False

    @property
    def values(self) -> np.ndarray:
        """All finite values, one after the other."""
        values = np.concatenate([np.empty(0), *(line.y for line in self.lines)])
        return values[np.isfinite(values)]

    def ink(self, arm: int) -> Ink:
        """How an arm looks; a plain ink for none."""
        return self.inks[arm] if 0 <= arm < len(self.inks) else ink()

    @property
    def from_zero(self) -> bool:
        """Whether the y-axis shows 0."""
        return self.x == STEPS and not self.log and self.limits is None and not np.any(self.values < 0)


def banded(i: int, name: str, what: str, found: Band, layer: str = "median") -> list[Line]:
    """An arm's line with its band, which a single run does not have; nothing where there are no points."""
    if not len(found.steps):
        return []
    several = layer in ("median", "measured") and found.n.max() > 1
    low, high = (found.low, found.high) if several else (None, None)
    return [Line(i, name, what, found.steps, found.median, layer, low, high, found.n)]


def logs(plots: Sequence[Plot]) -> list[Plot]:
    """The same panels; where one has values far apart, all whose values are positive are logarithmic."""
    log = any(wide(plot.values) for plot in plots)
    return [plot._replace(log=log and not np.any(plot.values <= 0)) for plot in plots]


def web(plot: Plot) -> Panel:
    """The panel for the page."""
    title = [label(line) for line in textwrap.wrap(plot.y, 34)]
    layout = axes("<br>".join(title), plot.height, label(plot.x))
    layout["margin"]["l"] += 16 * (len(title) - 1)
    layout["yaxis"] |= {"type": KINDS[plot.log], "rangemode": "tozero" if plot.from_zero else "normal"}
    layout["yaxis"] |= {"tickformat": ".0%"} if plot.percent else {}
    layout["xaxis"] |= {"type": KINDS[plot.log_x]}
    if plot.limits is not None:
        layout["yaxis"]["range"] = np.log10(plot.limits).tolist() if plot.log else list(plot.limits)
    layout["shapes"] = [upright(step, plot.ink(i).faint(0.5), f"arm {i}") for i, step in plot.moments.items()]
    layout["shapes"] += [rule(value) for value in plot.rules]
    data = [trace for line in plot.lines for trace in _traces(line, plot)]
    return Panel(plot.id, plot.title, data, layout, plot.log, plot.lazy, about=spoken(plot))


def spoken(plot: Plot, most: int = 8) -> str:
    """A panel in words: what its axes hold, and where the line of each of the first arms begins and ends."""
    form = (lambda y: f"{100 * y:.0f} %") if plot.percent else number
    lines = [line for line in plot.lines if line.layer in ("median", "first", *MAIN) and len(line.x) and not line.tick]
    told = [f"{plain(line.name)} from {form(float(line.y[0]))} to {form(float(line.y[-1]))}" for line in lines[:most]]
    more = f", and {len(lines) - most} more lines" if len(lines) > most else ""
    where = f" of {plain(plot.title)}" if plot.title else ""
    return f"{plain(plot.y)}{where} over {plain(plot.x)}: {', '.join(told)}{more}."


def _traces(line: Line, plot: Plot) -> list[dict[str, Any]]:
    look, own, few, name = line.look, plot.ink(line.arm), len(line.x) <= FEW, label(line.name)
    colour, dash = line.ink or own.colour, look.dash or ("solid" if line.ink else own.dash)
    layer = "median" if line.layer in MAIN else line.layer
    noted = "" if line.note is None else f"<br>{line.noted}"
    trace: dict[str, Any] = {"type": "scatter", "mode": "lines", "name": name}
    trace |= {"opacity": look.opacity} if look.opacity < 1 else {}
    trace |= {"x": packed(line.x), "y": packed(line.y), "meta": {"arm": line.arm, "layer": layer}}
    trace["line"] = {"color": colour, "width": look.width} | ({"dash": dash} if dash != "solid" else {})
    trace["line"] |= {"shape": "hv"} if look.staircase else {}
    unit, digits = "step " if plot.x == STEPS else "", ".2~%" if plot.percent else ".4g"
    trace["hovertemplate"] = f"{unit}%{{x}}<br>{label(line.what)} %{{y:{digits}}}{noted}<extra>{name}</extra>"
    if line.note is not None and len(line.note) and np.all(line.note == line.note[0]):
        trace["hovertemplate"] = trace["hovertemplate"].replace("%{customdata}", f"{line.note[0]:g}")
    elif line.note is not None:
        trace["customdata"] = packed(line.note)
    sign: dict[str, Any] = {"symbol": own.symbol, "size": 7, "color": colour, "maxdisplayed": 0 if few else 9}
    if line.tick:
        tick = {"symbol": "line-ns-open", "size": 16, "color": colour, "line": {"width": 2.5}}
        trace |= {"mode": "markers", "marker": tick, "cliponaxis": False}
    elif look.marked:
        trace |= {"mode": "lines+markers", "marker": sign}
    if line.low is None or line.high is None:
        return [trace]
    ends = np.concatenate([line.x, line.x[::-1]]), np.concatenate([line.low, line.high[::-1]])
    area = {"type": "scatter", "mode": "lines", "name": name, "x": packed(ends[0]), "y": packed(ends[1])}
    area |= {"line": {"width": 0}, "fill": "toself", "fillcolor": own.faint(), "hoverinfo": "skip"}
    return [area | {"meta": {"arm": line.arm, "layer": "band"}}, trace]


def paper(plot: Plot, axis: Any) -> None:
    """Draw the panel for a paper."""
    import matplotlib

    unit = matplotlib.rcParams["lines.linewidth"] / LAYERS["median"].width
    axis.set(title=short(plot.title), xlabel=plot.x, ylabel=textwrap.fill(plot.y, 26))
    for value in plot.rules:
        axis.axhline(value, color="#888", lw=0.8, ls=":")
    for i, step in plot.moments.items():
        axis.axvline(step, color=plot.ink(i).colour, lw=0.7, alpha=0.5, zorder=0)
    bands = sum(line.low is not None for line in plot.lines)
    for line in plot.lines:
        look, own = line.look, plot.ink(line.arm)
        colour, dash = line.ink or own.colour, look.dash or ("solid" if line.ink else own.dash)
        if not look.paper:
            continue
        if line.low is not None and line.high is not None and bands <= FEW_ARMS:  # more would cover each other
            axis.fill_between(line.x, line.low, line.high, color=colour, alpha=0.16, lw=0)
        style: dict[str, Any] = {"color": colour, "ls": DASHES[dash], "markevery": max(len(line.x) // 7, 1), "ms": 3.4}
        style |= own.mark if look.marked else {}
        style |= {"ls": "", "marker": "|", "ms": 9, "mew": 1.8, "clip_on": False} if line.tick else {}
        steps = "steps-post" if look.staircase else "default"
        axis.plot(line.x, line.y, alpha=look.opacity, lw=unit * look.width, drawstyle=steps, **style)
    axis.margins(x=0.01)
    if plot.log:
        logarithmic(axis, plot.values)
    if plot.percent:
        axis.yaxis.set_major_formatter("{x:.0%}")
    if plot.log_x:
        axis.set_xscale("log")
    if plot.x == STEPS:
        axis.set_xlim(left=0)
    if plot.limits is not None or plot.from_zero:
        axis.set_ylim(*(plot.limits or (0, None)))
    if plot.inside:
        named = {f" {short(line.what)}": stroke("#555", DASHES[line.dash]) for line in plot.lines if line.dash}
        axis.legend(named.values(), named.keys())


def keys(plots: Iterable[Any]) -> dict[str, Any]:
    """What a legend says of lines that are not an arm's main ones: a stroke by what the values are."""
    lines = [line for plot in plots if isinstance(plot, Plot) and not plot.inside for line in plot.lines]
    beside = [line for line in lines if line.layer in ("train", "theory", "target")]
    return {line.what: stroke("#555", DASHES[line.look.dash]) for line in beside}
