from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.methods.yu2020_pcgrad import PCGrad, without_conflict

SHAPES = {"a": (4, 3), "b": (5,)}


def field(seed):
    rng = np.random.default_rng(seed)
    return {name: jnp.asarray(rng.standard_normal(shape), jnp.float32) for name, shape in SHAPES.items()}


def flat(tree):
    return np.concatenate([np.asarray(tree[name], np.float64).ravel() for name in SHAPES])


def conflicting(seed=0):
    """Two gradients at an obtuse angle, as whole vectors."""
    task, other = field(seed), field(seed + 100)
    penalty = {name: other[name] - 0.5 * task[name] for name in SHAPES}
    assert flat(task) @ flat(penalty) < 0
    return task, penalty


def published(gradients, order):
    """Algorithm 1 of the paper, in NumPy: each gradient is projected on the others as they were, in some order."""
    projected = [g.copy() for g in gradients]
    for i, g in enumerate(projected):
        for j in order:
            dot = g @ gradients[j]
            if j != i and dot < 0:
                g -= dot / (gradients[j] @ gradients[j]) * gradients[j]
    return sum(projected)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_it_is_the_published_algorithm_in_either_order(order):
    task, penalty = conflicting()
    found = flat(PCGrad().combine(task, penalty))
    np.testing.assert_allclose(found, published([flat(task), flat(penalty)], order), rtol=1e-4, atol=1e-6)
    assert not np.allclose(found, flat(task) + flat(penalty))  # control: there was a conflict


def test_control_with_three_tasks_the_order_would_matter():
    gradients = [np.array([1.0, 0.0]), np.array([-1.0, 0.5]), np.array([-0.5, -1.0])]
    found = {tuple(np.round(published(gradients, order), 6)) for order in itertools.permutations(range(3))}
    assert len(found) > 1


def test_a_known_conflict():
    task, penalty = {"a": jnp.array([1.0, 0.0])}, {"a": jnp.array([-1.0, 1.0])}
    wanted = {"symmetric": [0.5, 1.5], "protect-task": [1.0, 1.0], "protect-penalty": [-0.5, 1.5]}
    for variant, value in wanted.items():
        np.testing.assert_allclose(PCGrad(variant).combine(task, penalty)["a"], value, rtol=1e-6)


@pytest.mark.parametrize("variant", ["symmetric", "protect-task", "protect-penalty"])
def test_where_they_agree_it_is_their_sum(variant):
    task = field(0)
    penalty = {name: 0.3 * g for name, g in task.items()}
    found = PCGrad(variant).combine(task, penalty)
    assert all(np.array_equal(found[name], task[name] + penalty[name]) for name in SHAPES)


def test_who_is_protected_loses_nothing():
    task, penalty = conflicting(3)
    for variant, own in (("protect-task", task), ("protect-penalty", penalty)):
        assert flat(PCGrad(variant).combine(task, penalty)) @ flat(own) == pytest.approx(
            flat(own) @ flat(own), rel=1e-5
        )
    plain = flat(task) + flat(penalty)
    assert plain @ flat(task) < 0.99 * flat(task) @ flat(task)  # control


def test_all_parameters_are_one_vector():
    # tensor by tensor there is a conflict in a; as a whole there is none
    task = {"a": jnp.array([1.0]), "b": jnp.array([2.0])}
    penalty = {"a": jnp.array([-1.0]), "b": jnp.array([2.0])}
    assert float(without_conflict(task, penalty)["a"][0]) == 1.0


@pytest.mark.parametrize("variant", ["symmetric", "protect-task", "protect-penalty"])
def test_without_a_penalty_it_is_the_plain_gradient_and_the_incoming_direction_is_replaced(variant):
    task = field(0)
    nothing = {name: jnp.zeros(shape) for name, shape in SHAPES.items()}
    transform = PCGrad(variant).transform()
    lost = {name: jnp.full(shape, jnp.nan) for name, shape in SHAPES.items()}
    found, _ = transform.update(lost, transform.init(task), task, parts=lambda params: (task, nothing))
    assert all(np.array_equal(found[name], task[name]) for name in SHAPES)


def test_an_unknown_variant_is_refused():
    with pytest.raises(SpecError, match="unknown PCGrad.variant 'protect-tasks': did you mean 'protect-task'"):
        PCGrad("protect-tasks")
