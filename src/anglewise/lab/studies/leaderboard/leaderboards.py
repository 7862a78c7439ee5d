"""The leaderboards: on each track every method, tuned alike, and the settings that others published.

A leaderboard trains exactly as ``anglewise run`` of its track does, on more seeds and without readings.  A record is a
variant of a track for longer searches; its title says what it changes.

Winners of ``anglewise tune`` lie in ``tuned/TRACK/NAME.toml``, each with the search that found it.  A candidate that
has none yet is shown at the setting that it starts from, and the table says so.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Collection, Iterable, Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any, NamedTuple

from anglewise.errors import SpecError, unknown
from anglewise.lab.experiments import published
from anglewise.lab.experiments.published import Published, constrained
from anglewise.lab.experiments.tracks import TRACK_A, TRACK_B, TRACK_C1, TRACK_C2, TRACK_D, TRACK_E, TRACK_S, TUNED_A
from anglewise.lab.methods.cesista2025_constrained_muon import ConstrainedMuon
from anglewise.lab.methods.cliptogrok2026_rows import RELEASED
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.protocols.schedule import Linear, Warmup
from anglewise.lab.spec import Arm, Experiment
from anglewise.lab.studies.leaderboard.candidates import (
    GRADIENT,
    JOINED,
    LOSS,
    OPTIMISER,
    WEIGHTS,
    Base,
    as_published,
    constrained_muon,
    with_penalty,
)
from anglewise.lab.studies.leaderboard.methods import methods_on
from anglewise.lab.tuning.space import Candidate

BASE_C = Base(AdamW(lr=Warmup(0.05, 3.0), wd=2.0, beta1=0.9, beta2=0.99, eps=1e-25), (0.01, 0.2), (0.2, 10.0))
BASE_A = Base(TUNED_A, (5e-4, 1e-2), (0.3, 8.0), lion_lr=1e-3, clip=RELEASED)
BASE_B = Base(AdamW(lr=Warmup(1e-3, 10.0), wd=1.0, beta1=0.9, beta2=0.98), (3e-4, 1e-2), (0.3, 8.0))
BASE_D = Base(AdamW(lr=1e-3, wd=0.1), (3e-4, 3e-2), (1e-2, 10.0))
BASE_S = Base(AdamW(lr=Warmup(0.01, 3.0), wd=1.0, beta1=0.9, beta2=0.98), (2e-3, 0.05), (0.2, 10.0))

NORM_BEFORE_HEAD = {"sphere-cosine": "a layer norm stands before the head, where its cosine head would"}
NO_EMBEDDING = {"groktransfer": "the input is one-hot, there is no embedding to transfer"}
BIASED_HEAD = {"sphere-cosine": "the head has a bias, a cosine head has none"}
"""What some networks cannot take."""

FASTEST_C2 = ("constrained-muon", "harmonic", "sphere-cosine", "constrained-muon-published", "project-tangential")
"""The five methods that are fastest on track C2 without the penalty.  Each is also tuned with the penalty behind it;
AdamW with the penalty is the candidate ``radial``."""
FASTEST_A = ("muon", "constrained-muon", "perpgrad", "weight-norm", "spectral-norm", "man")
"""The same on track A, and one more that was fast in its search."""
MUON_A = constrained(1.0, 1.0, 51.0)
MUON_C2 = constrained(0.95, math.sqrt(2), 51.0)


class Leaderboard(NamedTuple):
    """A track and those who compete on it.

    Attributes:
        track: The experiment that gives task, model, training and seeds.
        candidates: Those that are tuned, then published settings as they are.
        baseline: The arm that ratios refer to.
        refused: Methods that this track's network cannot take, and why.
    """

    track: Experiment
    candidates: tuple[Candidate, ...]
    baseline: str = "adamw"
    refused: Mapping[str, str] = MappingProxyType({})

    @property
    def tuned(self) -> dict[str, Candidate]:
        """Candidates of which something is tuned, by name."""
        return {candidate.arm.name: candidate for candidate in self.candidates if candidate.axes}

    @property
    def names(self) -> list[str]:
        """Names of all candidates."""
        return [candidate.arm.name for candidate in self.candidates]

    @property
    def pairs(self) -> dict[str, str]:
        """Names of candidates that are also tuned with the penalty, each with the name of that partner."""
        partners = {candidate.alone: name for name, candidate in self.tuned.items() if candidate.alone}
        return {name: partners[name] for name in self.tuned if name in partners}

    def check(self, names: Iterable[str], known: Collection[str]) -> None:
        """Check that a track has the methods that were asked for.

        Raises:
            SpecError: For a method that the track's network cannot take, and for a name that is not `known`.
        """
        for name in names:
            if name in self.refused:
                raise SpecError(f"{name} has no place on {self.track.name}: {self.refused[name]}")
            if name not in known:
                raise SpecError(unknown(f"arm of {self.track.name}", name, known))


def leaderboard_of(track: str) -> Leaderboard:
    """The leaderboard of a track.

    Raises:
        SpecError: If the track has none.
    """
    if track not in LEADERBOARDS:
        raise SpecError(unknown("track with a leaderboard", track, LEADERBOARDS))
    return LEADERBOARDS[track]


def winner(track: str, name: str) -> dict[str, Any] | None:
    """A candidate's winning setting as its file has it, or None: ``{"search": {...}, "arms": {name: ...}}``."""
    path = files("anglewise.lab.studies.leaderboard") / "tuned" / track / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _leaderboard(
    track: Experiment, seeds: int, base: Base, refused: Mapping[str, str] = MappingProxyType({}),
    more: Iterable[Candidate] = (), fastest: Collection[str] = (), fixed: Iterable[Candidate] = (),
) -> Leaderboard:  # fmt: skip
    """Every method that the track's network takes, some more, the fastest of them with the penalty, and fixed ones."""
    tuned = [one for one in methods_on(base) if one.arm.name not in refused] + list(more)
    jointly = [with_penalty(one) for one in tuned if one.arm.name in fastest]
    return Leaderboard(_ranked(track, seeds), (*tuned, *jointly, *fixed), refused=refused)


def _ranked(track: Experiment, seeds: int, **changes: Any) -> Experiment:
    """A track as its leaderboard trains it: on more seeds, and without readings."""
    training = dataclasses.replace(track.training, measure_every=0, **changes)
    return dataclasses.replace(track, training=training, seeds=seeds)


def _record(track: Experiment, seeds: int, changes: str, candidate: Candidate, **training: Any) -> Leaderboard:
    """A variant of a track for a longer search of one candidate, with the penalty and without."""
    title = f"{track.title}: the record ({changes})"
    experiment = dataclasses.replace(_ranked(track, seeds, **training), name=f"{track.name}-record", title=title)
    return Leaderboard(experiment, (candidate, with_penalty(candidate)), candidate.arm.name)


def _published_c(chou: Published) -> list[Candidate]:
    joined = (*chou.methods, *published.RADIAL_PENALTY.methods)
    return [
        as_published("adamw-chou", chou, OPTIMISER),
        Candidate(Arm("radial-chou", joined), (), "arXiv 2606.32000 on it, .05, target 1", LOSS, JOINED),
        as_published("radial-paper", published.RADIAL_PAPER, LOSS),
        as_published("perpgrad-released", published.PERPGRAD_ADAMW, GRADIENT),
    ]


LONGER = "Cesista 2025, every number of it searched for longer"
RECORD_C2 = constrained_muon(
    LONGER,
    ConstrainedMuon(
        lr_embedding=0.71, lr_first=0.436, lr_hidden=0.607, lr_head=0.802, rate=Linear(1.0, 0.0993, 43.7),
        momentum=0.313, lookahead=0.0275, gain_embedding=1.126, gain_hidden=1.023,
        gain_head=Linear(105.5, 120.0, 33.0), vectors="msign",
    ),
    loudest=1000.0, lookahead=(0.01, 0.9), gain_hidden=(0.5, 4.0), gain_head__end=(8.0, 1000.0),
    rate__end=(0.02, 1.0), rate__steps=(15.0, 90.0),
)  # fmt: skip
"""The search starts at the best setting of an earlier search of 240 trials."""
RECORD_A = constrained_muon(
    LONGER, dataclasses.replace(MUON_A, rate=Linear(1.0, 0.2, 250.0)), lookahead=(0.01, 0.9), gain_hidden=(0.3, 4.0),
    lr_vector=(0.001, 0.3), rate__end=(0.02, 1.0), rate__steps=(60.0, 600.0),
)  # fmt: skip

LEADERBOARDS: dict[str, Leaderboard] = {
    board.track.name: board
    for board in (
        _leaderboard(
            TRACK_C2, 32, BASE_C,
            more=(
                constrained_muon("Cesista 2025, msign on all matrices, decaying rates", MUON_C2),
                constrained_muon(
                    "Cesista 2025, normalised vectors", dataclasses.replace(MUON_C2, vectors="normalise"),
                    "constrained-muon-published",
                ),
            ),
            fastest=FASTEST_C2, fixed=_published_c(published.CHOU_C2),
        ),
        _record(
            TRACK_C2, 64, "100 steps, evaluated after each, sustained over 5, watched for 60 more", RECORD_C2,
            budget=100, every=1, sustain=5, further=60,
        ),
        _leaderboard(
            TRACK_A, 8, BASE_A, NORM_BEFORE_HEAD, [constrained_muon("Cesista 2025", MUON_A)], FASTEST_A,
            [
                as_published("adam-released", published.GROKFAST_BASELINE, OPTIMISER),
                as_published("clip-rows+lion-released", published.LION_CLIPPED, WEIGHTS),
                as_published("grokfast-ema-released", published.GROKFAST_EMA, GRADIENT),
                as_published("grokfast-ma-released", published.GROKFAST_MA, GRADIENT),
            ],
        ),
        _record(TRACK_A, 32, "600 updates, evaluated every 5", RECORD_A, budget=600, every=5),
        _leaderboard(TRACK_B, 8, BASE_B),
        _leaderboard(TRACK_C1, 32, BASE_C, NO_EMBEDDING, fixed=_published_c(published.CHOU_C1)),
        _leaderboard(TRACK_D, 5, BASE_D, BIASED_HEAD | NO_EMBEDDING),
        _leaderboard(TRACK_E, 8, BASE_A),
        _leaderboard(TRACK_S, 8, BASE_S),
    )
}  # fmt: skip
"""By track."""
