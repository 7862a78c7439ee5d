import dataclasses

import numpy as np
import pytest

from anglewise.lab.execution.estimate import admit, cost
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.experiments.addition import LARGE, SMALL
from anglewise.lab.experiments.text import on_text
from anglewise.lab.report.headline import headline
from anglewise.lab.report.results import Ended, Results, Series


def test_both_sizes_have_a_name_and_can_be_trained():
    for experiment, weights in ((SMALL, 198_656), (LARGE, 10_630_656)):
        assert EXPERIMENTS[experiment.name] is experiment
        admit(experiment, large=True)
        assert cost(experiment).parameters == weights


def test_arms_differ_in_the_penalty_alone():
    for experiment in (SMALL, LARGE):
        plain, *others = experiment.arms
        assert [arm.methods[: len(plain.methods)] for arm in others] == [plain.methods] * 2
        assert [arm.methods[-1].strength for arm in others] == [0.01, 0.05]


def test_an_evaluation_of_few_examples_needs_less_memory():
    whole = dataclasses.replace(SMALL, task=dataclasses.replace(SMALL.task, evaluated_train=0))
    assert cost(SMALL).bytes < cost(whole).bytes / 2


def test_a_text_has_a_loss_and_no_time(tmp_path):
    (tmp_path / "verse").write_text("a rose is a rose is a rose. " * 60)
    experiment = on_text(str(tmp_path / "verse"), budget=40)
    admit(experiment)
    assert experiment.training.threshold == 0
    ended = {("adamw", 0): Ended("trained", 40, 1.0, None, None)}
    curves = {
        "test_loss": {("adamw", 0): Series(np.array([0, 40]), np.array([3.0, 1.5851]))},
        "test_accuracy": {("adamw", 0): Series(np.array([0, 40]), np.array([0.1, 0.5]))},
    }
    results = Results("x", "text", "", ("adamw",), "adamw", (("adamw", 0),), ended, curves, {}, 40, threshold=0.0)
    (line,) = headline(results)
    assert line.startswith("Test loss at the end: \u201cadamw\u201d 1.5851 (mean of 1). No threshold is set, so no run")


@pytest.mark.parametrize("name", ["addition-small", "addition-gpt"])
def test_no_mirror_of_a_test_line_is_trained_on(name):
    assert EXPERIMENTS[name].task.unordered
