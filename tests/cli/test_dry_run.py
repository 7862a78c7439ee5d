"""The dry run says what would be trained and what it costs, and trains nothing."""

from __future__ import annotations

import dataclasses
import re

import pytest

from anglewise.cli.dry_run import describe
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.spec import Training
from anglewise.lab.tasks.modular import Modular

QUICK = EXPERIMENTS["quickstart"]
TINY = dataclasses.replace(
    QUICK, arms=QUICK.arms[:2], task=Modular(p=7, train=0.5), seeds=3, training=Training(budget=100_000, every=5)
)


@pytest.fixture
def said(tmp_path):
    text = describe(TINY, tmp_path / "store", seconds=0.01)
    assert not (tmp_path / "store").exists()
    return text


def test_the_most_is_the_sum_of_steps_times_their_cost_and_compiling_is_told_apart(said):
    rows = re.findall(r"^  adamw\S* +(\d+) +([\d.]+) +[\d,]+ +(\d+) s$", said, flags=re.M)
    assert [int(runs) for runs, _, _ in rows] == [3, 3]
    for runs, milliseconds, most in rows:
        assert int(most) == pytest.approx(int(runs) * 100 * float(milliseconds), abs=3 * 100 * 0.005 + 0.5)
    total, _ = map(int, re.search(r"at most (\d+) s on .* evaluation included, and (\d+) s to compile", said).groups())
    assert total == pytest.approx(sum(int(most) for _, _, most in rows), abs=1.5)
    assert "0 of 6 runs are there, 6 to train" in said
