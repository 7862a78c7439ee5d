import jax
import numpy as np
import pytest

from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.experiments.early_warning import ARMS, TASKS
from anglewise.lab.experiments.early_warning import EXPERIMENTS as FAMILY
from anglewise.lab.experiments.request import readings_named
from anglewise.lab.protocols.task import cycle_of
from anglewise.lab.studies.early_warning.analysis import NEEDED
from anglewise.lab.tasks.random_labels import RandomLabels


def test_every_experiment_has_a_name_in_the_list():
    assert {e.name for e in FAMILY} <= set(EXPERIMENTS) and len(FAMILY) == len(TASKS)


def test_experiments_differ_in_their_task_alone():
    assert len({(e.model, e.arms, e.training, e.seeds) for e in FAMILY}) == 1
    assert len({e.task for e in FAMILY}) == len(FAMILY)
    assert all(e.arms == ARMS and e.seeds >= 8 for e in FAMILY)


def test_operands_share_one_embedding_so_that_renamed_tokens_make_another_task():
    assert FAMILY[0].model.shared and FAMILY[0].model.embedding > 0


def test_the_control_is_read_as_a_sum_whose_labels_it_does_not_have():
    task = TASKS["random"]
    cycle = cycle_of(task)
    data = task.split(jax.random.key(0))
    agree = np.mean((np.asarray(data.train_inputs).sum(1) % task.p) == np.asarray(data.train_labels))
    assert cycle is not None and cycle.sign == 1 and cycle.order == tuple(range(task.p))
    assert agree < 3 / task.p


@pytest.mark.parametrize("operation", ["+", "-", "*"])
def test_what_random_labels_are_read_as_changes_no_label(operation):
    key = jax.random.key(1)
    plain, read = (RandomLabels(p=11, read_as=name).split(key) for name in ("", operation))
    for a, b in zip(plain, read, strict=True):
        np.testing.assert_array_equal(a, b)
    assert cycle_of(RandomLabels(p=11, read_as=operation)) is not None


def test_readings_that_the_study_needs_exist():
    assert len(readings_named(NEEDED)) == len(NEEDED.split(","))
