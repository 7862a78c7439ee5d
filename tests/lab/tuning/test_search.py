"""Tuning: it finds what is there, on nothing but training examples and seeds of its own, and goes on when killed."""

from __future__ import annotations

import dataclasses
import tomllib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.programs import Compiled
from anglewise.lab.engine.step import Member
from anglewise.lab.experiments.config import arms_of
from anglewise.lab.methods.controls import ScaleInit
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.protocols.schedule import Linear, Warmup
from anglewise.lab.runner import Interrupted
from anglewise.lab.spec import Arm, Experiment, Run, Training
from anglewise.lab.store import Reader, Store
from anglewise.lab.studies.leaderboard.leaderboards import BASE_C, LEADERBOARDS, winner
from anglewise.lab.studies.leaderboard.methods import methods_on
from anglewise.lab.tasks.held_out import HeldOut
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tuning import search as tuning
from anglewise.lab.tuning.search import FIRST_SEED, Search, centre, placed, score, search, tuning_experiment
from anglewise.lab.tuning.space import Axis, Candidate
from anglewise.lab.tuning.winners import SearchSummary, Winner, toml, tune, winner_of

CANDIDATE = Candidate(
    Arm("adamw", (ScaleInit(), AdamW(lr=Warmup(0.01, 3.0), wd=Linear(2.0, 1.0, 10.0), beta2=0.98))),
    (
        Axis(0, "embedding", 0.25, 4.0),
        Axis(1, "lr", 1e-4, 0.1),
        Axis(1, "wd", 0.5, 8.0),
        Axis(1, "lr.steps", 1, 9, False),
    ),
    "a source",
    "optimiser",
)
TRACK = Experiment(
    "small",
    Modular(p=7, train=0.7),
    MLP(hidden=(16,), embedding=8),
    (CANDIDATE.arm,),
    Training(budget=60, every=10),
    seeds=2,
)
RULES = Search(trials=3, rounds=2, seeds=2, validation=0.2)


@pytest.mark.parametrize("axis", CANDIDATE.axes, ids=lambda axis: axis.field)
def test_an_axis_places_what_it_makes(axis):
    for x in (0.0, 0.3, 1.0):
        assert axis.place(axis.value(x)) == pytest.approx(x, abs=1e-5)
    assert axis.place(axis.low / 2) == 0 and axis.place(axis.high * 2) == 1


def test_an_empty_range_is_refused():
    with pytest.raises(SpecError, match=r"the range of lr must rise above 0, got \[0.0, 1.0\]"):
        Axis(0, "lr", 0.0, 1.0)
    with pytest.raises(SpecError, match="the range of c must rise, got"):
        Axis(0, "c", 2.0, 1.0, log=False)


def test_a_point_sets_numbers_and_scales_schedules():
    start = centre(CANDIDATE)
    assert placed(CANDIDATE, start, "same").methods == CANDIDATE.arm.methods
    scale, adamw = placed(CANDIDATE, (1.0, 1.0, 1.0, 0.5), "other").methods
    assert scale.embedding == pytest.approx(4.0)
    assert adamw.lr == Warmup(pytest.approx(0.1), 5.0)
    assert (adamw.wd.start, adamw.wd.end, adamw.wd.steps) == (pytest.approx(8.0), pytest.approx(4.0), 10.0)


def test_scores_rank_what_came_nearest_behind_what_got_there():
    steps = np.array([0, 20, 40, 60])
    curves = ([0.1, 0.96, 1, 1], [0.1, 0.2, 0.5, 0.94], [0.0, 0.1, 0.1, 0.1], [0.0, 0.5, np.nan, np.nan])
    ordered = [score(steps, np.array(curve), 0.95, 60) for curve in curves]
    assert ordered == sorted(ordered)
    assert ordered[0] == pytest.approx(20 * 0.85 / 0.86) and ordered[-1] == 120
    assert score(steps, np.array([1.0, 1, 1, 1]), 0.95, 60) == 0


def test_a_rung_sees_training_examples_alone_and_seeds_of_its_own():
    rung = tuning_experiment(TRACK, CANDIDATE, RULES, [CANDIDATE.arm], 20, 2)
    assert rung.task == HeldOut(TRACK.task, 0.2)
    assert min(run.seed for run in rung.runs()) >= FIRST_SEED > max(run.seed for run in TRACK.runs())
    assert sum(rung.task.sizes) == TRACK.task.sizes[0]
    assert (rung.training.further, rung.training.sustain, rung.training.budget) == (0, 1, 20)


def test_a_search_keeps_every_trial_and_improves_on_where_it_starts(tmp_path):
    said = []
    with Store.open(tmp_path / "store") as store:
        best, tried = search(CANDIDATE, TRACK, RULES, store, provenance={}, say=said.append)
    assert [trial.name for trial in tried] == ["0.00", "0.01", "0.02", "1.00", "1.01", "1.02"]
    second = [trial for trial in tried if trial.rung == 1]
    assert len(second) == 2 and best.score == min(trial.score for trial in second)
    runs = Reader(tmp_path / "store").query("SELECT count(*) AS n FROM runs").to_pylist()[0]["n"]
    assert runs == RULES.rounds * (RULES.trials + RULES.seeds)  # first rung: one seed each; second: one trial's seeds
    assert len(said) == 4 and "round 2 of 2" in said[-1] and "s left" in said[-1]
    # the same search again trains nothing and finds the same
    with Store.open(tmp_path / "store") as store:
        again, _ = search(CANDIDATE, TRACK, RULES, store, provenance={}, stop=lambda: True)
    assert again == best


def test_a_killed_search_goes_on_to_the_same_winner(tmp_path):
    asked = iter([False] * 5 + [True])
    with Store.open(tmp_path / "cut") as store, pytest.raises(Interrupted):
        search(CANDIDATE, TRACK, RULES, store, provenance={}, stop=lambda: next(asked))
    with Store.open(tmp_path / "cut") as store:
        gone_on, tried = search(CANDIDATE, TRACK, RULES, store, provenance={})
    with Store.open(tmp_path / "whole") as store:
        assert search(CANDIDATE, TRACK, RULES, store, provenance={}) == (gone_on, tried)


def test_other_candidates_draw_other_points_and_the_first_is_where_the_candidate_starts():
    rng = [np.random.default_rng([0, n]) for n in (1, 2)]
    drawn = [tuning._points(CANDIDATE, RULES, 0, None, r) for r in rng]
    assert np.allclose(drawn[0][0], centre(CANDIDATE)) and np.allclose(drawn[1][0], centre(CANDIDATE))
    assert not np.allclose(drawn[0][1:], drawn[1][1:])
    assert drawn[0].shape == (RULES.trials, len(CANDIDATE.axes))


def test_a_winners_file_reads_back_as_the_arm_that_won(tmp_path):
    where = tune(
        CANDIDATE, TRACK, dataclasses.replace(RULES, rounds=1), tmp_path, tmp_path / "won", "the command",
        {"git_commit": "abc", "git_dirty": True}, lambda: False,
    )  # fmt: skip
    table = tomllib.loads(where.read_text())
    (arm,) = arms_of(table["arms"])
    assert arm.name == "adamw" and {type(m) for m in arm.methods} == {ScaleInit, AdamW}
    assert isinstance(arm.methods[1].lr, Warmup) and arm.methods[1].beta2 == 0.98
    assert table["search"]["commit"] == "abc-dirty" and table["search"]["trials"] == 3
    assert table["search"]["first_tuning_seed"] == FIRST_SEED
    assert table["search"]["space"][1] == "AdamW.lr in [0.0001, 0.1], log"


def test_a_search_that_cannot_be_meant_is_refused(tmp_path):
    with pytest.raises(SpecError, match="Search.trials must be at least 1, got 0"):
        tune(CANDIDATE, TRACK, dataclasses.replace(RULES, trials=0), tmp_path, tmp_path, "", {}, lambda: False)
    aimless = dataclasses.replace(TRACK, training=dataclasses.replace(TRACK.training, threshold=0.0))
    with pytest.raises(SpecError, match="a search needs a threshold to reach, .* has none: set training.threshold"):
        tune(CANDIDATE, aimless, RULES, tmp_path, tmp_path, "", {}, lambda: False)


FOUND = SearchSummary(3, 1, 1, FIRST_SEED, 0.05, 30, 12.5, space=("AdamW.lr in [0.1, 1], log",))


@pytest.mark.parametrize("track", LEADERBOARDS)
def test_every_candidate_can_be_placed_written_and_read(track):
    board = LEADERBOARDS[track]
    for name, candidate in board.tuned.items():
        middle = placed(candidate, [0.5] * len(candidate.axes), name)
        assert middle.methods != candidate.arm.methods
        winner = Winner(middle, FOUND)
        assert winner_of(tomllib.loads(toml(winner)), name, "a file") == winner
        inside = [axis.place(axis.value(x)) for axis, x in zip(candidate.axes, centre(candidate), strict=True)]
        assert all(0 <= x <= 1 for x in inside)
        assert any(axis.field.startswith("lr") for axis in candidate.axes)
    assert len(set(board.names)) == len(board.names)


@pytest.mark.parametrize("track", LEADERBOARDS)
def test_a_candidate_with_the_penalty_is_its_partner_with_the_penalty_behind_it(track):
    board = LEADERBOARDS[track]
    assert board.pairs
    for alone, joint in board.pairs.items():
        kinds, more = ([type(method) for method in board.tuned[name].arm.methods] for name in (alone, joint))
        assert more == [*kinds, RadialPenalty]
        assert {"strength", "target"} <= {axis.field for axis in board.tuned[joint].axes}
        assert board.tuned[joint].axes[:-2] == board.tuned[alone].axes[: len(board.tuned[joint].axes) - 2]


def begins(track, arm):
    """Whether a track's network takes an arm: its first state, in shapes alone."""
    experiment, key = LEADERBOARDS[track].track, jax.random.key(0)
    run = Run(track, experiment.task, experiment.model, arm, experiment.training, 0)
    program, data = Compiled(run, Placement(False, 0, 1), (), ()).program, experiment.task.split(key)
    methods = jax.tree.map(lambda x: jnp.asarray(x, "float32"), arm.methods)
    try:
        jax.eval_shape(lambda methods: program.start(Member(methods, data, key, key), key), methods)
    except SpecError:
        return False
    return True


@pytest.mark.parametrize("track", LEADERBOARDS)
def test_every_candidate_can_begin_and_those_without_a_row_cannot(track):
    board = LEADERBOARDS[track]
    for candidate in board.candidates:
        assert begins(track, candidate.arm), candidate.arm.name
    refused = [candidate.arm for candidate in methods_on(BASE_C) if candidate.arm.name in board.refused]
    assert len(refused) == len(board.refused)
    for arm in refused:
        assert not begins(track, arm), arm.name


@pytest.mark.parametrize("track", LEADERBOARDS)
def test_the_winners_of_a_track_were_found_with_the_same_search(track):
    searches = []
    for name, candidate in LEADERBOARDS[track].tuned.items():
        table = winner(track, name)
        if table is None:
            continue
        arm, search = winner_of(table, name, name)
        assert arm.name == name
        assert [type(method) for method in arm.methods] == [type(method) for method in candidate.arm.methods]
        assert search.command.startswith(f"anglewise tune {track} --arm {name} ")
        assert search.track == LEADERBOARDS[track].track.name
        assert len(search.space) == len(candidate.axes)
        searches.append((search.trials, search.rounds, search.tuning_seeds, search.validation_share, search.budget))
    assert len(set(searches)) <= 1
