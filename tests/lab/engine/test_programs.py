"""Programs are compiled once for each structure, and as many are kept as whoever trains asks for."""

from __future__ import annotations

import dataclasses

import pytest

from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.programs import Programs
from anglewise.lab.methods.optimizers import SGD, AdamW
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.energy import RadialEnergy
from anglewise.lab.spec import Arm, Run, Training
from anglewise.lab.tasks.modular import Modular

pytestmark = pytest.mark.usefixtures("programs_of_their_own")
RUN = Run("programs", Modular(p=5), MLP(hidden=(4,)), Arm("adamw", (AdamW(),)), Training(budget=20, every=5), 0)


def other(**fields):
    return dataclasses.replace(RUN, **fields)


def trained(**fields):
    return other(training=dataclasses.replace(RUN.training, **fields))


@pytest.mark.parametrize(
    "alike",
    [
        other(seed=7),
        other(arm=Arm("faster", (AdamW(lr=0.1),))),
        trained(budget=400),
        trained(threshold=0.5, sustain=2, further=10),
        trained(split_seed=3),
    ],
    ids=["seed", "number of a method", "budget", "when it ends", "split"],
)
def test_runs_that_differ_in_numbers_alone_share_a_program(alike):
    programs = Programs()
    assert programs.of(alike) is programs.of(RUN)


@pytest.mark.parametrize(
    "unlike",
    [
        other(arm=Arm("sgd", (SGD(),))),
        other(model=MLP(hidden=(5,))),
        other(task=Modular(p=7)),
        trained(every=10),
        trained(batch=4),
    ],
    ids=["method", "model", "task", "every", "batch"],
)
def test_runs_of_other_structures_have_programs_of_their_own(unlike):
    programs = Programs()
    assert programs.of(unlike) is not programs.of(RUN)


def test_other_readings_are_another_program():
    programs = Programs()
    assert programs.of(RUN, (RadialEnergy(),)) is not programs.of(RUN)


def test_the_least_recently_used_goes_first():
    programs = Programs(most=2)
    first, second = programs.of(RUN), programs.of(other(task=Modular(p=7)))
    assert programs.of(RUN) is first
    programs.of(other(task=Modular(p=11)))  # there is room for two: the one that was not used goes
    assert programs.of(RUN) is first
    assert programs.of(other(task=Modular(p=7))) is not second


def test_two_owners_share_nothing():
    assert Programs().of(RUN) is not Programs().of(RUN)


def test_the_placement_is_the_owners_choice():
    placement = Placement(batched=True, block=0, segment=8)
    assert Programs(place=lambda task, training, platform: placement).of(RUN).placement is placement
