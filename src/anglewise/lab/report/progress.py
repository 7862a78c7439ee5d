"""Progress while it trains: what the runner reports, as a live table in a terminal, as plain lines, or not at all.

Drawing is throttled, so that it costs training nothing.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from anglewise.lab.outcome import Outcome
from anglewise.lab.report.format import DASH, number, plain
from anglewise.lab.report.pace import Arm, Left, Seed, Tally

if TYPE_CHECKING:
    from anglewise.lab.execution.planning import Plan

REDRAW = 0.25
LINE = 5.0
"""Seconds between redraws of the table, and between two lines of one arm."""
MOST_SITES = 4


class Silent:
    """Counts what the runner reports and prints nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock, self.tally = clock, Tally([], 1, clock)

    def start(self, plan: Plan) -> None:
        """Count what is planned and what is done."""
        experiment = plan.experiment
        waiting = Counter(run.arm.name for run in plan.missing)
        seeds = experiment.seeds
        arms = [Arm(arm.name, seeds, seeds - waiting[arm.name]) for arm in experiment.arms]
        self.tally = Tally(arms, experiment.training.budget, self.clock)

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
        self.tally.finish(run.arm.name, run.seed, outcome.outcome)
        self.show(run.arm.name, ended=True)

    def close(self) -> None:
        """Do nothing."""

    def show(self, arm: str, *, ended: bool = False) -> None:
        """Called after every change of an arm."""


class Lines(Silent):
    """Plain lines: at most one per arm in five seconds, and one for each finished arm."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic):
        super().__init__(clock)
        self.console = console or Console(stderr=True)
        self.printed: dict[str, float] = {}

    def show(self, arm: str, *, ended: bool = False) -> None:
        """Print an arm's state if its last line is old enough or the arm is done."""
        runs, at = self.tally.arms[arm], self.clock()
        done = f"{plain(arm)}: {runs.done} of {runs.total} seeds done"
        if ended and runs.done == runs.total:
            self._print(f"{done} ({', '.join(f'{n} {kind}' for kind, n in sorted(runs.outcomes.items()))})")
        elif not ended and at - self.printed.get(arm, float("-inf")) >= LINE:
            self.printed[arm], now = at, runs.now
            radii = f", radius {_radii(now)} sqrt(d)" if now.radius else ""
            shares = f"train {_share(now.train_accuracy)}, test {_share(now.test_accuracy)}"
            step = f"step {number(now.step)} of {self.tally.budget:,}"
            self._print(f"{done}, {step}, {shares}{radii}, {_pace(self.tally)}")

    def _print(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)


class LiveTable(Silent):
    """A table that is redrawn at most four times a second, and as often for runs that end."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic):
        super().__init__(clock)
        self.console = console or Console(stderr=True)
        self.live: Live | None = None
        self.drawn = {False: float("-inf"), True: float("-inf")}

    def start(self, plan: Plan) -> None:
        """Open the table."""
        super().start(plan)
        self.live = Live(self.table(), console=self.console, auto_refresh=False)
        self.live.start(refresh=True)

    def show(self, arm: str, *, ended: bool = False) -> None:
        """Redraw, if the last time is long enough ago; ends have a time of their own, since compiling may follow."""
        if self.live is not None and self.clock() - self.drawn[ended] >= REDRAW:
            self.drawn[ended] = self.clock()
            self.live.update(self.table(), refresh=True)

    def close(self) -> None:
        """Draw the last state and leave it standing."""
        if self.live is not None:
            self.live.update(self.table(), refresh=True)
            self.live.stop()
            self.live = None

    def table(self) -> Table:
        """The arms as a table; where there are too many arms, those that train come first."""
        arms = list(self.tally.arms.values())
        room = max(self.console.height - 7, 3)
        hidden = max(len(arms) - room, 0)
        if hidden:
            arms = sorted(arms, key=lambda arm: (not arm.running, arm.done == arm.total))[:room]
        caption = _pace(self.tally) + (f", {hidden} more arms" if hidden else "")
        shown = [(arm, arm.now) for arm in arms]
        sites = next((tuple(now.radius) for _, now in shown if now.radius), ())
        named = f" ({', '.join(map(plain, sites))})" if 0 < len(sites) <= MOST_SITES else ""
        table = Table(caption=Text(caption), caption_justify="left")
        for name in ("arm", "seeds", "step", "train", "test"):
            table.add_column(name, justify="left" if name == "arm" else "right", overflow="ellipsis")
        table.add_column(Text(f"radius / sqrt(d){named}"), justify="right")
        for arm, now in shown:
            style = "bold" if arm.running else "dim" if arm.done == arm.total else ""
            step = f"{number(now.step)} / {self.tally.budget:,}" if arm.running else DASH
            shares = (_share(now.train_accuracy), _share(now.test_accuracy))
            texts = (plain(arm.name), f"{arm.done} / {arm.total}", step, *shares, _radii(now))
            table.add_row(*map(Text, texts), style=style)
        return table


def progress_for(*, quiet: bool = False, console: Console | None = None) -> Silent:
    """The progress display that suits the place: none if `quiet`, a table in a terminal, lines elsewhere.

    Args:
        quiet: Whether to print nothing.
        console: Where to; standard error if None, so that standard output stays free for results.

    Returns:
        What :func:`train` reports to.
    """
    if quiet:
        return Silent()
    console = console or Console(stderr=True)
    return LiveTable(console) if console.is_terminal else Lines(console)


def _radii(now: Seed) -> str:
    values = list(now.radius.values())
    if len(values) > MOST_SITES:
        return f"{number(min(values), 2)} to {number(max(values), 2)}"
    return " / ".join(number(value, 2) for value in values) or DASH


def _share(value: float) -> str:
    return DASH if math.isnan(value) else f"{100 * value:.1f} %"


def _pace(tally: Tally) -> str:
    """Steps per second, and how long it may take.  Both are of what was trained so far."""
    pace = tally.pace.steps_per_second
    steps = "compiling" if pace is None else f"{number(pace)} steps/s"
    return f"{steps}, all seeds done" if tally.done else f"{steps}, {_left(tally.left())}"


def _left(left: Left | None) -> str:
    """Time left in words: an estimate beside the most that it can be, where they differ.

    Example:
        >>> _left(Left(130.0, 790.0)), _left(Left(None, 790.0)), _left(Left(50.0, 52.0)), _left(None)
        ('about 2 min left, at most 13 min', 'at most 13 min left', 'about 50 s left', 'time left not known yet')
    """
    if left is None:
        return "time left not known yet"
    if left.about is None:
        return f"at most {_roughly(left.most)} left"
    about, most = _roughly(left.about), _roughly(left.most)
    return f"about {about} left" + (f", at most {most}" if left.most > 1.1 * left.about and about != most else "")


def _roughly(seconds: float) -> str:
    """Seconds as precisely as an estimate can be.

    Example:
        >>> [_roughly(s) for s in (3.0, 42.0, 160.0, 7300.0, 200_000.0)]
        ['5 s', '40 s', '3 min', '2.0 h', '2.3 days']
    """
    if seconds < 90:
        return f"{max(5 * round(seconds / 5), 5)} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
