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
    checks: dict[Key, list[tuple[str, Series, Series]]] = {}
    for (name, site), by_run in results.readings.items():
        if name.startswith("match_") and name.endswith("_wanted"):
            what = name.removeprefix("match_").removesuffix("_wanted")
            got = results.readings.get((f"match_{what}_got", site), {})
            for key in by_run.keys() & got.keys():
                checks.setdefault(key, []).append((what, by_run[key], got[key]))
    runs: dict[str, dict[int, list[tuple[str, Series, Series]]]] = {}
    for arm, seed in results.planned:
        if (arm, seed) in checks:
            runs.setdefault(arm, {})[seed] = checks[arm, seed]
    return {arm: _failure(runs[arm], tolerance) for arm in results.arms if arm in runs}


def _failure(runs: dict[int, list[tuple[str, Series, Series]]], tolerance: float) -> str | None:
    measured, broken, first = 0, set[int](), ""
    for seed, checks in runs.items():
        for what, wanted, got in checks:
            for step, want, have in zip(wanted.steps, wanted.values, got.values, strict=False):
                if step == 0:
                    continue
                measured += 1
                if not np.abs(have - want) <= tolerance * np.abs(want):
                    broken.add(seed)
                    where = f"at step {step} of seed {seed}"
                    first = first or f"{plain(what).replace('_', ' ')} {number(have)}, wanted {number(want)}, {where}"
    if not measured:
        return "match not shown: nothing was measured after step 0"
    return f"match failed: {first} ({len(broken)} of {len(runs)} runs)" if broken else None
