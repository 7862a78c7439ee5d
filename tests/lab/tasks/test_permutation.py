import itertools

import jax
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.protocols.task import cycle_of
from anglewise.lab.tasks.permutation import Permutations, images, products


def test_s5_has_14400_pairs_of_120_permutations():
    task = Permutations()
    inputs, labels = task.table()
    assert (task.tokens, task.classes, task.length, task.sizes) == (120, 120, 2, (7200, 7200))
    assert inputs.shape == (14400, 2) and np.array_equal(np.bincount(labels), np.full(120, 120))
    assert cycle_of(task) is None


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_the_product_lets_the_second_act_first(n):
    rows, table = images(n), products(n)
    for a, b in itertools.islice(itertools.product(range(len(rows)), repeat=2), 0, None, 7):
        wanted = [rows[a][rows[b][i]] for i in range(n)]
        assert rows[table[a, b]].tolist() == wanted


def test_it_is_a_group():
    table = products(5)
    every = np.arange(120)
    assert np.array_equal(table[0], every) and np.array_equal(table[:, 0], every)  # the identity
    assert all(np.array_equal(np.sort(row), every) for row in (*table, *table.T))  # each divides each
    inverse = np.argmin(table, axis=1)
    assert not table[every, inverse].any() and not table[inverse, every].any()
    a, b, c = np.random.default_rng(0).integers(0, 120, (3, 500))
    np.testing.assert_array_equal(table[table[a, b], c], table[a, table[b, c]])


def test_control_it_does_not_commute_and_two_things_do():
    assert np.mean(products(5) == products(5).T) < 0.2  # 7 classes of 120: 7/120 of all pairs commute
    assert np.mean(products(5) == products(5).T) == pytest.approx(7 / 120)
    assert np.array_equal(products(2), products(2).T)


@pytest.mark.parametrize(
    ("form", "row", "fixed", "tokens"),
    [
        ("pair", [2, 3], (None, None), 6),
        ("a b =", [2, 3, 6], (None, None, 6), 7),
        ("a op b =", [2, 7, 3, 6], (None, 7, None, 6), 8),
    ],
)
def test_forms_differ_in_their_tokens_alone(form, row, fixed, tokens):
    task = Permutations(n=3, form=form)
    inputs, labels = task.table()
    assert (task.fixed, task.tokens, task.classes, task.length) == (fixed, tokens, tokens, len(row))
    assert inputs[2 * 6 + 3].tolist() == row and labels[2 * 6 + 3] == products(3)[2, 3]
    np.testing.assert_array_equal(labels, Permutations(n=3).table()[1])


def test_the_split_is_by_the_key_alone_and_loses_nothing():
    task = Permutations(n=4, train=0.3)
    data, again, other = task.split(jax.random.key(0)), task.split(jax.random.key(0)), task.split(jax.random.key(1))
    assert (len(data.train_labels), len(data.test_labels)) == task.sizes == (172, 404)
    rows = np.concatenate([data.train_inputs, data.test_inputs])
    assert len({tuple(row) for row in rows.tolist()}) == 576
    labels = np.concatenate([data.train_labels, data.test_labels])
    np.testing.assert_array_equal(labels, task.answer(rows[:, 0], rows[:, 1]))
    assert np.array_equal(data.train_inputs, again.train_inputs)
    assert not np.array_equal(data.train_inputs, other.train_inputs)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n": 1}, "Permutations.n must lie in [2, 6], got 1"),
        ({"n": 7}, "Permutations.n must lie in [2, 6], got 7"),
        ({"train": 1.0}, "Permutations.train must lie in (0, 1), got 1.0"),
        (
            {"n": 2, "train": 0.2},
            "the train fraction 0.2 of 4 rows leaves 0 to train on and 4 to test on: both need at least 1",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, message):
    with pytest.raises(SpecError) as error:
        Permutations(**fields)
    assert str(error.value) == message
