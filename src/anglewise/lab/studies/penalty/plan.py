r"""What does the radial penalty add?  Two settings of each recipe, each with the penalty and without.

A recipe was searched alone and, with an equal budget, jointly with the penalty.  The two winners differ in every
number, so the ratio of their times mixes what the penalty does with what either search happened to find.  Crossing
settings with the penalty takes the two apart:

===================  ====================  ==========================
setting found        without the penalty   with it
===================  ====================  ==========================
alone                the winner alone      *penalty put in*
with the penalty     *penalty taken out*   the joint winner
===================  ====================  ==========================

The penalty that is put in has the joint winner's strength and target; nothing else changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from anglewise.errors import SpecError, unknown
from anglewise.lab.report.html.document import write_file
from anglewise.lab.report.results import load
from anglewise.lab.report.runs import runs_of, write_runs
from anglewise.lab.report.table import markdown, printed
from anglewise.lab.spec import Arm, Experiment
from anglewise.lab.studies.leaderboard import plan as board
from anglewise.lab.studies.penalty import show as crossing
from anglewise.lab.studies.penalty.show import Recipe

ENDINGS = (".md", ".csv", ".svg", ".pdf", ".png")


class Crossing(NamedTuple):
    """What is trained, and which arms make up a recipe."""

    experiment: Experiment
    recipes: tuple[Recipe, ...]


def cross(track: str, only: Sequence[str] = (), seeds: int = 0, tuned: Path | None = None) -> Crossing:
    """A track's recipes that were tuned both alone and with the penalty, crossed.

    Runs of the two winners are those of the track's leaderboard, so in its store they are not trained again.

    Args:
        track: Its name.
        only: Names of recipes, empty for all.
        seeds: Paired seeds, 0 for the track's.
        tuned: Folder with winners; None for the package's own.

    Raises:
        SpecError: For an unknown recipe, or a track without any.
    """
    made = board.assemble(track, (), seeds, tuned)
    arms, pairs = _pairs(made)
    if not pairs:
        raise SpecError(f"{track} has no recipe that was tuned both alone and with the penalty")
    for name in only:
        if name not in pairs:
            raise SpecError(unknown(f"recipe of {track} that was tuned with the penalty", name, pairs))
    recipes: list[Recipe] = []
    chosen: list[Arm] = []
    for name in (name for name in pairs if not only or name in only):
        alone, joint = arms[name], arms[pairs[name]]
        put_in = Arm(f"{name}, penalty put in", (*alone.methods, joint.methods[-1]))
        taken_out = Arm(f"{joint.name}, penalty taken out", joint.methods[:-1])
        recipes.append(Recipe(name, (alone.name, put_in.name), (taken_out.name, joint.name)))
        chosen += [alone, put_in, taken_out, joint]
    return Crossing(dataclasses.replace(made.experiment, arms=tuple(chosen), baseline=chosen[0].name), tuple(recipes))


def recipes_of(track: str, tuned: Path | None = None) -> list[str]:
    """Names of a track's recipes that were tuned both alone and with the penalty."""
    return list(_pairs(board.assemble(track, (), 0, tuned))[1])


def _pairs(made: board.Made) -> tuple[dict[str, Arm], dict[str, str]]:
    """Tuned arms by name, and of every recipe that was tuned twice the name of its partner with the penalty."""
    arms = {arm.name: arm for arm in made.experiment.arms if made.notes.get(arm.name) != "not tuned"}
    return arms, {name: other for name in arms if (other := _joint(name)) in arms}


def _joint(name: str) -> str:
    return "radial" if name == "adamw" else f"{name}+radial"


def written(made: Crossing, reader: Any, to: Path) -> Path:
    """Write what came out; the ending of `to` is the format.

    Raises:
        AnglewiseError: If the file cannot be written.
    """
    runs = runs_of(load(reader, made.experiment.experiment_id))
    found = crossing.effects(runs, made.recipes)
    if to.suffix == ".md":
        return write_file(markdown(crossing.table(found, runs)), to)
    if to.suffix == ".csv":
        return write_file(write_runs(runs.finished), to)
    return crossing.save_figure(runs, found, to)


def shown(made: Crossing, reader: Any) -> str:
    """The table for a terminal."""
    runs = runs_of(load(reader, made.experiment.experiment_id))
    return printed(crossing.table(crossing.effects(runs, made.recipes), runs))
