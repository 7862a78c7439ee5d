"""The paper's figures 1, 3, 4 and 5, drawn again from the record's rows.

Figure 2 is not known to us.  Networks in figures 4 and 5 are one for each arm, the first seed: illustrations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anglewise.errors import AnglewiseError
from anglewise.lab.report.plots import gallery
from anglewise.lab.report.plots.bands import mean_band
from anglewise.lab.report.plots.curves import accuracy, over_time
from anglewise.lab.report.plots.panel import Plot
from anglewise.lab.report.plots.panel import paper as draw_panel
from anglewise.lab.report.plots.paper import TWO_COLUMNS, legend, save, styled
from anglewise.lab.report.results import Arrays, Ended, Key, Results, Series
from anglewise.lab.studies.claims.paper.arrays import ACCURACY, Kept, read
from anglewise.lab.studies.claims.paper.pool import Pool
from anglewise.lab.studies.claims.paper.systems import PENALTY, STRONG, WEAK
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
        arms = [arm for arm in arms if arm in sample.planned]
        if not arms:
            raise AnglewiseError(f"the records hold no run of {system!r} at {scale} scale: gather the paper's rows")
        planned: tuple[Key, ...] = tuple((arm, seed) for arm in arms for seed in sample.planned[arm])
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
    both = [drawn.results("mlp", scale, CURVES) for scale in SIZES if "mlp" and _has(drawn, scale)]
    panels = [
        accuracy(results)._replace(title=title, x="epochs", y="test accuracy")
        for results, title in zip(both, [SIZES[s] for s in SIZES if _has(drawn, s)], strict=True)
    ]
    return _side_by_side(panels, both[-1])


def _has(drawn: Drawn, scale: str) -> bool:
    return any(one.name == ACCURACY and one.scale == scale for one in drawn.arrays)


def energies(drawn: Drawn) -> Any:
    """Figure 3: radial energy of the total gradient, as in the paper, and of the task gradient, layer by layer."""
    results = drawn.results(READ, "desk", ENERGIES)
    panels = []
    for name, gradient in (("total_radial_energy", "total gradient"), ("radial_energy", "task gradient")):
        plots = over_time(results, name, summary=mean_band)
        for plot in plots:
            layer = f"layer {int(plot.title.split('.')[1]) + 1}, {gradient}"
            panels.append(plot._replace(title=layer, x="epochs", y="radial energy (1: isotropic)", moments={}))
    return _side_by_side(panels, results)


def frequencies(drawn: Drawn) -> Any:
    """Figure 4: power of every frequency in the first layer's weights over the epochs, a network per arm."""
    return _heat("frequencies", "fourier_power", TABLE, drawn)


def maps(drawn: Drawn) -> Any:
    """Figure 5: which frequency each neuron of layer 2 answers to at the end, a network per arm."""
    return _heat("map", "fourier_map", NEURONS, drawn)


def _heat(figure: str, name: str, site: str, drawn: Drawn) -> Any:
    """A figure of the gallery on one array, with epochs for steps."""
    chosen = dataclasses.replace(drawn, arrays=[o for o in drawn.arrays if (o.name, o.site) == (name, site)])
    made = gallery.figure(figure, chosen.results(READ, "desk", NETWORKS))
    if made is None:
        raise AnglewiseError(f"the paper's record lacks the array {name!r} at {site}: gather the paper's rows again")
    for axis in made.axes:
        if "steps" in axis.get_xlabel():
            axis.set_xlabel("epochs")
        axis.set_title(axis.get_title().replace("step ", "epoch "), fontsize=7)
    return made


def _side_by_side(panels: Sequence[Plot], results: Results) -> Any:
    """Panels in rows of two, with one legend."""
    from matplotlib.figure import Figure

    rows = -(-len(panels) // 2)
    made = Figure(figsize=(TWO_COLUMNS, 0.35 + 2.0 * rows), layout="constrained")
    for plot, axis in zip(panels, made.subplots(rows, 2, squeeze=False).ravel(), strict=False):
        draw_panel(plot, axis)
        axis.set_xlim(left=0)
    for axis in made.axes[len(panels) :]:
        axis.set_visible(False)
    legend(made, results, [])
    return made


FIGURES: Mapping[str, Callable[[Drawn], Any]] = {
    "figure-1": curves, "figure-3": energies, "figure-4": frequencies, "figure-5": maps,
}  # fmt: skip
"""By the file's name."""


def draw(records: Path, folder: Path, ending: str = ".svg") -> list[Path]:
    """Draw all figures of a folder of records into another.

    Raises:
        AnglewiseError: If the paper's record lacks what a figure needs, or a file cannot be written.
    """
    drawn = Drawn.of(records)
    with styled():
        return [save(figure(drawn), folder / f"{name}{ending}", dpi=150) for name, figure in FIGURES.items()]
