"""Figures for papers by name: what each draws, which readings it needs, and one function that draws any of them.

Every figure states n, draws uncertainty where there are several seeds, and comes as SVG, PDF or PNG.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from anglewise.errors import AnglewiseError, unknown
from anglewise.lab.report.plots import gallery_curves as curves
from anglewise.lab.report.plots import gallery_networks as networks
from anglewise.lab.report.plots.paper import STYLE, checked, save, styled
from anglewise.lab.report.plots.picture import picture
from anglewise.lab.report.results import Results, load


class Known(NamedTuple):
    """A figure.

    Args:
        draw: From some runs to a figure of matplotlib; None where the runs lack what it needs.
        needs: Readings, of which at least one must be there; empty for none.
        ask: What to give to ``--readings`` in order to have them.
        text: One line.
    """

    draw: Callable[[Results], Any]
    needs: tuple[str, ...]
    ask: str
    text: str


FIGURES: dict[str, Known] = {
    "accuracy-and-radius": Known(picture, (), "", "test accuracy, radius, share not yet generalised"),
    "radius": Known(curves.radius, ("radius",), "default", "radius of every site, with target and balance radius"),
    "energy": Known(curves.energy, ("radial_energy",), "energy", "radial energy against 1, mean with 95 % interval"),
    "phase": Known(curves.phase, ("radius",), "default", "radius against test accuracy, a line per seed"),
    "motion": Known(curves.motion, curves.MOTION, "motion", "radial and angular motion of the activations"),
    "curvature": Known(
        curves.curvature, curves.CURVATURE, "curvature,sharpness,edge", "Hessian trace, eigenvalues, sharpness"
    ),
    "theory": Known(curves.theory, ("rho", "balance_radius"), "theory", "measured radius and push against theory's"),
    "spectra": Known(networks.spectra, ("singular_values", "effective_rank"), "spectrum", "singular values and ranks"),
    "map": Known(
        networks.maps, ("fourier_map",), "neuron-fourier", "neuron-by-frequency map at the end, a network per arm"
    ),
    "circles": Known(networks.circles, ("circles",), "embedding", "circles of tokens at the end, a network per arm"),
    "frequencies": Known(networks.frequencies, ("fourier_power",), "embedding", "power of every frequency over time"),
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
    known = FIGURES[name]
    with styled(STYLE) if name == "accuracy-and-radius" else styled():
        figure = known.draw(results)
        if figure is None:
            lacking = " or ".join(repr(reading) for reading in known.needs)
            training = results.spec.get("training", {})
            measured = training.get("measure_every", 1)
            also = "" if measured else f" --training.measure_every {max(training.get('every', 1), 1)}"
            raise AnglewiseError(
                f"figure {name!r} needs the reading {lacking}, which these runs lack: "
                f"run the experiment again with --readings {known.ask}{also} (or all)"
            )
        return save(figure, path)
