"""A table in the terminal that is redrawn while it trains: an arm a row, one line each.

Columns that do not fit are left out, those that matter least first; a name is never cut.  Drawing is throttled, so
that it costs training nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from anglewise.lab.report.format import DASH, number, plain
from anglewise.lab.report.pace import Seconds, nothing
from anglewise.lab.report.progress import (
    MOST_SITES,
    Silent,
    exactly,
    left_text,
    radii_text,
    share_text,
    steps_to,
    times_text,
)
from anglewise.lab.report.tally import Arm, Seed

if TYPE_CHECKING:
    from anglewise.lab.execution.planning import Plan

REDRAW = 0.25
"""Seconds between redraws for what a run shows, and as often for runs that end."""
TICK = 2.0
"""Redraws in a second while nothing is reported: the time that has passed goes on."""
GAP = 2
"""Letters between columns."""


class _Column(NamedTuple):
    """A column: its heading, its cells, in which order columns are left out (the largest first), and its widest cell.

    The widest cell is one that may still come, so that columns do not move while it trains.
    """

    head: str
    cells: list[str]
    rank: int
    widest: str = ""

    @property
    def width(self) -> int:
        return max(cell_len(text) for text in (self.head, self.widest, *self.cells))


def _width(columns: Sequence[_Column]) -> int:
    return sum(column.width + GAP for column in columns) - GAP


class LiveTable(Silent):
    """Redraws the table."""

    def __init__(self, console: Console | None = None, clock: Seconds = time.monotonic, compiled: Seconds = nothing):
        super().__init__(clock, compiled)
        self.console = console or Console(stderr=True)
        self.live: Live | None = None
        self.closed = False
        self.drawn = {False: float("-inf"), True: float("-inf")}
        self.counting = threading.RLock()  # the table is also drawn by a thread that only waits

    def start(self, plan: Plan) -> None:
        """Open the table."""
        super().start(plan)
        self.live = Live(get_renderable=self.table, console=self.console, refresh_per_second=TICK)
        self.live.start(refresh=True)

    def update(self, rows: object, steps: int) -> None:
        """Count what a run shows."""
        with self.counting:
            super().update(rows, steps)

    def finish(self, run: object, outcome: object) -> None:
        """Count how a run ended."""
        with self.counting:
            super().finish(run, outcome)  # type: ignore[arg-type]

    def show(self, arm: str, *, ended: bool = False) -> None:
        """Redraw, if the last time is long enough ago; ends have a time of their own, since compiling may follow."""
        if self.live is not None and self.clock() - self.drawn[ended] >= REDRAW:
            self.drawn[ended] = self.clock()
            self.live.refresh()

    def close(self) -> None:
        """Draw the last state and leave it standing."""
        if self.live is not None:
            live, self.live, self.closed = self.live, None, True
            live.stop()
            self.console.print()

    def table(self) -> Group:
        """The arms as a table with the state below; where there are too many arms, those that train come first."""
        with self.counting:
            arms = list(self.tally.arms.values())
            room = max(self.console.height - 6, 3)
            hidden = max(len(arms) - room, 0)
            if hidden:
                arms = sorted(arms, key=lambda arm: (not arm.running, arm.done == arm.total))[:room]
            return Group(self._arms(arms), self._state(hidden))

    def _arms(self, arms: list[Arm]) -> Table:
        columns = self._columns(arms)
        while len(columns) > 1 and _width(columns) > self.console.width:
            columns.remove(max(columns, key=lambda column: column.rank))
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
        for i, column in enumerate(columns):
            table.add_column(
                Text(column.head), justify="right" if i else "left", no_wrap=i > 0, overflow="fold",
                min_width=min(column.width, self.console.width),
            )  # fmt: skip
        for i, arm in enumerate(arms):
            style = "bold" if arm.running else "dim" if arm.waiting and not arm.ended else ""
            table.add_row(*(Text(column.cells[i], style=self._style(column, arm)) for column in columns), style=style)
        return table

    def _columns(self, arms: list[Arm]) -> list[_Column]:
        """All columns, from left to right."""
        tally, shown = self.tally, [(arm, arm.now) for arm in arms]
        budget, full = f"{tally.budget:,}", share_text(1.0)
        span = f"{budget} ({budget} to {budget})" if any(arm.total > 1 for arm in arms) else budget
        sites = next((tuple(now.radius) for _, now in shown if now.radius), ())
        named = f" ({', '.join(map(plain, sites))})" if 0 < len(sites) <= MOST_SITES else ""
        columns = [
            _Column("arm", [plain(arm.name) for arm in arms], 0),
            _Column("seeds", [f"{arm.done} of {arm.total}" for arm in arms], 1),
            _Column(steps_to(tally), [times_text(arm.times, tally) for arm in arms], 2, span),
            _Column("step", [self._step(arm, now) for arm, now in shown], 3, f"{budget} of {budget}"),
            _Column("train", [share_text(now.train_accuracy) for _, now in shown], 6, full),
            _Column("test", [share_text(now.test_accuracy) for _, now in shown], 4, full),
            _Column("radius", [radii_text(now) for _, now in shown], 5, "0.00 / 0.00"),
        ]
        wide = [*columns[:-1], columns[-1]._replace(head=f"radius / sqrt(d){named}")]
        columns = wide if _width(wide) <= self.console.width else columns
        return [column for column in columns if tally.threshold or column.rank != 2]

    def _step(self, arm: Arm, now: Seed) -> str:
        return f"{number(now.step)} of {self.tally.budget:,}" if arm.running else DASH

    def _style(self, column: _Column, arm: Arm) -> str:
        """Colour where it says something: what trains, and what has reached the threshold."""
        if column.rank == 0 and arm.running:
            return "cyan"
        if column.rank == 2 and arm.times is not None:
            return "green" if arm.times.most <= self.tally.budget else "yellow"
        reached = bool(self.tally.threshold) and arm.now.test_accuracy >= self.tally.threshold
        return "green" if column.rank == 4 and arm.running and reached else ""

    def _state(self, hidden: int) -> Text:
        """What goes on, how much is done, how long it has taken and may take: two lines."""
        tally = self.tally
        done, total = tally.runs
        more = f"; {hidden} more arms" if hidden else ""
        passed = exactly(tally.elapsed)
        if tally.done:
            return Text(f"{done} of {total} runs done in {passed}{more}")
        if self.closed:
            return Text(f"stopped after {passed}; {done} of {total} runs done{more}", style="yellow")
        pace = tally.pace.steps_per_second
        speed = f" at {number(pace)} steps/s" if pace is not None and tally.state == "training" else ""
        colour = "green" if tally.state == "training" else "yellow"
        return Text.assemble(
            (tally.state, colour), f"{speed}; {done} of {total} runs done{more}\n",
            f"{passed} so far, {left_text(tally.left())} (Ctrl-C saves and stops)",
        )  # fmt: skip
