import jax
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.protocols.task import cycle_of
from anglewise.lab.spec import content_hash, to_json
from anglewise.lab.tasks.held_out import HeldOut
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.parity import Parity
from anglewise.lab.tasks.permutation import Permutations

TASKS = (Modular(p=11, form="a b ="), Permutations(n=3), Parity(bits=10, train=60, test=40))


def rows(inputs):
    return {tuple(row) for row in np.asarray(inputs).tolist()}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_no_test_row_of_the_task_is_seen_and_no_training_row_is_lost(task):
    made, key = HeldOut(task, 0.2), jax.random.key(3)
    own, data = task.split(key), made.split(key)
    assert not (rows(data.train_inputs) | rows(data.test_inputs)) & rows(own.test_inputs)
    for part in ("inputs", "labels"):
        joined = np.concatenate([getattr(data, f"train_{part}"), getattr(data, f"test_{part}")])
        np.testing.assert_array_equal(joined, getattr(own, f"train_{part}"))
    n = task.sizes[0]
    assert made.sizes == (n - int(0.2 * n), int(0.2 * n)) == (len(data.train_labels), len(data.test_labels))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_all_else_is_the_tasks(task):
    made = HeldOut(task)
    for name in ("tokens", "length", "fixed", "classes"):
        assert getattr(made, name) == getattr(task, name)
    assert cycle_of(made) == cycle_of(task) and not hasattr(made, "table")


def test_at_least_one_row_is_held_out():
    assert HeldOut(Parity(bits=5, train=3, test=3)).sizes == (2, 1)


def test_it_is_a_specification():
    made = HeldOut(TASKS[0])
    assert made == HeldOut(TASKS[0], 0.05) and hash(made) == hash(HeldOut(TASKS[0], 0.05))
    assert made != HeldOut(TASKS[1]) and content_hash(made) != content_hash(HeldOut(TASKS[0], 0.1))
    assert to_json(made) == {"is": "HeldOut", "task": to_json(TASKS[0]), "share": 0.05}


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(SpecError, match=r"^HeldOut.share must lie in \(0, 1\), got 1\.0$"):
        HeldOut(TASKS[0], 1.0)
    with pytest.raises(SpecError, match=r"^holding out needs at least 2 training examples, got 1$"):
        HeldOut(Parity(bits=5, train=1, test=3))
