"""Every room measures what it says, on the smallest that there is; its numbers are not tested here."""

from __future__ import annotations

import dataclasses
import math

import jax
import numpy as np
import pytest

from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.experiments.config import load
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.tasks.modular import Modular
from benchmarks import dropin, engine, networks, overheads, readings
from benchmarks.engine import SETUPS, Setup

torch = pytest.importorskip("torch")

from benchmarks import reference  # noqa: E402

TINY = Setup(Modular(p=7, train=0.5), MLP(hidden=(8, 8), bias=True), 8, SETUPS[engine.SMALLEST].adamw, 10)


def built(setup, members=0):
    """A setup's network in PyTorch."""
    name, fields, *_ = engine.theirs(setup, 0.0)
    made = [reference.NETWORKS[name](**fields) for _ in range(members or 1)]
    return made if members else made[0]


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("strength", [0.0, 0.05])
def test_the_engine_trains_so_many_steps(members, strength):
    timed = engine.ours(TINY, strength, members)
    assert timed.seconds(3) > 0
    assert int(timed.trains.population.state.step) == 3


@pytest.mark.parametrize(("how", "members"), [("eager", 0), ("compiled", 0), ("ensemble", 4), ("compiled", 4)])
def test_every_peer_trains(how, members, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    timed = reference.trains(how, *engine.theirs(TINY, 0.05), members)
    weights = timed.trains.params if how != "eager" else dict(timed.trains.model.named_parameters())
    before = {name: x.detach().clone() for name, x in weights.items()}
    assert timed.seconds(2) > 0
    assert all(not torch.equal(before[name], x) for name, x in weights.items())


@pytest.mark.parametrize("name", SETUPS)
def test_a_peer_has_as_many_weights_as_ours(name):
    setup = SETUPS[name]
    assert sum(x.numel() for x in built(setup).parameters()) == setup.model.parameters(setup.task)


def test_control_another_network_has_not():
    other = dataclasses.replace(TINY.model, hidden=(8, 9))
    assert sum(x.numel() for x in built(TINY).parameters()) != other.parameters(TINY.task)


@pytest.mark.parametrize("embedding", [0, 6])
def test_a_peer_computes_the_same_logits_from_the_same_weights(embedding):
    model = MLP(hidden=(8, 5), embedding=embedding, shared=False, activation="gelu")
    setup = TINY._replace(model=model)
    ours, theirs = model.init(setup.task, jax.random.key(0)), built(setup)
    matrices = [np.array(layer.weight).T for layer in (*ours.layers, ours.head)]
    table = np.array(ours.embedding).reshape(-1, embedding) if embedding else matrices[0].T
    layers = ([theirs.first] if embedding else []) + list(theirs.rest)
    with torch.no_grad():
        theirs.table.weight.copy_(torch.from_numpy(table.copy()))
        for layer, matrix in zip(layers, matrices[len(matrices) - len(layers) :], strict=True):
            layer.weight.copy_(torch.from_numpy(matrix.copy()))
        x = np.array([[0, 1], [6, 6], [3, 2]])
        logits = theirs(torch.from_numpy(x))[0].numpy()
    np.testing.assert_allclose(logits, ours(x)[0], atol=1e-5)


def test_adamw_as_one_graph_is_adamw(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    *_, x, y, _, adamw, strength = engine.theirs(TINY, 0.05)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    trained = []
    for kind in (reference.Eager, reference.Compiled):
        torch.manual_seed(1)
        model = built(TINY)
        kind(model, reference.Batches(x, y, 0), adamw | {"lr": 0.05}, strength).run(5)
        trained.append([w.detach() for w in model.parameters()])
    torch.testing.assert_close(*trained, rtol=1e-4, atol=1e-5)


def test_each_member_of_an_ensemble_trains_as_it_would_alone():
    *_, x, y, _, adamw, strength = engine.theirs(TINY, 0.05)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    torch.manual_seed(1)
    members = built(TINY, 3)
    ensemble = reference.Ensemble(members, reference.Batches(x.expand(3, -1, -1), y.expand(3, -1), 0), adamw, strength)
    ensemble.run(4)
    reference.Eager(members[1], reference.Batches(x, y, 0), adamw, strength).run(4)
    for name, weight in members[1].named_parameters():
        torch.testing.assert_close(ensemble.params[name][1], weight.detach(), rtol=1e-4, atol=1e-5)


def test_batches_of_an_ensemble_pair_inputs_with_their_labels():
    x = torch.arange(20).reshape(1, 10, 2).expand(3, -1, -1)
    batches = reference.Batches(x, x[..., 0] * 10, 4)
    for _ in range(5):
        inputs, labels = batches.next()
        assert inputs.shape == (3, 4, 2) and torch.equal(inputs[..., 0] * 10, labels)
    assert not torch.equal(labels[0], labels[1])  # each its own order


def test_flops_of_a_linear_network_are_counted():
    setup = Setup(Modular(p=5, train=0.5), MLP(hidden=(4,)), 10, TINY.adamw, 1)
    assert engine.flops(setup) == 6 * 10 * 4 * 5  # the first layer is a look-up
    blocks = setup._replace(task=SETUPS["track A's Transformer, batch 512"].task, model=Transformer(layers=1))
    assert engine.flops(blocks) < engine.flops(blocks._replace(model=Transformer(layers=2)))


def test_the_drop_in_is_timed_beside_itself(monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    arms = dropin.Arms("toy", compiled=False)
    for name in dropin.STRENGTHS:
        assert arms.first(name) > 0 and arms.seconds(name, 2) > 0
    assert 0.9 < arms.facts()["memory_ratio"] < 1.2
    codes = {id(type(arm.model).forward.__code__) for arm in arms.arms.values()}
    assert len(codes) == 3  # none runs what was compiled for another
    assert [arm.suppression is None for arm in arms.arms.values()] == [True, False, False]


def test_overheads_train_the_same_run_with_more_beside_it(monkeypatch, tmp_path):
    laboratory = overheads.Laboratory("small network", 8)
    seen = []
    monkeypatch.setattr(overheads, "train", lambda one, store, progress, **more: seen.append((one, more["readings"])))
    monkeypatch.setattr(laboratory, "_alone", lambda one: seen.append((one, None)))
    monkeypatch.setattr(overheads, "watched", lambda root: __import__("contextlib").nullcontext())
    for kind in overheads.KINDS:
        assert laboratory.seconds(kind, 1) > 0
    assert [None if read is None else len(read) > 0 for _, read in seen] == [None, False, True, True]
    assert len({one.first_seed for one, _ in seen}) == 4 and all(one.training.budget == 8 for one, _ in seen)


def test_a_run_with_a_store_trains_to_its_budget(tmp_path):
    laboratory = overheads.Laboratory("small network", 8)
    assert laboratory.first(overheads.ALONE) > 0 and laboratory.first(overheads.STORE) > 0
    laboratory._stored(laboratory.experiment, tmp_path / "store", readings=False)
    from anglewise.lab.store import Reader

    reader = Reader(tmp_path / "store")
    assert [reader.outcome(run_id).steps for run_id in reader.finished()] == [8]


def test_the_live_page_has_a_reader_meanwhile(tmp_path):
    laboratory = overheads.Laboratory("small network", 8)
    with overheads.watched(tmp_path / "store"):
        laboratory._stored(laboratory.experiment, tmp_path / "store", readings=False)
    assert (tmp_path / "store").is_dir()


def test_readings_are_timed_beside_the_steps_between_them():
    measured = readings.Measured(engine.SMALLEST)
    assert measured.first(readings.TRAINING) > 0 and measured.first("radii") > 0
    assert measured.seconds(readings.TRAINING, 1) > 0 and measured.seconds("radii", 1) > 0


@pytest.mark.parametrize("name", networks.RECIPES)
def test_the_file_of_a_recipe_means_the_runs_of_a_population(name, tmp_path):
    recipe, file = networks.RECIPES[name], tmp_path / "networks.toml"
    file.write_text(networks.toml_of(recipe, 3, 7), encoding="utf-8")
    loaded = load(str(file), EXPERIMENTS)
    arms = tuple(arm for arm in loaded.arms if arm.name == recipe.arm)
    ours = networks.experiment(recipe, 3, 7)
    loaded = dataclasses.replace(loaded, arms=arms, baseline="", contrasts=())
    assert {run.run_id for run in loaded.runs()} == {run.run_id for run in ours.runs()}
    assert {run.seed for run in ours.runs()} == {7, 8, 9}


def test_a_population_counts_those_that_generalised(monkeypatch):
    whole = networks.experiment(networks.RECIPES["tuned AdamW"], 2, 0)
    for threshold, reached in ((0.0001, 2), (1.0, 0)):
        training = dataclasses.replace(whole.training, budget=12, threshold=threshold, sustain=1)
        small = dataclasses.replace(whole, task=Modular(p=11, train=0.4), model=MLP(hidden=(64,)), training=training)
        small = dataclasses.replace(
            small, arms=(dataclasses.replace(whole.arms[0], methods=whole.arms[0].methods[1:]),)
        )
        monkeypatch.setattr(networks, "experiment", lambda *_, small=small: small)
        answer = networks.train_population("track-c2", "adamw", 2, 0)
        assert answer["reached"] == reached and answer["training"] > 0


def test_a_population_that_does_not_fit_says_so(monkeypatch):
    from anglewise.lab.engine import placement

    monkeypatch.setattr(placement, "free_bytes", lambda device: 1000)
    answer = networks.train_population(*networks.RECIPES["tuned AdamW"], 2, 0)
    assert answer["why"].startswith("needs ") and "may be planned with" in answer["why"]


def test_ways_that_would_take_too_long_are_named_not_run(monkeypatch):
    clock = iter(range(0, 10**6, 100))  # each process takes 100 s
    monkeypatch.setattr(networks.time, "perf_counter", lambda: next(clock))
    ran = []

    def way(name):
        return lambda seed: ran.append(name) or {"whole process": 1.0}

    ways = {"one": (1, way("one")), "eight": (8, way("eight"))}
    with networks.opened(ways, again=True) as opened:
        assert opened.left_out == {"eight": "would take about 13 minutes here"} and ran == ["one"]
        assert opened.measures["one"]() == {"whole process": 1.0} and ran == ["one", "one"]
    with networks.opened(ways, again=False) as opened:
        opened.measures["one"]()
    assert ran == ["one"] * 3


def test_a_command_that_fails_is_a_reason():
    with pytest.raises(networks.Failed, match="json.tool no-such-file: .*No such file"):
        networks.process("json.tool", "no-such-file")
    assert networks.process("json.tool", "--help")[1] > 0


def test_networks_per_minute_are_those_that_got_there():
    assert networks.rates(3, 90.0, 60.0) == {"whole process": 2.0, "training": 3.0}
    assert math.isclose(networks.rates(0, 1.0, 1.0)["training"], 0.0)
