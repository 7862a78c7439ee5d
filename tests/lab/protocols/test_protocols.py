"""Everything that has a name keeps its protocol, and what a network declares is what it does."""

from __future__ import annotations

import typing

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from anglewise.lab.catalogue import METHODS, MODELS, TASKS
from anglewise.lab.methods.notsawo2025_sparsity import L1
from anglewise.lab.models.gpt import GPT
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols import method as places
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Attending, Factorised, Model, Network, Residual, Sized, product, shape_of
from anglewise.lab.protocols.reading import ActivationReading, Reading, named_parameters
from anglewise.lab.protocols.task import Answering, Cyclic, Sampled, Secret, Task
from anglewise.lab.readings.radii import Radii
from anglewise.lab.readings.sets import READINGS
from anglewise.lab.tasks.addition import Addition
from anglewise.lab.tasks.held_out import HeldOut
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.parity import Parity
from anglewise.lab.tasks.permutation import Permutations
from anglewise.lab.tasks.text import Text
from tests.support.gated import Gated, OneHotGated

PAIRS, SEQUENCES = Modular(p=7, train=0.5), Modular(p=7, train=0.5, form="a op b =")
SUMS = Addition(digits=1, train=30, test=10)
NETWORKS = {
    "mlp": (MLP(hidden=(8, 6), embedding=4), PAIRS),
    "mlp, one-hot": (MLP(hidden=(8,), bias=True), PAIRS),
    "mlp, a table per position": (MLP(hidden=(8,), embedding=4, shared=False), SEQUENCES),
    "transformer": (Transformer(layers=2, width=8, heads=2), SEQUENCES),
    "transformer, all positions": (Transformer(layers=1, width=8, heads=2, positions="all", tied=True), SEQUENCES),
    "transformer, no norm": (Transformer(layers=2, width=8, heads=4, norm="none", mlp=6), SEQUENCES),
    "gpt": (GPT(layers=2, width=8, heads=2), SUMS),
    "gpt, untied": (GPT(layers=1, width=8, heads=2, bias=True, tied=False), SUMS),
    "gated": (Gated(), PAIRS),
    "gated, one-hot": (OneHotGated(), PAIRS),
}
PLACES = {
    "loss", "penalty", "transform", "project", "tap", "weights", "reshape", "init", "radial_terms", "edge", "check"
}  # fmt: skip


def test_every_task_is_a_task_and_says_what_only_some_have(tmp_path):
    (tmp_path / "verse").write_text("a rose is a rose is a rose. " * 10)
    text = Text(path=str(tmp_path / "verse"), context=8)
    tasks = [*(cls() for cls in TASKS.values() if cls is not Text), text, HeldOut(PAIRS)]
    assert all(isinstance(task, Task) for task in tasks)
    assert {type(t).__name__ for t in tasks if isinstance(t, Cyclic)} == {"Modular", "RandomLabels", "HeldOut"}
    assert {type(t).__name__ for t in tasks if isinstance(t, Secret)} == {"Parity"}
    assert {type(t).__name__ for t in tasks if isinstance(t, Answering)} == {"Addition", "Text", "HeldOut"}
    assert {type(t).__name__ for t in tasks if isinstance(t, Sampled)} == {"Addition", "Text", "HeldOut"}
    assert not isinstance(Permutations(), Cyclic | Secret) and not isinstance(Parity(), Cyclic)


@pytest.mark.parametrize("other", [MLP(), L1(), READINGS["radii"], "a task", None, 3])
def test_control_nothing_else_is_a_task(other):
    assert not isinstance(other, Task)


def test_every_model_is_a_model_and_says_what_only_some_have():
    models = [cls() for cls in MODELS.values()]
    assert all(isinstance(model, Model) and isinstance(model, Sized) for model in models)
    assert [type(model).__name__ for model in models if isinstance(model, Attending)] == ["Transformer", "GPT"]
    assert isinstance(Gated(), Model) and not isinstance(Gated(), Sized | Attending)
    for other in (PAIRS, L1(), shape_of(MLP(), PAIRS), "a model"):  # control
        assert not isinstance(other, Model)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_a_network(name):
    network = shape_of(*NETWORKS[name])
    assert isinstance(network, Network)
    assert isinstance(network, Factorised) == (not name.startswith("gated"))
    assert isinstance(network, Residual) == name.startswith(("transformer", "gpt"))


def test_control_nothing_else_is_a_network():
    for other in (MLP(), PAIRS, L1(), lambda inputs: inputs, shape_of(*NETWORKS["mlp"]).head):
        assert not isinstance(other, Network)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_declared_sites_are_those_of_the_forward_pass(name):
    model, task = NETWORKS[name]
    network, tapped = shape_of(model, task), []

    def tap(site, h):
        tapped.append(site)
        return h

    def forward(network, inputs):
        activations = network(inputs, tap=tap)[1]
        order.extend(activations)  # which a compiled function does not keep
        return activations

    order, inputs = [], jax.ShapeDtypeStruct((5, task.length), jnp.int32)
    seen = eqx.filter_eval_shape(forward, network, inputs)
    assert list(network.all_sites) == order
    assert [site for site, declared in network.all_sites.items() if declared.tapped] == tapped
    for site, declared in network.all_sites.items():
        shape = (5, declared.width)
        assert seen[site].shape == ((declared.positions, *shape) if declared.positions else shape)
    assert set(model.sites) == set(network.linear_maps)
    assert {each.source for each in network.linear_maps.values()} <= set(network.all_sites)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_declared_of_the_parameters_has_their_structure(name):
    model, task = NETWORKS[name]
    network = shape_of(model, task)
    parameters = named_parameters(network)
    assert named_parameters(network.roles).keys() == named_parameters(network.stacked).keys() == parameters.keys()
    assert {n for n, count in named_parameters(network.stacked).items() if count == 3} == {
        n for n in parameters if n.endswith("qkv.weight")
    }
    if network.tables:
        tables = [jnp.zeros(table.shape) for table in network.tables]
        assert product(tuple(tables)).shape[-2] == task.tokens
    if network.head is not None:
        last = list(network.all_sites.values())[-1]
        assert network.head.weight.shape == (last.width, task.classes)


def test_a_factor_behind_the_table_is_part_of_the_product():
    narrow, lift = jnp.ones((2, 7, 3)), jnp.ones((3, 5))
    assert product((narrow, lift)).shape == (2, 7, 5) and product((narrow,)) is narrow


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_one_and_fills_in_places_that_there_are(name):
    method = METHODS[name]()
    assert isinstance(method, Method)
    filled = {place for place in PLACES if getattr(method, place) is not None}
    assert filled and all(callable(getattr(method, place)) for place in filled)
    assert method.needs <= set(typing.get_args(places.Need))
    assert method.position in ("first", "last", "any") and method.copies >= 0
    assert ("transform" in filled) == (method.downhill is not None)


def test_control_nothing_else_is_a_method_and_a_bare_one_does_nothing():
    assert not any(isinstance(other, Method) for other in (PAIRS, MLP(), READINGS["radii"]))
    assert all(getattr(Method(), place) is None for place in PLACES) and Method().needs == frozenset()
    assert set(vars(Method)) >= PLACES


@pytest.mark.parametrize("name", READINGS)
def test_every_reading_is_one(name):
    reading = READINGS[name]
    assert isinstance(reading, Reading) and type(reading).measure is not Reading.measure
    assert reading.every >= 1 and reading.precision in ("as trained", "float64") and reading.copies >= 0
    assert not isinstance(reading, ActivationReading)


def test_readings_at_every_evaluation_have_a_protocol_of_their_own():
    assert isinstance(Radii(), ActivationReading) and not isinstance(Radii(), Reading)
    assert not isinstance(MLP(), Reading | ActivationReading)
    with pytest.raises(TypeError, match=r"Reading is no reading: define measure\(snapshot\)"):
        Reading().measure(None)
