import jax
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.protocols.task import cycle_of
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.random_labels import RandomLabels

FORMS = ("pair", "a op b =", "a b =")


@pytest.mark.parametrize("form", FORMS)
def test_all_but_the_labels_is_modular(form):
    task, modular = RandomLabels(p=7, train=0.3, form=form), Modular(p=7, train=0.3, form=form)
    for name in ("tokens", "length", "fixed", "classes", "sizes"):
        assert getattr(task, name) == getattr(modular, name)
    data, other = task.split(jax.random.key(4)), modular.split(jax.random.key(4))
    assert np.array_equal(data.train_inputs, other.train_inputs)
    assert np.array_equal(data.test_inputs, other.test_inputs)
    for labels, theirs in ((data.train_labels, other.train_labels), (data.test_labels, other.test_labels)):
        assert labels.shape == theirs.shape and labels.dtype == theirs.dtype and not np.array_equal(labels, theirs)


def test_it_offers_neither_a_table_nor_a_cycle():
    assert not hasattr(RandomLabels(), "table") and cycle_of(RandomLabels()) is None


def test_labels_depend_on_the_key_only():
    task = RandomLabels(p=11)
    first, again, other = (
        task.split(jax.random.key(1)),
        RandomLabels(p=11).split(jax.random.key(1)),
        task.split(jax.random.key(2)),
    )
    for x, y in zip(first, again, strict=True):
        assert np.array_equal(x, y)

    def labelled(data):
        parts = ((data.train_inputs, data.train_labels), (data.test_inputs, data.test_labels))
        return {tuple(x): y for xs, ys in parts for x, y in zip(xs.tolist(), ys.tolist(), strict=True)}

    one, two = labelled(first), labelled(other)
    assert one.keys() == two.keys() and np.mean([one[pair] == two[pair] for pair in one]) < 0.25  # 1/11 by chance


@pytest.mark.parametrize("form", FORMS)
def test_labels_are_uniform_and_unlike_any_rule(form):
    task = RandomLabels(p=61, train=0.5, form=form)
    data = task.split(jax.random.key(0))
    inputs = np.concatenate([data.train_inputs, data.test_inputs])
    labels = np.concatenate([data.train_labels, data.test_labels])
    counts = np.bincount(labels, minlength=task.classes)
    assert counts[61:].sum() == 0
    # chi-square with 60 degrees of freedom: 99.9 % lie below 100
    assert ((counts[:61] - 61.0) ** 2 / 61).sum() < 100
    a, b = inputs[:, 0], inputs[:, 2 if form == "a op b =" else 1]
    for sign in (1, -1):
        assert np.mean((a + sign * b) % 61 == labels) < 0.03  # 1/61 by chance, standard error 0.002
    table = np.empty((61, 61), int)
    table[a, b] = labels
    off = ~np.eye(61, dtype=bool)
    assert np.mean((table == table.T)[off]) < 0.03


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"p": 1}, "RandomLabels.p must lie in [2, 4096], got 1"),
        ({"train": 1.5}, "RandomLabels.train must lie in (0, 1), got 1.5"),
        (
            {"p": 2, "train": 0.1},
            "the train fraction 0.1 of 4 rows leaves 0 to train on and 4 to test on: both need at least 1",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, message):
    with pytest.raises(SpecError) as error:
        RandomLabels(**fields)
    assert str(error.value) == message
