"""Test accuracy of every arm over the steps, with train accuracy dashed."""

from __future__ import annotations

from anglewise.lab.report.plots.bands import band, moments, seeds
from anglewise.lab.report.plots.panel import Line, Plot, banded, paper, web
from anglewise.lab.report.results import Results

__all__ = ["data", "paper", "web"]

SEED_POINTS = 120


def data(results: Results) -> Plot:
    """Median test accuracy with quartiles, median train accuracy, single seeds, the threshold."""
    test, train = (results.curves.get(name, {}) for name in ("test_accuracy", "train_accuracy"))
    lines: list[Line] = []
    for i, arm in enumerate(results.arms):
        lines += banded(i, arm, "test accuracy", band(test, arm, results))
        lines += banded(i, arm, "train accuracy", band(train, arm, results), "train")
        x, y, of = seeds(test, arm, SEED_POINTS)
        lines += [Line(i, arm, "test accuracy", x, y, "seed", note=of, noted="seed %{customdata}")] if len(x) else []
    return Plot(
        "accuracy", "", "accuracy", lines, rules=(results.threshold,), moments=moments(results), limits=(-0.02, 1.02),
        height=400,
    )  # fmt: skip
