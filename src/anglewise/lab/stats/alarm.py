r"""The procedure that the early-warning study judges: fit on some runs, set an alarm there, watch others.

One group at a time is held out.  A model is fitted on the other groups, and gives a *probability* at each watched step
of a held-out run.  The *alarm* of a run is the first watched step whose probability exceeds a threshold.  The threshold
is the smallest that a share :math:`\alpha` at most of never-generalising training runs would exceed, counting one more
such run than there are.  With n of them it is the :math:`\lceil (1 - \alpha) (n + 1) \rceil`-th smallest of their
highest probabilities, each from a model that had not seen the run's own group.  If n is too small for that (below 19
for 5 %), there is no alarm.  If held-out runs are exchangeable with these, at most a share alpha gives a false alarm.
Whether they are is what held-out tasks ask.

Source of the threshold: split conformal prediction, Vovk et al., "Algorithmic Learning in a Random World" (2005).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from anglewise.lab.stats.logistic import Model, fit
from anglewise.lab.stats.warning import Points

LEAST_GROUPS = 3
"""With two, a model that had not seen a training run's own group would have nothing to be fitted on."""


class Alarms(NamedTuple):
    """Alarms of runs, and their probabilities, from models that had not seen their group."""

    kept: np.ndarray
    """Runs that took part, shape ``[runs]``."""
    probability: np.ndarray
    """At every point, shape ``[points]``; NaN where there is none."""
    alarm: np.ndarray
    """Step of each run's alarm, shape ``[runs]``; NaN for none, and for runs that took no part."""


def judge(points: Points, group: np.ndarray, never: np.ndarray, kept: np.ndarray, alpha: float) -> Alarms:
    """Fit on all groups but one, set the alarm there, and judge the one; every group in turn.

    Args:
        points: Watched steps of all runs.
        group: Number of each run's group, shape ``[runs]``.
        never: Whether it does not generalise.
        kept: Runs that take part; the others are neither fitted on nor watched.
        alpha: Wanted share of never-generalising runs with an alarm.

    Raises:
        ValueError: If the runs that take part are of fewer than three groups.
    """
    names = np.unique(group[kept])
    if len(names) < LEAST_GROUPS:
        raise ValueError(f"expected runs of at least {LEAST_GROUPS} groups to hold out in turn, got {len(names)}")
    of = np.where(kept, group, -1)
    at, first = of[points.run], points.first
    models: dict[tuple[int, int], Model] = {}
    for a, b in itertools.combinations_with_replacement(names, 2):
        rows = (at >= 0) & (at != a) & (at != b)
        models[a, b] = models[b, a] = fit(points.x[rows], points.y[rows])
    probability, threshold = np.full(len(points.y), np.nan), np.full(len(group), np.inf)
    for name in names:
        cautious = np.full(len(points.y), np.nan)
        for other in names[names != name]:
            cautious[at == other] = models[name, other](points.x[at == other])
        highest = np.fmax.reduceat(cautious, first)  # a run without a probability never rings
        lost = (of >= 0) & (of != name) & never
        threshold[of == name] = conformal(np.nan_to_num(highest[lost], nan=-np.inf), alpha)
        probability[at == name] = models[name, name](points.x[at == name])
    rang = probability > threshold[points.run]
    alarm = np.minimum.reduceat(np.where(rang, points.step, np.inf), first)
    return Alarms(kept, probability, np.where(np.isinf(alarm), np.nan, alarm))


def conformal(highest: Sequence[float] | np.ndarray, alpha: float) -> float:
    """The smallest threshold that one more run like these exceeds with probability alpha at most; may be infinite.

    Args:
        highest: For every run, the highest probability it reached.
        alpha: In (0, 1).

    Example:
        >>> conformal(range(1, 20), 0.05), conformal(range(1, 19), 0.05)
        (19.0, inf)
    """
    rank = math.ceil(round((1 - alpha) * (len(highest) + 1), 9))
    return float(np.sort(np.asarray(highest, float))[rank - 1]) if rank <= len(highest) else math.inf
