"""Pictures of a claim: the times of all runs, what was read of them, and the claim over the grid of worlds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from anglewise.lab.report.plots.paper import checked, save, styled
from anglewise.lab.studies.claims.claim import Claim, Scale
from anglewise.lab.studies.claims.comparisons import Apart
from anglewise.lab.studies.claims.parts import OF_READINGS, OF_TIME, comparisons, verdict_of
from anglewise.lab.studies.claims.pictures import marks, multiverse, readings, recorded, times
from anglewise.lab.studies.claims.record import Record
from anglewise.lab.studies.claims.specification import specifications


class Picture(NamedTuple):
    """A picture of a record.

    Attributes:
        file: Its name.
        says: What it shows, for those who cannot see it.
    """

    file: str
    says: str


def save_times(claim: Claim, record: Record, scale: Scale, path: str | os.PathLike[str]) -> Path:
    """Draw when every run generalised: .svg, .pdf or .png; equal records give equal bytes in SVG.

    Raises:
        AnglewiseError: If the record has no runs at this scale, or the file cannot be written.
    """
    path = checked(path)
    with styled():
        return save(times.figure(claim, record, verdict_of(claim, record, scale)), path)


def save_readings(claim: Claim, record: Record, scale: Scale, path: str | os.PathLike[str]) -> Path:
    """Draw what was read of the runs over time: .svg, .pdf or .png.

    Raises:
        AnglewiseError: If the record has no runs at this scale, or the file cannot be written.
    """
    path = checked(path)
    with styled():
        return save(readings.figure(claim, record, verdict_of(claim, record, scale)), path)


def save_recorded(claim: Claim, record: Record, scale: Scale, path: str | os.PathLike[str]) -> Path:
    """Draw the recorded estimates that a claim compares: .svg, .pdf or .png.

    Raises:
        AnglewiseError: If the record has no numbers at this scale, or the file cannot be written.
    """
    path = checked(path)
    with styled():
        return save(recorded.figure(claim, record, verdict_of(claim, record, scale)), path)


SAVED = {"times": save_times, "readings": save_readings, "recorded": save_recorded}


def save_multiverse(claim: Claim, record: Record, scale: Scale, path: str | os.PathLike[str], system: int = 0) -> Path:
    """Draw the claim over the grid of worlds: .svg, .pdf or .png.

    Args:
        claim, record, scale: As in :func:`~anglewise.lab.studies.claims.show.multiverse`.
        path: The file.
        system: Which of the claim's systems.

    Raises:
        AnglewiseError: If the record has one world alone, or the file cannot be written.
    """
    path = checked(path)
    with styled():
        return save(multiverse.figure(specifications(claim, record, scale)[system]), path)


def planned(claim: Claim, record: Record, scale: Scale) -> Iterator[Picture]:
    """The pictures of a scale that the claim's rule asks for, without drawing them."""
    verdict = verdict_of(claim, record, scale)
    kinds, found = list(comparisons(claim.rule)), marks.finding(claim, verdict)
    if any(isinstance(rule, OF_TIME) for rule in kinds):
        yield Picture(f"times-{scale}.svg", f"When every run generalised, arm by arm. {found}")
    if any(isinstance(rule, OF_READINGS) for rule in kinds):
        yield Picture(f"readings-{scale}.svg", f"What was read of every run, over time. {found}")
    if any(isinstance(rule, Apart) for rule in kinds):
        yield Picture(f"recorded-{scale}.svg", f"The recorded estimates with their intervals. {found}")
    if verdict.grid:
        for i, spec in enumerate(specifications(claim, record, scale)):
            says = f"The effect in every world, sorted, with the choices below. {spec.summary}"
            yield Picture(f"multiverse-{scale}{f'-{i + 1}' if i else ''}.svg", says)


def draw(claim: Claim, record: Record, scale: Scale, folder: Path) -> list[Picture]:
    """Draw the pictures of a scale into a folder."""
    drawn = list(planned(claim, record, scale))
    grids = 0
    for picture in drawn:
        kind = picture.file.partition("-")[0]
        if kind == "multiverse":
            save_multiverse(claim, record, scale, folder / picture.file, grids)
            grids += 1
        else:
            SAVED[kind](claim, record, scale, folder / picture.file)
    return drawn
