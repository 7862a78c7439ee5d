"""The one list of figures by name, and a function that draws any of them for a paper.

Every figure states n, draws uncertainty where there are several seeds, and comes as SVG, PDF or PNG.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from anglewise.errors import AnglewiseError, unknown
from anglewise.lab.report.plots import circles, curves, heatmaps, panel, phase, spectra
from anglewise.lab.report.plots.panel import Plot, keys
from anglewise.lab.report.plots.paper import ONE_COLUMN, SMALL, STYLE, TWO_COLUMNS, checked, legend, save, styled
from anglewise.lab.report.plots.style import Panel
from anglewise.lab.report.results import Results, load


class Known(NamedTuple):
    """A figure: what gives its panels, in rows or one after the other, and one line of text about it.

    It needs at least one of some readings, which ``--readings`` with `ask` writes.  `grid` holds the most rows and
    columns, `height` a row's inches, `width` those of the whole where they are not one or two columns of a paper.
    `web` gives a panel for the page, and `paper` draws one for a paper.
    """

    data: Callable[[Results], Sequence[Any]]
    text: str
    needs: tuple[str, ...] = ()
    ask: str = ""
    grid: tuple[int, int] = (2, 3)
    height: float = 2.0
    width: float = 0.0
    web: Callable[[Any], Panel] = panel.web
    paper: Callable[[Any, Any], Any] = panel.paper


# fmt: off
FIGURES: dict[str, Known] = {
    "accuracy-and-radius": Known(
        curves.accuracy_and_radius, "test accuracy, radius, share not yet generalised", height=3.2, width=10.5),
    "radius": Known(curves.radius, "radius of every site, with target and balance radius", ("radius",), "default"),
    "energy": Known(
        curves.radial_energy, "radial energy against 1, mean with 95 % interval", ("radial_energy",), "energy"),
    "phase": Known(
        phase.data, "radius against test accuracy, a line per seed", ("radius",), "default", height=2.2,
        web=phase.web, paper=phase.paper),
    "motion": Known(
        curves.motion, "radial and angular motion of the activations", curves.MOTION, "motion", (4, 4), 1.6),
    "curvature": Known(
        curves.curvature, "Hessian trace, eigenvalues, sharpness", curves.CURVATURE, "curvature,sharpness,edge",
        height=1.8),
    "theory": Known(
        curves.theory, "measured radius and push against theory's", ("rho", "balance_radius"), "theory",
        height=1.7, width=TWO_COLUMNS),
    "spectra": Known(
        spectra.data, "singular values and ranks", ("singular_values", "effective_rank"), "spectrum", height=1.8,
        web=spectra.web),
    "map": Known(
        heatmaps.maps, "neuron-by-frequency map at the end, a network per arm", ("fourier_map",), "neuron-fourier",
        (3, 4), 2.2, web=heatmaps.map_web, paper=heatmaps.map_paper),
    "circles": Known(
        circles.data, "circles of tokens at the end, a network per arm", ("circles",), "embedding", (4, 4), 1.65,
        web=circles.web, paper=circles.paper),
    "frequencies": Known(
        heatmaps.powers, "power of every frequency over time", ("fourier_power",), "embedding", (2, 4), 2.2,
        web=heatmaps.power_web, paper=heatmaps.power_paper),
}
# fmt: on


def draw_figure(
    name: str,
    reader: Any,
    path: str | os.PathLike[str],
    *,
    experiment: str | None = None,
    runs: Sequence[str] = (),
) -> Path:
    """Draw one figure of a store.

    Args:
        name: One of :data:`FIGURES`.
        reader: The store's reader.
        path: Where to; its ending (.svg, .pdf or .png) is the format.
        experiment: Which of the store's experiments; None where it holds only one.
        runs: Only these arms (by name) or runs (by id, or its unique beginning); empty for all.

    Returns:
        The path.

    Raises:
        StoreError: If there is no such experiment, arm or run.
        AnglewiseError: If there is no such figure, the runs lack the readings that it needs, or the file cannot be
            written.
    """
    if name not in FIGURES:
        raise AnglewiseError(unknown("figure", name, FIGURES))
    path = checked(path)
    return draw(name, load(reader, experiment).select(runs), path)


def draw(name: str, results: Results, path: Path) -> Path:
    """Draw one figure of some runs; arguments and errors as in :func:`draw_figure`."""
    path, known = checked(path), FIGURES[name]
    with styled(STYLE if known.width > TWO_COLUMNS else SMALL):
        drawn = figure(name, results)
        if drawn is None:
            lacking = " or ".join(repr(reading) for reading in known.needs)
            training = results.spec.get("training", {})
            measured = training.get("measure_every", 1)
            also = "" if measured else f" --training.measure_every {max(training.get('every', 1), 1)}"
            raise AnglewiseError(
                f"figure {name!r} needs the reading {lacking}, which these runs lack: "
                f"run the experiment again with --readings {known.ask}{also} (or all)"
            )
        return save(drawn, path)


def figure(name: str, results: Results) -> Any:
    """The same as a figure of matplotlib, to be drawn in a style; None where the runs lack what it needs."""
    from matplotlib.figure import Figure

    known = FIGURES[name]
    rows = _rows(known.data(results), *known.grid)
    if not rows:
        return None
    columns = max(map(len, rows))
    narrow = columns == 1 or (columns == 2 and name == "circles")  # circles are as wide as high
    width = known.width or (ONE_COLUMN if narrow else TWO_COLUMNS)
    drawn = Figure(figsize=(width, 0.35 + known.height * len(rows)), layout="constrained")
    axes = drawn.subplots(len(rows), columns, squeeze=False)
    bar = None
    for row, line in zip(axes, rows, strict=True):
        for axis, plot in zip_longest(row, line):
            if plot is None or not _shows(plot):
                axis.set_visible(False)
                continue
            bar = known.paper(plot, axis)
            if axis is not row[0] and axis.get_ylabel() == row[0].get_ylabel():
                axis.set_ylabel("")
    if bar is not None:
        drawn.colorbar(bar[0], ax=axes, shrink=0.8, label=bar[1], fraction=0.05)
    elif name != "circles":
        legend(drawn, results, list(keys(plot for row in rows for plot in row).items()))
    return drawn


def _rows(panels: Sequence[Any], rows: int, columns: int) -> list[Sequence[Any]]:
    """At most so many rows and columns of panels; panels that are in no rows yet are put into such."""
    if panels and not isinstance(panels[0], list):
        shown = [plot for plot in panels if _shows(plot)]
        panels = [shown[k : k + columns] for k in range(0, len(shown), columns)]
    return [row[:columns] for row in panels[:rows]]


def _shows(plot: Any) -> bool:
    return not isinstance(plot, Plot) or len(plot.values) > 0
