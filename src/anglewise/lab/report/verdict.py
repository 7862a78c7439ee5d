"""The result in a sentence or two, computed from the data, with n, interval and what is missing."""

from __future__ import annotations

from collections.abc import Mapping

from anglewise.lab.report.results import Results
from anglewise.lab.report.summary import CRITERIA, ArmSummary, Criterion, summaries
from anglewise.lab.report.text import number, plain

ALPHA = 0.05
WORDS = {"first": "first crossing", "sustained": "sustained crossing", "seconds": "seconds"}


def verdict(results: Results, tables: Mapping[Criterion, list[ArmSummary]] | None = None) -> list[str]:
    """Sentences in plain text, the result first; names are not yet escaped for HTML.

    An arm is called faster only where its interval excludes 1 and its p-value, adjusted by Holm's method for
    all arms compared, is at most 0.05.  Otherwise the sentence says that nothing was shown.
    """
    tables = summaries(results) if tables is None else tables
    first = tables["first"]
    planned, finished = sum(s.planned for s in first), sum(s.finished for s in first)
    if not finished:
        return [f"No run has finished yet: 0 of {planned} planned."]
    lines = [_headline(first, results)]
    orders = {criterion: _order(table) for criterion, table in tables.items()}
    if len(orders["first"]) > 1:
        others = [c for c in CRITERIA if orders[c] and orders[c][0] != orders["first"][0]]
        leads = f"{_quote(orders['first'][0])} has the smallest restricted mean"
        if others:
            found = "; ".join(f"by {WORDS[c]}, {_quote(orders[c][0])}" for c in others)
            lines.append(f"The criterion matters: by first crossing {leads}; {found}.")
        else:
            lines.append(f"By first crossing, sustained crossing and seconds alike, {leads}.")
    if finished < planned:
        lacking = [f"{_quote(s.arm)} {s.missing} of {s.planned}" for s in first if s.missing]
        more = f" and {len(lacking) - 5} more arms" if len(lacking) > 5 else ""
        lines.append(f"{planned - finished} of {planned} runs are missing: {', '.join(lacking[:5])}{more}.")
    lines += [f"{_quote(s.arm)} is no control here: {s.unmatched}." for s in first if s.unmatched]
    return lines


def _headline(first: list[ArmSummary], results: Results) -> str:
    within = f"within {results.budget:,} steps"
    ran = [s for s in first if s.finished]
    if not any(s.reached for s in ran):
        n = sum(s.finished for s in ran)
        return f"No run reached {100 * results.threshold:g} % test accuracy {within} (n = {n})."
    rivals = [s for s in ran if s.speed_up is not None]
    if not rivals:
        best = min(ran, key=_mean)
        made = f"{_quote(best.arm)} reached {100 * results.threshold:g} % test accuracy"
        if best.illustration:
            return f"Illustration, one seed: {made} at step {number(best.median)} of {results.budget:,}."
        return f"{made} {within} in {best.reached} of {best.finished} runs, {_median(best, results)}."
    return _comparison(rivals, results, within)


def _comparison(rivals: list[ArmSummary], results: Results, within: str) -> str:
    base = f"the baseline {_quote(results.baseline)}"
    # the largest gain may be the least certain: an arm that was shown to be faster goes before one that was not,
    # and a control that does not match what it was to match comes last
    best = max(rivals, key=lambda s: (not s.unmatched, _shown(s), s.speed_up.value if s.speed_up else 0.0))
    estimate = best.speed_up
    assert estimate is not None
    bound = {"\u2264 ": "at most ", "\u2265 ": "at least "}.get(best.bound, "")
    factor = f"{bound}{estimate.value:.2f} times as fast as {base}"
    if best.pairs == 1:
        return f"Illustration, one seed: {_quote(best.arm)} generalised {factor} {within}."
    test = f"p = {number(best.p_holm, 2)} after Holm's correction for {_arms(len(rivals))}"
    detail = f"95 % interval {estimate.low:.2f} to {estimate.high:.2f}, {best.pairs} paired seeds, {test}"
    if _shown(best):
        too = [_quote(s.arm) for s in rivals if _shown(s) and s is not best]
        others = f" Shown to be faster too: {', '.join(too[:5])}{' and more' if len(too) > 5 else ''}." if too else ""
        return f"{_quote(best.arm)} generalised {factor} ({detail}), {_median(best, results)}.{others}"
    smallest = 2.0 ** (1 - best.pairs) * len(rivals)
    if smallest > ALPHA:
        detail += f"; {best.pairs} pairs cannot give less than {number(min(smallest, 1.0), 2)}"
    nearest = f"the nearest, {_quote(best.arm)}, was {factor}"
    return f"No arm was shown to be faster than {base}: {nearest} ({detail})."


def _shown(summary: ArmSummary) -> bool:
    low = summary.speed_up.low if summary.speed_up is not None else None
    return not summary.unmatched and summary.p_holm is not None and summary.p_holm <= ALPHA and (low or 0.0) > 1


def _median(summary: ArmSummary, results: Results) -> str:
    value = f"beyond {results.budget:,}" if summary.median is None else number(summary.median)
    return f"median time to generalise {value} steps"


def _order(table: list[ArmSummary]) -> list[str]:
    return [s.arm for s in sorted((s for s in table if s.mean is not None), key=_mean)]


def _mean(summary: ArmSummary) -> float:
    return summary.mean.value if summary.mean is not None else float("inf")


def _arms(n: int) -> str:
    return "1 arm" if n == 1 else f"{n} arms"


def _quote(name: str) -> str:
    return f"“{plain(name)}”"
