"""A headline: what came out, a sentence for each question, computed from the data; then what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from anglewise.lab.report.comparison import ArmSummary, Criterion, summaries
from anglewise.lab.report.contrasts import Answer, answers
from anglewise.lab.report.format import fixed, number, plain
from anglewise.lab.report.results import Results

MOST = 6
"""Questions that are answered before the tables."""
NO_CONTRAST = (
    "No two arms differ in one change, so no question is answered in one number. The table has each arm against the "
    "baseline."
)


def headline(
    results: Results,
    tables: Mapping[Criterion, list[ArmSummary]] | None = None,
    found: Sequence[Answer] | None = None,
) -> list[str]:
    """Sentences in plain text; names are not yet escaped for HTML.

    Args:
        results: The experiment.
        tables: Its summaries, where they are known already.
        found: Its answers, where they are known already.
    """
    tables = summaries(results) if tables is None else tables
    if not any(arm.finished for arm in tables["first"]):
        return [f"No run has finished yet: 0 of {len(results.planned)} planned."]
    found = answers(results) if found is None else found
    alone = short(results, tables)
    lines = [alone] if alone else [answer.sentence for answer in found[:MOST]]
    if len(found) > MOST and not alone:
        lines.append(f"{len(found) - MOST} more questions are answered in the report.")
    notes = dict.fromkeys(note for answer in found[:MOST] for note in answer.notes)
    return [*(lines or [NO_CONTRAST]), *notes, *missing(tables["first"]), *no_control(tables["first"], found)]


def short(results: Results, tables: Mapping[Criterion, list[ArmSummary]]) -> str:
    """What came out where there is nothing to compare: no threshold, no run that reached it, or one arm."""
    if not results.threshold:
        return _losses(results)
    ran = [arm for arm in tables["first"] if arm.finished]
    level, within = f"{100 * results.threshold:g} % test accuracy", f"within {results.budget:,} steps"
    if ran and not any(arm.reached for arm in ran):
        return f"No run reached {level} {within} (n = {sum(arm.finished for arm in ran)})."
    if len(ran) != 1:
        return ""
    arm = ran[0]
    if arm.illustration:
        return (
            f"Illustration, one seed: {_quote(arm)} reached {level} at step {number(arm.median)} of {results.budget:,}."
        )
    median = f"beyond {results.budget:,}" if arm.median is None else number(arm.median)
    reached = f"{_quote(arm)} reached {level} {within} in {arm.reached} of {arm.finished} runs"
    return f"{reached}, median time to generalise {median} steps."


def missing(first: Sequence[ArmSummary]) -> list[str]:
    """Runs that are planned and not there, a sentence; none where all are."""
    planned, finished = sum(arm.planned for arm in first), sum(arm.finished for arm in first)
    if finished == planned:
        return []
    lacking = [f"{_quote(arm)} {arm.missing} of {arm.planned}" for arm in first if arm.missing]
    more = f" and {len(lacking) - 5} more arms" if len(lacking) > 5 else ""
    return [f"{planned - finished} of {planned} runs are missing: {', '.join(lacking[:5])}{more}."]


def no_control(first: Sequence[ArmSummary], found: Sequence[Answer]) -> list[str]:
    """Controls that do not match what they were to match, and of which no answer says so yet, a sentence each."""
    told = {answer.arm.arm for answer in found[:MOST] if answer.arm.unmatched}
    return [
        f"{_quote(arm)} is no control here: {arm.unmatched}." for arm in first if arm.unmatched and arm.arm not in told
    ]


def _losses(results: Results) -> str:
    """The test loss of each arm where its runs ended: what counts where there is no threshold."""
    losses = results.curves.get("test_loss", {})
    parts = []
    for arm in results.arms:
        last = [losses[arm, seed].values[-1] for seed in results.finished(arm) if (arm, seed) in losses]
        if last:
            parts.append(f"\u201c{plain(arm)}\u201d {fixed(float(np.mean(last)), 4)} (mean of {len(last)})")
    return f"Test loss at the end: {', '.join(parts)}. No threshold is set, so no run has a time to generalise."


def _quote(arm: ArmSummary) -> str:
    return f"\u201c{plain(arm.arm)}\u201d"
