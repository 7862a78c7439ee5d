"""What a claim needs trained, and training it: one store for each system, scale and world."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from anglewise.errors import SpecError
from anglewise.lab.execution.estimate import admit
from anglewise.lab.execution.places import Place
from anglewise.lab.experiments.run import train_missing
from anglewise.lab.spec import Experiment
from anglewise.lab.store.provenance import Provenance
from anglewise.lab.studies.claims import evidence
from anglewise.lab.studies.claims.claim import Claim, Scale
from anglewise.lab.studies.claims.record import Record
from anglewise.lab.studies.claims.rows import Ran, Value
from anglewise.lab.studies.claims.systems import System, system_of
from anglewise.lab.studies.claims.worlds import LIKELY, World, grid

ROOT = Path("runs") / "claims"
"""Folder of the stores where nobody names one."""


class Part(NamedTuple):
    """One experiment of a claim.

    Attributes:
        system: What is trained.
        scale: ``desk`` or ``paper``.
        world: The reading of the paper.
        experiment: With the claim's arms and seeds.
        folder: Its store.
    """

    system: System
    scale: Scale
    world: World
    experiment: Experiment
    folder: Path


def folder_of(root: Path, system: System, scale: Scale, world: World) -> Path:
    """The store of a system, scale and world.

    Example:
        >>> from anglewise.lab.studies.claims.systems import SYSTEMS
        >>> system = SYSTEMS["mlp, read"]
        >>> folder_of(Path("runs"), system, "desk", system.world("batch=full")).as_posix()
        'runs/mlp-read/desk/batch-full'
    """
    return root / _slug(system.name) / scale / _slug(world.name)


def _slug(name: str) -> str:
    """Lower-case letters, digits, dots and single hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower().replace("+", "plus").replace("*", "times")).strip("-")


def worlds(claim: Claim, system: System, wanted: str | None = None) -> list[World]:
    """Worlds in which a claim is decided, the likely one first.

    Args:
        claim: The claim.
        system: One of its systems.
        wanted: Name of a world; ``"grid"`` for all of the grid, None for the likely one.

    Raises:
        SpecError: If there is no such world, or the claim has no grid.
    """
    if wanted == "grid":
        if not claim.grid_seeds:
            raise SpecError(f"{claim.id} is decided in the likely world alone: leave the grid out")
        return list(grid(system.choices))
    return [system.world(wanted or LIKELY)]


def parts(claim: Claim, scale: Scale, wanted: str | None = None, root: Path = ROOT) -> Iterator[Part]:
    """The experiments of a claim, system by system and world by world.

    Raises:
        SpecError: If the claim has no such scale or world.
    """
    if scale not in claim.scales:
        raise SpecError(f"{claim.id} has no {scale} scale: expected one of {', '.join(claim.scales)}")
    for name in () if claim.recorded else claim.systems:
        system = system_of(name)
        for world in worlds(claim, system, wanted):
            seeds = claim.seeds if world.name == LIKELY else (claim.grid_seeds or claim.seeds)
            experiment = system.experiment(scale, world, claim.arms, seeds)
            yield Part(system, scale, world, experiment, folder_of(root, system, scale, world))


def train(
    part: Part, provenance: Provenance, *, quiet: bool = False, large: bool = False, jobs: int | None = None,
    on: Place | None = None,
) -> None:  # fmt: skip
    """Train what the store of a part lacks, in `jobs` processes, None for what suits this machine; or `on` a cluster.

    Raises:
        SpecError: If it asks for more than this machine has, and `large` is False.
        StoreError: If the store cannot be written.
        Interrupted: After Ctrl-C, when everything is saved.
    """
    admit(part.experiment, part.system.readings, large=large)
    train_missing(
        part.experiment, part.folder, provenance=provenance, quiet=quiet, readings=part.system.readings,
        keep=part.scale == "paper", jobs=jobs, on=on,
    )  # fmt: skip


def gather(claim: Claim, scale: Scale, wanted: str | None = None, root: Path = ROOT) -> Record:
    """The rows of a claim from its stores; runs that are not there are missing from it.

    Args:
        claim, scale, wanted: As in :func:`parts`.
        root: Folder of the stores.

    Returns:
        A record of what was trained, with the provenance of its latest runs.

    Raises:
        SpecError: If the claim has no such scale or world.
        StoreError: If a store is damaged.
    """
    runs: list[Ran] = []
    values: list[Value] = []
    names: list[str] = []
    provenance = Provenance()
    for part in parts(claim, scale, wanted, root):
        names.append(part.world.name)
        if part.folder.exists():
            found = evidence.collect(
                part.folder, part.experiment.runs(), system=part.system.name, scale=scale, world=part.world.name,
                epoch=part.system.place(scale, part.world).epoch, names=claim.values,
            )  # fmt: skip
            runs += found.runs
            values += found.values
            provenance = max(provenance, found.provenance, key=lambda kept: kept.get("started", ""))
    return Record(tuple(runs), tuple(values), provenance, {scale: tuple(dict.fromkeys(names))})
