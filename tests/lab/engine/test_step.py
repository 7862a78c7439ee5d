"""What the step counts: right answers, and their share; and which examples a batch holds."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Compiled
from anglewise.lab.engine.step import Batch, share
from anglewise.lab.methods.optimizers import SGD
from anglewise.lab.models.mlp import MLP
from anglewise.lab.spec import Arm, Run, Training
from anglewise.lab.tasks.modular import Modular


@pytest.mark.parametrize("n", [4656, 5107, 7662, 12769])
def test_all_right_is_an_accuracy_of_exactly_1(n):
    """Compiled, since compilers turn the division by a constant into a product; without the guard 7662 fails."""

    def of_all(right):
        return share(jnp.sum(right), n, jnp.float32)

    assert jax.jit(of_all)(jnp.ones(n, bool)) == 1
    assert jax.jit(of_all)(jnp.ones(n, bool).at[3].set(False)) == pytest.approx(1 - 1 / n, abs=1e-7)


def stepped(batch):
    """A network's state before and after the last step of its first epoch, of 12 examples, and its program."""
    training = Training(budget=20, every=20, batch=batch)
    run = Run("step", Modular(p=5, train=0.5), MLP(hidden=(4,)), Arm("sgd", (SGD(lr=0.1),)), training, 0)
    compiled = Compiled(run, Placement(batched=False, block=0, segment=20), (), ())
    population = Population([run], compiled)
    population.begin()
    step = jax.jit(compiled.program.step)
    state, member = population.state, population.member
    for _ in range(-(-12 // batch) - 1):
        state = step(member, state)
    return member, state, step(member, state), compiled.program


def changed(member, state, program, rows):
    """The step's update, made of some examples alone."""

    def loss(params):
        batch = Batch(member.data.train_inputs[rows], member.data.train_labels[rows], None)
        return program._total(params, member.methods, batch)

    return jax.tree.map(lambda w, g: w - 0.1 * g, state.params, jax.grad(loss)(state.params))


def near(these, those):
    return all(
        np.allclose(x, y, atol=1e-6) for x, y in zip(jax.tree.leaves(these), jax.tree.leaves(those), strict=True)
    )


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
@pytest.mark.parametrize("batch", [5, 4], ids=["the last batch is short", "all batches are equal"])
def test_the_last_step_of_an_epoch_learns_from_what_is_left_once(batch, platform, monkeypatch):
    """Written as for a CPU, or as for an accelerator."""
    monkeypatch.setattr("anglewise.lab.engine.step.first_device", lambda: SimpleNamespace(platform=platform))
    member, before, after, program = stepped(batch)
    left = 12 - (-(-12 // batch) - 1) * batch
    assert int(after.step) == int(before.step) + 1
    assert near(after.params, changed(member, before, program, before.order[-left:]))
    assert not near(after.params, changed(member, before, program, before.order[-left - 1 :]))
    assert not near(after.params, before.params)
