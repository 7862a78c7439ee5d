import jax
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.protocols.reading import pairs
from anglewise.lab.tasks.modular import Modular

PRIMES = (2, 3, 7, 13)
TRACK_D = {
    97: (5645, 4704, 3763, 2822),
    137: (11261, 9384, 7507, 5630),
    211: (26712, 22260, 17808, 13356),
}
POLYNOMIALS = {
    "x^2+xy+y^2": lambda x, y: x * x + x * y + y * y,
    "x^3+xy": lambda x, y: x**3 + x * y,
    "-2x^2y^3 + 5y - 7": lambda x, y: -2 * x * x * y**3 + 5 * y - 7,
    "x*y^2": lambda x, y: x * y * y,
    "3*x": lambda x, y: 3 * x,
    "y": lambda x, y: y,
    "x^0y+100": lambda x, y: y + 100,
    "x^64": lambda x, y: x**64,
}


def obvious(p, f, b_from=0):
    """The table, by a loop over Python's whole numbers."""
    return [(a, b, f(a, b) % p) for a in range(p) for b in range(b_from, p)]


def rows(task):
    inputs, labels = task.table()
    assert inputs.dtype == labels.dtype == np.int32
    return [(*pair, c) for pair, c in zip(inputs.tolist(), labels.tolist(), strict=True)]


@pytest.mark.parametrize("p", [2, 3, 4, 7, 12, 13])
@pytest.mark.parametrize(
    ("operation", "f"),
    [("+", lambda x, y: x + y), ("-", lambda x, y: x - y), ("*", lambda x, y: x * y), *POLYNOMIALS.items()],
)
def test_the_table_is_that_of_the_obvious_loop(p, operation, f):
    for b_from in (0, 1):
        task = Modular(p=p, operation=operation, train=0.5, b_from=b_from)
        assert rows(task) == obvious(p, f, b_from)


@pytest.mark.parametrize("p", PRIMES)
def test_division_undoes_multiplication(p):
    task = Modular(p=p, operation="/", train=0.5, b_from=1)
    found = rows(task)
    assert [(a, b) for a, b, _ in found] == [(a, b) for a, b, _ in obvious(p, lambda x, y: 0, 1)]
    assert all((c * b) % p == a and 0 <= c < p for a, b, c in found)


def test_control_subtraction_does_not_commute():
    assert rows(Modular(p=5, operation="-")) != obvious(5, lambda x, y: y - x)


def test_products_stay_exact_at_the_largest_modulus():
    a = b = np.array([4094], np.int64)
    task = Modular(p=4096, operation="x^5y^5-1", train=0.5)
    assert task.answer(a, b) == (4094**10 - 1) % 4096


@pytest.mark.parametrize(
    ("task", "sizes"),
    [
        (Modular(p=97, operation="*", train=0.5, form="a op b =", b_from=1), (4656, 4656)),  # track A
        (Modular(p=113, train=0.3, form="a b ="), (3830, 8939)),  # track B
        (Modular(p=113, train=0.4), (5107, 7662)),  # track C
        *(
            (Modular(p=p, train=f), (n, p * p - n))
            for p, counts in TRACK_D.items()
            for f, n in zip((0.6, 0.5, 0.4, 0.3), counts, strict=True)
        ),
    ],
)
def test_tracks_have_their_published_sizes(task, sizes):
    assert task.sizes == sizes


@pytest.mark.parametrize("task", [Modular(p=97, operation="*", form="a op b =", b_from=1), Modular(p=6, train=0.3)])
def test_a_split_is_a_partition_of_the_table(task):
    data = task.split(jax.random.key(3))
    assert (len(data.train_labels), len(data.test_labels)) == task.sizes
    parts = [(data.train_inputs, data.train_labels), (data.test_inputs, data.test_labels)]
    found = [(*x, y) for inputs, labels in parts for x, y in zip(inputs.tolist(), labels.tolist(), strict=True)]
    assert len(found) == len(set(found)) and sorted(found) == sorted(rows(task))


def test_a_split_depends_on_the_key_only():
    task = Modular(p=23)
    same = [Modular(p=23).split(jax.random.key(1)), task.split(jax.random.key(1))]
    task.split(jax.random.key(9))
    for x, y, z in zip(*same, task.split(jax.random.key(1)), strict=True):
        assert np.array_equal(x, y) and np.array_equal(x, z)
    other = task.split(jax.random.key(2))
    assert not np.array_equal(other.train_inputs, same[0].train_inputs)
    assert {tuple(x) for x in other.train_inputs.tolist()} != {tuple(x) for x in same[0].train_inputs.tolist()}


def test_operations_and_forms_share_a_keys_split():
    plus, minus = (Modular(p=23, operation=o, form=f) for o, f in (("+", "pair"), ("-", "a op b =")))
    first, second = plus.split(jax.random.key(0)), minus.split(jax.random.key(0))
    assert np.array_equal(first.train_inputs, second.train_inputs[:, [0, 2]])


def test_a_split_is_a_fair_draw():
    hits = [
        {tuple(x) for x in Modular(p=5, train=0.4).split(jax.random.key(k)).train_inputs.tolist()} for k in range(60)
    ]
    share = np.array([sum(pair in hit for hit in hits) / 60 for pair in np.ndindex(5, 5)])
    assert share.mean() == pytest.approx(0.4) and share.min() > 0.1 and share.max() < 0.7


@pytest.mark.parametrize(
    ("form", "row", "tokens", "fixed"),
    [
        ("pair", [2, 3], 7, (None, None)),
        ("a b =", [2, 3, 7], 8, (None, None, 7)),
        ("a op b =", [2, 8, 3, 7], 9, (None, 8, None, 7)),
    ],
)
def test_the_tokens_of_each_form(form, row, tokens, fixed):
    task = Modular(p=7, form=form)
    inputs, labels = task.table()
    assert inputs[2 * 7 + 3].tolist() == row and labels[2 * 7 + 3] == 5
    assert task.tokens == task.classes == tokens and task.length == len(row) and task.fixed == fixed
    assert inputs.shape == (49, len(row)) and inputs.max() == tokens - 1
    for at, token in enumerate(fixed):
        assert len(set(inputs[:, at])) == (7 if token is None else 1)
        assert token is None or set(inputs[:, at]) == {token}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"p": 1}, "Modular.p must lie in [2, 4096], got 1"),
        ({"p": -5}, "Modular.p must lie in [2, 4096], got -5"),
        ({"p": 4097}, "Modular.p must lie in [2, 4096], got 4097"),
        ({"train": 0.0}, "Modular.train must lie in (0, 1), got 0.0"),
        ({"train": 1.0}, "Modular.train must lie in (0, 1), got 1.0"),
        ({"train": -0.1}, "Modular.train must lie in (0, 1), got -0.1"),
        ({"train": float("nan")}, "Modular.train must lie in (0, 1), got nan"),
        ({"b_from": 2}, "Modular.b_from must lie in [0, 1], got 2"),
        ({"operation": "/", "p": 96, "b_from": 1}, "division needs a prime modulus, got p = 96: take p = 97"),
        ({"operation": "/", "p": 97}, "division by b = 0 has no answer: set b_from to 1"),
        ({"operation": "x^65"}, "a power in the operation must be at most 64, got 65 in 'x^65'"),
        (
            {"p": 2, "train": 0.1},
            "the train fraction 0.1 of 4 rows leaves 0 to train on and 4 to test on: both need at least 1",
        ),
        *(
            (
                {"operation": text},
                f"unknown operation {text!r}: expected +, -, *, / or a polynomial in x and y such as x^2+xy+y^2",
            )
            for text in (
                "plus",
                "",
                "7",
                "x+",
                "x/y",
                "yx",
                "z",
                "x^-1",
                "x++y",
                "a+b",
                "(x+y)^2",
                "x**2",
                "x^2*3",
                "2*3x",
            )
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, message):
    with pytest.raises(SpecError) as error:
        Modular(**fields)
    assert str(error.value) == message


@pytest.mark.parametrize("operation", ["+", "-", "*", "/"])
def test_the_cycle_turns_the_operation_into_addition(operation):
    task = Modular(p=11, operation=operation, form="a op b =", b_from=int(operation == "/"))
    cycle, n = task.cycle, len(task.cycle.order)
    assert n == (11 if operation in "+-" else 10) and len(set(cycle.order)) == n
    order = np.array(cycle.order)
    for j in range(n):
        answers = task.answer(order, np.full(n, order[j]))
        assert (answers == order[(np.arange(n) + cycle.sign * j) % n]).all()
    inputs, labels = pairs(task)
    whole = dict(zip(map(tuple, task.table()[0]), task.table()[1], strict=True))
    assert all(whole[tuple(x)] == y for x, y in zip(inputs, labels, strict=True)) and len(labels) == n * n


def test_a_polynomial_and_a_composite_product_turn_no_cycle():
    assert Modular(operation="x^2+y^2").cycle is None and Modular(p=10, operation="*").cycle is None
    with pytest.raises(TypeError, match="has no cycle: this reading does not suit it"):
        pairs(Modular(operation="x^2+y^2"))
