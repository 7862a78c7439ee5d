"""The paper's figures 1, 3, 4 and 5, drawn again from the record's rows.

Figure 2 is not known to us.  Networks in figures 4 and 5 are one for each arm, the first seed: illustrations.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anglewise.errors import AnglewiseError
from anglewise.lab.report.format import number
from anglewise.lab.report.plots import gallery
from anglewise.lab.report.plots.bands import mean_band
from anglewise.lab.report.plots.curves import accuracy, over_time
from anglewise.lab.report.plots.inks import inks_of
from anglewise.lab.report.plots.panel import Plot
from anglewise.lab.report.plots.panel import paper as draw_panel
from anglewise.lab.report.plots.paper import TWO_COLUMNS, checked, handle, save, styled
from anglewise.lab.report.results import Arrays, Ended, Key, Results, Series
from anglewise.lab.stats import censored_median
from anglewise.lab.studies.claims.paper.arrays import ACCURACY, Kept, read
from anglewise.lab.studies.claims.paper.ours import Ratio, Where
from anglewise.lab.studies.claims.paper.pool import Pool
from anglewise.lab.studies.claims.paper.systems import PENALTY, STRONG, WEAK
from anglewise.lab.studies.claims.reading_rules import Read
from anglewise.lab.studies.claims.rows import Sample

READ = "mlp, read"
CURVES = (WEAK, STRONG, PENALTY, "decay 1")
"""Arms of figure 1; the last is ours."""
ENERGIES = (WEAK, PENALTY)
"""Arms of figure 3."""
NETWORKS = (WEAK, STRONG, PENALTY, "decay 1 + penalty")
"""Arms of figures 4 and 5; the last is ours, since the penalty on weak decay does not generalise."""
TABLE, NEURONS = "layers.0.weight.0", "hidden.1.post"
"""Where frequencies are read: of the first layer's weights, and of the second layer's neurons."""
SIZES = {"paper": "full size: P 97, width 512", "desk": "desk scale: P 59, width 128"}
NAMES = {
    "figure-1": "accuracy curves", "figure-3": "radial energy over training",
    "figure-4": "frequencies over training", "figure-5": "neurons and frequencies",
}  # fmt: skip
"""What is drawn, by the file's name."""


@dataclasses.dataclass(frozen=True)
class Drawn:
    """What figures are drawn from.

    Args:
        pool: Rows of all records.
        arrays: Of the paper's record.
    """

    pool: Pool
    arrays: Sequence[Kept]

    @classmethod
    def of(cls, records: Path) -> Drawn:
        """From a folder of records.

        Raises:
            AnglewiseError: If the paper's record has no arrays, or one is damaged.
        """
        return cls(Pool.of(records), read(records / "paper" / "arrays.parquet"))

    def results(self, system: str, scale: str, arms: Sequence[str]) -> Results:
        """Some arms of a system as results that figures read; steps are epochs.

        Raises:
            AnglewiseError: If there is no run of them.
        """
        sample = self.pool.sample(system, scale)
        planned: tuple[Key, ...] = tuple((arm, seed) for arm in arms for seed in sample.planned.get(arm, ()))
        if not planned:
            raise AnglewiseError(f"the records hold no run of {system!r} at {scale} scale: gather the paper's rows")
        run = sample.runs[planned[0]]
        ended = {
            key: Ended(one.outcome, one.steps // one.epoch, one.seconds, _epochs(one.first, one.epoch),
                       _epochs(one.sustained, one.epoch))
            for key, one in sample.runs.items() if key in planned
        }  # fmt: skip
        mine = [one for one in self.arrays if (one.system, one.scale) == (system, scale) and one.arm in arms]
        return Results(
            experiment_id="", name=system, title=system, arms=tuple(arms), baseline=arms[0], planned=planned,
            ended=ended, curves={ACCURACY: {(o.arm, o.seed): Series(*o.array) for o in mine if o.name == ACCURACY}},
            readings=_readings(sample, arms), budget=run.budget // run.epoch, threshold=run.threshold,
            arrays=lambda keys, names=None, last=False: _by_panel(mine, keys, names, run.epoch),
        )  # fmt: skip


def _epochs(step: int | None, epoch: int) -> int | None:
    return None if step is None else step // epoch


def _readings(sample: Sample, arms: Sequence[str]) -> Mapping[tuple[str, str], Mapping[Key, Series]]:
    """Rows that were read, by name and site."""
    found: dict[tuple[str, str], dict[Key, Series]] = {}
    for (arm, seed, name, site), curve in sorted(sample.values.items()):
        if arm in arms:
            epochs = curve.steps / sample.runs[arm, seed].epoch
            found.setdefault((name, site), {})[arm, seed] = Series(epochs, curve.values)
    return found


def _by_panel(arrays: Sequence[Kept], keys: Sequence[Key], names: Sequence[str] | None, epoch: int) -> Arrays:
    """Arrays of some runs, by name and site."""
    frames: dict[tuple[str, str], dict[Key, list[Kept]]] = {}
    for one in sorted(arrays, key=lambda one: one[:7]):
        if (one.arm, one.seed) in keys and one.name != ACCURACY and (names is None or one.name in names):
            frames.setdefault((one.name, one.site), {}).setdefault((one.arm, one.seed), []).append(one)
    return {
        panel: {
            key: Series(np.array([one.step // epoch for one in ones]), np.stack([one.array for one in ones]))
            for key, ones in by_run.items()
        }
        for panel, by_run in frames.items()
    }


def curves(drawn: Drawn) -> Any:
    """Figure 1: test accuracy over the epochs, at full size and at desk scale."""
    panels, found = [], None
    for scale, title in SIZES.items():
        keys = {(one.arm, one.seed) for one in drawn.arrays if one.name == ACCURACY and one.scale == scale}
        if not keys:
            continue
        whole = drawn.results("mlp", scale, CURVES)
        found = dataclasses.replace(whole, planned=tuple(key for key in whole.planned if key in keys))
        panels.append(accuracy(found)._replace(title=title, x="epochs", y="test accuracy"))
    if found is None:
        raise AnglewiseError("the paper's record lacks accuracy curves: gather the paper's rows again")
    medians = {
        arm: censored_median([run.sustained for run in found.finished(arm).values()])
        for arm in CURVES
        if found.finished(arm)
    }
    reached = {arm: t for arm, t in medians.items() if t is not None}
    if not reached:
        return _side_by_side(panels, CURVES, f"No arm generalises in {found.budget:,} epochs at desk scale")
    told = ", ".join(f"'{arm}' {_epochs_text(t, found.budget)}" for arm, t in medians.items())
    finding = f"Epochs to generalise at desk scale: {told}"
    return _side_by_side(panels, CURVES, finding)


def _epochs_text(t: float | None, budget: int) -> str:
    return f"more than {budget:,}" if t is None else number(t)


def energies(drawn: Drawn) -> Any:
    """Figure 3: radial energy of the total gradient, as in the paper, and of the task gradient, layer by layer."""
    results = drawn.results(READ, "desk", ENERGIES)
    panels = []
    for name, gradient in (("total_radial_energy", "total gradient"), ("radial_energy", "task gradient")):
        for plot in over_time(results, name, summary=mean_band):
            layer = f"layer {int(plot.title.split('.')[1]) + 1}, {gradient}"
            panels.append(plot._replace(title=layer, x="epochs", y="radial energy (1: isotropic)", moments={}))
    ratios = [
        f"{number(ratio)} times in layer {layer + 1}"
        for layer in range(2)
        if (ratio := _energy_ratio(drawn.pool, layer)) is not None
    ]
    return _side_by_side(panels, ENERGIES, f"Penalty over none, task gradient's radial energy: {', '.join(ratios)}")


def _energy_ratio(pool: Pool, layer: int) -> float | None:
    """Ratio of the task gradient's radial energy, mean over training, with the penalty over without."""
    read = Read("radial_energy", f"hidden.{layer}.pre", "mean")
    found = Ratio(PENALTY, WEAK, read, Where(READ)).of(pool)
    return None if found.interval is None else found.interval.value


def frequencies(drawn: Drawn) -> Any:
    """Figure 4: power of every frequency in the first layer's weights over the epochs, a network per arm."""
    counts = [f"'{arm}' {count}" for arm, count in _strong(drawn).items()]
    finding = f"Frequencies above twice their even share at the end: {', '.join(counts)}"
    return _heat("frequencies", "fourier_power", TABLE, drawn, finding, "frequency k")


def _strong(drawn: Drawn) -> dict[str, int]:
    """How many frequencies have more than twice their even share at the last step, by arm."""
    last = {one.arm: one.array for one in sorted(drawn.arrays) if one.name == "fourier_power" and one.site == TABLE}
    return {arm: int(np.sum(last[arm] > 2 / len(last[arm]))) for arm in NETWORKS if arm in last}


def maps(drawn: Drawn) -> Any:
    """Figure 5: which frequency each neuron of layer 2 answers to at the end, a network per arm."""
    found = {one.arm: one.array for one in sorted(drawn.arrays) if one.name == "fourier_map" and one.site == NEURONS}
    counts = [f"'{arm}' {_own(found[arm])} of {len(found[arm])}" for arm in NETWORKS if arm in found]
    finding = f"Neurons with most of their variance on one frequency: {', '.join(counts)}"
    return _heat("map", "fourier_map", NEURONS, drawn, finding, "neuron of layer 2, by best frequency")


def _own(shares: np.ndarray) -> int:
    """Neurons of which one frequency explains more than half; dead ones have none."""
    return int(np.sum(np.nan_to_num(shares).max(axis=1) > 0.5))


def _heat(figure: str, name: str, site: str, drawn: Drawn, finding: str, y: str) -> Any:
    """A figure of the gallery on one array, with epochs for steps."""
    chosen = dataclasses.replace(drawn, arrays=[o for o in drawn.arrays if (o.name, o.site) == (name, site)])
    made = gallery.figure(figure, chosen.results(READ, "desk", NETWORKS))
    if made is None:
        raise AnglewiseError(f"the paper's record lacks the array {name!r} at {site}: gather the paper's rows again")
    for axis in made.axes:
        if "steps" in axis.get_xlabel():
            axis.set_xlabel("epochs")
        if axis.get_title(loc="left"):
            axis.set_title(axis.get_title(loc="left").replace("step ", "epoch "), loc="left", fontsize=7)
            axis.set_ylabel(y if axis is made.axes[0] else "")
    return _titled(made, finding)


def _titled(figure: Any, finding: str) -> Any:
    """The figure under its finding."""
    figure.suptitle(textwrap.fill(finding, 105), x=0.01, ha="left", fontsize=8.5)
    return figure


def _side_by_side(panels: Sequence[Plot], arms: Sequence[str], finding: str) -> Any:
    """Panels in rows of two, under a finding and over one legend."""
    from matplotlib.figure import Figure

    rows = -(-len(panels) // 2)
    made = Figure(figsize=(TWO_COLUMNS, 0.8 + 2.0 * rows), layout="constrained")
    axes = made.subplots(rows, 2, squeeze=False).ravel()
    for plot, axis in zip(panels, axes, strict=False):
        draw_panel(plot, axis)
        axis.set_title(f"{plot.title} (n = {_seeds(plot)})")
        axis.set_xlim(left=0)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    entries = [handle(ink) for ink in inks_of(arms).values()]
    made.legend(entries, arms, loc="outside lower center", ncols=len(arms), fontsize=7.5)
    return _titled(made, finding)


def _seeds(plot: Plot) -> str:
    """Fewest and most seeds behind the arms of a panel."""
    counts = [int(np.max(line.note)) for line in plot.lines if line.layer == "median" and line.note is not None]
    low, high = min(counts, default=0), max(counts, default=0)
    return str(low) if low == high else f"{low} to {high}"


FIGURES: Mapping[str, Callable[[Drawn], Any]] = {
    "figure-1": curves, "figure-3": energies, "figure-4": frequencies, "figure-5": maps,
}  # fmt: skip
"""By the file's name."""


BY_NAME = {name.replace("figure", "paper"): name for name in FIGURES}
"""What ``anglewise figure`` calls them, by the name that it takes."""


def draw(records: Path, folder: Path, ending: str = ".svg") -> list[Path]:
    """Draw all figures of a folder of records into another.

    Raises:
        AnglewiseError: If the paper's record lacks what a figure needs, or a file cannot be written.
    """
    drawn = Drawn.of(records)
    with styled():
        return [save(figure(drawn), folder / f"{name}{ending}", dpi=150) for name, figure in FIGURES.items()]


def draw_one(name: str, folder: Path, path: Path) -> Path:
    """Draw one figure.

    Args:
        name: ``paper-1``, ``paper-3``, ``paper-4`` or ``paper-5``.
        folder: Of records, such as ``records/claims``, or of the claims' stores, such as ``runs/claims``.
        path: Where to; its ending (.svg, .pdf or .png) is the format.

    Raises:
        AnglewiseError: If the folder holds no rows, or lacks what the figure needs, or the file cannot be written.
    """
    path = checked(path)
    if (folder / "paper" / "arrays.parquet").exists():
        drawn = Drawn.of(folder)
    else:
        from anglewise.lab.studies.claims.paper.extras import drawn_from_stores  # imports JAX

        drawn = drawn_from_stores(folder)
    if not drawn.pool.runs:
        raise AnglewiseError(
            f"{folder} holds no runs of the paper's figures: give a folder of records, such as records/claims of the "
            "clone, or of stores, such as runs/claims after anglewise verify"
        )
    with styled():
        return save(FIGURES[BY_NAME[name]](drawn), path, dpi=150)
