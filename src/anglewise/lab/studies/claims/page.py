"""A record's page: question, answer, picture, how it was done, what it depends on, how to repeat it, provenance.

The page and its pictures are made of the rows alone, so that equal records give equal pages.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from anglewise.lab.report.format import number, percent
from anglewise.lab.report.html.document import write_file
from anglewise.lab.report.table import Column, Table, markdown
from anglewise.lab.studies.claims import pictures, show, words
from anglewise.lab.studies.claims.analysis import Verdict
from anglewise.lab.studies.claims.claim import Claim, Scale
from anglewise.lab.studies.claims.parts import summary, verdict_of
from anglewise.lab.studies.claims.pictures import Picture
from anglewise.lab.studies.claims.record import Record
from anglewise.lab.studies.claims.rows import Ran
from anglewise.lab.studies.claims.specification import shares_table, specifications
from anglewise.lab.studies.claims.worlds import LIKELY

FILE = "README.md"
TEMPLATE = "page.md.jinja"


class Part(NamedTuple):
    """What a page says of one scale.

    Attributes:
        scale: ``desk`` or ``paper``.
        verdict: Computed from the rows.
        answer: In one sentence.
        numbers: The comparisons as a table in Markdown.
        pictures: Beside the page.
        trained: What was trained, in plain sentences.
        runs: How many runs, seeds and epochs, in one sentence.
        worlds: What the grid of worlds says; empty where there is none.
        again: The command that decides it again.
    """

    scale: Scale
    verdict: Verdict
    answer: str
    numbers: str
    pictures: tuple[Picture, ...]
    trained: tuple[str, ...]
    runs: str
    worlds: str
    again: str


def write(folder: Path, claim: Claim, record: Record) -> Path:
    """Draw the pictures of a record into its folder, and write the page beside them.

    Raises:
        AnglewiseError: If a file cannot be written.
    """
    for scale in record.worlds:
        pictures.draw(claim, record, scale, folder)
    return write_file(text(claim, record), folder / FILE)


def text(claim: Claim, record: Record) -> str:
    """The page; it draws nothing."""
    environment = Environment(
        loader=PackageLoader("anglewise.lab.studies.claims", "."), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    return environment.get_template(TEMPLATE).render(
        claim=claim,
        parts=[part_of(claim, record, scale) for scale in record.worlds],
        means=words.VERDICTS,
        arms=markdown(arms_table(claim, record)),
        rule="\n".join(f"{'  ' * depth}- {line}" for depth, line in words.rule(claim.rule)),
        provenance=provenance(record.provenance),
        has_runs=bool(record.runs),
        has_values=bool(record.values),
    )


def part_of(claim: Claim, record: Record, scale: Scale) -> Part:
    """What a page says of one scale."""
    verdict = verdict_of(claim, record, scale)
    return Part(
        scale, verdict, summary(claim, verdict), markdown(show.parts_table(claim, verdict)),
        tuple(pictures.planned(claim, record, scale)),
        tuple(words.trained(system, scale) for system in claim.systems),
        runs_in_words(claim, [run for run in record.runs if run.scale == scale]),
        _worlds(claim, record, scale) if verdict.grid else "", show.again(claim, verdict),
    )  # fmt: skip


def runs_in_words(claim: Claim, runs: list[Ran]) -> str:
    """How many runs there are, of how many seeds, within which budget."""
    if not runs:
        return f"The numbers are those of `records/{claim.recorded}/`." if claim.recorded else "No run has finished."
    budgets = sorted({run.budget / run.epoch for run in runs})
    epochs = number(budgets[0]) if len(budgets) == 1 else f"{number(budgets[0])} to {number(budgets[-1])}"
    threshold = percent(runs[0].threshold)
    seconds = sum(run.seconds for run in runs if math.isfinite(run.seconds))
    grid = f", and {claim.grid_seeds} in every other world" if len({run.world for run in runs}) > 1 else ""
    return (
        f"{len(runs):,} runs: {claim.seeds} seeds an arm{grid}. The budget is {epochs} epochs. "
        f"A run generalises when its accuracy on unseen examples reaches {threshold} %, and holds it. "
        f"Training took {number(seconds / 3600, 2)} hours in all."
    )


def _worlds(claim: Claim, record: Record, scale: Scale) -> str:
    """Shares of worlds, and which choice decides most."""
    blocks = []
    for spec in specifications(claim, record, scale):
        blocks.append(f"{spec.summary} {spec.decides_most}".strip())
        if spec.shares:
            blocks.append(markdown(shares_table(spec)).rstrip("\n"))
    return "\n\n".join(blocks)


def arms_table(claim: Claim, record: Record) -> Table:
    """The arms in words, and how their runs ended in the likely world, all scales together."""
    if not record.runs:
        return Table(["arm", Column("what it is", True)], [[arm, words.arm(arm)] for arm in claim.arms])
    rows = []
    for arm in claim.arms:
        runs = [run for run in record.runs if run.arm == arm and run.world == LIKELY]
        ended = Counter(run.outcome.replace("-", " ") for run in runs)
        told = ", ".join(f"{count} {outcome}" for outcome, count in ended.most_common()) or "not run"
        fitted = percent(float(np.median([run.train for run in runs]))) + " %" if runs else ""
        rows.append([arm, words.arm(arm), told, fitted])
    heads: list[str | Column] = [
        "arm",
        Column("what it is", True),
        Column("how its runs ended", True),
        "training accuracy at the end, median",
    ]
    return Table(heads, rows)


def provenance(values: Mapping[str, Any]) -> str:
    """Code, libraries and machine in one sentence each."""
    if not values:
        return "The runs carry no provenance."
    if "anglewise" not in values:
        return f"- Made by: `{values.get('command')}`."
    commit = values.get("git_commit")
    dirty = ", with local changes" if values.get("git_dirty") else ""
    code = f"anglewise {values.get('anglewise', '')}" + (f", commit `{commit}`{dirty}" if commit else "")
    libraries = ", ".join(
        f"{name} {version}" for name, version in sorted(values.get("libraries", {}).items()) if version
    )
    machine = ", ".join(
        str(part)
        for part in (values.get("cpu"), _cores(values.get("cores")), values.get("device"), values.get("precision"))
        if part
    )
    lines = [
        f"- Code: {code}.",
        f"- Libraries: Python {values.get('python', '')}, {libraries}.",
        f"- Machine: {machine}.",
    ]
    return "\n".join(lines)


def _cores(count: int | None) -> str:
    return "" if count is None else f"{count} core{'s' * (count != 1)}"
