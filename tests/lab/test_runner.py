"""From an experiment to a store: only what is missing, in any order, with nothing lost."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from anglewise.errors import SpecError, StoreError
from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.programs import Programs
from anglewise.lab.engine.rng import stream
from anglewise.lab.execution.planning import plan
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.energy import RadialEnergy
from anglewise.lab.readings.motion import Motion
from anglewise.lab.readings.radii import RadiusQuantiles
from anglewise.lab.readings.sets import AT_EVALUATIONS
from anglewise.lab.readings.spectrum import Spectrum
from anglewise.lab.report.progress import Silent, progress_for
from anglewise.lab.runner import Interrupted, train
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


PROGRAMS = Programs(AT_EVALUATIONS)
"""Shared by all tests here, so that each structure is compiled once."""
BATCHED = Programs(AT_EVALUATIONS, place=lambda task, training, platform: Placement(True, 0, 8))
"""As on an accelerator: members train as one program."""


def trained(experiment, folder, **kwargs):
    kwargs = {"readings": FEW, "programs": PROGRAMS} | kwargs
    with Store.open(folder) as store:
        return train(experiment, store, progress_for(quiet=True), provenance={}, **kwargs)


class NotAgain(Silent):
    """Fails where anything is trained."""

    def update(self, rows, steps):
        assert not steps, f"{rows.run.arm.name} trained again"


def nothing_trained(experiment, folder):
    """Whether the store has all of an experiment, and hands it out without training."""
    with Store.open(folder) as store:
        return not train(experiment, store, NotAgain(), provenance={}, readings=FEW, programs=PROGRAMS).missing


def rows(folder, view="curves", of=None):
    """All rows of a view; with `of`, those of one experiment."""
    return Reader(folder).query(f"SELECT * FROM {view} ORDER BY ALL", of and of.experiment_id).to_pylist()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runner") / "store"
    trained(TINY, folder)
    return folder


def test_every_run_is_there_once_with_all_its_evaluations(undisturbed):
    steps = [row["step"] for row in rows(undisturbed)]
    assert len(steps) == 9 * 16
    assert sorted(set(steps)) == [*range(0, 60, 4), 60]
    assert {row["outcome"] for row in rows(undisturbed, "runs")} <= {"memorised", "underfit"}
    assert {row["trained"] for row in rows(undisturbed, "runs")} == {60}
    assert not list((undisturbed / "populations").iterdir())


def test_readings_have_their_two_cadences(undisturbed):
    found = rows(undisturbed, "readings")
    at = {name: sorted({row["step"] for row in found if row["name"] == name}) for name in {r["name"] for r in found}}
    assert at["radius"] == [*range(0, 60, 4), 60]
    for name in ("radius_q05", "radial_energy"):
        assert at[name] == [0, 20, 40, 60]
    assert Spectrum().every == 2 and at["effective_rank"] == [0, 40, 60]  # its own cadence, and where a run ends


def test_the_same_command_again_trains_nothing(undisturbed):
    assert nothing_trained(TINY, undisturbed)


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

    def again(*readings):
        return plan(TINY, reader, reader.finished(), readings).again

    assert not again(*FEW)
    assert again(RadialEnergy(relative=1e-3)) == {run.run_id for run in TINY.runs()}

    class Elsewhere(RadialEnergy):
        def suits(self, task, model):
            return False

    assert not again(Elsewhere())


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
    two = dataclasses.replace(TINY, seeds=2)
    done = trained(two, tmp_path / "grown")
    assert (len(done.done), len(done.missing)) == (3, 3)
    trained(two, tmp_path / "fresh")
    assert rows(tmp_path / "grown", of=two) == rows(tmp_path / "fresh")
    assert len(rows(tmp_path / "grown", "runs", of=few)) == 3 and len(rows(tmp_path / "grown", "runs")) == 9


def test_another_baseline_asks_for_no_new_run():
    other = dataclasses.replace(TINY, baseline="slow")
    assert [run.run_id for run in TINY.runs()] == [run.run_id for run in other.runs()]
    assert other.experiment_id == TINY.experiment_id


def test_seeds_come_first_so_that_a_part_is_still_paired():
    order = [(run.seed, run.arm.name) for run in plan(TINY).missing]
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


def test_batched_and_stopped_equals_batched_undisturbed(tmp_path):
    trained(TINY, tmp_path / "whole", programs=BATCHED)
    calls = iter(range(10**6))
    with pytest.raises(Interrupted):
        trained(TINY, tmp_path / "parts", stop=lambda: next(calls) >= 2, programs=BATCHED)
    trained(TINY, tmp_path / "parts", programs=BATCHED)
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


def test_batched_equals_one_after_the_other_to_rounding(tmp_path, undisturbed):
    trained(TINY, tmp_path / "store", programs=BATCHED)
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
    assert [row | {"experiment_id": ""} for row in others] == [row | {"experiment_id": ""} for row in rows(undisturbed)]


def test_a_run_that_generalised_stops_after_the_further_steps(tmp_path):
    easy = Training(budget=400, every=4, threshold=0.01, sustain=3, further=6, batch=16)
    experiment = dataclasses.replace(TINY, training=easy, seeds=2, arms=TINY.arms[:1])
    trained(experiment, tmp_path / "store", readings=(), programs=BATCHED)
    for run in rows(tmp_path / "store", "runs"):
        assert run["steps"] in (run["sustained"] + 2 * 4 + 8, run["sustained"] + 2 * 4 + 6)
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
    assert rows(tmp_path / "store", of=TINY) == rows(undisturbed)


def changed(experiment, **fields):
    """The experiment with other fields of its training."""
    return dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, **fields))


ONE = dataclasses.replace(TINY, seeds=1)


@pytest.mark.parametrize(
    "other",
    [
        changed(ONE, budget=40),
        changed(ONE, threshold=0.5),
        changed(ONE, sustain=2),
        changed(ONE, further=8),
        changed(ONE, every=20),
        dataclasses.replace(ONE, name="another", title="of another title"),
        dataclasses.replace(ONE, arms=tuple(Arm(f"{arm.name}, renamed", arm.methods) for arm in ONE.arms)),
    ],
    ids=["shorter", "threshold", "sustain", "stops early", "coarser", "name and title", "names of arms"],
)
def test_what_is_not_trained_trains_nothing(other, tmp_path):
    trained(ONE, tmp_path / "store")
    assert nothing_trained(other, tmp_path / "store")
    assert {row["outcome"] for row in rows(tmp_path / "store", "runs", of=other)} - {None}
    assert rows(tmp_path / "store", of=ONE) and rows(tmp_path / "store", of=other)


def test_an_experiment_sees_of_a_run_what_it_would_have_trained_itself(tmp_path):
    for other in (changed(ONE, budget=40), changed(ONE, every=20), changed(ONE, threshold=0.03, sustain=2, further=0)):
        folder = tmp_path / other.experiment_id
        trained(ONE, folder / "shared")
        trained(other, folder / "shared")
        trained(other, folder / "alone")
        assert rows(folder / "shared", of=other) == rows(folder / "alone")
        own = (
            "outcome",
            "steps",
            "first",
            "sustained",
            "t95",
            "t95_sustained",
            "t_capped",
            "budget",
            "every",
            "threshold",
        )
        for here, there in zip(rows(folder / "shared", "runs", of=other), rows(folder / "alone", "runs"), strict=True):
            assert {name: here[name] for name in own} == {name: there[name] for name in own}


def everything(folder, of):
    """Rows of all views but what seconds there were, and the last weights."""
    reader = Reader(folder)
    found = {view: repr(rows(folder, view, of=of)) for view in ("curves", "readings", "arrays")}
    runs = [{k: v for k, v in row.items() if "seconds" not in k} for row in rows(folder, "runs", of=of)]
    weights = {row["run_id"]: reader.weights(row["run_id"]) for row in runs}
    return found, runs, {(run, name): x.tobytes() for run, some in weights.items() for name, x in some.items()}


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


def test_the_last_weights_give_the_last_accuracy(undisturbed):
    run = next(iter(TINY.runs()))
    weights = Reader(undisturbed).weights(run.run_id)
    assert sorted(weights) == ["head.weight", "layers.0.weight"]
    data = run.task.split(stream(run.seed, "split"))
    inputs = np.eye(run.task.tokens)[np.asarray(data.test_inputs)].reshape(len(data.test_labels), -1)
    logits = np.maximum(inputs @ weights["layers.0.weight"], 0) @ weights["head.weight"]
    accuracy = np.mean(logits.argmax(axis=1) == np.asarray(data.test_labels))
    last = [row for row in rows(undisturbed) if row["run_id"] == run.run_id][-1]
    assert last["test_accuracy"] == pytest.approx(accuracy)


def test_damaged_weights_are_not_handed_out(tmp_path):
    trained(ONE, tmp_path / "store", readings=())
    path = next((tmp_path / "store" / "runs").glob("*/weights.safetensors"))
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"weights.safetensors is damaged: delete it and run the experiment again"):
        Reader(tmp_path / "store").weights(path.parent.name)
    done = trained(changed(ONE, budget=80), tmp_path / "store", readings=())
    assert (len(done.again), len(done.further)) == (1, 2)


def test_arms_that_are_the_same_are_trained_once(tmp_path):
    twins = dataclasses.replace(ONE, arms=(ONE.arms[0], Arm("its twin", ONE.arms[0].methods)))
    assert len(trained(twins, tmp_path / "store", readings=()).missing) == 1
    found = {row["arm"]: row["outcome"] for row in rows(tmp_path / "store", "runs")}
    assert found["plain"] == found["its twin"] is not None


def test_readings_where_nothing_is_measured_are_refused(tmp_path):
    wanted = (
        r"^readings are asked for, but training.measure_every of tiny is 0, so none would be taken: "
        r"add --training.measure_every 4 \(a multiple of training.every, 4\)$"
    )
    with pytest.raises(SpecError, match=wanted):
        trained(changed(ONE, measure_every=0), tmp_path / "store")


def test_readings_of_before_are_taken_again_beside_new_ones(tmp_path):
    trained(ONE, tmp_path / "store", readings=(RadiusQuantiles(),))
    trained(ONE, tmp_path / "store", readings=(Spectrum(),))
    assert not trained(ONE, tmp_path / "store", readings=(RadiusQuantiles(), Spectrum())).missing


def test_a_changed_source_of_the_users_own_trains_anew(tmp_path):
    """A loss that was broken on purpose once came back as 'runs were there already'."""

    def with_source(text):
        folder = tmp_path / str(len(text))
        folder.mkdir()
        (folder / "mine.py").write_text(text)
        loaded = {}
        exec(compile(text, str(folder / "mine.py"), "exec"), loaded)
        return dataclasses.replace(ONE, arms=(Arm("mine", (ADAM, loaded["Mine"]())),))

    text = """
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.loss import cross_entropy
from anglewise.lab.protocols.method import Method
@method
class Mine(Method):
    def loss(self, logits, labels):
        return cross_entropy(logits, labels)
"""
    good, bad = with_source(text), with_source(text.replace("return cross", "return 0 * cross"))
    trained(good, tmp_path / "store", readings=())
    assert not trained(good, tmp_path / "store", readings=()).missing
    assert len(trained(bad, tmp_path / "store", readings=()).missing) == 1
    losses = {row["train_loss"] for row in rows(tmp_path / "store", of=bad)}
    assert losses == {0.0} != {row["train_loss"] for row in rows(tmp_path / "store", of=good)}
