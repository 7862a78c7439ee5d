import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from anglewise.lab.report.live import Lines, LiveTable, Progress, progress_for


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def plan(arms=("a", "b"), seeds=2, budget=100, done=0):
    experiment = SimpleNamespace(
        arms=[SimpleNamespace(name=arm) for arm in arms], seeds=seeds, training=SimpleNamespace(budget=budget)
    )
    missing = [run(arm, seed) for arm in arms for seed in range(seeds)][done:]
    return {"plan": SimpleNamespace(experiment=experiment, missing=missing), "device": "cpu"}


def run(arm, seed):
    return SimpleNamespace(arm=SimpleNamespace(name=arm), seed=seed)


def rows(arm, seed, step, test=0.25, sites=("h",)):
    curves = [{"step": step, "train_accuracy": 1.0, "test_accuracy": test}] if step is not None else []
    readings = [{"name": "radius", "site": site, "value": 1.5, "step": step} for site in sites]
    return SimpleNamespace(run=run(arm, seed), curves=curves, readings=readings)


def console(terminal=False, width=120, height=25):
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, height=height)


def test_lines_are_throttled_per_arm_and_say_when_an_arm_is_done():
    clock, out = Clock(), console()
    progress = Lines(out, clock)
    progress.start(plan(seeds=1))
    for step in range(1, 51):
        clock.now = step / 10
        progress.update(rows("a", 0, step), 1)
    assert out.file.getvalue().count("\n") == 1
    clock.now = 5.2
    progress.update(rows("a", 0, 51), 1)
    progress.update(rows("b", 0, 1), 1)
    progress.finish(run("a", 0), {"outcome": "grokked"})
    progress.close()
    lines = out.file.getvalue().splitlines()
    assert len(lines) == 4 and lines[-1] == "a: 1 of 1 seeds done (1 grokked)"
    assert "step 51 of 100, train 100.0 %, test 25.0 %, radius 1.5 sqrt(d), 9.81 steps/s" in lines[1]


def test_time_left_allows_for_early_retirement():
    clock, progress = Clock(), Progress()
    progress.clock = clock
    progress.start(plan(arms=("a",), seeds=4))
    assert progress.board.left() is None
    clock.now = 10.0
    progress.update(rows("a", 0, 50), 50)
    assert progress.board.left() == pytest.approx((50 + 3 * 100) / 5)
    progress.finish(run("a", 0), {"outcome": "grokked"})
    assert progress.board.left() == pytest.approx(3 * 50 / 5)


def test_runs_that_are_there_already_count_as_done_and_cost_no_time():
    progress = Progress()
    progress.start(plan(arms=("a",), seeds=4, done=3))
    line = progress.board.line("a")
    assert (line.done, line.total, line.running) == (3, 4, False)
    progress.update(rows("a", 3, 100), 100)
    progress.finish(run("a", 3), {"outcome": "memorised"})
    assert progress.board.left() == 0


def test_the_table_shows_arms_seeds_accuracy_and_radius():
    clock, out = Clock(), console(terminal=True)
    progress = LiveTable(out, clock)
    progress.start(plan())
    clock.now = 1.0
    progress.update(rows("a", 0, 40), 40)
    progress.finish(run("a", 0), {"outcome": "grokked"})
    progress.update(rows("a", 1, 20), 20)
    progress.close()
    progress.close()
    text = out.file.getvalue()
    for part in ("1 / 2", "20 / 100", "25.0 %", "1.5", "steps/s", "left", "radius / sqrt(d) (h)"):
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
        progress.finish(run(name, 0), {"outcome": "memorised"})
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
    assert type(progress_for(quiet=True)) is Progress
    assert type(progress_for(console=console())) is Lines
    assert type(progress_for(console=console(terminal=True))) is LiveTable


def test_quiet_prints_nothing(capsys):
    progress = progress_for(quiet=True)
    progress.start(plan())
    progress.update(rows("a", 0, 5), 5)
    progress.finish(run("a", 0), {"outcome": "memorised"})
    progress.close()
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
