"""A track's leaderboard put together: the arms as they were tuned, trained or read from a store, ranked and written."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from anglewise.errors import SpecError, unknown
from anglewise.lab.report.html.document import write_file
from anglewise.lab.report.results import Results, load
from anglewise.lab.report.runs import every_of, finishes, runs_of, write_runs
from anglewise.lab.report.summary import explained
from anglewise.lab.report.table import markdown, printed
from anglewise.lab.spec import Arm, Experiment
from anglewise.lab.studies.leaderboard import analysis as leaderboard
from anglewise.lab.studies.leaderboard import boards
from anglewise.lab.studies.leaderboard import show as leaderboard_page
from anglewise.lab.tuning.tuned import Found, Winner, read, winner_of

JOINED = "two published settings joined"
ENDINGS = (".html", ".md", ".csv", ".svg", ".pdf", ".png")


class Made(NamedTuple):
    """A leaderboard as planned.

    Attributes:
        track: Its name.
        experiment: What is trained.
        changes: By arm, what it changes.
        notes: By arm, why it stands outside the ranking, or that it was not tuned.
        found: By arm, how its setting was found.
        refused: Rivals that the track's network cannot take, and why.
    """

    track: str
    experiment: Experiment
    changes: dict[str, str]
    notes: dict[str, str]
    found: dict[str, str]
    refused: Mapping[str, str]


def names_of(track: str) -> list[str]:
    """Names of a track's arms, those that its network cannot take among them."""
    board = boards.BOARDS[track]
    return [entry.arm.name for entry in board.entries] + [arm.name for arm, *_ in board.fixed] + list(board.refused)


def assemble(track: str, only: Sequence[str] = (), seeds: int = 0, tuned: Path | None = None) -> Made:
    """A track's arms, each at its winner's setting.

    Args:
        track: Its name.
        only: Names of arms, empty for all.
        seeds: Paired seeds, 0 for the track's.
        tuned: Folder with winners; None for the package's own.

    Raises:
        SpecError: For an unknown arm, a winner's file that cannot be meant, or a folder without any.
    """
    board, winners, found, notes = boards.BOARDS[track], dict[str, Arm](), dict[str, str](), dict[str, str]()
    names = [entry.arm.name for entry in board.entries] + [arm.name for arm, *_ in board.fixed]
    for name in only:
        if name in board.refused:
            raise SpecError(f"{name} has no place on {track}: {board.refused[name]}")
        if name not in names:
            raise SpecError(unknown(f"arm of {track}", name, names))
    for entry in board.entries:
        name = entry.arm.name
        winner = _winner(track, name, tuned)
        found[name] = f"{entry.source}. " + (_how(winner.found) if winner else "Not tuned: the setting it starts from.")
        if winner:
            winners[name] = winner.arm
        if entry.closed:
            notes[name] = f"closed: {entry.closed}"
        elif not winner:
            notes[name] = "not tuned"
    asked = [entry.arm.name for entry in board.entries if not only or entry.arm.name in only]
    if tuned is not None and asked and not set(asked) & set(winners):
        what = "holds no winner" if tuned.is_dir() else "is no folder with winners"
        raise SpecError(f"--tuned {tuned} {what} of {', '.join(asked[:5])}: expected files such as {asked[0]}.toml")
    for arm, source, _ in board.fixed:
        how = JOINED if arm.name in boards.JOINED else "as published"
        found[arm.name], notes[arm.name] = f"{source}, {how}", how
    changes = {entry.arm.name: entry.changes for entry in board.entries}
    changes |= {arm.name: what for arm, _, what in board.fixed}
    return Made(track, boards.experiment(track, winners, only, seeds), changes, notes, found, board.refused)


def shown(made: Made, reader: Any) -> str:
    """The table for a terminal."""
    results, rows = _rows(made, reader)
    table = leaderboard.ranking(rows, results.budget, made.notes, explained(leaderboard.NOTE, every_of(results)))
    return printed(dataclasses.replace(table.only(leaderboard.NARROW), title=results.title)) + leaderboard.without(
        made.refused
    )


def written(made: Made, reader: Any, to: Path) -> list[Path]:
    """Write a leaderboard; the ending of `to` is the format.

    Raises:
        AnglewiseError: If the file cannot be written.
    """
    results, rows = _rows(made, reader)
    if to.suffix == ".html":
        page = leaderboard_page.page(
            results, rows, track=made.track, changes=made.changes, notes=made.notes, found=made.found,
            refused=made.refused,
        )  # fmt: skip
        return [write_file(page, to)]
    if to.suffix == ".md":
        table = markdown(leaderboard.ranking(rows, results.budget, made.notes))
        return [write_file(table + leaderboard.without(made.refused, start="\n", end="\n"), to)]
    if to.suffix == ".csv":
        return [write_file(write_runs(finishes(results)), to)]
    return [leaderboard_page.save_figure(results, rows, to, made.changes)]


def _rows(made: Made, reader: Any) -> tuple[Results, list[leaderboard.Row]]:
    results = load(reader, made.experiment.experiment_id)
    rule, n = made.experiment.training, made.experiment.task.sizes[0]
    size = min(rule.batch or n, n)
    per_step = float(size) if rule.order == "replacement" or size == n else n / -(-n // size)
    return results, leaderboard.rows(runs_of(results), per_step)


def _winner(track: str, name: str, tuned: Path | None) -> Winner | None:
    if tuned is not None:
        return read(tuned / f"{name}.toml")
    table = boards.winner(track, name)
    return None if table is None else winner_of(table, name, f"{track}/{name}.toml")


def _how(found: Found) -> str:
    return (
        f"{found.trials} trials in {found.rounds} rounds, at most {found.budget} steps, tuning seeds "
        f"{found.first_tuning_seed} on ({found.tuning_seeds}), on {100 * found.validation_share:g} % of "
        f"the training examples; score {found.score}"
        + (f"; at its border: {', '.join(found.at_the_border)}" if found.at_the_border else "")
    )
