r"""A time that somebody else reported, and how far ours is from it.

.. math:: q = \frac{T}{\operatorname{clip}(T, [\ell, u])}

with T our median number of steps and :math:`[\ell, u]` what they report.  Within that range :math:`q = 1`.  It is the
*same* number where :math:`1/\tau \le q \le \tau`, for a tolerance that is set before we train.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from anglewise.lab.stats.estimate import censored_median


class Reported(NamedTuple):
    """A number of steps that others reported.

    Attributes:
        steps: Lowest and highest of what they report.
        tolerance: Ratio within which ours counts as the same: generous where one seed or no seed is given.
        of: What they counted.
        source: Where it stands.
        unstated: What they do not say, and what stands here instead.
    """

    steps: tuple[float, float]
    tolerance: float
    of: str
    source: str
    unstated: str

    def ratio(self, times: Sequence[float | None]) -> float:
        """The median of our times over theirs.

        Args:
            times: Steps of each run, None for beyond the budget.

        Returns:
            The ratio, 1 within what they report; infinite where half of ours are beyond the budget, NaN without runs.

        Example:
            >>> reported = Reported((124, 300), 1.3, "steps to 100 %", "a paper", "")
            >>> reported.ratio([100, 200, 600]), reported.ratio([62, 62]), reported.ratio([None])
            (1.0, 0.5, inf)
        """
        if not times:
            return math.nan
        low, high = self.steps
        middle = censored_median(times)
        return math.inf if middle is None else middle / min(max(middle, low), high)

    def same(self, ratio: float) -> bool:
        """Whether a ratio lies within the tolerance."""
        return 1 / self.tolerance <= ratio <= self.tolerance
