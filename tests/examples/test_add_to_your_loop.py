"""The first example compares pairs, counts steps rightly, and prints both medians with their number of seeds."""

from __future__ import annotations

import math
import types
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.support.examples import example as loaded

example = loaded("1_add_to_your_loop")


class Knows(nn.Sequential):
    """Gives the sum plus a constant; its layers run for the readings alone."""

    def __init__(self, p: int, off: int = 0) -> None:
        super().__init__(nn.Embedding(2 * p, p), nn.Flatten(), nn.Linear(2 * p, 8), nn.ReLU(), nn.Linear(8, p))
        self.p, self.off = p, off

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0.0 * super().forward(x) + 9.0 * F.one_hot((x.sum(1) + self.off) % self.p, self.p)


def test_the_runs_of_a_pair_share_first_weights_and_split():
    def radii(seed, strength):
        return example.radii_of(example.train(7, seed, strength, 1.0, 8)[1])["4/radius"]

    plain, with_it, other = radii(3, 0.0), radii(3, 0.5), radii(4, 0.0)
    assert plain[0] == with_it[0] != other[0] and plain[1] != with_it[1]


@pytest.mark.parametrize(("off", "steps"), [(0, example.EVERY), (1, math.inf)])
def test_steps_are_those_of_the_first_reading_that_is_right_on_unseen_pairs(off, steps):
    assert example.train(7, 0, 0.0, 1.0, 8, build=lambda p: Knows(p, off))[0] == steps


def test_radii_are_read_at_every_step_of_both_layers():
    radii = example.radii_of(example.train(5, 0, 0.0, 1.0, 9)[1])
    assert list(radii) == ["2/radius", "4/radius"] and {len(values) for values in radii.values()} == {9}


@pytest.mark.parametrize(
    ("radii", "target"),
    [([[0.5, 1.4], [0.2, 1.1]], 1.0), ([[0.5, 1.4], [0.2, 0.4]], 0.5), ([[1.4, 0.2], [1.1, 0.2]], 1.0)],
)
def test_the_published_target_is_taken_where_every_layer_grows_beyond_it(radii, target):
    assert example.chosen_target(dict(enumerate(radii))) == target


def test_both_medians_are_printed_with_their_number_of_pairs(capsys):
    steps = {(0, 0.0): 40, (1, 0.0): math.inf, (2, 0.0): 30, (0, 0.05): 20, (1, 0.05): 24, (2, 0.05): math.inf}

    def train(p, seed, strength, target, budget):
        assert target == (1.0 if (seed, strength) == (0, 0.0) else 0.5)
        return steps[seed, strength], [{"2/radius": r, "penalty": 9.0, "4/radius": 0.2} for r in (0.4, 0.6, 0.5)]

    example.main(["--steps", "50"], train)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2/radius without the penalty: 0.40 at the start, 0.60 at its largest"
    assert lines[2] == "so: target 0.5, strength 0.05"
    assert [line.split() for line in lines[5:8]] == [["0", "40", "20"], ["1", ">", "50", "24"], ["2", "30", ">", "50"]]
    assert lines[-1].endswith("40 without, 24 with the penalty (n = 3 paired seeds; faster with it in 2)")


@pytest.mark.parametrize("words", [["--seeds", "0"], ["--p", "2"], ["--steps", "0"]])
def test_a_number_that_is_too_small_ends_with_one_line(words, capsys):
    with pytest.raises(SystemExit):
        example.main(words)
    assert "expected --seeds and --steps of at least 1 and --p of at least 3, got" in capsys.readouterr().err


def test_the_marked_lines_are_all_there_is_to_add():
    lines = Path(example.__file__).read_text(encoding="utf-8").splitlines()
    marked = [line for line in lines if "# <-" in line and not line.startswith('"""')]
    assert len(marked) == 4 and all("uppression" in line for line in marked)
    without = types.ModuleType("without")
    exec("\n".join(line for line in lines if line not in marked), vars(without))
    assert without.train(7, 0, 0.0, 1.0, 8) == (math.inf, [])
