"""Progress while it trains: what the runner reports, as a live table in a terminal, as plain lines, or not at all."""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from anglewise.lab.outcome import Outcome
from anglewise.lab.report.format import DASH, number, plain, within
from anglewise.lab.report.pace import Left, Seconds, nothing
from anglewise.lab.report.tally import Arm, Seed, Tally, Times

if TYPE_CHECKING:
    from anglewise.lab.execution.planning import Plan

LINE = 5.0
"""Seconds between two lines of one arm."""
MOST_SITES = 4
SURE = 1.5
"""A range of time whose ends differ by no more than this factor is written as one number."""


class Silent:
    """Counts what the runner reports and prints nothing.

    Args:
        clock: Seconds.
        compiled: Seconds that were spent on compiling, in all.
    """

    def __init__(self, clock: Seconds = time.monotonic, compiled: Seconds = nothing):
        self.clock, self.compiled = clock, compiled
        self.tally = Tally([], 1, clock=clock)

    def start(self, plan: Plan) -> None:
        """Count what is planned and what is done."""
        experiment = plan.experiment
        waiting = Counter(run.arm.name for run in plan.missing)
        seeds, rule = experiment.seeds, experiment.training
        arms = [Arm(arm.name, seeds, seeds - waiting[arm.name]) for arm in experiment.arms]
        self.tally = Tally(arms, rule.budget, rule.threshold, self.clock, self.compiled)

    def update(self, rows: Any, steps: int) -> None:
        """Count what a run shows."""
        if not rows.curves:
            return
        last = rows.curves[-1]
        radius = {r["site"]: r["value"] for r in rows.readings if r["name"] == "radius"}
        seed = Seed(last["step"], last["train_accuracy"], last["test_accuracy"], radius)
        self.tally.update(rows.run.arm.name, rows.run.seed, seed, steps, rows.seconds)
        self.show(rows.run.arm.name)

    def finish(self, run: Any, outcome: Outcome) -> None:
        """Count how a run ended."""
        self.tally.finish(run.arm.name, run.seed, outcome)
        self.show(run.arm.name, ended=True)

    def close(self) -> None:
        """Do nothing."""

    def show(self, arm: str, *, ended: bool = False) -> None:
        """Called after every change of an arm."""


class Lines(Silent):
    """Plain lines: what is compiled, at most one per arm in five seconds, and one for each finished arm."""

    def __init__(self, console: Console | None = None, clock: Seconds = time.monotonic, compiled: Seconds = nothing):
        super().__init__(clock, compiled)
        self.console = console or Console(stderr=True)
        self.printed: dict[str, float] = {}
        self.state = ""

    def start(self, plan: Plan) -> None:
        """Say what comes first."""
        super().start(plan)
        self._print_state()

    def show(self, arm: str, *, ended: bool = False) -> None:
        """Print an arm's state if its last line is old enough or the arm is done."""
        runs, at = self.tally.arms[arm], self.clock()
        done = f"{plain(arm)}: {runs.done} of {runs.total} seeds done"
        reached = f", {steps_to(self.tally)}: {times_text(runs.times, self.tally)}" if runs.times else ""
        if ended and runs.done == runs.total:
            outcomes = ", ".join(f"{n} {kind}" for kind, n in sorted(runs.outcomes.items()))
            self._print(f"{done} ({outcomes}){reached}")
        elif not ended and at - self.printed.get(arm, float("-inf")) >= LINE:
            self.printed[arm], now = at, runs.now
            radii = f", radius {radii_text(now)} sqrt(d)" if now.radius else ""
            shares = f"train {share_text(now.train_accuracy)}, test {share_text(now.test_accuracy)}"
            step = f"step {number(now.step)} of {self.tally.budget:,}"
            self._print(f"{done}{reached}; now {step}, {shares}{radii}; {pace_text(self.tally)}")
        self._print_state()

    def _print_state(self) -> None:
        """Print what is compiled now, once."""
        if self.tally.state != self.state:
            self.state = self.tally.state
            if self.state.startswith("compiling"):
                self._print(self.state)

    def _print(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)


def progress_for(*, quiet: bool = False, console: Console | None = None, compiled: Seconds = nothing) -> Silent:
    """The progress display that suits the place: none if `quiet`, a table in a terminal, lines elsewhere.

    Args:
        quiet: Whether to print nothing.
        console: Where to; standard error if None, so that standard output stays free for results.
        compiled: Seconds that were spent on compiling, in all.

    Returns:
        What :func:`train` reports to.
    """
    from anglewise.lab.report.live import LiveTable

    if quiet:
        return Silent()
    console = console or Console(stderr=True)
    display = LiveTable if console.is_terminal else Lines
    return display(console, compiled=compiled)


def steps_to(tally: Tally) -> str:
    """What is compared, as a heading: ``steps to 95 %``."""
    return f"steps to {100 * tally.threshold:g} %"


def times_text(times: Times | None, tally: Tally) -> str:
    """Steps to the threshold so far: the median, and the range of several runs.

    Example:
        >>> tally = Tally([], 200, 0.95)
        >>> times_text(Times(136.0, 128.0, 140.0, 3), tally), times_text(Times(90.0, 90.0, 90.0, 1), tally)
        ('136 (128 to 140)', '90')
    """
    if times is None:
        return DASH
    form = within(tally.budget)
    span = f" ({number(times.least)} to {form(times.most)})" if times.least < times.most else ""
    return form(times.median) + span


def radii_text(now: Seed) -> str:
    """The radius at each site, or their range where there are many."""
    values = list(now.radius.values())
    if len(values) > MOST_SITES:
        return f"{number(min(values), 2)} to {number(max(values), 2)}"
    return " / ".join(number(value, 2) for value in values) or DASH


def share_text(value: float) -> str:
    """An accuracy."""
    return DASH if math.isnan(value) else f"{100 * value:.1f} %"


def pace_text(tally: Tally) -> str:
    """How fast it trains, how long it has taken, and how long it may take.

    Example:
        >>> pace_text(Tally([Arm("adamw", 8, 0)], 200))
        'compiling arm 1 of 1, 0 s so far, time left not known yet'
    """
    pace, so_far = tally.pace.steps_per_second, f"{exactly(tally.elapsed)} so far"
    if tally.done:
        return f"all runs done in {exactly(tally.elapsed)}"
    state = f"{number(pace)} steps/s" if pace is not None and tally.state == "training" else tally.state
    return f"{state}, {so_far}, {left_text(tally.left())}"


def left_text(left: Left | None) -> str:
    """Time left in words: one number where the range is narrow, else the range.

    Example:
        >>> left_text(Left(100.0, 140.0, 130.0)), left_text(Left(60.0, 190.0, None)), left_text(Left(40.0, 130.0, 60.0))
        ('about 2 min left', '1 to 3 min left', '40 s to 2 min left')
        >>> left_text(Left(50.0, 52.0, None)), left_text(None)
        ('about 50 s left', 'time left not known yet')
    """
    if left is None:
        return "time left not known yet"
    low, high = roughly(left.low), roughly(left.high)
    if low == high or left.high <= SURE * left.low:
        return f"about {roughly(left.about or (left.low * left.high) ** 0.5)} left"
    (least, unit), (_, other) = low.split(), high.split()
    if (unit, other) == ("s", "min") and left.low >= 50:
        least, unit = "1", other
    return f"{least if unit == other else low} to {high} left"


def roughly(seconds: float) -> str:
    """Seconds as precisely as an estimate can be.

    Example:
        >>> [roughly(s) for s in (3.0, 42.0, 160.0, 7300.0, 200_000.0)]
        ['5 s', '40 s', '3 min', '2.0 h', '2.3 days']
    """
    if seconds < 90:
        return f"{max(5 * round(seconds / 5), 5)} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def exactly(seconds: float) -> str:
    """A time that has passed.

    Example:
        >>> [exactly(s) for s in (3.4, 96.0, 7300.0)]
        ['3 s', '1 min 36 s', '2 h 1 min']
    """
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole // 60 % 60} min"
