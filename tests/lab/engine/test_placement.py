"""How members are laid out, and what a batch is made of."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from anglewise.errors import StoreError
from anglewise.lab.engine import checkpoint
from anglewise.lab.engine.placement import Placement, choose, chunks, free_bytes
from anglewise.lab.engine.population import Population, bytes_each
from anglewise.lab.engine.programs import Compiled
from anglewise.lab.engine.rng import stream
from anglewise.lab.methods.optimizers import SGD
from anglewise.lab.models.mlp import MLP
from anglewise.lab.spec import Arm, Run, Training
from anglewise.lab.tasks.modular import Modular

TASK = Modular(p=11, train=0.5)


def population(training, seed=0, batched=False):
    run = Run("layout", TASK, MLP(hidden=(8,)), Arm("sgd", (SGD(lr=0.0),)), training, seed)
    made = Population([run], Compiled(run, Placement(batched, 0, 20), (), ()))
    made.begin()
    return made


def test_chunks_are_equal_and_fit():
    assert [len(c) for c in chunks(range(10), 30, 100)] == [3, 3, 3, 1]
    assert [len(c) for c in chunks(range(8), 30, 100)] == [3, 3, 2]
    assert [len(c) for c in chunks(range(3), 1000, 100)] == [1, 1, 1]  # too large alone: still tried
    assert chunks([], 1, 1) == []


def test_a_processor_trains_one_after_the_other_and_an_accelerator_batches():
    training = Training(budget=10)
    assert not choose(TASK, training, "cpu").batched
    assert choose(TASK, training, "gpu").batched


def test_memory_is_planned_with():
    assert free_bytes(jax.devices()[0]) > 2**28
    made = population(Training(budget=4, every=2), batched=True)
    small = bytes_each(made.runs[0], made.compiled)
    assert 4 * sum(x.size for x in jax.tree.leaves(made.state.params)) < small < 2**26


def test_an_epoch_shows_every_example_once_and_the_last_batch_is_smaller():
    n, size = TASK.sizes[0], 16
    made = population(Training(budget=100, every=2, batch=size))
    step = jax.jit(made.compiled.program.step)
    state, orders = made.state, []
    for _ in range(2 * -(-n // size)):
        state = step(made.member, state)
        orders.append(np.asarray(state.order))
    half = len(orders) // 2
    assert all(np.array_equal(order, orders[0]) for order in orders[:half])
    assert sorted(orders[0].tolist()) == list(range(n))
    assert sorted(orders[half].tolist()) == list(range(n))
    assert not np.array_equal(orders[0], orders[half])


def test_streams_differ_by_purpose_and_by_seed():
    keys = {jax.random.key_data(stream(s, p)).tobytes() for s in (0, 1) for p in ("init", "split", "batch", "noise")}
    assert len(keys) == 8
    assert np.array_equal(jax.random.key_data(stream(3, "init")), jax.random.key_data(stream(3, "init")))


def test_a_fixed_split_seed_gives_all_seeds_one_split():
    fixed = [population(Training(budget=4, every=2, split_seed=5), seed).member.data for seed in (0, 1)]
    own = [population(Training(budget=4, every=2), seed).member.data for seed in (0, 1)]
    assert np.array_equal(fixed[0].train_inputs, fixed[1].train_inputs)
    assert not np.array_equal(own[0].train_inputs, own[1].train_inputs)


def test_checkpoints_refuse_what_does_not_fit(tmp_path):
    path = tmp_path / "state.safetensors"
    checkpoint.write(path, {"a": np.ones(3, np.float32), "b": np.float32(2)}, {"runs": ["x"]})
    assert checkpoint.note_of(path) == {"runs": ["x"]}
    back = checkpoint.read(path, {"a": np.zeros(3, np.float32), "b": np.float32(0)})
    assert np.array_equal(back["a"], np.ones(3)) and back["b"].shape == ()
    with pytest.raises(
        StoreError, match=r"holds float32\[3\] for \['a'\], expected float32\[4\]: delete it and run again"
    ):
        checkpoint.read(path, {"a": np.zeros(4, np.float32)})
    with pytest.raises(StoreError, match=r"holds nothing for \['c'\]"):
        checkpoint.read(path, {"c": np.zeros(4, np.float32)})
    path.write_bytes(path.read_bytes()[:50])
    assert checkpoint.note_of(path) is None
    with pytest.raises(StoreError, match="cannot read the checkpoint"):
        checkpoint.read(path, {"a": np.zeros(3, np.float32)})
    with pytest.raises(StoreError, match="cannot write the checkpoint .* Free space and run the same command again"):
        checkpoint.write(tmp_path / "state.safetensors" / "below" / "s.safetensors", {}, {})
