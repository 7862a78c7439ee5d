"""A headline: the result in a sentence or two, computed from the data, with n, interval and what is missing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from anglewise.lab.report.comparison import CRITERIA, ArmSummary, Criterion, summaries
from anglewise.lab.report.format import fixed, number, plain
from anglewise.lab.report.results import Results

ALPHA = 0.05
WORDS = {"first": "first crossing", "sustained": "sustained crossing", "seconds": "seconds"}


def headline(results: Results, tables: Mapping[Criterion, list[ArmSummary]] | None = None) -> list[str]:
    """Sentences in plain text, the result first; names are not yet escaped for HTML.

    An arm is called faster only where its interval excludes 1 and its p-value, adjusted by Holm's method for
    all arms compared, is at most 0.05.  Otherwise the sentence says that nothing was shown.
    """
    tables = summaries(results) if tables is None else tables
    first = tables["first"]
    planned, finished = sum(s.planned for s in first), sum(s.finished for s in first)
    if not finished:
        return [f"No run has finished yet: 0 of {planned} planned."]
    lines = [_headline(first, results), *_ranked(tables), *_untold(first, results)]
    lines = lines if results.threshold else [_losses(results)]
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
    compared = [s for s in ran if s.speed_up is not None]
    if not compared:
        best = min(ran, key=_mean)
        crossing = f"{_quote(best.arm)} reached {100 * results.threshold:g} % test accuracy"
        if best.illustration:
            return f"Illustration, one seed: {crossing} at step {number(best.median)} of {results.budget:,}."
        return f"{crossing} {within} in {best.reached} of {best.finished} runs, {_median(best, results)}."
    return _comparison(compared, results, within)


def _losses(results: Results) -> str:
    """The test loss of each arm where its runs ended: what counts where there is no threshold."""
    losses = results.curves.get("test_loss", {})
    parts = []
    for arm in results.arms:
        last = [losses[arm, seed].values[-1] for seed in results.finished(arm) if (arm, seed) in losses]
        if last:
            parts.append(f"{_quote(arm)} {fixed(float(np.mean(last)), 4)} (mean of {len(last)})")
    return f"Test loss at the end: {', '.join(parts)}. No threshold is set, so no run has a time to generalise."


def _comparison(compared: list[ArmSummary], results: Results, within: str) -> str:
    base = f"the baseline {_quote(results.baseline)}"
    # the largest gain may be the least certain: an arm that was shown to be faster goes before one that was not,
    # and a control that does not match what it was to match comes last
    best = max(compared, key=lambda s: (not s.unmatched, _shown(s), _value(s)))
    estimate = best.speed_up
    assert estimate is not None
    bound = {"\u2264 ": "at most ", "\u2265 ": "at least ", "\u2248 ": "about "}.get(best.bound, "")
    factor = f"{bound}{fixed(estimate.value, 2)} times as fast as {base}"
    if best.pairs == 1 or best.p_holm is None:
        return f"Illustration, one seed: {_quote(best.arm)} generalised {factor} {within}."
    ends = "no interval"
    if estimate.low is not None and estimate.high is not None:
        ends = f"95 % interval {fixed(estimate.low, 2)} to {fixed(estimate.high, 2)}"
    sign = "\u2264" if best.p_holm.at_most else "="
    test = f"p {sign} {number(best.p_holm.value, 2)} after Holm's correction for {_arms(len(compared))}"
    detail = f"{ends}, {best.pairs} paired seeds, {test}"
    if best.bound:
        detail += "; a run that never got there counts as the budget"
    if _shown(best):
        too = [_quote(s.arm) for s in compared if _shown(s) and s is not best]
        others = f" Also shown to be faster: {', '.join(too[:5])}{' and more' if len(too) > 5 else ''}." if too else ""
        return f"{_quote(best.arm)} generalised {factor} ({detail}), {_median(best, results)}.{others}"
    smallest = 2.0 ** (1 - best.telling) * len(compared)
    if smallest > ALPHA:
        few = f"{best.telling} {'pair' if best.telling == 1 else 'pairs'}"
        detail += f"; {few} cannot give less than {number(min(smallest, 1.0), 2)}"
    nearest = f"the nearest, {_quote(best.arm)}, was {factor}"
    return f"No arm was shown to be faster than {base}: {nearest} ({detail})."


def _value(summary: ArmSummary) -> float:
    return summary.speed_up.value if summary.speed_up is not None else 0.0


def _shown(summary: ArmSummary) -> bool:
    """Whether an arm may be called faster."""
    if summary.unmatched or summary.speed_up is None or summary.speed_up.low is None or summary.p_holm is None:
        return False
    return summary.p_holm.value <= ALPHA and summary.speed_up.low > 1


def _median(summary: ArmSummary, results: Results) -> str:
    value = f"beyond {results.budget:,}" if summary.median is None else number(summary.median)
    return f"median time to generalise {value} steps"


def _untold(first: list[ArmSummary], results: Results) -> list[str]:
    """Arms that have pairs with the baseline, none of which tells anything."""
    names = [_quote(s.arm) for s in first if s.pairs and s.speed_up is None]
    if not names or not any(s.reached for s in first):
        return []
    more = f" and {_arms(len(names) - 5)} more" if len(names) > 5 else ""
    return [
        f"Not compared with the baseline: {', '.join(names[:5])}{more}. There is no pair in which either arm got there "
        f"within {results.budget:,} steps."
    ]


def _ranked(tables: Mapping[Criterion, list[ArmSummary]]) -> list[str]:
    """Which arm has the smallest restricted mean by each criterion, and whether that may be chance."""
    every = {criterion: _order(tables[criterion]) for criterion in CRITERIA}
    orders = {criterion: order for criterion, order in every.items() if len(order) > 1}
    if "first" not in orders:
        return []
    leads = {criterion: order[0].arm for criterion, order in orders.items()}
    unsure = [WORDS[criterion] for criterion, order in orders.items() if _overlap(order[0], order[1])]
    doubt = f" By {_listed(unsure)}, the intervals of the first two overlap: their order may be chance."
    if len(set(leads.values())) == 1:
        by = _listed([WORDS[criterion] for criterion in orders]) + (" alike" if len(orders) > 1 else "")
        leader = f"By {by}, {_quote(leads['first'])} has the smallest restricted mean."
    else:
        parts = "; ".join(f"by {WORDS[criterion]}, {_quote(arm)}" for criterion, arm in leads.items())
        leader = f"The criterion matters for which arm has the smallest restricted mean: {parts}."
    return [leader + (doubt if unsure else "")]


def _order(table: list[ArmSummary]) -> list[ArmSummary]:
    """Arms by their restricted means; none where no run got there, since then all means are the budget."""
    known = [s for s in table if s.mean is not None]
    return sorted(known, key=_mean) if any(s.reached for s in known) else []


def _overlap(one: ArmSummary, other: ArmSummary) -> bool:
    high = one.mean.high if one.mean is not None else None
    low = other.mean.low if other.mean is not None else None
    return high is None or low is None or high >= low


def _mean(summary: ArmSummary) -> float:
    return summary.mean.value if summary.mean is not None else float("inf")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def _arms(n: int) -> str:
    return "1 arm" if n == 1 else f"{n} arms"


def _quote(name: str) -> str:
    return f"“{plain(name)}”"
