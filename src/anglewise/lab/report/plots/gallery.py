"""The one list of figures by name, and a function that draws any of them for a paper.

Every figure states n, draws uncertainty where there are several seeds, and comes as SVG, PDF or PNG.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from anglewise.errors import AnglewiseError, unknown
from anglewise.lab.report.plots import (
    accuracy_and_radius,
    circles,
    curvature,
    energy,
    fourier_map,
    frequencies,
    motion,
    phase,
    radius,
    spectra,
    theory,
)
from anglewise.lab.report.plots.panel import Plot, keys
from anglewise.lab.report.plots.paper import ONE_COLUMN, SMALL, STYLE, TWO_COLUMNS, checked, legend, save, styled
from anglewise.lab.report.results import Results, load


class Known(NamedTuple):
    """A figure.

    Args:
        file: Its file, with ``data(results)``, ``web(panel)`` and ``paper(panel, axis)``.
        needs: Readings, of which at least one must be there; empty for none.
        ask: What to give to ``--readings`` in order to have them.
        text: One line.
        rows: Most of them.
        columns: Most of them.
        height: Of a row, in inches.
        width: In inches; 0 for one or two columns of a paper.
    """

    file: ModuleType
    needs: tuple[str, ...]
    ask: str
    text: str
    rows: int = 2
    columns: int = 3
    height: float = 2.0
    width: float = 0.0


FIGURES: dict[str, Known] = {
    "accuracy-and-radius": Known(
        accuracy_and_radius, (), "", "test accuracy, radius, share not yet generalised", height=3.2, width=10.5
    ),
    "radius": Known(radius, ("radius",), "default", "radius of every site, with target and balance radius"),
    "energy": Known(energy, ("radial_energy",), "energy", "radial energy against 1, mean with 95 % interval"),
    "phase": Known(phase, ("radius",), "default", "radius against test accuracy, a line per seed", height=2.2),
    "motion": Known(motion, motion.NAMES, "motion", "radial and angular motion of the activations", 4, 4, 1.6),
    "curvature": Known(
        curvature, curvature.NAMES, "curvature,sharpness,edge", "Hessian trace, eigenvalues, sharpness", height=1.8
    ),
    "theory": Known(
        theory, ("rho", "balance_radius"), "theory", "measured radius and push against theory's", 2, 3, 1.7, TWO_COLUMNS
    ),
    "spectra": Known(
        spectra, ("singular_values", "effective_rank"), "spectrum", "singular values and ranks", height=1.8
    ),
    "map": Known(
        fourier_map,
        ("fourier_map",),
        "neuron-fourier",
        "neuron-by-frequency map at the end, a network per arm",
        3,
        4,
        2.2,
    ),
    "circles": Known(circles, ("circles",), "embedding", "circles of tokens at the end, a network per arm", 4, 4, 1.65),
    "frequencies": Known(frequencies, ("fourier_power",), "embedding", "power of every frequency over time", 2, 4, 2.2),
}


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
    rows = _rows(known.file.data(results), known)
    if not rows:
        return None
    columns = max(map(len, rows))
    narrow = columns == 1 or (columns == 2 and known.file is circles)  # circles are as wide as high
    width = known.width or (ONE_COLUMN if narrow else TWO_COLUMNS)
    drawn = Figure(figsize=(width, 0.35 + known.height * len(rows)), layout="constrained")
    axes = drawn.subplots(len(rows), columns, squeeze=False)
    bar = None
    for row, line in zip(axes, rows, strict=True):
        for axis, panel in zip_longest(row, line):
            if panel is None or not _shows(panel):
                axis.set_visible(False)
                continue
            bar = known.file.paper(panel, axis)
            if axis is not row[0] and axis.get_ylabel() == row[0].get_ylabel():
                axis.set_ylabel("")
    if bar is not None:
        drawn.colorbar(bar[0], ax=axes, shrink=0.8, label=bar[1], fraction=0.05)
    elif known.file is not circles:
        legend(drawn, results, list(keys(panel for row in rows for panel in row).items()))
    return drawn


def _rows(panels: Sequence[Any], known: Known) -> list[Sequence[Any]]:
    """Rows of panels, at most as many as a figure has; panels that are in no rows yet are put into such."""
    if panels and not isinstance(panels[0], list):
        shown = [panel for panel in panels if _shows(panel)]
        panels = [shown[k : k + known.columns] for k in range(0, len(shown), known.columns)]
    return [row[: known.columns] for row in panels[: known.rows]]


def _shows(panel: Any) -> bool:
    return not isinstance(panel, Plot) or len(panel.values) > 0
