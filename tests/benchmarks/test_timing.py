"""The timing core against clocks whose truth is known: no test here looks at a real clock."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from benchmarks.timing import Summary, decision, interleaved, orders, paired, steps_for, summary


class Machine:
    """A machine with its own time, on which each alternative has a true cost.

    Args:
        costs: Seconds of each alternative on a machine that is not slowed.
        slowing: By how much it becomes slower per second of its own time.
        noise: Standard deviation of the logarithm of a measurement.
        seed: Of the noise.
    """

    def __init__(self, costs, slowing=0.0, noise=0.0, seed=0):
        self.now, self.costs, self.slowing, self.noise = 0.0, costs, slowing, noise
        self.rng = np.random.default_rng(seed)

    def measure(self, name):
        took = self.costs[name] * (1 + self.slowing * self.now) * np.exp(self.noise * self.rng.normal())
        self.now += took
        return took

    @property
    def measures(self):
        return {name: lambda name=name: self.measure(name) for name in self.costs}

    def times(self, rounds, **more):
        return interleaved(self.measures, rounds, sleep=lambda seconds: None, clock=lambda: self.now, **more)


def test_a_ratio_without_noise_is_found_exactly():
    times = Machine({"a": 1.1, "b": 1.0}).times(6)
    assert paired(times["a"], times["b"]) == pytest.approx((1.1, 1.1, 1.1, 1.1, 1.1, 6))


def test_the_interval_of_two_equal_alternatives_covers_one_as_often_as_it_says():
    covered = []
    for seed in range(400):
        times = Machine({"a": 1.0, "b": 1.0}, noise=0.05, seed=seed).times(12, seed=seed)
        ratio = paired(times["a"], times["b"])
        covered.append(ratio.low <= 1 <= ratio.high)
    assert np.mean(covered) >= 0.94


def test_control_a_difference_of_five_per_cent_is_not_covered_by_one():
    times = Machine({"a": 1.05, "b": 1.0}, noise=0.01, seed=3).times(31)
    ratio = paired(times["a"], times["b"])
    assert 1.03 < ratio.low < ratio.high < 1.07


def test_a_drifting_machine_cancels_in_pairs():
    machine = Machine({"a": 1.1, "b": 1.0}, slowing=0.02)
    times = machine.times(20)
    assert times["b"][-1] > 1.5 * times["b"][0]  # it became much slower meanwhile
    assert paired(times["a"], times["b"]).median == pytest.approx(1.1, rel=0.005)


def test_control_a_drifting_machine_deceives_whoever_times_one_after_the_other():
    machine = Machine({"a": 1.1, "b": 1.0}, slowing=0.02)
    first, then = ([machine.measure(name) for _ in range(20)] for name in ("a", "b"))
    assert paired(first, then).median < 0.9  # the slower one looks faster


def test_every_alternative_stands_as_often_before_another_as_behind_it():
    names = ["a", "b", "c"]
    rounds = list(orders(names, 20, random.Random(1)))
    before = Counter((x, y) for order in rounds for x in names for y in names if order.index(x) < order.index(y))
    assert set(before.values()) == {10}


def test_orders_differ_between_pairs_of_rounds():
    assert len({tuple(order) for order in orders(["a", "b", "c", "d"], 20, random.Random(0))}) > 5


def test_fewer_than_six_rounds_have_no_interval():
    assert summary([1.0, 2.0, 3.0, 4.0, 5.0]) == Summary(3.0, None, None, 1.0, 5.0, 5)
    assert summary([1.0] * 5).half_width is None
    assert summary([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).half_width == 2.5


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.99, 1.02, "at most"), (1.021, 1.04, "above"), (1.01, 1.03, "cannot decide"), (None, None, "cannot decide")],
)
def test_a_ratio_is_decided_by_its_interval_alone(low, high, word):
    assert decision(Summary(1.0, low, high, 0.9, 1.1, 6), 1.02) == word


def test_no_round_begins_after_the_time_is_over_but_two_are_always_measured():
    assert len(Machine({"a": 1.0, "b": 1.0}).times(20, most_seconds=5.0)["a"]) == 3
    assert len(Machine({"a": 9.0, "b": 9.0}).times(20, most_seconds=5.0)["a"]) == 2


def test_several_values_of_one_measurement_have_names_of_their_own():
    measures = {"a": lambda: {"whole": 2.0, "part": 1.0}, "a, b": lambda: 3.0}
    times = interleaved(measures, 2, pause=0)
    assert times == {"a, whole": [2.0, 2.0], "a, part": [1.0, 1.0], "a, b": [3.0, 3.0]}


def test_a_rest_stands_before_each_measurement():
    rests = []
    interleaved({"a": lambda: 1.0, "b": lambda: 1.0}, 3, pause=0.5, sleep=rests.append)
    assert rests == [0.5] * 6


@pytest.mark.parametrize(("each", "steps"), [(0.001, 600), (0.1, 6), (5.0, 1)])
def test_steps_fill_the_wanted_time(each, steps):
    assert steps_for(lambda n: n * each, 0.6) == pytest.approx(steps, rel=0.01)


def test_no_measurement_has_no_median():
    with pytest.raises(ValueError, match="at least one measurement, got none"):
        summary([])


def test_sides_of_different_rounds_form_no_ratio():
    with pytest.raises(ValueError, match="as many rounds on both sides, got 2 and 1"):
        paired([1.0, 2.0], [1.0])
