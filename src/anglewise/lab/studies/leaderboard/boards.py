"""The leaderboards: on each track every rival, tuned alike, and the settings that others published.

Winners of ``anglewise tune`` lie in ``tuned/TRACK/NAME.toml``, each with the search that found it; an entry that has
none yet is shown at the setting that it starts from, and says so.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from types import MappingProxyType
from typing import Any, NamedTuple

from anglewise.errors import SpecError, unknown
from anglewise.lab.experiments.published import (
    CHOU_C1,
    CHOU_C2,
    GROKFAST_BASELINE,
    GROKFAST_EMA,
    GROKFAST_MA,
    LION_CLIPPED,
    PERPGRAD_ADAMW,
    RADIAL_PAPER,
    RADIAL_PENALTY,
    Published,
    constrained,
)
from anglewise.lab.experiments.tracks import TRACK_A, TRACK_B, TRACK_C1, TRACK_C2, TRACK_D, TRACK_E, TRACK_S, TUNED_A
from anglewise.lab.methods.cesista2025_constrained_muon import ConstrainedMuon
from anglewise.lab.methods.cliptogrok2026_rows import RELEASED
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.protocols.schedule import Linear, Warmup
from anglewise.lab.spec import Arm, Experiment
from anglewise.lab.studies.leaderboard.constrained import EVERYTHING, constrained_entry
from anglewise.lab.studies.leaderboard.entries import GRADIENT, LOSS, OPTIMISER, WEIGHTS, Base, penalised
from anglewise.lab.studies.leaderboard.rivals import rivals
from anglewise.lab.tuning.space import Entry

BASE_C = Base(
    AdamW(lr=Warmup(0.05, 3.0), wd=2.0, beta1=0.9, beta2=0.99, eps=1e-25), (0.01, 0.2), (0.2, 10.0), (0.2, 1.5)
)
BASE_A = Base(TUNED_A, (5e-4, 1e-2), (0.3, 8.0), (0.2, 1.5), lion_lr=1e-3, clip=RELEASED)
BASE_S = Base(AdamW(lr=Warmup(0.01, 3.0), wd=1.0, beta1=0.9, beta2=0.98), (2e-3, 0.05), (0.2, 10.0), (0.2, 1.5))

NORM_BEFORE_HEAD = {"sphere-cosine": "a layer norm stands before the head, where its cosine head would"}
NO_EMBEDDING = {"groktransfer": "the input is one-hot, there is no embedding to transfer"}
BIASED_HEAD = {"sphere-cosine": "the head has a bias, a cosine head has none"}
"""What some networks cannot take."""

BEST_C2 = ("constrained-muon", "harmonic", "sphere-cosine", "constrained-muon-published", "project-tangential")
"""The five recipes without the penalty that are fastest on the board: each is tuned once more with the penalty behind
it.  With plain AdamW that is the entry ``radial``."""
BEST_A = ("muon", "constrained-muon", "perpgrad", "weight-norm", "spectral-norm", "man")
"""The same on track A, and one more that was fast in its search."""


JOINED = frozenset({"radial-chou"})
"""Arms that join two published settings, so that nobody has published the whole."""


class Board(NamedTuple):
    """A track's leaderboard.

    Attributes:
        track: The experiment that gives task, model and training.
        entries: What is tuned.
        fixed: Published settings, shown as they are, with where they come from and what they change.
        baseline: The arm that ratios refer to.
        refused: Rivals that this track's network cannot take, and why.
    """

    track: Experiment
    entries: tuple[Entry, ...]
    fixed: tuple[tuple[Arm, str, str], ...]
    baseline: str = "adamw"
    refused: Mapping[str, str] = MappingProxyType({})


def _but(entries: Iterable[Entry], refused: Mapping[str, str]) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries if entry.arm.name not in refused)


def _ranked(track: Experiment, seeds: int) -> Experiment:
    """A track as its leaderboard trains it: on more seeds, and without readings."""
    return dataclasses.replace(track, training=dataclasses.replace(track.training, measure_every=0), seeds=seeds)


def _record(track: Experiment, seeds: int, changes: str, **training: Any) -> Experiment:
    """A variant of a track for who searches longer; its title says what of the training it changes."""
    base = _ranked(track, seeds)
    return dataclasses.replace(
        base,
        name=f"{track.name}-record",
        title=f"{track.title}: the record ({changes})",
        training=dataclasses.replace(base.training, **training),
    )


def _fixed_c(chou: Published) -> tuple[tuple[Arm, str, str], ...]:
    return (
        (Arm("adamw-chou", chou.methods), chou.source, OPTIMISER),
        (Arm("radial-chou", (*chou.methods, *RADIAL_PENALTY.methods)), "arXiv 2606.32000 on it, .05, target 1", LOSS),
        (Arm("radial-paper", RADIAL_PAPER.methods), RADIAL_PAPER.source, LOSS),
        (Arm("perpgrad-released", PERPGRAD_ADAMW.methods), PERPGRAD_ADAMW.source, GRADIENT),
    )


def _board_c2() -> Board:
    constrain = constrained(0.95, math.sqrt(2), 51.0)
    entries = (
        *rivals(BASE_C),
        constrained_entry("constrained-muon", "Cesista 2025, msign on all matrices, decaying rates", constrain),
        constrained_entry(
            "constrained-muon-published",
            "Cesista 2025, normalised vectors",
            dataclasses.replace(constrain, vectors="normalise"),
        ),
    )
    return Board(
        _ranked(TRACK_C2, 32),
        (*entries, *(penalised(entry) for entry in entries if entry.arm.name in BEST_C2)),
        _fixed_c(CHOU_C2),
    )


def _board_record() -> Board:
    """Track C2 once more, for who searches longer: every number of the fastest step, with the penalty and without.

    The search starts where a first one of 240 trials ended.
    """
    start = ConstrainedMuon(
        lr_embedding=0.71,
        lr_first=0.436,
        lr_hidden=0.607,
        lr_head=0.802,
        rate=Linear(1.0, 0.0993, 43.7),
        momentum=0.313,
        lookahead=0.0275,
        gain_embedding=1.126,
        gain_hidden=1.023,
        gain_head=Linear(105.5, 120.0, 33.0),
        vectors="msign",
    )
    entry = constrained_entry(
        "constrained-muon",
        "Cesista 2025, every number of it searched for longer",
        start,
        own=EVERYTHING,
        loudest=1000.0,
    )
    track = _record(
        TRACK_C2,
        64,
        "100 steps, evaluated after each, sustained over 5, watched for 60 more",
        budget=100,
        every=1,
        sustain=5,
        further=60,
    )
    return Board(track, (entry, penalised(entry)), (), "constrained-muon")


MUON_A = constrained(1.0, 1.0, 51.0)


def _board_a() -> Board:
    released = (
        ("adam-released", GROKFAST_BASELINE, OPTIMISER),
        ("clip-rows+lion-released", LION_CLIPPED, WEIGHTS),
        ("grokfast-ema-released", GROKFAST_EMA, GRADIENT),
        ("grokfast-ma-released", GROKFAST_MA, GRADIENT),
    )
    fixed = tuple((Arm(name, setting.methods), setting.source, changes) for name, setting, changes in released)
    entries = (*_but(rivals(BASE_A), NORM_BEFORE_HEAD), constrained_entry("constrained-muon", "Cesista 2025", MUON_A))
    jointly = (penalised(entry) for entry in entries if entry.arm.name in BEST_A)
    return Board(_ranked(TRACK_A, 8), (*entries, *jointly), fixed, refused=NORM_BEFORE_HEAD)


def _board_a_record() -> Board:
    """Track A once more, for who searches longer: constrained Muon's every number, with the penalty and without."""
    own = (
        (0, "lookahead", 0.01, 0.9),
        (0, "gain_hidden", 0.3, 4.0),
        (0, "lr_vector", 0.001, 0.3),
        (0, "rate.end", 0.02, 1.0),
        (0, "rate.steps", 60.0, 600.0),
    )
    start = dataclasses.replace(MUON_A, rate=Linear(1.0, 0.2, 250.0))
    entry = constrained_entry(
        "constrained-muon", "Cesista 2025, every number of it searched for longer", start, own=own
    )
    track = _record(TRACK_A, 32, "600 updates, evaluated every 5", budget=600, every=5)
    return Board(track, (entry, penalised(entry)), (), "constrained-muon")


BOARDS: dict[str, Board] = {
    "track-c2": _board_c2(),
    "track-c2-record": _board_record(),
    "track-a": _board_a(),
    "track-a-record": _board_a_record(),
    "track-b": Board(
        _ranked(TRACK_B, 8),
        tuple(
            rivals(
                Base(AdamW(lr=Warmup(1e-3, 10.0), wd=1.0, beta1=0.9, beta2=0.98), (3e-4, 1e-2), (0.3, 8.0), (0.2, 1.5))
            )
        ),
        (),
    ),
    "track-c1": Board(
        _ranked(TRACK_C1, 32),
        _but(rivals(BASE_C), NO_EMBEDDING),
        _fixed_c(CHOU_C1),
        refused=NO_EMBEDDING,
    ),
    "track-d": Board(
        _ranked(TRACK_D, 5),
        _but(rivals(Base(AdamW(lr=1e-3, wd=0.1), (3e-4, 3e-2), (1e-2, 10.0), (0.2, 1.5))), BIASED_HEAD | NO_EMBEDDING),
        (),
        refused=BIASED_HEAD | NO_EMBEDDING,
    ),
    "track-e": Board(_ranked(TRACK_E, 8), tuple(rivals(BASE_A)), ()),
    "track-s": Board(_ranked(TRACK_S, 8), tuple(rivals(BASE_S)), ()),
}


def board_of(track: str) -> Board:
    """The board of a track.

    Raises:
        SpecError: If the track has none.
    """
    if track not in BOARDS:
        raise SpecError(unknown("track with a leaderboard", track, BOARDS))
    return BOARDS[track]


def winner(track: str, name: str) -> dict[str, Any] | None:
    """An entry's winning setting as its file has it, or None: ``{"search": {...}, "arms": {name: ...}}``."""
    path = files("anglewise.lab.studies.leaderboard") / "tuned" / track / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def experiment(track: str, arms: Mapping[str, Arm], only: Sequence[str] = (), seeds: int = 0) -> Experiment:
    """A track's leaderboard as an experiment.

    Args:
        track: Its name.
        arms: Winning arms by name; other entries stand at their start.
        only: Names of arms, empty for all.
        seeds: Paired seeds, 0 for the track's.
    """
    board = BOARDS[track]
    whole = [*(arms.get(entry.arm.name, entry.arm) for entry in board.entries), *(arm for arm, *_ in board.fixed)]
    chosen = tuple(arm for arm in whole if not only or arm.name in only)
    names = [arm.name for arm in chosen]
    baseline = board.baseline if board.baseline in names else names[0]
    return dataclasses.replace(
        board.track, name=f"leaderboard-{track}", arms=chosen, baseline=baseline, seeds=seeds or board.track.seeds
    )
