"""The history of the benchmarks as a picture for each kind of machine: ``python -m benchmarks.picture``.

One panel per quantity, one mark per run of the benchmarks in the order of their dates, with 95 % intervals (or, where
there are too few rounds for one, the range).  Hollow marks are of runs that other processes disturbed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from anglewise.lab.report.plots.paper import save, styled
from benchmarks.results import HISTORY

INKS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKS = ("o", "s", "D", "^", "v", "P")


class Panel(NamedTuple):
    """A quantity.

    Attributes:
        title: Stands above it.
        unit: Stands at its axis.
        series: Of each line its label, room, case, and the name of an alternative or ratio.
        lines: Values that are marked, each with its label.
    """

    title: str
    unit: str
    series: tuple[tuple[str, str, str, str], ...]
    lines: tuple[tuple[float, str], ...] = ()


SETUPS = {
    "MLP 512": "MLP 512, batch 256 + penalty", "track C2": "track C2, full batch + penalty",
    "Transformer": "track A's Transformer, batch 512 + penalty",
}  # fmt: skip
GPTS = ("GPT of 0.4 M weights, eager", "GPT of 0.4 M weights, compiled", "GPT of 10.6 M weights, eager",
        "GPT of 10.6 M weights, compiled")  # fmt: skip
QUICKSTART = "quickstart, a run of 96 steps"
JOBS, POPULATIONS = "track C2, {}, jobs", "track C2, {}, batched populations"
RECIPES = ("tuned AdamW", "the record's recipe")

PANELS = (
    *(
        Panel(f"A training step: anglewise over {peer}", "ratio of times", tuple(
            (label, "engine", case, f"anglewise / {peer}") for label, case in SETUPS.items()), ((1.0, "equal"),))
        for peer in ("PyTorch eager", "torch.compile", "torch.func of 8")
    ),
    Panel("The drop-in: a step with the penalty over one without", "ratio of times", tuple(
        (case.replace(" weights", ""), "dropin", case, "with the penalty / without") for case in GPTS),
        ((1.0, ""), (1.02, "wanted, compiled"), (1.04, "wanted, eager"))),
    Panel("What a run costs beside its training (quickstart)", "ratio of times", tuple(
        (kind, "overheads", QUICKSTART, f"{kind} / training alone")
        for kind in ("+ store", "+ default readings", "+ live page")), ((1.0, ""),)),
    Panel("Networks trained to generalisation, whole process", "networks per minute", tuple(
        (f"{recipe}, {jobs}", "networks", JOBS.format(recipe), f"{jobs}, whole process")
        for recipe in RECIPES for jobs in ("1 job", "2 jobs"))),
    Panel("The same as one batched population, training alone", "networks per minute", tuple(
        (f"{recipe}, {size}", "networks", POPULATIONS.format(recipe), f"population of {size}, training")
        for recipe in RECIPES for size in (1, 8, 64))),
)  # fmt: skip


def history(folder: Path) -> list[dict[str, Any]]:
    """The results of one kind of machine, the oldest first; quick ones are left out."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return sorted((one for one in found if not one["quick"]), key=lambda one: one["date"])


def value(result: Mapping[str, Any], room: str, case: str, name: str) -> Mapping[str, Any] | None:
    """One number of a result with its spread; None where it was not measured."""
    for row in result["rows"]:
        if (row["room"], row["name"]) == (room, case):
            return row["ratios"].get(name) or row["alternatives"].get(name)
    return None


def ends(one: Mapping[str, Any]) -> tuple[float, float]:
    """Its interval, or its range where it has none."""
    if one["low"] is None or one["high"] is None:
        return one["least"], one["most"]
    return one["low"], one["high"]


def draw(results: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Draw the history of one kind of machine."""
    from matplotlib.figure import Figure

    with styled():
        rows = -(-(len(PANELS) + 1) // 2)
        figure = Figure(figsize=(7.4, 2.5 * rows), layout="constrained")
        figure.suptitle(f"Benchmarks of anglewise on {title(results[-1])}", fontsize=9)
        axes = figure.subplots(rows, 2).ravel()
        for axis, panel in zip(axes, PANELS, strict=False):
            _panel(axis, panel, results)
        _key(axes[len(PANELS)], results)
        for axis in axes[len(PANELS) + 1 :]:
            axis.axis("off")
        return save(figure, path)


def title(result: Mapping[str, Any]) -> str:
    """The machine in words."""
    machine = result["machine"]
    return ", ".join(dict.fromkeys([machine["cpu"], f"{machine['cores']} cores", machine["device"]]))


def _panel(axis: Any, panel: Panel, results: Sequence[Mapping[str, Any]]) -> None:
    shown, lowest = 0, float("inf")
    for i, (label, room, case, name) in enumerate(panel.series):
        points = [(x, one) for x, result in enumerate(results) if (one := value(result, room, case, name)) is not None]
        if not points:
            continue
        shown, ink, shift = shown + 1, INKS[i % len(INKS)], 0.06 * (i - (len(panel.series) - 1) / 2)
        axis.plot([x + shift for x, _ in points], [one["median"] for _, one in points], color=ink, lw=0.8)
        for x, one in points:
            low, high = ends(one)
            lowest = min(lowest, low)
            axis.errorbar(
                x + shift, one["median"], [[one["median"] - low], [high - one["median"]]], color=ink, ms=4, lw=0.9,
                marker=MARKS[i % len(MARKS)], mfc=ink if results[x]["machine"]["quiet"] else "white", capsize=2,
                label=label if x == points[0][0] else None,
            )  # fmt: skip
    for at, words in panel.lines:
        axis.axhline(at, color="#666666", lw=0.7, ls=":")
        if words:
            axis.annotate(words, (0.995, at), xycoords=("axes fraction", "data"), fontsize=6, ha="right", va="bottom")
    axis.set_title(panel.title)
    axis.set_ylabel(panel.unit)
    _dates(axis, results)
    if shown:
        axis.legend(fontsize=6, loc="best")
    else:
        axis.text(0.5, 0.5, "not measured yet", transform=axis.transAxes, ha="center", va="center", color="#666666")
    if shown and not panel.lines:
        axis.set_ylim(bottom=0)


def _key(axis: Any, results: Sequence[Mapping[str, Any]]) -> None:
    """How fast the machine itself was, which moves all times alike."""
    axis.plot(range(len(results)), [one["machine"]["gemm_gflops"] for one in results], color="#444444", lw=0.8)
    for x, one in enumerate(results):
        axis.plot(x, one["machine"]["gemm_gflops"], "o", ms=4, color="#444444",
                  mfc="#444444" if one["machine"]["quiet"] else "white")  # fmt: skip
    axis.set_title("The machine itself: float32 matrix product")
    axis.set_ylabel("GFLOP/s")
    axis.set_ylim(bottom=0)
    _dates(axis, results)


def _dates(axis: Any, results: Sequence[Mapping[str, Any]]) -> None:
    every = -(-len(results) // 8)
    names = [f"{one['date'][:10]}\n{one['commit'][:8]}" for one in results]
    axis.set_xticks(range(0, len(results), every), names[::every], fontsize=6)
    axis.set_xlim(-0.5, len(results) - 0.5)
    axis.set_xlabel("date and commit (hollow: others used the machine)", fontsize=6)


def main(words: Sequence[str] | None = None) -> None:
    """Draw every kind of machine that has a history."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.picture", description=__doc__.split("\n")[0])
    parser.add_argument("--history", type=Path, default=HISTORY, metavar="DIR", help="the folder with the results")
    folder = parser.parse_args(words).history
    drawn = False
    for kind in sorted(path for path in folder.glob("*") if path.is_dir()):
        if results := history(kind):
            print(draw(results, folder / f"{kind.name}.svg"))
            drawn = True
    if not drawn:
        parser.error(f"{folder} holds no result of a full run: make bench-history makes one")


if __name__ == "__main__":
    main()
