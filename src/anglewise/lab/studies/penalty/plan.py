r"""What does the radial penalty add?  Two settings of each method, each with the penalty and without.

A method was searched alone and, with an equal budget, jointly with the penalty.  The two winners differ in every
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
from typing import NamedTuple

from anglewise.errors import SpecError, unknown
from anglewise.lab.spec import Arm, Experiment
from anglewise.lab.studies.leaderboard import plan as leaderboard
from anglewise.lab.studies.leaderboard.leaderboards import leaderboard_of
from anglewise.lab.studies.penalty.analysis import FourArms


class PenaltyPlan(NamedTuple):
    """What is trained, and which four arms belong to each method."""

    experiment: Experiment
    methods: tuple[FourArms, ...]


def cross(track: str, only: Sequence[str] = (), seeds: int = 0, folder: Path | None = None) -> PenaltyPlan:
    """A track's methods that were tuned both alone and with the penalty, each at both settings, with it and without.

    Runs of the two winners are those of the track's leaderboard, so in its store they are not trained again.

    Args:
        track: Its name.
        only: Names of arms without the penalty, empty for all.
        seeds: Paired seeds, 0 for the track's.
        folder: Folder with winners; None for the package's own.

    Raises:
        SpecError: For an unknown arm, or a track without any such method.
    """
    board = leaderboard.assemble(track, (), seeds, folder)
    arms = {arm.name: arm for arm in board.experiment.arms if board.notes.get(arm.name) != leaderboard.NOT_TUNED}
    partners = leaderboard_of(track).pairs
    pairs = {name: joint for name, joint in partners.items() if name in arms and joint in arms}
    if not pairs:
        raise SpecError(f"{track} has no arm that was tuned both alone and with the penalty")
    for name in only:
        if name not in pairs:
            raise SpecError(unknown(f"arm of {track} that was tuned alone and with the penalty", name, pairs))
    methods: list[FourArms] = []
    chosen: list[Arm] = []
    for name in (name for name in pairs if not only or name in only):
        alone, joint = arms[name], arms[pairs[name]]
        put_in = Arm(f"{name}, penalty put in", (*alone.methods, joint.methods[-1]))
        taken_out = Arm(f"{joint.name}, penalty taken out", joint.methods[:-1])
        methods.append(FourArms(name, (alone.name, put_in.name), (taken_out.name, joint.name)))
        chosen += [alone, put_in, taken_out, joint]
    experiment = dataclasses.replace(board.experiment, arms=tuple(chosen), baseline=chosen[0].name)
    return PenaltyPlan(experiment, tuple(methods))
