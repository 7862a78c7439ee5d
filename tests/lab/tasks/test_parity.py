import functools
import operator

import jax
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.protocols.task import cycle_of
from anglewise.lab.tasks.parity import Parity


def rows(data):
    return [tuple(x) for inputs in (data.train_inputs, data.test_inputs) for x in inputs.tolist()]


@pytest.mark.parametrize("task", [Parity(), Parity(bits=6, secret=2, train=20, test=30), Parity(7, 7, 100, 28)])
def test_labels_are_those_of_the_obvious_loop(task):
    data = task.split(jax.random.key(0))
    for inputs, labels in ((data.train_inputs, data.train_labels), (data.test_inputs, data.test_labels)):
        assert inputs.dtype == labels.dtype == np.int32 and set(np.unique(inputs)) == {0, 1}
        expected = [functools.reduce(operator.xor, (x[i] for i in task.secret_positions)) for x in inputs.tolist()]
        assert labels.tolist() == expected
    assert (data.train_inputs.shape, data.test_inputs.shape) == ((task.train, task.bits), (task.test, task.bits))


@pytest.mark.parametrize("task", [Parity(), Parity(bits=6, secret=2, train=20, test=30), Parity(6, 1, 32, 32)])
def test_no_example_occurs_twice(task):
    found = rows(task.split(jax.random.key(3)))
    assert len(set(found)) == len(found) == sum(task.sizes)


def test_the_whole_cube_can_be_drawn():
    assert sorted(rows(Parity(bits=6, secret=2, train=60, test=4).split(jax.random.key(1)))) == list(
        np.ndindex(*(2,) * 6)
    )


def test_the_secret_is_the_first_bits():
    task = Parity(bits=5, secret=2, train=8, test=8)
    assert task.secret_positions == (0, 1)
    cube = np.array(list(np.ndindex(*(2,) * 5)))
    for i in range(5):
        flipped = np.where(np.arange(5) == i, 1 - cube, cube)
        assert np.all((task.answer(cube) != task.answer(flipped)) == (i < 2))


def test_control_no_single_bit_tells_the_label():
    data = Parity(bits=10, secret=3, train=1000, test=24).split(jax.random.key(0))
    agree = np.mean(np.asarray(data.train_inputs) == np.asarray(data.train_labels)[:, None], axis=0)
    assert np.abs(agree - 0.5).max() < 0.02
    assert Parity(bits=10, secret=1, train=1000, test=24).split(jax.random.key(0)).train_labels.tolist() == (
        data.train_inputs[:, 0].tolist()
    )


def test_bits_are_fair_and_the_draw_too():
    hits = np.zeros((2,) * 4)
    for k in range(60):
        for x in Parity(bits=4, secret=2, train=4, test=4).split(jax.random.key(k)).train_inputs.tolist():
            hits[tuple(x)] += 1 / 60
    assert hits.mean() == pytest.approx(0.25) and hits.min() > 0.05 and hits.max() < 0.55
    assert np.mean(rows(Parity().split(jax.random.key(5)))) == pytest.approx(0.5, abs=0.01)


def test_a_split_depends_on_the_key_only():
    first, again, other = (Parity().split(jax.random.key(k)) for k in (1, 1, 2))
    assert all(np.array_equal(x, y) for x, y in zip(first, again, strict=True))
    assert not set(rows(first)) & set(rows(other))


def test_its_shape_as_a_task():
    task = Parity(bits=9, secret=3, train=10, test=5)
    assert (task.tokens, task.length, task.classes, task.sizes) == (2, 9, 2, (10, 5))
    assert task.fixed == (None,) * 9 and hash(task) == hash(Parity(9, 3, 10, 5)) and cycle_of(task) is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bits": 0}, "Parity.bits must lie in [1, 4096], got 0"),
        ({"train": 0}, "Parity.train must be at least 1, got 0"),
        ({"test": -1}, "Parity.test must be at least 1, got -1"),
        ({"secret": 0}, "Parity.secret must be at least 1, got 0"),
        ({"secret": 41}, "secret must be at most the number of bits, 40, got 41"),
        (
            {"bits": 10},
            "10 bits make 1,024 inputs, fewer than the 1,000 to train on and the 1,000 to test on: "
            "ask for fewer, or for more bits",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, message):
    with pytest.raises(SpecError) as error:
        Parity(**fields)
    assert str(error.value) == message
