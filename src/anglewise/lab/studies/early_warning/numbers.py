"""The numbers of the early-warning study that have an interval, and how each is written."""

from __future__ import annotations

import math
from collections.abc import Callable

from anglewise.lab.report.format import DASH, number
from anglewise.lab.stats.estimate import Interval

SHOWN = (
    "auc_same_step",
    "auc_twins",
    "in_time",
    "too_early",
    "lead",
    "lead_share",
    "false_structured",
    "false_control",
)
"""Numbers of a row of the table, by name."""
NUMBERS = (*SHOWN[:2], "auc", *SHOWN[2:])
"""In the order of the file of all scores."""
SHARES = ("in_time", "too_early", "false_structured", "false_control")
FORMS: dict[str, Callable[[float], str]] = {"lead": number} | {name: lambda v: f"{100 * v:.0f}" for name in SHARES}


def written(name: str, found: Interval | None) -> str:
    """A number of a score with its interval, as the table has it; a dash for one that does not exist.

    Args:
        name: One of :data:`NUMBERS`.
        found: The number; a lead is minus infinity where it is that of a missed alarm.

    Example:
        >>> written("in_time", Interval(0.44, 0.353, 0.53, "jackknife"))
        '44 % [35\u201353]'
        >>> written("lead", Interval(340.0, float("-inf"), 460.0, "jackknife"))
        '340 [missed\u2013460]'
    """
    if found is None:
        return DASH
    form = FORMS.get(name, "{:.2f}".format)
    value, *ends = ("missed" if end == -math.inf else form(end) for end in found[:3] if end is not None)
    unit = " %" if name in SHARES else ""
    if not ends or {value, *ends} == {"missed"}:
        return value + unit
    return f"{value}{unit} [{DASH.join(ends)}]"
