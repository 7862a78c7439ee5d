"""A claim over the grid of worlds: effects sorted, choices below as dots, the share of variance beside them."""

from __future__ import annotations

import math
from typing import Any

from anglewise.lab.report.format import number, percent
from anglewise.lab.report.plots.paper import TWO_COLUMNS
from anglewise.lab.studies.claims import words
from anglewise.lab.studies.claims.parts import Leaf
from anglewise.lab.studies.claims.pictures.marks import (
    FILL,
    GREY,
    INK,
    MARK,
    PALE,
    few_numbers,
    margins,
    title,
    wrapped,
)  # fmt: skip
from anglewise.lab.studies.claims.specification import Line, Specification
from anglewise.lab.studies.claims.worlds import LIKELY

CURVE, DOTS = 1.7, 0.125
"""Height of a curve and of a row of dots in inches."""


def figure(spec: Specification) -> Any:
    """A curve for each comparison, the dots below, and bars beside the dots."""
    from matplotlib.figure import Figure

    curves = len(spec.lines[0].leaves)
    rows = _rows(spec)
    heights = [CURVE] * curves + [DOTS * len(rows) + 0.1]
    above = heading(spec)
    drawing = Figure(figsize=(TWO_COLUMNS, 0.6 + 0.14 * (len(above) // 90) + 0.15 + sum(heights)), layout="constrained")
    grid = drawing.add_gridspec(curves + 1, 2, height_ratios=heights, width_ratios=[4.4, 1.2])
    title(drawing, above)
    dots = drawing.add_subplot(grid[-1, 0])
    for i in range(curves):
        axis = drawing.add_subplot(grid[i, 0], sharex=dots)
        _draw_curve(axis, spec, i)
        axis.tick_params(labelbottom=False, bottom=False)
    _draw_dots(dots, spec, rows)
    _draw_key(drawing, spec)
    if spec.shares:
        _draw_shares(drawing.add_subplot(grid[-1, 1], sharey=dots), spec, rows)
    return drawing


def heading(spec: Specification) -> str:
    """The picture's title: the verdict, the shares of worlds, the choice that decides most."""
    return " ".join(
        part
        for part in (f"{spec.claim.id} {spec.verdict.word} at {spec.scale} scale.", spec.summary, _most(spec))
        if part
    )


def _most(spec: Specification) -> str:
    if not spec.shares:
        return ""
    most = max(spec.shares, key=lambda name: spec.shares[name])
    return f"The choice '{most}' decides most."


def _rows(spec: Specification) -> list[tuple[str, str, str]]:
    """Rows of dots from the top: (choice, option, label); a choice of none is an arm that never generalised."""
    never = [arm for arm in spec.claim.arms if any(arm in line.never for line in spec.lines)]
    rows = [("", arm, f"no run of '{arm}' got there") for arm in never]
    for choice in spec.choices:
        for option in choice.options:
            likely = " (likely)" if option == choice.likely else ""
            rows.append((choice.name, option.name, f"{choice.name}: {option.name}{likely}"))
    return rows


def _places(spec: Specification) -> list[float]:
    """Place of each world from left to right; those without an effect stand apart."""
    gap = len(spec.with_effect)
    return [i if i < gap else i + 0.8 for i in range(len(spec.lines))]


def _draw_curve(axis: Any, spec: Specification, part: int) -> None:
    low, high = _range(spec, part)
    claimed = margins(spec.lines[0].leaves[part].rule)
    logarithmic = claimed.scale == "ratio"
    if logarithmic:
        axis.set_yscale("log")
        few_numbers(axis, low, high, y=True)
    axis.set_ylim(low, high)
    for x, line in zip(_places(spec), spec.lines, strict=True):
        _draw_world(axis, x, line, line.leaves[part], (low, high))
    lines = {claimed.low, claimed.high} - {0.0, 1.0, math.inf, -math.inf}
    if claimed.scale == "ratio":
        axis.axhline(1, color=GREY, lw=0.9)
        _beside(axis, 1, "no difference")
    for y in sorted(lines):
        axis.axhline(y, color="black", lw=0.9, ls="--")
        _beside(axis, y, f"claimed: {'at least' if y == claimed.low else 'at most'} {number(y)}")
    leaf = spec.lines[0].leaves[part]
    unit = words.unit(leaf.rule, leaf.decision.unit)
    axis.set_ylabel(wrapped(f"{leaf.name}: {unit}" if leaf.name else unit, 28))
    axis.grid(axis="x", visible=False)
    likely = [x for x, line in zip(_places(spec), spec.lines, strict=True) if line.world.name == LIKELY]
    for x in likely:
        axis.axvspan(x - 0.5, x + 0.5, color=PALE, lw=0, zorder=0)
        axis.text(x, 1.0, "likely", transform=axis.get_xaxis_transform(), ha="center", va="bottom", fontsize=6.5)
    without = len(spec.lines) - len(spec.with_effect)
    if without:
        middle = _places(spec)[-1] - (without - 1) / 2
        axis.text(
            middle, 0.5, wrapped("no effect: no run of any arm generalised", 30 if without < 3 else 4 * without),
            transform=axis.get_xaxis_transform(), ha="center", va="center", fontsize=6.5, color=GREY,
            rotation=90 if without < 3 else 0,
        )  # fmt: skip


def _beside(axis: Any, y: float, text: str) -> None:
    """A label at the right end of a line."""
    axis.text(1.01, y, text, transform=axis.get_yaxis_transform(), va="center", fontsize=6.5).set_in_layout(False)


def _draw_world(axis: Any, x: float, line: Line, leaf: Leaf, limits: tuple[float, float]) -> None:
    estimate = leaf.decision.estimate
    if estimate is None or not math.isfinite(estimate.value):
        return
    low, high = limits
    ink = INK[leaf.decision.word]
    if estimate.low is not None and estimate.high is not None:
        axis.plot([x, x], [max(estimate.low, low), min(estimate.high, high)], color=ink, lw=1.1)
    axis.plot(
        [x],
        [estimate.value],
        MARK[leaf.decision.word],
        color=ink,
        ms=4,
        mfc=FILL[leaf.decision.word],
        mew=0.9,
        zorder=3,
    )
    bound = leaf.decision.bound.strip()
    for sign, towards in ((">=", 1), ("<=", -1)):
        if bound in (sign, "~"):
            shift = {"xytext": (0, towards * 13), "textcoords": "offset points"}
            arrow = {"arrowstyle": "-|>", "color": ink, "lw": 1.1, "shrinkA": 2, "shrinkB": 0, "mutation_scale": 6}
            axis.annotate("", (x, estimate.value), **shift, arrowprops=arrow | {"arrowstyle": "<|-"})


def _range(spec: Specification, part: int) -> tuple[float, float]:
    """Limits of a curve's axis: every effect, every margin, and intervals up to five times beyond."""
    claimed = margins(spec.lines[0].leaves[part].rule)
    points = [x for x in (claimed.low, claimed.high) if math.isfinite(x) and (x > 0 or claimed.scale != "ratio")]
    estimates = [e for line in spec.lines if (e := line.leaves[part].decision.estimate) is not None]
    values = [e.value for e in estimates if math.isfinite(e.value)]
    ends = [x for e in estimates for x in (e.low, e.high) if x is not None and math.isfinite(x)]
    if claimed.scale == "ratio":
        points += [1.0, *values]
        least, most = min(points) / 5, max(points) * 5
        points += [min(max(x, least), most) for x in ends]
        return min(points) / 1.25, max(points) * 1.25
    points += values + ends
    pad = 0.08 * (max(points) - min(points) or 1.0)
    return min(points) - pad, max(points) + pad


def _draw_dots(axis: Any, spec: Specification, rows: list[tuple[str, str, str]]) -> None:
    for x, line in zip(_places(spec), spec.lines, strict=True):
        for y, (choice, option, _) in enumerate(rows):
            if not choice:
                if option in line.never:
                    axis.plot([x], [y], "x", color=INK["refuted"], ms=4, mew=1.1)
            elif line.world[choice] == option:
                axis.plot([x], [y], "s", color="#222222", ms=3.6, mew=0)
            else:
                axis.plot([x], [y], "s", color="#dddddd", ms=2.2, mew=0)
    axis.set_yticks(range(len(rows)), [wrapped(label, 44) for _, _, label in rows], fontsize=6)
    for tick, (_, _, label) in zip(axis.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if label.endswith("(likely)") else "normal")
    for y in range(1, len(rows)):
        if rows[y][0] != rows[y - 1][0]:
            axis.axhline(y - 0.5, color="#cccccc", lw=0.6)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlim(-0.7, _places(spec)[-1] + 0.7)
    axis.set_xticks([])
    axis.grid(visible=False)
    axis.tick_params(left=False)
    axis.set_xlabel(f"{len(spec.lines)} worlds, smallest effect first; dark: the option that is taken")


def _draw_shares(axis: Any, spec: Specification, rows: list[tuple[str, str, str]]) -> None:
    """A bar for each choice, beside its rows."""
    for choice, share in spec.shares.items():
        middle = [y for y, row in enumerate(rows) if row[0] == choice]
        y = sum(middle) / len(middle)
        axis.barh([y], [share], height=1.1, color="#8fa6bd")
        axis.text(share + 0.02, y, f"{percent(share)} %", va="center", fontsize=6.5)
    axis.set_xlim(0, max(1.35 * max(spec.shares.values()), 0.1))
    axis.set_xticks([])
    axis.tick_params(labelleft=False, left=False)
    axis.grid(visible=False)
    axis.spines["bottom"].set_visible(False)
    axis.set_xlabel("share of the variance\nof the log effect")


def _draw_key(drawing: Any, spec: Specification) -> None:
    """How verdicts and bounds look, below."""
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], color=INK[word], marker=MARK[word], mfc=FILL[word], ms=4, lw=1.1, label=f"{word} ({n})")
        for word in ("supported", "refuted", "inconclusive")
        if (n := spec.count(word))
    ]
    bounds = {leaf.decision.bound.strip() for line in spec.lines for leaf in line.leaves} - {""}
    if bounds:
        entries.append(
            Line2D([], [], color=GREY, marker="^", ms=4, lw=0, label="arrow: a bound, since runs spent their budget")
        )
    drawing.legend(handles=entries, loc="outside lower left", ncols=4, fontsize=6.5, handlelength=1.6)
