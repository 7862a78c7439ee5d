"""One definition per track and per published setting, whoever trains on it or shows it."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

import pytest

from anglewise.lab import experiments
from anglewise.lab.experiments import EXPERIMENTS, published
from anglewise.lab.experiments.published import Published
from anglewise.lab.experiments.reproduce import REPRODUCTIONS
from anglewise.lab.experiments.tracks import EXPERIMENTS as TRACKS
from anglewise.lab.protocols.method import Method
from anglewise.lab.spec import Training
from anglewise.lab.studies.leaderboard.candidates import AS_PUBLISHED
from anglewise.lab.studies.leaderboard.leaderboards import LEADERBOARDS
from anglewise.lab.studies.leaderboard.plan import assemble
from anglewise.lab.studies.penalty.plan import cross

SETTINGS = {name: value for name, value in vars(published).items() if isinstance(value, Published)}
CHAINS = {setting.methods for setting in SETTINGS.values()}


def unmeasured(training: Training) -> Training:
    """Without the cadence of readings, which changes no step."""
    return dataclasses.replace(training, measure_every=0)


@pytest.mark.parametrize("track", [track.name for track in TRACKS])
def test_everybody_trains_on_a_track_in_the_same_way(track):
    run, tuned = EXPERIMENTS[track], LEADERBOARDS[track].track
    crossed = [cross(track).experiment] if track in ("track-a", "track-c2", "track-s") else []
    for other in (tuned, assemble(track).experiment, *crossed):
        assert (other.task, other.model) == (run.task, run.model)
        assert unmeasured(other.training) == unmeasured(run.training)
        assert other.training.measure_every == 0  # leaderboards take no readings
    assert run.training.measure_every > 0 and tuned.title == run.title


def test_every_board_is_a_track_or_a_record_that_says_what_it_changes():
    tracks = {track.name: track for track in TRACKS}
    assert set(tracks) <= set(LEADERBOARDS)
    for name in set(LEADERBOARDS) - set(tracks):
        board, base = LEADERBOARDS[name].track, tracks[name.removesuffix("-record")]
        assert board.name == name and (board.task, board.model) == (base.task, base.model)
        old, new = (dataclasses.asdict(unmeasured(one.training)) for one in (base, board))
        changed = {field for field in old if old[field] != new[field]}
        assert changed and changed <= {"budget", "every", "sustain", "further"}
        said = board.title.removeprefix(f"{base.title}: the record (")
        for field in changed:
            assert str(new[field]) in said or (field, new[field]) == ("every", 1), (name, field)


def chained(methods) -> bool:
    """Whether a chain of methods is made of published settings, one behind the other, and of nothing else."""
    return methods in CHAINS or any(methods[:k] in CHAINS and chained(methods[k:]) for k in range(1, len(methods)))


@pytest.mark.parametrize("track", LEADERBOARDS)
def test_every_arm_that_is_shown_as_published_has_the_published_setting(track):
    for candidate in LEADERBOARDS[track].candidates:
        if not candidate.axes:
            assert chained(candidate.arm.methods), candidate.arm.name
            known = candidate.source in {setting.source for setting in SETTINGS.values()}
            assert known == (candidate.unranked == AS_PUBLISHED)


@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_every_reproduction_has_a_published_setting(name):
    (arm,) = REPRODUCTIONS[name].experiment.arms
    assert arm.methods in CHAINS


def test_control_another_decay_is_no_published_setting():
    (adamw,) = published.CHOU_C1.methods
    assert chained((adamw, *published.RADIAL_PENALTY.methods))
    assert not chained((dataclasses.replace(adamw, wd=3.0), *published.RADIAL_PENALTY.methods))


@pytest.mark.parametrize(("track", "wd"), [("track-c1", 4.0), ("track-c2", 2.0)])
def test_chous_decay_is_4_on_2_hot_inputs_and_2_on_embeddings(track, wd):
    arms = {candidate.arm.name: candidate.arm.methods for candidate in LEADERBOARDS[track].candidates}
    assert (arms["adamw-chou"][0].lr, arms["adamw-chou"][0].wd) == (0.05, wd)
    assert arms["radial-chou"][0] == arms["adamw-chou"][0] == EXPERIMENTS[track].arms[0].methods[0]


def constants():
    """Every method, chain of methods or published setting that a module of experiments gives a name to."""
    for info in pkgutil.iter_modules(experiments.__path__):
        module = importlib.import_module(f"{experiments.__name__}.{info.name}")
        for name, value in vars(module).items():
            methods = value.methods if isinstance(value, Published) else value
            methods = methods if isinstance(methods, tuple) and not hasattr(methods, "_fields") else (methods,)
            if name.isupper() and methods and all(isinstance(method, Method) for method in methods):
                yield name, info.name, methods


def test_one_name_means_one_setting():
    found = {}
    for name, module, methods in constants():
        found.setdefault(name, {})[module] = methods
    assert len(found) > 20 and any(len(modules) > 1 for modules in found.values())
    for name, modules in found.items():
        assert len(set(modules.values())) == 1, (name, sorted(modules))


RULES = {
    "chou-c1": (500, 1, 0, 1.0, 1),
    "chou-c2": (400, 1, 0, 1.0, 1),
    "perpgrad": (500, 1, 0, 1.0, 1),
    "perpgrad-sgd": (1000, 2, 0, 1.0, 1),
    "constrained-muon": (400, 1, 0, 0.95, 1),
    "grokfast-ema": (4000, 10, 512, 0.95, 1),
    "grokfast-ma": (4000, 10, 512, 0.95, 1),
    "clip-rows-lion": (4000, 10, 512, 0.95, 1),
    "egd-column": (60_000, 148, 32, 0.95, 1),
    "egd": (40_000, 148, 32, 0.95, 1),
    "sphere-cosine": (4000, 20, 0, 0.95, 1),
    "muon": (10_000, 50, 0, 0.95, 5),
    "radial-paper": (20_000, 20, 0, 0.9, 5),
    **dict.fromkeys(
        ("mlp-decay-0.5", "mlp-decay-1", "mlp-decay-2", "mlp-decay-5", "mlp-decay-1-width-512"), (6000, 50, 0, 0.95, 1)
    ),
}
"""Budget, evaluation, batch, threshold, sustain of the runs that docs/baselines.md reports."""


def test_reproductions_train_as_those_that_were_reported():
    for name, (budget, every, batch, threshold, sustain) in RULES.items():
        rule = Training(budget, every, batch, "epochs", threshold, sustain, further=0)
        assert REPRODUCTIONS[name].experiment.training == rule, name
    assert set(RULES) == set(REPRODUCTIONS)
