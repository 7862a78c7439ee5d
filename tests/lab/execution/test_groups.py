"""Groups: runs that train together, as plain data from which any worker makes the same population."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.programs import Programs
from anglewise.lab.execution.groups import groups
from anglewise.lab.execution.planning import plan
from anglewise.lab.methods.optimizers import SGD, AdamW
from anglewise.lab.models.mlp import MLP
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.store import Store
from anglewise.lab.tasks.modular import Modular

SMALL = Experiment(
    "small", Modular(p=5, train=0.5), MLP(hidden=(4,)),
    (Arm("slow", (AdamW(lr=0.001),)), Arm("fast", (AdamW(lr=0.01),)), Arm("sgd", (SGD(),))),
    Training(budget=8, every=4), seeds=2,
)  # fmt: skip
BATCHED = Programs(place=lambda task, training, platform: Placement(True, 0, 8))


def grouped(folder, programs):
    with Store.open(folder) as store:
        return list(groups(plan(SMALL).jobs, store, programs))


def names(group):
    return [(run.arm.name, run.seed) for run in group.runs]


def test_each_run_trains_alone_where_members_are_not_batched(tmp_path):
    found = [names(group) for group in grouped(tmp_path / "store", Programs())]
    assert found == [[(arm, seed)] for seed in (0, 1) for arm in ("slow", "fast", "sgd")]


def test_runs_of_equal_structure_train_together_where_members_are_batched(tmp_path):
    together, apart = grouped(tmp_path / "store", BATCHED)
    assert names(together) == [("slow", 0), ("fast", 0), ("slow", 1), ("fast", 1)]
    assert names(apart) == [("sgd", 0), ("sgd", 1)]


def test_a_group_is_named_after_its_runs(tmp_path):
    first, second = (grouped(tmp_path / name, BATCHED) for name in ("one", "two"))
    assert [group.folder.name for group in first] == [group.folder.name for group in second]
    assert len({group.folder.name for group in first}) == len(first)


@pytest.mark.parametrize("programs", [Programs(), BATCHED], ids=["one by one", "batched"])
def test_a_group_that_was_sent_elsewhere_gives_the_same_rows(tmp_path, programs):
    here = grouped(tmp_path / "store", programs)[0]
    there = pickle.loads(pickle.dumps(here))
    assert there == here
    curves = []
    for group in (here, there):
        population = group.population(programs)
        while population.live.any():
            population.advance()
        curves.append(population.curves["train_loss"])
    assert np.array_equal(*curves)


def test_a_run_is_reset_only_when_its_group_comes_up(tmp_path):
    two = dataclasses.replace(SMALL, arms=SMALL.arms[:2], seeds=1)
    slow, fast = two.runs()
    row = {"step": 0, "train_accuracy": 0.0, "test_accuracy": 0.0, "train_loss": 1.0, "test_loss": 1.0}
    with Store.open(tmp_path / "store") as store:
        for run in (slow, fast):
            store.begin(run.run_id, run.spec, {})
            store.append(run.run_id, [row], [])
        programs = Programs()
        coming = list(groups(plan(two).jobs, store, programs))
        assert [names(group) for group in coming] == [[("slow", 0)], [("fast", 0)]]
        coming[0].population(programs, store)
        left = [(store.root / "runs" / run.run_id).exists() for run in (slow, fast)]
        assert left == [False, True]
