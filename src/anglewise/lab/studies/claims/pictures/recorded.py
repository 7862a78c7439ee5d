"""Recorded estimates with their intervals, one below the other: of a claim that another record decides."""

from __future__ import annotations

from typing import Any

from anglewise.lab.report.plots.inks import ink
from anglewise.lab.report.plots.paper import TWO_COLUMNS
from anglewise.lab.stats import Interval
from anglewise.lab.studies.claims.analysis import Verdict
from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Apart
from anglewise.lab.studies.claims.decision import ends
from anglewise.lab.studies.claims.parts import comparisons
from anglewise.lab.studies.claims.pictures.marks import GREY, finding, title, wrapped
from anglewise.lab.studies.claims.record import Record

INK = ink().colour


def estimates(claim: Claim, record: Record, scale: str) -> list[tuple[str, Interval | None, str]]:
    """Name, estimate and unit of everything that is compared, what is claimed to lie above first."""
    read = {(value.arm, value.name): value.value for value in record.values if value.scale == scale}
    found = []
    for rule in comparisons(claim.rule):
        if isinstance(rule, Apart):
            for arm in (rule.arm, rule.baseline):
                value, low, high = (read.get((arm, rule.name + end)) for end in ("", "_low", "_high"))
                found.append((arm, None if value is None else Interval(value, low, high, "recorded"), rule.unit))
    return found


def figure(claim: Claim, record: Record, verdict: Verdict) -> Any:
    """A row for each estimate."""
    from matplotlib.figure import Figure

    rows = estimates(claim, record, verdict.scale)
    heading = 0.3 + 0.14 * (len(finding(claim, verdict)) // 90)
    drawing = Figure(figsize=(TWO_COLUMNS, heading + 0.5 + 0.3 * len(rows)), layout="constrained")
    title(drawing, finding(claim, verdict))
    axis = drawing.subplots()
    for i, (_, estimate, _) in enumerate(rows):
        if estimate is None:
            axis.text(1.01, i, "no number", transform=axis.get_yaxis_transform(), va="center", fontsize=7, color=GREY)
            continue
        if estimate.low is not None and estimate.high is not None:
            axis.plot([estimate.low, estimate.high], [i, i], color=INK, lw=1.4)
        axis.plot([estimate.value], [i], "o", color=INK, ms=4.5)
        axis.text(1.01, i, ends(estimate), transform=axis.get_yaxis_transform(), va="center", fontsize=7)
    axis.set_yticks(range(len(rows)), [wrapped(name) for name, _, _ in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.tick_params(left=False)
    axis.set_xlabel(f"{rows[0][2]}, with its 95 % interval")
    return drawing
