import io
import itertools
from types import SimpleNamespace

import pytest
from rich.console import Console

from anglewise.lab.outcome import Outcome
from anglewise.lab.report.progress import Lines, LiveTable, Silent, progress_for


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def plan(arms=("a", "b"), seeds=2, budget=100, done=0):
    experiment = SimpleNamespace(
        arms=[SimpleNamespace(name=arm) for arm in arms], seeds=seeds, training=SimpleNamespace(budget=budget)
    )
    missing = [run(arm, seed) for arm in arms for seed in range(seeds)][done:]
    return SimpleNamespace(experiment=experiment, missing=missing)


def run(arm, seed):
    return SimpleNamespace(arm=SimpleNamespace(name=arm), seed=seed)


def rows(arm, seed, step, test=0.25, sites=("h",), seconds=1.0):
    curves = [{"step": step, "train_accuracy": 1.0, "test_accuracy": test}] if step is not None else []
    readings = [{"name": "radius", "site": site, "value": 1.5, "step": step} for site in sites]
    return SimpleNamespace(run=run(arm, seed), curves=curves, readings=readings, seconds=seconds)


def console(terminal=False, width=120, height=25):
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, height=height)


def test_lines_are_throttled_per_arm_and_say_when_an_arm_is_done():
    clock, out = Clock(), console()
    progress = Lines(out, clock)
    progress.start(plan(seeds=1))
    for step in range(1, 51):
        clock.now = step / 10
        progress.update(rows("a", 0, step, seconds=step / 10), 1)
    assert out.file.getvalue().count("\n") == 1
    clock.now = 5.2
    progress.update(rows("a", 0, 51, seconds=5.2), 1)
    progress.update(rows("b", 0, 1, seconds=0.0), 1)
    progress.finish(run("a", 0), Outcome("grokked", 100))
    progress.close()
    lines = out.file.getvalue().splitlines()
    assert len(lines) == 4 and lines[-1] == "a: 1 of 1 seeds done (1 grokked)"
    assert "step 51 of 100, train 100.0 %, test 25.0 %, radius 1.5 sqrt(d), 9.81 steps/s" in lines[1]


def take(n, events):
    return list(itertools.islice(events, n))


def simulate(progress, clock, arms, budget, seeds=8, compiling=8.0, rest=0.2, segment=20, measure=0.05):
    """Tell a display what a runner would; yields the seconds that were left, after each update and each end.

    Args:
        arms: Seconds per step, and the steps that seeds take in turn, by name.
        compiling: Seconds for each arm: three fifths at its start, the rest at its second and its last measurement.
        rest: Share of training time that goes into measuring and storing.
    """
    waited, events = 0.0, []
    for seed in range(seeds):
        for arm, (each, ends) in arms.items():
            here = compiling if seed == 0 else 0.0
            waited += 0.6 * here + measure
            events.append((waited, arm, seed, 0, 0, 0.0))
            end = ends[seed % len(ends)]
            for step in [*range(segment, end, segment), end]:
                steps = (step - 1) % segment + 1
                waited += steps * each * (1 + rest) + here * (0.3 * (step == segment) + 0.1 * (step == end))
                events.append((waited, arm, seed, step, steps, step * each))
            events.append((waited, arm, seed, None, 0, 0.0))
    progress.clock = clock
    begun = clock.now
    progress.start(plan(arms=tuple(arms), seeds=seeds, budget=budget))
    for at, arm, seed, step, steps, seconds in events:
        clock.now = begun + at
        if step is None:
            progress.finish(run(arm, seed), Outcome("grokked", 100))
        else:
            progress.update(rows(arm, seed, step, seconds=seconds), steps)
        yield waited - at


QUICKSTART_LIKE = {
    "common": (0.010, [210, 190, 230, 205]),
    "common+radial": (0.011, [150, 140, 165]),
    "tuned": (0.010, [200, 180, 190, 260]),
    "tuned+radial": (0.012, [130, 150, 140]),
    "tuned+man": (0.013, [170, 140, 155]),
}
"""Arms that end at about a third of a budget of 600 steps."""


@pytest.mark.parametrize("compiling", [0.0, 2.0, 15.0])
def test_time_left_is_right_within_a_factor_from_the_first_ended_seed_on(compiling):
    clock, progress = Clock(), Silent()
    for left in simulate(progress, clock, QUICKSTART_LIKE, 600, compiling=compiling):
        estimate, ended = progress.tally.left(), any(arm.ended for arm in progress.tally.arms.values())
        if estimate is not None:
            assert (estimate.about is None) != ended
            assert left <= 1.05 * estimate.most + 1e-6
        if ended and left > 2.0:
            assert 1 / 1.5 < estimate.about / left < 1.5


def test_before_any_seed_has_ended_the_time_is_called_the_most_and_compiling_is_no_slow_step():
    clock, progress = Clock(), Silent()
    seen = simulate(progress, clock, {"a": (0.01, [300])}, 600, seeds=2, compiling=60.0, rest=0.0, measure=0.0)
    next(seen)
    assert progress.tally.left() is None
    next(seen)
    assert progress.tally.pace.steps_per_second == pytest.approx(100.0)
    assert progress.tally.left() == (None, pytest.approx((580 + 600) * 0.01))


def test_arms_without_an_ended_seed_are_expected_to_take_what_the_others_took():
    clock, progress = Clock(), Silent()
    arms = {"a": (0.01, [100]), "b": (0.02, [600])}
    take(7, simulate(progress, clock, arms, 600, seeds=2, compiling=0.0, rest=0.0, measure=0.0))
    assert progress.tally.left() == (pytest.approx((100 + 2 * 100) * 0.01), pytest.approx((600 + 2 * 600) * 0.01))


def test_a_seed_that_takes_longer_than_all_before_is_expected_to_take_a_quarter_more():
    clock, progress = Clock(), Silent()
    seen = simulate(progress, clock, {"a": (0.1, [100, 600])}, 600, seeds=2, compiling=0.0, rest=0.0, measure=0.0)
    found = {}
    for _ in seen:
        if running := progress.tally.arms["a"].running.get(1):
            found[running.step] = progress.tally.left().about
    assert found[80] == pytest.approx(2.0) and found[200] == pytest.approx(5.0) and found[580] == pytest.approx(2.0)


def test_what_is_done_beside_training_counts():
    clock, progress = Clock(), Silent()
    seen = simulate(progress, clock, {"a": (0.01, [100])}, 100, seeds=2, compiling=5.0, rest=1.0, measure=0.0)
    take(7, seen)
    assert progress.tally.left() == (pytest.approx(2.0, rel=0.2), pytest.approx(2.0, rel=0.2))


def test_a_run_that_goes_on_from_a_checkpoint_is_timed_by_what_it_trains_now():
    clock, progress = Clock(), Silent()
    progress.clock = clock
    progress.start(plan(arms=("a",), seeds=1, budget=1000))
    clock.now = 3.0
    progress.update(rows("a", 0, 500, seconds=50.0), 20)
    assert progress.tally.pace.steps_per_second == pytest.approx(10.0)
    assert progress.tally.left().most == pytest.approx(50.0)


def test_members_that_train_together_share_the_time():
    clock, progress = Clock(), Silent()
    progress.clock = clock
    progress.start(plan(arms=("a",), seeds=4, budget=100))
    for step in (0, 50):
        clock.now += 10.0
        for seed in range(4):
            progress.update(rows("a", seed, step, seconds=step / 50 * 10.0 / 4), step)
    assert progress.tally.pace.steps_per_second == pytest.approx(20.0)
    assert progress.tally.left() == (None, pytest.approx(10.0))


def test_runs_that_are_there_already_count_as_done_and_cost_no_time():
    progress = Silent()
    progress.start(plan(arms=("a",), seeds=4, done=3))
    arm = progress.tally.arms["a"]
    assert (arm.done, arm.total, arm.running) == (3, 4, {})
    progress.update(rows("a", 3, 100), 100)
    progress.finish(run("a", 3), Outcome("memorised", 100))
    assert progress.tally.left() == (0, 0) and progress.tally.done


def test_time_left_is_said_as_an_estimate_beside_the_most():
    said = []
    clock, out = Clock(), console()
    progress = Lines(out, clock)
    for _ in simulate(progress, clock, {"a": (0.1, [200, 200, 600])}, 600, seeds=3, segment=100, compiling=0.0):
        said.append(out.file.getvalue().splitlines()[-1])
    assert said[0].endswith("compiling, time left not known yet")
    assert said[1].endswith("10 steps/s, at most 3 min left")
    assert any(line.endswith("10 steps/s, about 35 s left, at most 2 min") for line in said)


def test_the_table_shows_arms_seeds_accuracy_and_radius():
    clock, out = Clock(), console(terminal=True)
    progress = LiveTable(out, clock)
    progress.start(plan())
    clock.now = 1.0
    progress.update(rows("a", 0, 40), 40)
    progress.finish(run("a", 0), Outcome("grokked", 100))
    progress.update(rows("a", 1, 20), 20)
    progress.close()
    progress.close()
    text = out.file.getvalue()
    for part in ("1 / 2", "20 / 100", "25.0 %", "1.5", "steps/s", "about ", " left", "radius / sqrt(d) (h)"):
        assert part in text


def test_the_table_is_redrawn_at_most_four_times_a_second():
    clock, out = Clock(), console(terminal=True)
    progress = LiveTable(out, clock)
    progress.start(plan())
    drawn = []
    progress.live.update = lambda *_, **__: drawn.append(clock.now)
    for i in range(1000):
        clock.now = i / 1000
        progress.update(rows("a", 0, i), 1)
    assert len(drawn) <= 4
    progress.close()


def test_an_end_right_after_an_update_is_drawn():
    clock, out = Clock(), console(terminal=True)
    progress = LiveTable(out, clock)
    progress.start(plan())
    progress.update(rows("a", 0, 40), 40)
    progress.finish(run("a", 0), Outcome("grokked", 100))
    assert "1 / 2" in out.file.getvalue()
    progress.close()


def test_many_arms_show_those_that_train_first():
    progress = LiveTable(console(terminal=True, height=15), Clock())
    progress.start(plan(arms=[f"arm{i}" for i in range(64)], seeds=1))
    progress.update(rows("arm50", 0, 10, sites=[f"s{i}" for i in range(9)]), 10)
    table = progress.table()
    assert table.row_count == 8 and str(next(iter(table.columns[0].cells))) == "arm50"
    assert "56 more arms" in str(table.caption)
    progress.close()


def test_names_are_not_read_as_markup_and_cannot_steer_the_terminal():
    name = "[red]x[/red]\x9b2J"
    for progress in (Lines(console(), Clock()), LiveTable(console(terminal=True), Clock())):
        progress.start(plan(arms=(name,), seeds=1))
        progress.update(rows(name, 0, 5, sites=("[b]s[/b]",)), 5)
        progress.finish(run(name, 0), Outcome("memorised", 100))
        progress.close()
        text = progress.console.file.getvalue()
        assert "[red]x[/red]" in text and "\x9b" not in text


def test_nan_and_empty_segments_are_taken():
    progress = Lines(console(), Clock())
    progress.start(plan(seeds=1))
    progress.update(rows("a", 0, None), 0)
    progress.update(rows("a", 0, 5, test=float("nan"), sites=()), 5)
    assert "test \u2013," in progress.console.file.getvalue()


def test_the_display_suits_the_place():
    assert type(progress_for(quiet=True)) is Silent
    assert type(progress_for(console=console())) is Lines
    assert type(progress_for(console=console(terminal=True))) is LiveTable


def test_quiet_prints_nothing(capsys):
    progress = progress_for(quiet=True)
    progress.start(plan())
    progress.update(rows("a", 0, 5), 5)
    progress.finish(run("a", 0), Outcome("memorised", 100))
    progress.close()
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
