"""Animations of one run: the circle of tokens, the radius against accuracy or angle, the map of neurons.

A frame is a step that was measured; nothing is drawn in between.  To the right of each stands the accuracy on training
and on unseen examples up to that step.  One run is an illustration, and the heading names its seed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from anglewise.errors import AnglewiseError
from anglewise.lab.readings.quantities import meaning
from anglewise.lab.report.format import fixed, plain
from anglewise.lab.report.html.document import write_file
from anglewise.lab.report.plots.bands import clean, thin
from anglewise.lab.report.plots.circles import X, Y, ring
from anglewise.lab.report.plots.heatmaps import scale
from anglewise.lab.report.plots.inks import Ink
from anglewise.lab.report.plots.paper import SMALL, styled
from anglewise.lab.report.plots.phase import path as phase_path
from anglewise.lab.report.plots.style import CYCLE, DEAD, INK
from anglewise.lab.report.results import Key, Results, Series
from anglewise.lab.stats.blocks import block_order

ENDINGS = (".gif", ".mp4")
FRAMES = 60
"""At most."""
SIZE, DPI = (5.6, 2.9), 100
COLOURS = 64
"""Of a GIF."""
LAST = 2.0
"""Seconds for which the last frame stays."""


class Film(NamedTuple):
    """A figure and the steps of its frames; `draw` changes the figure to a frame by its index."""

    figure: Any
    steps: np.ndarray
    draw: Callable[[int], None]


def animate(results: Results, key: Key, what: str, path: str | os.PathLike[str], seconds: float = 6.0) -> Path:
    """Write an animation of one run.

    Args:
        results: The run's experiment.
        key: The run.
        what: One of :data:`WHAT`.
        path: Where to; its ending (.gif or .mp4) is the format.
        seconds: How long it plays, before its last frame stays for a while.

    Returns:
        The path.

    Raises:
        AnglewiseError: If the run lacks what it needs, the ending is another, an .mp4 has no encoder, or the file
            cannot be written.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise AnglewiseError(f"expected a name ending in .gif or .mp4, got {path.name!r}")
    encoder = _encoder() if path.suffix == ".mp4" else ""
    with styled(SMALL):
        film = WHAT[what](results.only([key]), key)
        shots = [_shot(film, i) for i in range(len(film.steps))]
    each = seconds / len(shots)
    return write_file(_mp4(shots, each, encoder) if encoder else _gif(shots, each), path)


def circle(results: Results, key: Key) -> Film:
    """The tokens of the first table in the plane of the frequency that is strongest in the end, each frame to scale."""
    arrays = results.arrays([key], ["circles", "circle_frequencies"])
    tables = [site for name, site in arrays if name == "circles" and key in arrays[name, site]]
    if not tables or ("circle_frequencies", tables[0]) not in arrays:
        raise _lacks("circle", "circles", "embedding")
    points, found = arrays["circles", tables[0]][key], arrays["circle_frequencies", tables[0]][key]
    k = found.values[-1, 0]
    shown = [i for i in range(len(points.steps)) if k in found.values[i]]
    shown = [shown[i] for i in thin(np.arange(len(shown)), FRAMES)]
    planes = [points.values[i][list(found.values[i]).index(k)] for i in shown]
    closed, turns, _ = ring(planes[-1], float(k))
    figure, axis, follow = _stage(results, key)
    axis.set(aspect="equal", xlabel=X, ylabel=Y, xticks=[], yticks=[])
    axis.set_title(f"Tokens of {plain(tables[0])} at frequency {k:g}", fontsize=7.5)
    (line,) = axis.plot([], [], color="#bbbbbb", lw=0.6, zorder=1)
    dots = axis.scatter(*planes[0][closed].T, c=turns, cmap=scale(CYCLE), vmin=0, vmax=1, s=14, lw=0, zorder=2)

    def draw(i: int) -> None:
        line.set_data(*planes[i][closed].T)
        dots.set_offsets(planes[i][closed])
        reach = 1.12 * float(np.nanmax(np.abs(planes[i]), initial=1e-12))
        axis.set(xlim=(-reach, reach), ylim=(-reach, reach))
        follow(int(points.steps[shown[i]]))

    return Film(figure, points.steps[shown], draw)


def phase(results: Results, key: Key) -> Film:
    """Radius against accuracy at every site, each as a line that grows."""
    sites = [site for name, site in results.readings if name == "radius"]
    lines = {site: line for site in sites if (line := phase_path(results, site, key)) is not None}
    if not lines:
        raise _lacks("phase", "radius", "default")
    film, axis = _trails(results, key, {site: (np.asarray(line.note), line.x, line.y) for site, line in lines.items()})
    axis.set(ylim=(-0.03, 1.05), xlabel=meaning("radius").title, ylabel="test accuracy")
    axis.set_title("Radius against accuracy", fontsize=7.5)
    axis.yaxis.set_major_formatter("{x:.0%}")
    axis.axhline(results.threshold, color="#888888", lw=0.8, ls=":")
    return film


def angle(results: Results, key: Key) -> Film:
    """Radius against the way that the activations have turned so far, at every site, each as a line that grows.

    The way is the sum of the angular displacements between measurements, in units of sqrt(d).
    """
    lines = {}
    for (name, site), by_run in results.readings.items():
        radius = results.readings.get(("radius", site), {}).get(key)
        if name == "angular_displacement" and radius is not None and key in by_run:
            turned, radius = clean(by_run[key]), clean(radius)
            way = np.concatenate([[0.0], np.cumsum(turned.values)])
            steps = np.concatenate([radius.steps[:1], turned.steps])
            lines[site] = (steps, way, np.interp(steps, radius.steps, radius.values))
    if not lines:
        raise _lacks("angle", "angular_displacement", "motion")
    film, axis = _trails(results, key, lines)
    axis.set(ylim=(0, 1.08 * max(float(y.max()) for _, _, y in lines.values())), ylabel=meaning("radius").title)
    axis.set_xlabel("way turned so far / \u221ad")
    axis.set_title("Radius against angle", fontsize=7.5)
    return film


def _trails(
    results: Results, key: Key, lines: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> tuple[Film, Any]:
    """Lines that grow from frame to frame, by site: steps, x and y; and the axis that they are on."""
    figure, axis, follow = _stage(results, key)
    ink, dashes = results.inks[0], ("-", "--", ":", "-.")
    axis.set_xlim(0, 1.08 * max(float(x.max()) for _, x, _ in lines.values()) or 1)
    steps = thin(next(iter(lines.values()))[0], FRAMES)
    drawn = []
    for i, (site, line) in enumerate(lines.items()):
        (trail,) = axis.plot([], [], color=ink.colour, lw=1.4, ls=dashes[i % len(dashes)], label=f" {plain(site)}")
        (head,) = axis.plot([], [], ls="", ms=6, **ink.mark)
        drawn.append((line, trail, head))
    axis.legend(loc="lower right", fontsize=6.5)

    def draw(i: int) -> None:
        for (at, x, y), trail, head in drawn:
            upto = at <= steps[i]
            trail.set_data(x[upto], y[upto])
            head.set_data(x[upto][-1:], y[upto][-1:])
        follow(int(steps[i]))

    return Film(figure, steps, draw), axis


def neurons(results: Results, key: Key) -> Film:
    """Which frequency each neuron of the last layer answers to; rows stand in the order of the last step."""
    from matplotlib.ticker import MaxNLocator

    arrays = results.arrays([key], ["fourier_map"])
    found = [(site, series[key]) for (_, site), series in arrays.items() if key in series]
    if not found:
        raise _lacks("neurons", "fourier_map", "neuron-fourier")
    site, series = found[-1]
    shown = thin(np.arange(len(series.steps)), FRAMES)
    values = series.values[shown][:, block_order(series.values[-1])]
    figure, axis, follow = _stage(results, key)
    ink, extent = scale(INK).with_extremes(bad=DEAD), (0.5, values.shape[2] + 0.5, values.shape[1] + 0.5, 0.5)
    look: dict[str, Any] = {"cmap": ink, "vmin": 0, "vmax": 1, "aspect": "auto", "interpolation": "nearest"}
    image = axis.imshow(values[0], extent=extent, **look)
    axis.grid(False)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.set(xlabel="frequency k", ylabel="neuron, by best frequency")
    axis.set_title(f"What neurons of {plain(site)} answer to", fontsize=7.5)

    def draw(i: int) -> None:
        image.set_data(values[i])
        follow(int(series.steps[shown[i]]))

    return Film(figure, series.steps[shown], draw)


WHAT: Mapping[str, Callable[[Results, Key], Film]] = {
    "circle": circle, "phase": phase, "angle": angle, "neurons": neurons,
}  # fmt: skip
"""What can be animated, by name."""


def _lacks(what: str, reading: str, ask: str) -> AnglewiseError:
    return AnglewiseError(
        f"an animation of {what!r} needs the reading {reading!r}, which this run lacks: "
        f"run the experiment again with --readings {ask} (or all)"
    )


def _stage(results: Results, key: Key) -> tuple[Any, Any, Callable[[int], None]]:
    """A figure with an axis to draw on and accuracies beside it; the function moves these on to a step."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axis, beside = figure.subplots(1, 2, width_ratios=(1.15, 1))
    ink: Ink = results.inks[0]
    curves = {name: clean(results.curves[name][key]) for name in ("train_accuracy", "test_accuracy")}
    looks: dict[str, dict[str, Any]] = {
        "train_accuracy": {"color": "#555555", "lw": 1.2, "ls": "--", "label": "training examples"},
        "test_accuracy": {"color": ink.colour, "lw": 1.8, "label": "unseen examples"},
    }
    lines = {name: beside.plot([], [], **look)[0] for name, look in looks.items()}
    (head,) = beside.plot([], [], ls="", ms=6, **ink.mark)
    end = max(int(curve.steps[-1]) for curve in curves.values())
    beside.set(xlim=(0, max(end, 1)), ylim=(-0.03, 1.05), xlabel="optimiser steps")
    beside.set_title("Accuracy", fontsize=7.5)
    beside.yaxis.set_major_formatter("{x:.0%}")
    beside.legend(loc="center left", fontsize=6.5)
    heading = figure.suptitle("", x=0.01, ha="left", fontsize=8.5, fontweight="bold")
    named = f"{plain(results.labels[key[0]])}, seed {key[1]}"

    def follow(step: int) -> None:
        for name, curve in curves.items():
            upto = curve.steps <= step
            lines[name].set_data(curve.steps[upto], curve.values[upto])
        test = curves["test_accuracy"]
        right = _at(test, step)
        head.set_data([step], [right])
        heading.set_text(f"{named}: step {step:,}, {fixed(100 * right, 0)} % of the unseen examples right")

    return figure, axis, follow


def _at(curve: Series, step: int) -> float:
    """The last value up to a step."""
    return float(curve.values[max(int(np.searchsorted(curve.steps, step, side="right")) - 1, 0)])


def _shot(film: Film, i: int) -> Any:
    """A frame as a picture of Pillow."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    film.draw(i)
    canvas = FigureCanvasAgg(film.figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _gif(shots: Sequence[Any], each: float) -> bytes:
    """Frames as a GIF with one palette, which is that of the last frame and of one in the middle."""
    from PIL import Image

    width, height = shots[0].size
    both = Image.new("RGB", (width, 2 * height))
    both.paste(shots[len(shots) // 2], (0, 0))
    both.paste(shots[-1], (0, height))
    palette = both.quantize(COLOURS)
    frames = [shot.quantize(palette=palette, dither=Image.Dither.NONE) for shot in shots]
    file = io.BytesIO()
    times = [round(1000 * each)] * (len(frames) - 1) + [round(1000 * LAST)]
    frames[0].save(file, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True)
    return file.getvalue()


def _encoder() -> str:
    """Where ffmpeg is: that of imageio-ffmpeg, or the system's.

    Raises:
        AnglewiseError: If there is none.
    """
    import shutil

    try:
        from imageio_ffmpeg import get_ffmpeg_exe
    except ModuleNotFoundError:
        found = shutil.which("ffmpeg")
    else:
        found = get_ffmpeg_exe()
    if found is None:
        raise AnglewiseError("an .mp4 needs ffmpeg: run pip install -e '.[animate]' in the clone, or write a .gif")
    return str(found)


def _mp4(shots: Sequence[Any], each: float, encoder: str) -> bytes:
    """Frames as H.264, which every browser plays.

    Raises:
        AnglewiseError: If ffmpeg fails.
    """
    import subprocess
    import tempfile

    width, height = (n - n % 2 for n in shots[0].size)
    still = [shots[-1]] * max(round(LAST / each), 1)
    raw = b"".join(shot.crop((0, 0, width, height)).tobytes() for shot in [*shots, *still])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.mp4"
        given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{1 / each:.4f}", "-i", "-"]
        made = ["-pix_fmt", "yuv420p", "-crf", "20", "-movflags", "+faststart", "-r", "25", str(file)]
        done = subprocess.run([encoder, "-y", *given, *made], input=raw, capture_output=True, check=False)
        if done.returncode or not file.exists():
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise AnglewiseError(f"ffmpeg could not write the .mp4: {' '.join(last) or 'no message'}; write a .gif")
        return file.read_bytes()
