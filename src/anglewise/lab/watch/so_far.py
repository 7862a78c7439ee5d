r"""The contrasts so far: each question of the experiment, over the seeds that both its arms have finished.

.. math:: 2 \cdot 2^{-n} \le 0.05 \iff n \ge 6

A sign-flip test over n pairs cannot give a smaller p-value than the left side.  So below six pairs nothing is tested.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from anglewise.lab.report.comparison import time_of
from anglewise.lab.report.contrasts import Answer, answers
from anglewise.lab.report.format import Estimate, chance, fixed, number
from anglewise.lab.report.results import Results
from anglewise.lab.stats import censored_median

ENOUGH = 6
"""Pairs from which a test can show anything at the 5 % level."""


class Contrast(NamedTuple):
    """Two arms over the seeds that both have finished.

    Attributes:
        arm: With the change, as people call it.
        baseline: Without it.
        question: What is asked.
        steps: Median steps to the threshold of both, in words, such as ``"96 steps instead of 136"``; empty before the
            first pair.
        pairs: Seeds that both have finished.
        planned: Seeds planned.
        verdict: The speed-up with its interval, or why there is none yet.
        tested: Whether there are enough pairs to test.
    """

    arm: str
    baseline: str
    question: str
    steps: str
    pairs: int
    planned: int
    verdict: str
    tested: bool


def so_far(results: Results) -> list[Contrast]:
    """Every contrast of an experiment; none where there is no threshold to reach, or a single arm.

    Args:
        results: As far as they are there; only how runs ended is looked at.
    """
    if not results.threshold:
        return []
    return [_contrast(answer, results) for answer in answers(results)]


def _contrast(answer: Answer, results: Results) -> Contrast:
    arm, without = answer.arm, answer.without
    ours, theirs = results.finished(arm.arm), results.finished(without.arm)
    both = sorted(ours.keys() & theirs.keys())
    medians = [
        _median([time_of(runs[seed], "first") for seed in both], results.budget) if both else ""
        for runs in (ours, theirs)
    ]
    steps = f"{medians[0]} steps instead of {medians[1]}" if both else ""
    tested = len(both) >= ENOUGH and arm.speed_up is not None
    if tested:
        times = Estimate(arm.speed_up, lambda x: fixed(x, 2), mark=arm.bound, unit=" times as fast")
        verdict = f"{times}, p {chance(arm.p_holm)}"
    elif not both:
        verdict = "no seed has finished on both sides yet"
    elif len(both) < ENOUGH:
        verdict = "too few to test" + (" yet" if len(both) < arm.planned else "")
    else:
        verdict = "neither side reached the threshold"
    names = results.labels[arm.arm], results.labels[without.arm]
    return Contrast(*names, answer.question, steps, len(both), arm.planned, verdict, tested)


def _median(times: list[float | None], budget: int) -> str:
    median = censored_median(times) if times else None
    return f"more than {budget:,}" if median is None or math.isnan(median) else number(median)
