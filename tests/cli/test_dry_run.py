"""The dry run says what would be trained, from shapes alone; with its cost on request; it trains nothing."""

from __future__ import annotations

import dataclasses
import re
import time

import pytest

from anglewise.cli.dry_run import described, text
from anglewise.cli.main import main
from anglewise.lab.engine.population import Population
from anglewise.lab.execution.estimate import Networks
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.methods.ba2016_norms import LayerNorm
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.readings.sets import DEFAULT
from anglewise.lab.spec import Arm, Training
from anglewise.lab.tasks.modular import Modular

QUICK = EXPERIMENTS["quickstart"]
TINY = dataclasses.replace(
    QUICK, arms=QUICK.arms[:2], task=Modular(p=7, train=0.5), seeds=3, training=Training(budget=100_000, every=5)
)


@pytest.fixture
def no_training(monkeypatch):
    """Whatever makes a population fails."""

    def refuse(*_):
        raise AssertionError("a population was made")

    monkeypatch.setattr(Population, "__init__", refuse)


@pytest.mark.parametrize("name", ["quickstart", "addition-gpt"])
def test_a_plan_makes_no_population_and_takes_no_time(name, tmp_path, no_training):
    experiment = EXPERIMENTS[name]
    begun = time.perf_counter()
    dry = described(experiment, tmp_path / "store", tuple(DEFAULT.values()))
    assert time.perf_counter() - begun < 10  # a second where nothing else runs; training took minutes to compile
    assert [arm.to_train for arm in dry.arms] == [experiment.seeds] * len(experiment.arms)
    assert {arm.parameters for arm in dry.arms} == {dry.asked.parameters} and dry.device == ""
    assert not (tmp_path / "store").exists()
    said = text(dry, experiment.training.budget)
    assert "Nothing was compiled: add --cost to time it" in said and f"{dry.asked.parameters:,}" in said


def test_parameters_are_those_of_the_arms_own_network():
    plain, normed = Arm("plain", (AdamW(),)), Arm("normed", (LayerNorm(), AdamW()))
    networks = Networks(dataclasses.replace(QUICK, arms=(plain, normed), baseline=""))
    assert networks.parameters(plain) == 133_338
    more = networks.parameters(normed) - networks.parameters(plain)
    assert more >= 0 and more % 200 == 0


def test_the_most_is_the_sum_of_steps_times_their_cost_and_compiling_is_told_apart(tmp_path):
    dry = described(TINY, tmp_path / "store", timed=0.01)
    said = text(dry, TINY.training.budget)
    assert not (tmp_path / "store").exists()
    rows = re.findall(r"^adamw\S* +(\d+) +[\d,]+ +300,000 +([\d.]+) +([\d.,]+) +[\d.]+ *$", said, flags=re.M)
    assert [int(runs) for runs, _, _ in rows] == [3, 3]
    for runs, milliseconds, most in rows:
        each = float(most.replace(",", ""))
        assert each == pytest.approx(int(runs) * 100 * float(milliseconds), rel=0.02)
    total, _ = map(int, re.search(r"At most (\d+) s on .* included, and (\d+) s to compile", said).groups())
    assert total == pytest.approx(sum(3 * 100_000 * arm.timed.per_step for arm in dry.arms), abs=1)
    assert "0 of 6 runs are there, 6 to train" in said
    assert dry.jobs == 1 and "processes" not in said
    assert text(dataclasses.replace(dry, jobs=2), 1).endswith(
        "It would train in 2 processes at once, which takes less."
    )


def test_what_is_wrong_with_an_arm_is_still_said(capsys):
    words = "run quickstart --dry-run --arms adamw-common+radial --arms.adamw-common+radial.radial.sites none"
    assert main(words.split()) == 2
    assert capsys.readouterr().err.startswith("anglewise: arm 'adamw-common+radial': ")
