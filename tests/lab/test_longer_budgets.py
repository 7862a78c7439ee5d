"""A longer budget, or a finer evaluation, goes on from what a store holds."""

from __future__ import annotations

import dataclasses

import pytest

from anglewise.errors import StoreError
from anglewise.lab.readings.motion import Motion
from anglewise.lab.readings.radii import RadiusQuantiles
from anglewise.lab.runner import Interrupted
from anglewise.lab.store import Reader
from tests.support.training import (
    BATCHED,
    ONE,
    PROGRAMS,
    TINY,
    changed,
    everything,
    rows,
    trained,
)


@pytest.mark.parametrize("programs", [PROGRAMS, BATCHED], ids=["one by one", "batched"])
def test_a_longer_budget_goes_on_to_the_very_numbers_of_one_asked_for_at_once(tmp_path, programs):
    several = changed(dataclasses.replace(TINY, seeds=2, arms=TINY.arms[1:]), batch=16)
    how = {"readings": (RadiusQuantiles(), Motion()), "programs": programs}
    for budget in (40, 60):
        done = trained(changed(several, budget=budget), tmp_path / "grown", **how)
    assert len(done.further) == 4 and not done.again
    trained(several, tmp_path / "at once", **how)
    assert everything(tmp_path / "grown", several) == everything(tmp_path / "at once", several)
    assert {row["steps"] for row in rows(tmp_path / "grown", "runs", of=changed(several, budget=40))} == {40}


def test_a_budget_off_the_grid_leaves_no_trace_in_a_longer_one(tmp_path):
    for budget in (30, 60):
        done = trained(changed(ONE, budget=budget), tmp_path / "grown", readings=(Motion(),))
    assert len(done.further) == 3
    trained(ONE, tmp_path / "at once", readings=(Motion(),))
    assert everything(tmp_path / "grown", ONE) == everything(tmp_path / "at once", ONE)
    assert max(row["step"] for row in rows(tmp_path / "grown", of=changed(ONE, budget=30))) == 30


@pytest.mark.parametrize("after", [0, 2, 4])
def test_going_on_may_be_stopped_too(tmp_path, after):
    trained(changed(ONE, budget=20), tmp_path / "grown", readings=(Motion(),))
    calls = iter(range(10**6))
    with pytest.raises(Interrupted):
        trained(ONE, tmp_path / "grown", readings=(Motion(),), stop=lambda: next(calls) >= after)
    trained(ONE, tmp_path / "grown", readings=(Motion(),))
    trained(ONE, tmp_path / "at once", readings=(Motion(),))
    assert everything(tmp_path / "grown", ONE) == everything(tmp_path / "at once", ONE)


def test_stopped_while_going_on_the_shorter_experiment_is_still_whole(tmp_path):
    short = changed(ONE, budget=20)
    trained(short, tmp_path / "store", readings=())
    before = rows(tmp_path / "store", "runs", of=short)
    calls = iter(range(10**6))
    with pytest.raises(Interrupted):
        trained(ONE, tmp_path / "store", readings=(), stop=lambda: next(calls) >= 1)
    after = rows(tmp_path / "store", "runs", of=short)
    assert [row["outcome"] for row in after] == [row["outcome"] for row in before]
    trained(short, tmp_path / "store", readings=())
    assert rows(tmp_path / "store", of=short) == [
        row for row in rows(tmp_path / "store", of=short) if row["step"] <= 20
    ]
    assert not trained(short, tmp_path / "store", readings=()).missing


def test_a_finer_evaluation_trains_again_and_loses_no_step_of_either(tmp_path):
    coarse, fine = changed(ONE, every=20), changed(ONE, every=10, budget=20)
    trained(coarse, tmp_path / "store", readings=())
    before = rows(tmp_path / "store", of=coarse)
    assert len(trained(fine, tmp_path / "store", readings=()).again) == 3
    assert rows(tmp_path / "store", of=coarse) == before
    assert sorted({row["step"] for row in rows(tmp_path / "store", of=fine)}) == [0, 10, 20]
    for experiment in (coarse, fine):
        assert not trained(experiment, tmp_path / "store", readings=()).missing


def test_without_weights_a_longer_budget_begins_again_to_the_same_numbers(tmp_path):
    trained(changed(ONE, budget=20), tmp_path / "grown", keep=False)
    reader, first = Reader(tmp_path / "grown"), next(iter(ONE.runs())).run_id
    with pytest.raises(StoreError, match=f"^run {first} has kept no weights: it has not ended, or was trained without"):
        reader.weights(first)
    done = trained(ONE, tmp_path / "grown")
    assert len(done.again) == 3 and not done.further
    trained(ONE, tmp_path / "at once")
    assert everything(tmp_path / "grown", ONE) == everything(tmp_path / "at once", ONE)
