"""Runs that the paper's tables need beyond those of the claims, and training and gathering them.

They fill cells that no claim looks at, such as other moduli.  So they are few and small: most have too few seeds for an
interval, and the tables say how many.  Rows of the claims' runs are read from the claims' own records.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from anglewise.lab.methods.miyato2018_spectral_norm import SpectralNorm
from anglewise.lab.methods.prieto2025_orthograd import PerpGrad
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.curvature import Curvature
from anglewise.lab.report.plots.bands import thin
from anglewise.lab.report.results import load
from anglewise.lab.spec import Training
from anglewise.lab.store import Reader
from anglewise.lab.store.provenance import Provenance
from anglewise.lab.studies.claims import arms as named
from anglewise.lab.studies.claims import evidence, plan
from anglewise.lab.studies.claims.claim import Scale
from anglewise.lab.studies.claims.claims import CLAIMS
from anglewise.lab.studies.claims.paper.arrays import ACCURACY, Kept, kept
from anglewise.lab.studies.claims.paper.figures import CURVES, NETWORKS, NEURONS, TABLE, Drawn
from anglewise.lab.studies.claims.paper.pool import Pool
from anglewise.lab.studies.claims.paper.systems import FRACTIONS, MODULI, PENALTY, PROBES, STRONG, TAXONOMY, place_name
from anglewise.lab.studies.claims.plan import Part
from anglewise.lab.studies.claims.record import Record
from anglewise.lab.studies.claims.rows import Ran, Value
from anglewise.lab.studies.claims.systems import SYSTEMS, THRESHOLD, Place, Placing, System
from anglewise.lab.studies.claims.worlds import LIKELY, MLP_CHOICES, World
from anglewise.lab.tasks.modular import Modular

STEPS = 30_000
"""Budget of a run on another modulus."""
READ = SYSTEMS["mlp, read"]
READ_BY = ("C09", "C14")
"""Claims whose networks the tables and figures look into."""
SEEDS, POINTS = 20, 60
"""Of the accuracy curves that are kept."""
KEPT = (
    "fourier_coherence", "fourier_max", "live_frequencies", "cluster_size", "own_share", "sigma_max",
    "effective_rank", "stable_rank", "rank_ceiling", "hessian_trace", "hessian_trace_se", "hessian_loss",
    "normalised_sharpness", "radius", "radial_energy", "total_radial_energy",
)  # fmt: skip
"""What is kept of the networks that were read."""


class Extra(NamedTuple):
    """Some arms of a system.

    Attributes:
        system: What is trained.
        arms: Their names.
        seeds: Of each arm, from 0 on.
        world: The reading of the paper.
        why: Which table they are for.
    """

    system: System
    arms: tuple[str, ...]
    seeds: int
    world: str = LIKELY
    why: str = ""


def _modulus(p: int, share: float) -> Placing:
    """The desk's network on another modulus, evaluated about every 200 steps."""

    def place(scale: Scale, world: World) -> Place:
        task = Modular(p=p, operation="+", train=share)
        epoch = -(-task.sizes[0] // 256)
        every = max(200 // epoch, 1) * epoch
        training = Training(
            budget=STEPS // epoch * epoch, every=every, batch=256, threshold=THRESHOLD, sustain=5, further=0
        )
        return Place(task, MLP(hidden=(128, 128), bias=True), training, epoch)

    return place


def methods(name: str, world: World) -> tuple[Any, ...]:
    """Methods of an arm of the paper's MLP, with two more that the paper's taxonomy names."""
    first, _, last = name.partition(named.PLUS)
    if last == "spectral norm":
        return (*named.mlp(first, world), SpectralNorm())
    if last == "perpGrad":
        return (PerpGrad(), *named.mlp(first, world))
    return named.mlp(name, world)


def _end(scale: Scale, world: World) -> Place:
    """The place of the networks that are read, read at the end alone."""
    place = READ.place(scale, world)
    return dataclasses.replace(place, training=dataclasses.replace(place.training, measure_every=place.training.budget))


PROBED = System(
    "mlp, probed", "The paper's MLP on a + b, its curvature read at the end with many probes", _end, named.mlp,
    MLP_CHOICES, readings=(Curvature(every=1, rows=512, probes=PROBES, starts=1),), scales=("desk",),
)  # fmt: skip
PLACES = {
    (p, share): System(
        place_name(p, share), f"The paper's MLP on a + b mod {p} with {share:.0%} of the pairs", _modulus(p, share),
        named.mlp, MLP_CHOICES, scales=("desk",),
    )
    for p in MODULI
    for share in FRACTIONS
}  # fmt: skip
"""The places of table 6."""
BOTH = (STRONG, PENALTY)
EXTRAS: tuple[Extra, ...] = (
    Extra(READ, (STRONG,), 5, why="tables 1 and 2, figures 1 and 4"),
    Extra(SYSTEMS["mlp"], (TAXONOMY["LayerNorm"],), 5, why="table 4"),
    Extra(SYSTEMS["transformer"], (STRONG, f"{STRONG} + penalty"), 3, "norm=affine", why="table 9"),
    Extra(
        dataclasses.replace(READ, methods=methods),
        tuple(TAXONOMY.values()),
        2,
        why="table 5",
    ),
    Extra(PROBED, (PENALTY,), 5, why="table 8"),
    *(Extra(system, BOTH, 1 if p == max(MODULI) else 2, why="table 6") for (p, _), system in PLACES.items()),
    Extra(SYSTEMS["mlp"], tuple(f"{STRONG} + penalty {x}" for x in (".01", ".1", ".5")), 5, why="table 7"),
)
"""In the order in which they are worth training."""


def parts(root: Path) -> list[Part]:
    """The experiments, in their order."""
    made = []
    for extra in EXTRAS:
        world = extra.system.world(extra.world)
        experiment = extra.system.experiment("desk", world, extra.arms, extra.seeds)
        made.append(Part(extra.system, "desk", world, experiment, plan.folder_of(root, extra.system, "desk", world)))
    return made


def gather(root: Path) -> Record:
    """Rows of the extra runs, and of the claims' networks that were read; what is not trained is missing.

    Raises:
        StoreError: If a store is damaged.
    """
    also = [part for name in READ_BY for part in plan.parts(CLAIMS[name], "desk", None, root)]
    runs: list[Ran] = []
    values: list[Value] = []
    provenance = Provenance()
    for part in (*parts(root), *also):
        if not part.folder.exists():
            continue
        place, training = part.system.place(part.scale, part.world), part.experiment.training
        found = evidence.collect(
            part.folder, part.experiment.runs(), system=part.system.name, scale=part.scale, world=part.world.name,
            epoch=place.epoch, names=KEPT if part.system.readings else (),
        )  # fmt: skip
        runs += found.runs
        values += [one for one in found.values if one.name != "radius" or one.step % training.measure_every == 0]
        provenance = max(provenance, found.provenance, key=lambda kept: kept.get("started", ""))
    return Record(tuple(runs), tuple(values), provenance, {"desk": (LIKELY, "norm=affine")})


def gather_arrays(root: Path) -> list[Kept]:
    """What the figures need: accuracy of a few seeds at both sizes, frequencies of one network for each arm.

    Raises:
        StoreError: If a store is damaged.
    """
    scales: tuple[Scale, ...] = ("paper", "desk")
    arrays: list[Kept] = []
    for scale in scales:
        system = SYSTEMS["mlp"]
        arrays += accuracies(plan.folder_of(root, system, scale, system.world()), scale)
    return arrays + networks(plan.folder_of(root, READ, "desk", READ.world()))


def drawn_from_stores(root: Path) -> Drawn:
    """What the figures are drawn from, of a folder of stores; what is not trained is missing.

    Raises:
        StoreError: If a store is damaged.
    """
    record, system = gather(root), SYSTEMS["mlp"]
    runs, scales = list(record.runs), ("paper", "desk")
    for scale in cast(tuple[Scale, ...], scales):
        world = system.world()
        folder = plan.folder_of(root, system, scale, world)
        if folder.exists():
            planned = system.experiment(scale, world, CURVES, SEEDS).runs()
            epoch = system.place(scale, world).epoch
            where = {"system": system.name, "scale": scale, "world": world.name}
            runs += evidence.collect(folder, planned, **where, epoch=epoch).runs
    return Drawn(Pool({run[:5]: run for run in runs}, {one[:8]: one for one in record.values}), gather_arrays(root))


def accuracies(folder: Path, scale: Scale) -> list[Kept]:
    """Test accuracy of the first seeds of the arms of figure 1, over the epochs."""
    if not folder.exists():
        return []
    reader, place = Reader(folder), SYSTEMS["mlp"].place(scale, SYSTEMS["mlp"].world())
    found = {}
    for run in (run for manifest in reader.experiments() for run in manifest.runs):
        if run.arm in CURVES and run.seed < SEEDS:
            curve = reader.curves(run.run_id)
            if len(curve["step"]):
                within = np.flatnonzero(curve["step"] <= place.training.budget)
                chosen = within[thin(np.arange(len(within)), POINTS)]
                both = np.stack([curve["step"][chosen] / place.epoch, curve[ACCURACY][chosen]])
                found[run.arm, run.seed] = kept(("mlp", scale, run.arm, run.seed), ACCURACY, "", 0, both)
    return list(found.values())


def networks(folder: Path) -> list[Kept]:
    """Powers over the steps and last maps of one network for each arm of figures 4 and 5."""
    if not folder.exists():
        return []
    reader, found = Reader(folder), {}
    for manifest in reader.experiments():
        keys = [(run.arm, run.seed) for run in manifest.runs if run.arm in NETWORKS and run.seed == 0]
        arrays = load(reader, manifest.experiment_id).arrays
        for (name, site), series in arrays(keys, ["fourier_power", "fourier_map"]).items():
            if (name, site) not in (("fourier_power", TABLE), ("fourier_map", NEURONS)):
                continue
            for (arm, seed), frames in series.items():
                last = len(frames.steps) - 1 if name == "fourier_map" else 0
                for step, values in zip(frames.steps[last:], frames.values[last:], strict=True):
                    run = (READ.name, "desk", arm, seed)
                    found[arm, seed, name, int(step)] = kept(run, name, site, int(step), values)
    return list(found.values())
