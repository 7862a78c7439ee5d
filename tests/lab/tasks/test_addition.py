import itertools

import jax
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.protocols.task import answers_of, evaluated_of
from anglewise.lab.tasks.addition import Addition
from anglewise.lab.tasks.modular import Modular

KEY = jax.random.key(0)
SMALL = Addition(digits=2, train=600, test=200)


def pairs(task, inputs):
    """The numbers in inputs, as Python reads them."""
    n = task.digits
    text = ["".join("0123456789+="[token] for token in row) for row in np.asarray(inputs).tolist()]
    assert all(line[n] == "+" and line[2 * n + 1] == "=" for line in text)
    return [(int(line[:n]), int(line[n + 1 : 2 * n + 1])) for line in text]


@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize("digits", [1, 2, 3])
def test_labels_are_the_digits_of_the_sum_padded_by_zeros(digits, reverse):
    task = Addition(digits=digits, train=30, test=10, reverse=reverse)
    data = task.split(KEY)
    for inputs, labels in ((data.train_inputs, data.train_labels), (data.test_inputs, data.test_labels)):
        for (a, b), label in zip(pairs(task, inputs), np.asarray(labels).tolist(), strict=True):
            text = f"{a + b:0{digits + 1}d}"
            assert label == [int(c) for c in (text[::-1] if reverse else text)]
        assert inputs.shape == (len(labels), task.length) and labels.shape == (len(labels), digits + 1)


@pytest.mark.parametrize("loss_on_all", [False, True])
def test_a_label_is_the_token_behind_the_position_where_it_is_read(loss_on_all):
    task = Addition(digits=2, train=50, test=10, loss_on_all=loss_on_all)
    data, answers = task.split(KEY), answers_of(task)
    for at, label in zip(answers.positions[:-1], np.asarray(data.train_labels).T, strict=False):
        np.testing.assert_array_equal(data.train_inputs[:, at + 1], label)
    assert answers.whole and [answers.positions[i] for i in answers.graded] == [5, 6, 7]  # "=" and two answer digits
    assert len(answers.positions) == (task.length if loss_on_all else 3)


@pytest.mark.parametrize(("unordered", "mirrors"), [(True, False), (False, True)])
def test_no_training_line_is_a_test_line_nor_its_mirror(unordered, mirrors):
    task = Addition(digits=2, train=3000, test=400, unordered=unordered)
    data = task.split(KEY)
    train, test = set(pairs(task, data.train_inputs)), set(pairs(task, data.test_inputs))
    assert len(train) == 3000 and len(test) == 400 and not train & test
    assert bool({(b, a) for a, b in train} & {(a, b) for a, b in test if a != b}) == mirrors


@pytest.mark.parametrize("place", [1, 2])
def test_a_withheld_digit_is_in_every_test_line_and_in_no_training_line(place):
    task = Addition(digits=2, train=1000, test=300, held_out_digit=5, held_out_place=place)
    data = task.split(KEY)

    def withheld(pair):
        return any(f"{x:02d}"[place - 1] == "5" for x in pair)

    assert not any(withheld(pair) for pair in pairs(task, data.train_inputs))
    assert all(withheld(pair) for pair in pairs(task, data.test_inputs))
    assert any(withheld(pair) for pair in pairs(SMALL, SMALL.split(KEY).train_inputs))  # control


def test_a_split_is_a_function_of_its_key():
    one, again, other = (SMALL.split(jax.random.key(seed)) for seed in (0, 0, 1))
    for x, y in zip(one, again, strict=True):
        assert np.array_equal(x, y)
    assert not np.array_equal(one.train_inputs, other.train_inputs)


def test_the_default_has_10000_lines_to_train_on_and_1000_to_test_on():
    task = Addition()
    data = task.split(KEY)
    assert (task.tokens, task.classes, task.length, task.sizes) == (12, 12, 11, (10_000, 1000))
    assert data.train_inputs.shape == (10_000, 11) and data.test_labels.shape == (1000, 4)
    assert all(np.all(np.asarray(data.train_inputs)[:, i] == t) for i, t in enumerate(task.fixed) if t is not None)
    assert evaluated_of(task) == (1000, 1000) and evaluated_of(Addition(evaluated_train=0)) == task.sizes
    drawn = np.asarray(pairs(task, data.train_inputs))
    assert abs(drawn.mean() - 499.5) < 6  # standard error 2


def test_all_pairs_can_be_asked_for():
    task = Addition(digits=1, train=54, test=1)
    data = task.split(KEY)
    seen = {tuple(sorted(p)) for p in pairs(task, data.train_inputs) + pairs(task, data.test_inputs)}
    assert seen == set(itertools.combinations_with_replacement(range(10), 2))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"digits": 1, "train": 55, "test": 1}, "train must be at most the 54 pairs there are, got 55"),
        ({"digits": 1, "train": 1, "test": 55}, "test must be at most the 54 pairs there are, got 55"),
        (
            {"digits": 1, "train": 9, "test": 11, "held_out_digit": 5, "held_out_place": 1},
            "test must be at most the 10",
        ),
        ({"digits": 2, "held_out_digit": 5}, "held_out_place must be at most the 2 digits, got 3"),
        ({"digits": 5}, r"Addition.digits must lie in \[1, 4\], got 5"),
    ],
)
def test_a_wrong_number_is_an_error_that_names_the_field(fields, message):
    with pytest.raises(SpecError, match=message):
        Addition(**fields)


def test_a_task_that_says_nothing_asks_for_one_token_behind_the_last():
    task = Modular(p=7, form="a b =")
    assert answers_of(task) == ((2,), (0,), True) and evaluated_of(task) == task.sizes
