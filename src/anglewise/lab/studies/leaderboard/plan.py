"""What a leaderboard trains: each candidate at its winner's setting, or at its own where it has no winner."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from anglewise.errors import SpecError
from anglewise.lab.spec import Arm, Experiment
from anglewise.lab.studies.leaderboard.candidates import AS_PUBLISHED
from anglewise.lab.studies.leaderboard.leaderboards import leaderboard_of
from anglewise.lab.studies.leaderboard.leaderboards import winner as packaged_winner
from anglewise.lab.tuning.winners import Winner, read, winner_of

NOT_TUNED = "not tuned"
UNTUNED = {
    NOT_TUNED: "Not tuned: the setting it starts from.",
    AS_PUBLISHED: "As published, and trained as all others of this track (as its authors did: anglewise reproduce).",
}
"""What stands in place of a search, by note."""


class LeaderboardPlan(NamedTuple):
    """A leaderboard as planned.

    Attributes:
        track: Its name.
        experiment: What is trained.
        notes: By arm, why it has no place in the ranking, or that it was not tuned.
        settings: By arm, where its setting comes from.
        refused: Methods that the track's network cannot take, and why.
    """

    track: str
    experiment: Experiment
    notes: dict[str, str]
    settings: dict[str, str]
    refused: Mapping[str, str]


def assemble(track: str, only: Sequence[str] = (), seeds: int = 0, folder: Path | None = None) -> LeaderboardPlan:
    """A track's arms, each at its winner's setting.

    Args:
        track: Its name.
        only: Names of arms, empty for all.
        seeds: Paired seeds, 0 for the track's.
        folder: Folder with winners; None for the package's own.

    Raises:
        SpecError: For an unknown arm, a winner's file with a mistake, or a folder without any.
    """
    board = leaderboard_of(track)
    board.check(only, board.names)
    winners = {name: winner for name in board.tuned if (winner := _winner(track, name, folder))}
    asked = [name for name in board.tuned if not only or name in only]
    if folder is not None and asked and not set(asked) & set(winners):
        what = "holds no winner" if folder.is_dir() else "is no folder with winners"
        raise SpecError(f"--tuned {folder} {what} of {', '.join(asked[:5])}: expected files such as {asked[0]}.toml")
    notes, settings, arms = dict[str, str](), dict[str, str](), dict[str, Arm]()
    for candidate in board.candidates:
        name, won = candidate.arm.name, winners.get(candidate.arm.name)
        arms[name] = won.arm if won else candidate.arm
        note = candidate.unranked or ("" if won else NOT_TUNED)
        if note:
            notes[name] = note
        settings[name] = f"{candidate.source}. {_search_text(won) if won else UNTUNED.get(note, note)}"
    chosen = tuple(arm for name, arm in arms.items() if not only or name in only)
    names = [arm.name for arm in chosen]
    experiment = dataclasses.replace(
        board.track,
        name=f"leaderboard-{track}",
        arms=chosen,
        baseline=board.baseline if board.baseline in names else names[0],
        seeds=seeds or board.track.seeds,
    )
    return LeaderboardPlan(track, experiment, notes, settings, board.refused)


def _winner(track: str, name: str, folder: Path | None) -> Winner | None:
    if folder is not None:
        return read(folder / f"{name}.toml")
    table = packaged_winner(track, name)
    return None if table is None else winner_of(table, name, f"{track}/{name}.toml")


def _search_text(winner: Winner) -> str:
    search = winner.search
    return (
        f"{search.trials} trials in {search.rounds} rounds, at most {search.budget} steps, tuning seeds "
        f"{search.first_tuning_seed} on ({search.tuning_seeds}), on {100 * search.validation_share:g} % of "
        f"the training examples; score {search.score}"
        + (f"; at its border: {', '.join(search.at_the_border)}" if search.at_the_border else "")
    )
