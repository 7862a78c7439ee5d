r"""Whether controls matched what they were to match, from the readings ``match_NAME_wanted`` and ``match_NAME_got``.

.. math:: |\text{got} - \text{wanted}| \le \text{tolerance} \cdot |\text{wanted}|

at every measurement of every run after step 0, where some controls have not acted yet.  A value that is no number is
no match.
"""

from __future__ import annotations

import numpy as np

from anglewise.lab.report.format import number, plain
from anglewise.lab.report.results import Key, Results, Series

TOLERANCE = 0.1


def matched(results: Results, tolerance: float = TOLERANCE) -> dict[str, str | None]:
    """For each arm that has such readings: None where all match, otherwise what failed, in words.

    Args:
        results: What came out.
        tolerance: Largest relative difference that still is a match.

    Returns:
        By arm, in the order planned; arms that match nothing are left out.
    """
    checks = {
        name.removeprefix("match_").removesuffix("_wanted"): (series, results.readings.get((_got(name), site), {}))
        for (name, site), series in results.readings.items()
        if name.startswith("match_") and name.endswith("_wanted")
    }
    failures: dict[str, str | None] = {}
    for arm in results.arms:
        runs = {
            key: {
                what: (wanted[key], got[key]) for what, (wanted, got) in checks.items() if key in wanted and key in got
            }
            for key in results.planned
            if key[0] == arm
        }
        if any(runs.values()):
            failures[arm] = _failure({key: pairs for key, pairs in runs.items() if pairs}, tolerance)
    return failures


def _got(name: str) -> str:
    return name.removesuffix("_wanted") + "_got"


def _failure(runs: dict[Key, dict[str, tuple[Series, Series]]], tolerance: float) -> str | None:
    measured, broken, first = 0, set[Key](), ""
    for key, pairs in runs.items():
        for what, (wanted, got) in pairs.items():
            for step, want, have in zip(wanted.steps, wanted.values, got.values, strict=False):
                if step == 0:
                    continue
                measured += 1
                if not np.abs(have - want) <= tolerance * np.abs(want):
                    broken.add(key)
                    where = f"at step {step} of seed {key[1]}"
                    first = first or f"{plain(what).replace('_', ' ')} {number(have)}, wanted {number(want)}, {where}"
    if not measured:
        return "match not shown: nothing was measured after step 0"
    return f"match failed: {first} ({len(broken)} of {len(runs)} runs)" if broken else None
