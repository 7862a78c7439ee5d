"""The time left, against sequences of events whose end is known: simulated ones, and one that was recorded."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from anglewise.lab.report.pace import Left
from anglewise.lab.report.tally import Arm, Seed, Tally


class Known(Tally):
    """A tally whose clock and compiler are set by hand."""

    def __init__(self, names, seeds, budget):
        self.now = self.compiled = 0.0
        arms = [Arm(name, seeds, 0) for name in names]
        super().__init__(arms, budget, 0.95, lambda: self.now, lambda: self.compiled)

    def shows(self, at, compiled, arm, seed, step, steps, seconds):
        self.now, self.compiled = at, compiled
        self.update(arm, seed, Seed(step, 1.0, 0.5, {}), steps, seconds)

    def ends(self, at, arm, seed, first=90):
        self.now = at
        self.finish(arm, seed, SimpleNamespace(outcome="grokked", first=first))

    @property
    def ended(self):
        return [len(arm.ended) for arm in self.arms.values()]


def simulated(arms, budget, seeds=8, compiling=3.0, rest=0.2, segment=20, measure=0.05):
    """Events as a runner tells them: arms take turns, seed by seed.

    Args:
        arms: Seconds per step, and the steps that seeds take in turn, by name.
        compiling: Seconds for each arm: most at its start, the rest at its second and its last measurement.
        rest: Share of training time that goes into measuring and storing.
    """
    at, compiled, events = 0.0, 0.0, []
    for seed in range(seeds):
        for arm, (each, ends) in arms.items():
            here, end = compiling * (seed == 0), ends[seed % len(ends)]
            at, compiled = at + 0.6 * here + measure, compiled + 0.6 * here
            events.append((at, compiled, arm, seed, 0, 0, 0.0))
            for step in [*range(segment, end, segment), end]:
                steps, more = (step - 1) % segment + 1, here * (0.3 * (step == segment) + 0.1 * (step == end))
                at, compiled = at + steps * each * (1 + rest) + more, compiled + more
                events.append((at, compiled, arm, seed, step, steps, step * each))
            events.append((at, arm, seed))
    return events


RECORDED = [
    (0, 0, 192, 12.9, 35.8, 17.7, 12.6, 4.8), (1, 0, 120, 45.5, 63.6, 11.5, 9.3, 5.5),
    (2, 0, 120, 78.3, 97.3, 12.8, 14.4, 4.8), (3, 0, 120, 108.0, 127.8, 12.3, 10.4, 5.2),
    (4, 0, 120, 142.6, 171.0, 17.2, 14.5, 9.4), (0, 1, 144, 171.2, 191.1, 19.5, 0.0, 0.0),
    (1, 1, 144, 191.3, 211.4, 19.6, 0.0, 0.0), (2, 1, 120, 211.6, 233.4, 21.2, 0.0, 0.0),
    (3, 1, 120, 233.5, 245.2, 11.3, 0.0, 0.0), (4, 1, 120, 245.4, 266.3, 20.4, 0.0, 0.0),
    (0, 2, 168, 266.6, 291.5, 22.9, 0.0, 0.0), (1, 2, 120, 291.8, 309.0, 16.9, 0.0, 0.0),
    (2, 2, 168, 309.2, 332.5, 22.8, 0.0, 0.0), (3, 2, 96, 332.8, 347.1, 14.1, 0.0, 0.0),
    (4, 2, 120, 347.4, 364.1, 16.4, 0.0, 0.0),
]  # fmt: skip
"""The quickstart with three seeds, as it went on a busy machine: arm, seed, steps, begin, end and training seconds of a
run, and what was compiled before its first and its second measurement."""


def recorded():
    """The recorded runs as events, one at every 24 steps."""
    events, compiled = [], 0.0
    for arm, seed, end, begun, over, training, first, second in RECORDED:
        compiled += first
        events.append((begun, compiled, str(arm), seed, 0, 0, 0.0))
        for step in range(24, end + 1, 24):
            compiled += second * (step == 24)
            at = begun + second + (over - begun - second) * step / end
            events.append((at, compiled, str(arm), seed, step, 24, training * step / end))
        events.append((over, str(arm), seed))
    return events


def followed(events, names, seeds, budget):
    """What is left after each event and what is said of it, with the tally."""
    tally, end = Known(names, seeds, budget), events[-1][0]
    for event in events:
        (tally.shows if len(event) > 3 else tally.ends)(*event)
        if (left := tally.left()) is not None:
            yield end - event[0], left, tally


def quickstart_like(seed):
    """Five arms whose runs stop at 30 to 100 % of 200 steps: at any of them, or at some that are the arm's own."""
    draw = random.Random(seed)
    arms = {}
    for name in "abcde":
        middle, spread = (draw.uniform(0.4, 0.9), 0.2) if seed % 2 else (0.65, 0.53)
        ends = [int(200 * min(max(middle * draw.uniform(1 - spread, 1 + spread), 0.3), 1)) for _ in range(8)]
        arms[name] = (draw.uniform(0.02, 0.03), ends)
    return arms


FAST, SLOW = (0.02, [60]), (0.02, [200])
SEQUENCES = {f"simulated-{i}": (simulated(quickstart_like(i), 200), "abcde", 8) for i in range(12)}
SEQUENCES |= {
    "recorded": (recorded(), "01234", 3),
    "slow-to-compile": (simulated(quickstart_like(0), 200, compiling=20.0), "abcde", 8),
    "nothing-to-compile": (simulated(quickstart_like(1), 200, compiling=0.0), "abcde", 8),
    "all-to-the-end": (simulated(dict.fromkeys("abcde", (0.02, [200])), 200), "abcde", 8),
    "first-arm-alone-is-fast": (
        simulated(dict.fromkeys("abcde", (0.02, [200])) | {"a": (0.02, [60])}, 200),
        "abcde",
        8,
    ),
    "first-arm-alone-is-slow": (simulated(dict.fromkeys("bcde", (0.02, [60])) | {"a": (0.02, [200])}, 200), "bcdea", 8),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_range_holds_the_truth_at_every_point(name):
    events, arms, seeds = SEQUENCES[name]
    said = list(followed(events, arms, seeds, 200))
    assert len(said) > 50
    for left, range_, tally in said:
        near = max(2.0, 0.03 * left)
        assert range_.low - near <= left <= range_.high + near, (left, range_, tally.ended)


@pytest.mark.parametrize("name", [name for name in SEQUENCES if "slow" not in name or "compile" in name])
def test_the_estimate_is_at_most_twice_the_truth_once_one_seed_has_ended(name):
    events, arms, seeds = SEQUENCES[name]
    for left, range_, tally in followed(events, arms, seeds, 200):
        assert (range_.about is not None) == any(tally.ended)
        if range_.about is not None:
            assert range_.about <= 2 * left + 5.0, (left, range_)
        if all(tally.ended):
            one = 200 * tally.pace.all.per_step
            assert range_.high <= 2 * left + one, (left, range_)


def test_at_its_beginning_it_says_at_most_the_whole_budget_and_compiling_is_no_slow_step():
    tally = Known("a", 2, 600)
    tally.shows(60.0, 60.0, "a", 0, 0, 0, 0.0)
    assert tally.left() is None and tally.state == "training"
    tally.shows(90.0, 89.8, "a", 0, 20, 20, 0.2)
    assert tally.pace.steps_per_second == pytest.approx(100.0)
    low, high, about = tally.left()
    assert about is None and high == pytest.approx((580 + 600) * 0.01)
    assert low == pytest.approx((130 + 150) * 0.01)


def test_an_arm_is_expected_to_take_what_its_own_seeds_took():
    events = simulated({"a": (0.01, [100]), "b": (0.02, [600])}, 600, seeds=2, compiling=0.0, rest=0.0, measure=0.0)
    ends = {(event[1], event[2]): i for i, event in enumerate(events) if len(event) == 3}
    tally = [(left.about, left.high) for _, left, _ in followed(events[: ends["a", 0] + 1], "ab", 2, 600)]
    assert tally[-1][0] == pytest.approx((100 + 2 * 100) * 0.01)  # b has not trained: as long as a
    after = [left.about for _, left, _ in followed(events[: ends["b", 0] + 1], "ab", 2, 600)]
    assert after[-1] == pytest.approx(100 * 0.01 + 600 * 0.02)


def test_a_seed_that_takes_longer_than_all_before_is_expected_to_take_a_quarter_more():
    events = simulated({"a": (0.1, [100, 600])}, 600, seeds=2, compiling=0.0, rest=0.0, measure=0.0)
    said = {seed.step: left.about for _, left, tally in followed(events, "a", 2, 600)
            if (seed := tally.arms["a"].running.get(1))}  # fmt: skip
    assert said[80] == pytest.approx(2.0) and said[200] == pytest.approx(5.0) and said[580] == pytest.approx(2.0)


def test_compiling_of_arms_that_have_not_begun_is_in_the_time_and_is_said():
    events = simulated({"a": (0.01, [100]), "b": (0.01, [100])}, 100, seeds=1, compiling=30.0, rest=0.0)
    first = events[: len(events) // 2]
    *_, (_, range_, tally) = followed(first, "ab", 1, 100)
    assert range_.about == pytest.approx(events[-1][0] - first[-1][0], rel=0.01) and range_.about > 30
    assert tally.state == "compiling arm 2 of 2"
    tally.now += 20.0
    assert tally.left().about == pytest.approx(range_.about - 20.0)
    tally.now += 200.0
    assert tally.left().low > 0


def test_members_that_train_together_share_the_time():
    tally = Known("a", 4, 100)
    for step in (0, 50):
        for seed in range(4):
            tally.shows(10.0 + step / 5, 10.0, "a", seed, step, step, step / 50 * 10.0 / 4)
    assert tally.pace.steps_per_second == pytest.approx(20.0)
    assert tally.left().high == pytest.approx(10.0)


def test_a_run_that_goes_on_from_a_checkpoint_is_timed_by_what_it_trains_now():
    tally = Known("a", 1, 1000)
    tally.shows(3.0, 1.0, "a", 0, 500, 20, 50.0)
    assert tally.pace.steps_per_second == pytest.approx(10.0)
    assert tally.left().high == pytest.approx(50.0)


def test_time_passes_and_something_is_always_left():
    assert Left(10.0, 30.0, 20.0).after(5.0) == (5.0, 25.0, 15.0)
    assert Left(10.0, 30.0, None).after(60.0) == (1.0, 3.0, None)
