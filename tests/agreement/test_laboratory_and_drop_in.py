"""The laboratory (JAX) and the drop-in (PyTorch) are one method: 50 steps from the same weights, on the same rows."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Iterator
from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np
import pytest
import torch
from torch import nn

from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Compiled, arithmetic
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.protocols.schedule import Linear
from anglewise.lab.spec import Arm, Run, Training
from anglewise.lab.tasks.modular import Modular
from anglewise.torch import RadialSuppression

STEPS = 50
TASK = Modular(p=11, train=0.5)
ADAMW = AdamW(lr=0.01, wd=0.5, beta1=0.9, beta2=0.98)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Net(nn.Module):
    """The laboratory's MLP, written as a PyTorch user would."""

    def __init__(self, network) -> None:
        super().__init__()
        self.tokens = network.tokens
        self.embedding = None
        if network.embedding is not None:
            self.embedding = nn.Embedding.from_pretrained(tensor(network.embedding[0]), freeze=False)
        self.hidden = nn.ModuleList([linear(layer) for layer in network.layers])
        self.head = linear(network.head)
        self.act = {"relu": nn.ReLU(), "gelu": nn.GELU()}[network.activation]

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        if self.embedding is None:
            h = nn.functional.one_hot(pairs, self.tokens).double().flatten(1)
        else:
            h = self.embedding(pairs).flatten(1)
        for layer in self.hidden:
            h = self.act(layer(h))
        return self.head(h)


def tensor(array) -> torch.Tensor:
    return torch.from_numpy(np.array(array))


def linear(layer) -> nn.Linear:
    i, o = layer.weight.shape
    made = nn.Linear(i, o, bias=layer.bias is not None, dtype=torch.float64)
    with torch.no_grad():
        made.weight.copy_(tensor(layer.weight).T)
        if layer.bias is not None:
            made.bias.copy_(tensor(layer.bias))
    return made


class Trained(NamedTuple):
    first: Net
    last: Net
    batches: list[tuple[torch.Tensor, torch.Tensor]]


@functools.cache
def by_laboratory(model: MLP, penalty: RadialPenalty, batch: int) -> Trained:
    """50 steps of the laboratory's own program: networks before and after, and the rows of each step."""
    training = Training(budget=STEPS, every=STEPS, batch=batch, precision="float64")
    run = Run("agreement", TASK, model, Arm("arm", (ADAMW, penalty)), training, 0)
    population = Population([run], Compiled(run, Placement(False, 0, STEPS), (), ()))
    population.begin()
    program, member, state = population.compiled.program, population.member, population.state

    def network(state):
        return Net(eqx.combine(jax.tree.map(np.asarray, state.params), program.static))

    first, batches = network(state), []
    inputs, labels = tensor(member.data.train_inputs).long(), tensor(member.data.train_labels).long()
    size = batch or len(labels)
    with arithmetic(training):
        step = jax.jit(program.step)
        for at in range(STEPS):
            state = step(member, state)
            start = at % -(-len(labels) // size) * size
            rows = tensor(state.order)[start : start + size].long()
            batches.append((inputs[rows], labels[rows]))
    return Trained(first, network(state), batches)


def by_drop_in(lab: Trained, penalty: RadialPenalty) -> Net:
    """The same 50 steps in PyTorch, with the penalty attached."""
    net = copy.deepcopy(lab.first)
    suppression = RadialSuppression(
        net, "hidden.*", number(penalty.strength), number(penalty.target), over=penalty.over, side=penalty.side
    )
    optimizer = torch.optim.AdamW(
        net.parameters(), ADAMW.lr, betas=(ADAMW.beta1, ADAMW.beta2), eps=ADAMW.eps, weight_decay=ADAMW.wd
    )
    for at, (inputs, labels) in enumerate(lab.batches):
        loss = nn.functional.cross_entropy(net(inputs), labels) + suppression.penalty(step=at)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return net


def number(value):
    """A schedule as a PyTorch user writes it: a function of the step."""
    if not isinstance(value, Linear):
        return value
    return lambda step: value.start + (value.end - value.start) * min(step / value.steps, 1.0)


def furthest(one: Net, other: Net) -> float:
    """The largest difference between two parameters."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max((x - y).detach().abs().max().item() for x, y in pairs)


PENALTY = RadialPenalty(0.3, 0.7)
TWO_HOT = MLP(hidden=(16, 12), bias=True)
EMBEDDING = MLP(hidden=(16, 12), embedding=6, activation="gelu")


@pytest.mark.parametrize(("model", "batch"), [(TWO_HOT, 0), (EMBEDDING, 32)], ids=["2-hot", "embedding"])
def test_training_agrees(model, batch):
    lab = by_laboratory(model, PENALTY, batch)
    ours = by_drop_in(lab, PENALTY)
    assert {len(labels) for _, labels in lab.batches} == ({60} if not batch else {32, 28})
    assert furthest(lab.last, ours) < 1e-9
    assert furthest(lab.first, ours) > 0.1  # control: it trained


@pytest.mark.parametrize(
    "changes",
    [{"side": "outer", "target": 0.05}, {"side": "inner", "over": "mean"}, {"strength": Linear(0.5, 0.1, 30.0)}],
    ids=lambda changes: "-".join(changes),
)
def test_every_form_of_the_penalty_agrees(changes):
    penalty = dataclasses.replace(PENALTY, **changes)
    lab = by_laboratory(TWO_HOT, penalty, 0)
    assert furthest(lab.last, by_drop_in(lab, penalty)) < 1e-9


@pytest.mark.parametrize("changes", [{"strength": 0.303}, {"target": 0.71}, {"over": "mean"}], ids=str)
def test_control_another_penalty_is_seen(changes):
    lab = by_laboratory(TWO_HOT, PENALTY, 0)
    assert furthest(lab.last, by_drop_in(lab, dataclasses.replace(PENALTY, **changes))) > 1e-4
