import io
import threading
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from anglewise.lab.outcome import Outcome
from anglewise.lab.report.live import LiveTable
from anglewise.lab.report.progress import Lines, Silent, progress_for, times_text


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def plan(arms=("a", "b"), seeds=2, budget=100, done=0, threshold=0.95):
    rule = SimpleNamespace(budget=budget, threshold=threshold)
    experiment = SimpleNamespace(arms=[SimpleNamespace(name=arm) for arm in arms], seeds=seeds, training=rule)
    missing = [run(arm, seed) for arm in arms for seed in range(seeds)][done:]
    return SimpleNamespace(experiment=experiment, missing=missing)


def run(arm, seed):
    return SimpleNamespace(arm=SimpleNamespace(name=arm), seed=seed)


def rows(arm, seed, step, test=0.25, sites=("h",), seconds=1.0):
    curves = [{"step": step, "train_accuracy": 1.0, "test_accuracy": test}] if step is not None else []
    readings = [{"name": "radius", "site": site, "value": 1.5, "step": step} for site in sites]
    return SimpleNamespace(run=run(arm, seed), curves=curves, readings=readings, seconds=seconds)


def ended(first):
    return Outcome("memorised" if first is None else "grokked", 200, first=first)


def console(terminal=False, width=120, height=25):
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, height=height)


def test_lines_are_throttled_per_arm_and_say_when_an_arm_is_done():
    clock, out = Clock(), console()
    progress = Lines(out, clock)
    progress.start(plan(seeds=1))
    for step in range(1, 51):
        clock.now = step / 10
        progress.update(rows("a", 0, step, seconds=step / 10), 1)
    assert out.file.getvalue().count("\n") == 2
    clock.now = 5.2
    progress.update(rows("a", 0, 51, seconds=5.2), 1)
    progress.update(rows("b", 0, 1, seconds=0.0), 1)
    progress.finish(run("a", 0), ended(48))
    progress.close()
    lines = out.file.getvalue().splitlines()
    assert len(lines) == 5 and lines[-1] == "a: 1 of 1 seeds done (1 grokked), steps to 95 %: 48"
    assert "step 51 of 100, train 100.0 %, test 25.0 %, radius 1.5 sqrt(d); 9.81 steps/s, 5 s so far" in lines[2]


def test_runs_that_are_there_already_count_as_done_and_cost_no_time():
    progress = Silent()
    progress.start(plan(arms=("a",), seeds=4, done=3))
    arm = progress.tally.arms["a"]
    assert (arm.done, arm.total, arm.running) == (3, 4, {})
    progress.update(rows("a", 3, 100), 100)
    progress.finish(run("a", 3), Outcome("memorised", 100))
    assert progress.tally.left() == (0, 0, 0) and progress.tally.done


def test_lines_say_what_is_compiled_and_the_time_that_passed_and_is_left():
    clock, out = Clock(), console()
    progress = Lines(out, clock, lambda: 7.0 * (clock.now >= 7) + 8.0 * (clock.now >= 35))
    progress.start(plan(seeds=2, budget=200))
    clock.now = 7.0
    progress.update(rows("a", 0, 0, seconds=0.0), 0)
    clock.now = 17.0
    progress.update(rows("a", 0, 100, seconds=10.0), 100)
    clock.now = 27.0
    progress.update(rows("a", 0, 200, seconds=20.0), 200)
    progress.finish(run("a", 0), ended(136))
    clock.now = 36.0
    progress.update(rows("b", 0, 0, seconds=0.0), 0)
    lines = out.file.getvalue().splitlines()
    assert lines[0] == "compiling arm 1 of 2"
    assert lines[1].endswith("time left not known yet") and "7 s so far" in lines[1]
    assert lines[2].endswith("10 steps/s, 17 s so far, 20 s to 2 min left")
    assert lines[4] == "compiling arm 2 of 2"
    assert lines[5].startswith("b: 0 of 2 seeds done; now step 0 of 200") and "36 s so far" in lines[5]


def test_steps_to_the_threshold_so_far_are_shown_with_their_range():
    lines, live = Lines(console(), Clock()), LiveTable(console(terminal=True), Clock())
    for progress in (lines, live):
        progress.start(plan(arms=("a",), seeds=4, budget=200))
        for seed, first in enumerate((136, 128, 140)):
            progress.finish(run("a", seed), ended(first))
        progress.update(rows("a", 3, 8), 8)
        assert times_text(progress.tally.arms["a"].times, progress.tally) == "136 (128 to 140)"
        assert "steps to 95 %" in progress.console.file.getvalue()
        assert "136 (128 to 140)" in progress.console.file.getvalue()
    for first, text in ((None, "138 (128 to > 200)"), (90, "132 (90 to 140)")):
        lines.tally.arms["a"].crossings[3:] = []
        lines.finish(run("a", 3), ended(first))
        assert times_text(lines.tally.arms["a"].times, lines.tally) == text
    lines.finish(run("a", 3), Outcome("diverged", 100, first=90))
    assert lines.tally.arms["a"].times.most == float("inf")  # a crossing before diverging does not count


def test_without_a_threshold_no_steps_are_shown():
    live = LiveTable(console(terminal=True), Clock())
    live.start(plan(arms=("a",), threshold=0.0))
    live.finish(run("a", 0), Outcome("trained", 100))
    assert "steps to" not in live.console.file.getvalue() and live.tally.arms["a"].times is None
    live.close()


def drawn(width, arms, height=25):
    """The last state of a table, as lines."""
    live = LiveTable(console(width=width, height=height), Clock())
    live.tally.pace.clock = live.clock
    Silent.start(live, plan(arms=arms, seeds=8, budget=200))
    for arm in arms:
        live.finish(run(arm, 0), ended(136))
        live.finish(run(arm, 1), ended(150))
        live.update(rows(arm, 2, 76, sites=("hidden.0.pre", "hidden.1.pre")), 76)
    live.console.print(live.table())
    return live.console.file.getvalue().splitlines()


NAMES = ("adamw-common", "adamw-common+radial", "a-rather-long-name-that-somebody-gave-to-an-arm")


@pytest.mark.parametrize("width", [60, 80, 160])
def test_a_row_is_one_line_and_no_name_is_broken_at_any_width(width):
    lines = drawn(width, NAMES)
    for name in NAMES:
        (line,) = (line for line in lines if line.startswith(f"{name} "))
        assert "2 of 8" in line and max(map(len, lines)) <= width
    assert len(lines) == 2 + len(NAMES) + 2


def test_columns_that_do_not_fit_are_left_out_by_their_rank():
    heads = {width: drawn(width, NAMES[:2])[0] for width in (60, 80, 160)}
    for width, there, away in (
        (160, ("train", "radius / sqrt(d) (hidden.0.pre, hidden.1.pre)"), ()),
        (80, ("steps to 95 %", "step ", "test", "radius"), ("train", "sqrt(d)")),
        (60, ("seeds", "steps to 95 %"), ("radius", "train", "test")),
    ):
        assert all(part in heads[width] for part in there) and not any(part in heads[width] for part in away)
    assert "136 (" not in "".join(drawn(40, NAMES[2:])) and NAMES[2][:40] in drawn(40, NAMES[2:])[2]


def test_the_table_shows_arms_seeds_accuracy_and_radius():
    clock, out = Clock(), console(terminal=True)
    progress = LiveTable(out, clock)
    progress.start(plan())
    clock.now = 1.0
    progress.update(rows("a", 0, 40), 40)
    progress.finish(run("a", 0), ended(40))
    progress.update(rows("a", 1, 20), 20)
    clock.now = 65.0
    progress.close()
    progress.close()
    text = out.file.getvalue()
    assert "stopped after 1 min 5 s; 1 of 4 runs done" in text
    for part in ("1 of 2", "20 of 100", "25.0 %", "1.5", "steps/s", " so far", " left", "(h)", "Ctrl-C saves"):
        assert part in text


def test_no_color_leaves_colours_out_and_a_terminal_has_them(monkeypatch):
    texts = []
    for plainly in (False, True):
        if plainly:
            monkeypatch.setenv("NO_COLOR", "1")
        else:
            monkeypatch.delenv("NO_COLOR", raising=False)
            monkeypatch.setenv("TERM", "xterm-256color")
        out = console(terminal=True)
        progress = LiveTable(out, Clock())
        progress.start(plan())
        progress.update(rows("a", 0, 40), 40)
        progress.close()
        texts.append(out.file.getvalue())
    assert "\x1b[32m" in texts[0] and "\x1b[32m" not in texts[1] and "training" in texts[1]


def test_the_table_is_redrawn_at_most_four_times_a_second():
    clock, out = Clock(), console(terminal=True)
    progress = LiveTable(out, clock)
    progress.start(plan())
    drawn = []
    progress.live.refresh = lambda: drawn.append(clock.now)
    for i in range(1000):
        clock.now = i / 1000
        progress.update(rows("a", 0, i), 1)
    assert len(drawn) <= 4
    progress.close()


def test_the_table_is_drawn_by_a_waiting_thread_while_rows_arrive():
    progress = LiveTable(console(terminal=True), time.monotonic)
    progress.start(plan(arms=[f"arm{i}" for i in range(30)], seeds=2))
    drawn = []
    drawing = threading.Thread(target=lambda: drawn.extend(progress.table() for _ in range(20)))
    drawing.start()
    for i in range(300):
        progress.update(rows(f"arm{i % 30}", i % 2, i, sites=[f"s{i % 5}"]), 1)
    drawing.join()
    progress.close()
    assert len(drawn) == 20


def test_an_end_right_after_an_update_is_drawn():
    clock, out = Clock(), console(terminal=True)
    progress = LiveTable(out, clock)
    progress.start(plan())
    progress.update(rows("a", 0, 40), 40)
    progress.finish(run("a", 0), ended(40))
    assert "1 of 2" in out.file.getvalue()
    progress.close()


def test_many_arms_show_those_that_train_first():
    lines = LiveTable(console(width=120, height=15), Clock())
    Silent.start(lines, plan(arms=[f"arm{i}" for i in range(64)], seeds=1))
    lines.update(rows("arm50", 0, 10, sites=[f"s{i}" for i in range(9)]), 10)
    lines.console.print(lines.table())
    shown = lines.console.file.getvalue().splitlines()
    assert len(shown) == 2 + 9 + 2 and shown[2].startswith("arm50 ") and "; 55 more arms" in shown[-2]


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
    assert "test \u2013;" in progress.console.file.getvalue()


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
