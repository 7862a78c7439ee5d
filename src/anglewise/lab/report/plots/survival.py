"""Share of each arm's finished runs not yet generalised (Kaplan and Meier)."""

from __future__ import annotations

import numpy as np

from anglewise.lab.report.comparison import Criterion, time_of
from anglewise.lab.report.plots.panel import Line, Plot, paper, web
from anglewise.lab.report.results import Results
from anglewise.lab.stats import kaplan_meier

__all__ = ["data", "paper", "web"]


def data(results: Results) -> Plot:
    """A staircase per arm and crossing, of which the page shows one; a tick where the budget cut runs off."""
    criteria: tuple[Criterion, ...] = ("first", "sustained")
    what, lines = "share not yet generalised", list[Line]()
    for i, arm in enumerate(results.arms):
        runs = results.finished(arm)
        for criterion in criteria if runs else ():
            curve = kaplan_meier([time_of(run, criterion) for run in runs.values()], results.budget)
            of = np.full(len(curve.times), curve.n)
            noted = "of %{customdata} finished runs"
            lines.append(Line(i, arm, what, curve.times, curve.share, criterion, note=of, noted=noted))
            if curve.censored:
                end, cut = slice(-1, None), np.array([curve.censored])
                note = f"%{{customdata}} of {curve.n} not within the budget"
                lines.append(
                    Line(i, arm, what, curve.times[end], curve.share[end], criterion, note=cut, noted=note, tick=True)
                )
    return Plot("survival", "", what, lines, limits=(-0.02, 1.04), height=380)
