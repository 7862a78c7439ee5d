"""From an experiment to a store: only what is missing, in any order, with nothing lost."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from anglewise.lab import runner
from anglewise.lab.engine import layout
from anglewise.lab.engine.layout import Layout
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.energy import RadialEnergy
from anglewise.lab.readings.motion import Motion
from anglewise.lab.readings.radii import RadiusQuantiles
from anglewise.lab.readings.spectrum import Spectrum
from anglewise.lab.report.live import progress_for
from anglewise.lab.runner import Interrupted, lacking, plan, train
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.store import Reader, Store
from anglewise.lab.tasks.modular import Modular

ADAM = AdamW(lr=0.01, wd=0.1)
TINY = Experiment(
    "tiny", Modular(p=11, train=0.5), MLP(hidden=(16,)),
    (Arm("plain", (ADAM,)), Arm("slow", (AdamW(lr=0.001, wd=0.1),)), Arm("radial", (ADAM, RadialPenalty(0.1)))),
    Training(budget=60, every=4, measure_every=20), seeds=3,
)  # fmt: skip


FEW = (RadiusQuantiles(), RadialEnergy(), Motion(), Spectrum())
"""Of both cadences, with and without a past; to compile them all is not what is tested here."""


def quiet():
    return progress_for(quiet=True)


def trained(experiment, folder, **kwargs):
    kwargs = {"readings": FEW} | kwargs
    with Store.open(folder) as store:
        return train(experiment, store, quiet(), provenance={}, **kwargs)


def rows(folder, view="curves"):
    return Reader(folder).query(f"SELECT * FROM {view} ORDER BY ALL").to_pylist()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runner") / "store"
    trained(TINY, folder)
    return folder


@pytest.fixture
def batched(monkeypatch):
    """As on an accelerator: members train as one program."""
    monkeypatch.setattr(layout, "choose", lambda task, training, platform: Layout(True, 0, 8))


def test_every_run_is_there_once_with_all_its_evaluations(undisturbed):
    steps = [row["step"] for row in rows(undisturbed)]
    assert len(steps) == 9 * 16
    assert sorted(set(steps)) == [*range(0, 60, 4), 60]
    assert {row["outcome"] for row in rows(undisturbed, "runs")} <= {"memorised", "underfit"}
    assert not list((undisturbed / "populations").iterdir())


def test_readings_have_their_two_cadences(undisturbed):
    found = rows(undisturbed, "readings")
    at = {name: sorted({row["step"] for row in found if row["name"] == name}) for name in {r["name"] for r in found}}
    assert at["radius"] == [*range(0, 60, 4), 60]
    for name in ("radius_q05", "radial_energy"):
        assert at[name] == [0, 20, 40, 60]
    assert Spectrum().every == 2 and at["effective_rank"] == [0, 40, 60]  # its own cadence, and where a run ends


def test_the_same_command_again_trains_nothing(undisturbed, monkeypatch):
    monkeypatch.setattr(runner.Population, "advance", lambda self: pytest.fail("trained again"))
    assert not trained(TINY, undisturbed).missing


def test_arrays_are_stored_with_their_shapes(undisturbed):
    found = [row for row in rows(undisturbed, "arrays") if row["name"] == "singular_values"]
    assert {row["shape"] for row in found} == {"16"} and {len(row["values"]) for row in found} == {16}
    assert {row["step"] for row in found} == {0, 40, 60}
    assert all(row["values"] == sorted(row["values"], reverse=True) for row in found)


def test_readings_asked_for_later_train_again_to_the_same_curves(tmp_path):
    one = dataclasses.replace(TINY, seeds=1, arms=TINY.arms[2:])
    trained(one, tmp_path / "store", readings=())
    before = rows(tmp_path / "store")
    assert {row["name"] for row in rows(tmp_path / "store", "readings")} == {"radius", "radius_std"}
    done = trained(one, tmp_path / "store", readings=(RadiusQuantiles(),))
    assert len(done.again) == 1 and rows(tmp_path / "store") == before
    for fewer in ((RadiusQuantiles(),), ()):
        assert not trained(one, tmp_path / "store", readings=fewer).missing
    assert len(trained(one, tmp_path / "store", readings=(RadiusQuantiles(rows=7),)).again) == 1


def test_readings_are_not_missed_where_nothing_is_measured_or_they_do_not_suit(undisturbed):
    reader = Reader(undisturbed)
    assert not lacking(TINY, reader.outcome, FEW)
    assert lacking(TINY, reader.outcome, (RadialEnergy(relative=1e-3),)) == {run.run_id for run in TINY.runs()}
    unmeasured = dataclasses.replace(TINY, training=dataclasses.replace(TINY.training, measure_every=0))
    assert not lacking(unmeasured, reader.outcome, (RadialEnergy(relative=1e-3),))

    class Elsewhere(RadialEnergy):
        def suits(self, task, model):
            return False

    assert not lacking(TINY, reader.outcome, (Elsewhere(),))


def test_other_readings_make_a_run_begin_anew_not_go_on_half_measured(tmp_path):
    calls = iter(range(10**6))
    one = dataclasses.replace(TINY, seeds=1, arms=TINY.arms[:1])
    with pytest.raises(Interrupted):
        trained(one, tmp_path / "store", stop=lambda: next(calls) >= 1, readings=())
    trained(one, tmp_path / "store", readings=(RadiusQuantiles(),))
    found = {row["step"] for row in rows(tmp_path / "store", "readings") if row["name"] == "radius_q50"}
    assert found == {0, 20, 40, 60}


def test_more_seeds_train_only_the_new_ones_and_equal_a_fresh_store(tmp_path):
    few = dataclasses.replace(TINY, seeds=1)
    trained(few, tmp_path / "grown")
    done = trained(dataclasses.replace(TINY, seeds=2), tmp_path / "grown")
    assert (len(done.done), len(done.missing)) == (3, 3)
    trained(dataclasses.replace(TINY, seeds=2), tmp_path / "fresh")
    assert rows(tmp_path / "grown") == rows(tmp_path / "fresh")


def test_another_baseline_asks_for_no_new_run():
    ids = [run.run_id for run in TINY.runs()]
    assert ids == [run.run_id for run in dataclasses.replace(TINY, baseline="slow").runs()]
    assert not plan(dataclasses.replace(TINY, baseline="slow"), set(ids)).missing


def test_seeds_come_first_so_that_a_part_is_still_paired():
    order = [(run.seed, run.arm.name) for run in plan(TINY, set()).missing]
    assert order[:3] == [(0, "plain"), (0, "slow"), (0, "radial")]


@pytest.mark.parametrize("after", [1, 4, 9])
def test_stopped_and_gone_on_equals_undisturbed(undisturbed, tmp_path, after):
    calls = iter(range(10**6))
    with pytest.raises(Interrupted, match="interrupted: run the same command again to go on from here"):
        trained(TINY, tmp_path / "store", stop=lambda: next(calls) >= after)
    assert list((tmp_path / "store" / "populations").iterdir()) or after
    trained(TINY, tmp_path / "store")
    assert rows(tmp_path / "store") == rows(undisturbed)
    for view in ("readings", "arrays"):
        assert repr(rows(tmp_path / "store", view)) == repr(rows(undisturbed, view))  # NaN is NaN


def test_batched_and_stopped_equals_batched_undisturbed(tmp_path, batched):
    trained(TINY, tmp_path / "whole")
    calls = iter(range(10**6))
    with pytest.raises(Interrupted):
        trained(TINY, tmp_path / "parts", stop=lambda: next(calls) >= 2)
    trained(TINY, tmp_path / "parts")
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


def test_batched_equals_one_after_the_other_to_rounding(tmp_path, batched, undisturbed):
    trained(TINY, tmp_path / "store")
    for here, there in zip(rows(tmp_path / "store"), rows(undisturbed), strict=True):
        assert {k: here[k] for k in ("run_id", "arm", "seed", "step")} == {
            k: there[k] for k in ("run_id", "arm", "seed", "step")
        }
        np.testing.assert_allclose(here["train_loss"], there["train_loss"], rtol=1e-3)


def test_a_damaged_checkpoint_costs_time_and_nothing_else(undisturbed, tmp_path):
    calls = iter(range(10**6))
    with pytest.raises(Interrupted):
        trained(TINY, tmp_path / "store", stop=lambda: next(calls) >= 1)
    for state in (tmp_path / "store" / "populations").glob("*/state.safetensors"):
        state.write_bytes(state.read_bytes()[:-100])
    trained(TINY, tmp_path / "store")
    assert rows(tmp_path / "store") == rows(undisturbed)


def test_a_damaged_segment_is_trained_again(undisturbed, tmp_path):
    trained(TINY, tmp_path / "store")
    segment = next((tmp_path / "store" / "runs").glob("*/v1/curves-*.parquet"))
    segment.write_bytes(segment.read_bytes()[:200])
    done = trained(TINY, tmp_path / "store")
    assert len(done.missing) == 1
    assert rows(tmp_path / "store") == rows(undisturbed)


def test_a_run_that_diverges_says_so_and_leaves_its_neighbours_alone(tmp_path, undisturbed):
    wild = Arm("wild", (AdamW(lr=1e30),))
    trained(dataclasses.replace(TINY, arms=(*TINY.arms, wild)), tmp_path / "store")
    ended = {(row["arm"], row["outcome"]) for row in rows(tmp_path / "store", "runs")}
    assert ("wild", "diverged") in ended
    others = [row for row in rows(tmp_path / "store") if row["arm"] != "wild"]
    assert others == rows(undisturbed)


def test_a_run_that_generalised_stops_after_the_further_steps(tmp_path, batched):
    easy = Training(budget=400, every=4, threshold=0.01, sustain=3, further=6, batch=16)
    experiment = dataclasses.replace(TINY, training=easy, seeds=2, arms=TINY.arms[:1])
    trained(experiment, tmp_path / "store")
    for run in rows(tmp_path / "store", "runs"):
        sustained = Reader(tmp_path / "store").outcome(run["run_id"])["sustained"]
        assert run["steps"] == sustained + 2 * 4 + 8 or run["steps"] == sustained + 2 * 4 + 6
        assert run["steps"] < 400
        assert max(r["step"] for r in rows(tmp_path / "store") if r["run_id"] == run["run_id"]) == run["steps"]


def test_an_odd_arm_out_keeps_its_checkpoint_for_later(tmp_path, undisturbed):
    calls = iter(range(10**6))
    with pytest.raises(Interrupted):
        trained(TINY, tmp_path / "store", stop=lambda: next(calls) >= 0)
    other = dataclasses.replace(TINY, arms=TINY.arms[2:])
    trained(other, tmp_path / "store")
    assert list((tmp_path / "store" / "populations").iterdir())
    trained(TINY, tmp_path / "store")
    assert rows(tmp_path / "store") == rows(undisturbed)
