"""The laboratory's GPT: equal to the example's in PyTorch, greedy decoding, and what it declares of itself."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from anglewise.errors import SpecError
from anglewise.lab.engine.step import Member, Program, grade
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.pascanu2013_clip import ClipGradient
from anglewise.lab.methods.srivastava2014_dropout import Dropout
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.gpt import GPT
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols.loss import cross_entropy
from anglewise.lab.protocols.schedule import WarmupCosine
from anglewise.lab.protocols.task import answers_of
from anglewise.lab.spec import Training
from anglewise.lab.tasks.addition import Addition
from anglewise.lab.tasks.modular import Modular
from anglewise.torch import RadialSuppression
from tests.support.programs import quick_jit

torch.set_num_threads(1)
TASK = Addition(digits=2, train=300, test=64)
MODEL = GPT(layers=2, width=12, heads=3, sigma=0.2)
LEARNS = (ClipGradient(0.5), AdamW(lr=WarmupCosine(0.01, 20.0, 3.0), wd=0.1, beta2=0.99, decay="matrices"))


@functools.cache
def example():
    """The example's module."""
    folder = str(Path(__file__).parents[3] / "examples")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module("gpt")
    finally:
        sys.path.remove(folder)


def tensor(x):
    return torch.tensor(np.asarray(x), dtype=torch.float64)


@torch.no_grad()
def as_example(params, model=MODEL, tokens=12):
    """The example's GPT with the same weights, in float64."""
    config = example().Config(
        layers=model.layers, heads=model.heads, width=model.width, context=TASK.length, dropout=0.0
    )
    gpt = example().GPT(config, tokens).double()
    gpt.embed.weight.copy_(tensor(params.embedding))
    gpt.position.weight.copy_(tensor(params.position))
    for block, ours in zip(gpt.blocks, params.blocks, strict=True):
        for layer, name in (
            (block.attn.qkv, "qkv"),
            (block.attn.out, "out"),
            (block.mlp[0], "up"),
            (block.mlp[2], "down"),
        ):
            layer.weight.copy_(tensor(getattr(ours, name).weight.T))
        block.norm1.weight.copy_(tensor(ours.norm1.gain))
        block.norm2.weight.copy_(tensor(ours.norm2.gain))
    gpt.norm.weight.copy_(tensor(params.norm.gain))
    return gpt


@functools.cache
def started(methods, task=TASK, model=MODEL):
    with jax.enable_x64(True):
        program = Program(task, model, methods, Training(precision="float64"))
        values = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), methods)
        member = Member(values, task.split(jax.random.key(1)), jax.random.key(2), jax.random.key(3))
        return program, member, program.start(member, jax.random.key(0))


@pytest.mark.parametrize("loss_on_all", [False, True])
@pytest.mark.parametrize("strength", [0.0, 0.05])
def test_training_steps_equal_the_examples_to_rounding(strength, loss_on_all):
    """Forward, loss, penalty, clipping, schedule, decay of matrices alone, AdamW: three whole steps."""
    task = dataclasses.replace(TASK, loss_on_all=loss_on_all)
    methods = (*LEARNS, RadialPenalty(strength)) if strength else LEARNS
    program, member, state = started(methods, task)
    gpt = as_example(state.params)
    suppression = RadialSuppression(gpt, ["blocks.*.attn", "blocks.*.mlp"], strength, 1.0)
    groups = [[p for p in gpt.parameters() if (p.ndim == 2) is decayed] for decayed in (True, False)]
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": 0.1}, {"params": groups[1], "weight_decay": 0.0}], betas=(0.9, 0.99)
    )
    config = example().Config(lr=0.01, steps=20, warmup=3)
    x, y = (torch.tensor(np.asarray(part)).long() for part in (member.data.train_inputs, member.data.train_labels))
    reads = list(answers_of(task).positions)
    with jax.enable_x64(True):
        step = quick_jit(program.step)
        for index in range(3):
            for group in optimizer.param_groups:
                group["lr"] = example().learning_rate(config, index)
            loss = F.cross_entropy(gpt(x)[:, reads].flatten(0, 1), y.flatten()) + suppression.penalty()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(gpt.parameters(), 0.5)
            optimizer.step()
            optimizer.zero_grad()
            state = step(member, state)
    ours = dict(as_example(state.params).named_parameters())
    for name, weight in gpt.named_parameters():
        # PyTorch clips to c / (|g| + 1e-6)
        np.testing.assert_allclose(ours[name].detach(), weight.detach(), atol=3e-6, err_msg=name)


def test_control_the_penalty_moves_the_weights():
    with jax.enable_x64(True):
        ends = []
        for strength in (0.0, 0.05):
            program, member, state = started((*LEARNS, RadialPenalty(strength)))
            ends.append(quick_jit(program.step)(member, state).params.blocks[0].out.weight)
    assert np.abs(ends[0] - ends[1]).max() > 1e-4


@functools.cache
def trained():
    """A network that answers some lines right and some wrong."""
    task, methods = dataclasses.replace(TASK, digits=1, train=40, test=15), (AdamW(lr=0.02),)
    program, member, state = started(methods, task)
    with jax.enable_x64(True):
        step = jax.jit(program.step)
        for _ in range(120):
            state = step(member, state)
        return task, member.data, eqx.combine(state.params, program.static)


@pytest.mark.parametrize("part", ["train", "test"])
def test_accuracy_is_the_exact_match_of_greedy_decoding(part):
    task, data, network = trained()
    inputs, labels = (np.asarray(getattr(data, f"{part}_{what}")) for what in ("inputs", "labels"))
    prompt = 2 * task.digits + 2
    with jax.enable_x64(True):
        decoded = inputs.copy()
        decoded[:, prompt:] = 0  # nothing of the answer is shown
        answer = []
        for k in range(task.digits + 1):
            logits = np.asarray(network(jnp.asarray(decoded))[0]).reshape(len(inputs), -1, task.classes)
            answer.append(logits[:, k].argmax(-1))
            if prompt + k < task.length:
                decoded[:, prompt + k] = answer[-1]
        right = grade(network(jnp.asarray(inputs))[0], jnp.asarray(labels), answers_of(task))
    exact = (np.stack(answer, axis=1) == labels).all(axis=1)
    np.testing.assert_array_equal(right, exact)
    assert exact.mean() > 0 if part == "train" else exact.mean() < 1


def test_grades_look_at_the_graded_labels_alone():
    answers = answers_of(dataclasses.replace(TASK, loss_on_all=True))
    labels = jnp.zeros((2, 8), int)
    logits = jnp.zeros((2, 8, 12)).at[..., 0].set(1.0).at[0, 0].set(0.0).at[1, 6, 3].set(2.0).reshape(16, 12)
    assert grade(logits, labels, answers).tolist() == [True, False]  # a wrong prompt token, a wrong answer token
    each = grade(logits, labels, answers._replace(whole=False))
    assert each.tolist() == [True, True, True, True, False, True]


def test_a_position_sees_itself_and_earlier_ones_alone():
    _, _, state = started(LEARNS, dataclasses.replace(TASK, loss_on_all=True))
    program = Program(dataclasses.replace(TASK, loss_on_all=True), MODEL, LEARNS, Training())
    network = eqx.combine(state.params, program.static)
    inputs = TASK.split(jax.random.key(0)).test_inputs[:1]
    with jax.enable_x64(True):
        one, other = (network(x)[0] for x in (inputs, inputs.at[0, 4].set((inputs[0, 4] + 1) % 10)))
    same = np.all(np.asarray(one) == np.asarray(other), axis=-1)
    assert same.tolist() == [True] * 4 + [False] * 4


def test_every_site_is_declared_in_order_and_fed_by_its_source():
    network = MODEL.init(TASK, jax.random.key(0))
    inputs = TASK.split(jax.random.key(0)).test_inputs[:5]
    _, activations = network(inputs)
    assert list(network.all_sites) == list(activations)
    for name, site in network.all_sites.items():
        assert activations[name].shape == (site.positions, 5, site.width)
    assert list(activations)[-1] == list(network.all_sites)[-1] == "block.1.out"
    assert set(network.linear_maps) == set(MODEL.sites)
    for site, each in network.linear_maps.items():
        np.testing.assert_allclose(activations[each.source] @ each.weight(network), activations[site], atol=1e-6)
    stream = activations["embedded"]
    for layer in network.sub_layers:
        stream = stream + activations[layer.out]
        np.testing.assert_allclose(stream, activations[layer.stream], atol=1e-6)


@pytest.mark.parametrize("changes", [{}, {"bias": True}, {"tied": False}, {"context": 20}])
def test_the_number_of_parameters_is_known_before_it_is_made(changes):
    model = dataclasses.replace(MODEL, **changes)
    network = eqx.filter(model.init(TASK, jax.random.key(0)), eqx.is_inexact_array)
    assert sum(w.size for w in jax.tree.leaves(network)) == model.parameters(TASK)
    assert set(jax.tree.leaves(network.roles)) == {"embedding", "hidden", "vector"} | (
        {"head"} if not model.tied else set()
    )


def test_the_papers_size_has_10_6_million_weights():
    assert GPT(context=256).parameters(Addition()) == pytest.approx(10.7e6, rel=0.01)


def test_first_weights_have_nanogpts_scales():
    network = GPT(layers=3, width=64, heads=4).init(Addition(), jax.random.key(0))
    for weight, wanted in ((network.blocks[1].qkv, 0.02), (network.blocks[1].out, 0.02 / 6**0.5)):
        assert float(jnp.std(weight.weight)) == pytest.approx(wanted, rel=0.05)
    assert float(jnp.std(network.position)) == pytest.approx(0.02, rel=0.15)


def test_dropout_at_nanogpts_sites_drops_its_share_and_keeps_the_mean():
    sites = ("embedded", "block.0.attention.weights", *MODEL.sites)
    program, member, state = started((*LEARNS, Dropout(0.3, sites)))
    network = program._network(state.params, member.methods)
    with jax.enable_x64(True):
        inputs = member.data.train_inputs
        passes = [network(inputs, key=key)[1] for key in (None, jax.random.key(5))]
    for site in ("embedded", "block.0.attention.weights"):
        quiet, noisy = (np.asarray(activations[site]) for activations in passes)
        assert np.mean(noisy[quiet != 0] == 0) == pytest.approx(0.3, abs=0.03)
        assert noisy.mean() == pytest.approx(quiet.mean(), rel=0.05, abs=0.01)


@pytest.mark.parametrize("model", [MLP(), Transformer(layers=1, width=8, heads=2)])
def test_a_model_with_one_answer_refuses_a_task_with_several(model):
    with pytest.raises(
        SpecError, match=f"^{type(model).__name__} answers with one token behind the last, Addition asks for 3"
    ):
        model.init(TASK, jax.random.key(0))


def test_it_learns_a_task_with_one_answer_too():
    task = Modular(p=7, train=0.5, form="a b =")
    logits, _ = MODEL.init(task, jax.random.key(0))(task.table()[0])
    assert logits.shape == (49, 8)
    assert float(jnp.mean(cross_entropy(logits, jnp.asarray(task.table()[1])))) < 4


@pytest.mark.parametrize(
    ("model", "task", "message"),
    [
        (GPT(context=5), TASK, "context must be 0 or at least the input's length 8, got 5"),
        (GPT(tied=True), type("Odd", (Modular,), {"classes": 5})(p=7), "a tied head has a class for each of the 7"),
    ],
)
def test_a_task_that_does_not_fit_is_refused(model, task, message):
    with pytest.raises(SpecError, match=message):
        model.init(task, jax.random.key(0))


def test_heads_must_divide_the_width():
    with pytest.raises(SpecError, match="heads must divide the width, got 5 heads for width 64"):
        GPT(width=64, heads=5)
