r"""What can be tuned of an arm: a candidate is an arm with axes over its numbers.

An axis maps the unit interval onto a number's range, :math:`x \mapsto \ell^{1-x} h^x` (logarithmic) or
:math:`x \mapsto \ell + (h - \ell) x`.
"""

from __future__ import annotations

import dataclasses
import math

from anglewise.errors import SpecError
from anglewise.lab.spec import Arm


@dataclasses.dataclass(frozen=True)
class Axis:
    """One number of an arm and its range.

    Args:
        method: Place of its method in the arm.
        field: Its field; of a schedule a field below it, such as ``lr.steps``, or all of it in proportion (``lr``).
        low: Smallest value.
        high: Largest value.
        log: Whether the range is logarithmic.
    """

    method: int
    field: str
    low: float
    high: float
    log: bool = True

    def __post_init__(self) -> None:
        """Check that the range is not empty."""
        if not self.low < self.high or (self.log and self.low <= 0):
            above = " above 0" if self.log else ""
            raise SpecError(f"the range of {self.field} must rise{above}, got [{self.low}, {self.high}]")

    def value(self, x: float) -> float:
        """The number at `x` of the unit interval, to six significant digits."""
        if self.log:
            return float(f"{math.exp(math.log(self.low) + x * math.log(self.high / self.low)):.6g}")
        return float(f"{self.low + x * (self.high - self.low):.6g}")

    def place(self, value: float) -> float:
        """Where the number `value` lies in the unit interval; 0 or 1 where it lies outside of the axis."""
        if self.log:
            x = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            x = (value - self.low) / (self.high - self.low)
        return min(max(x, 0.0), 1.0)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """An arm that competes on a track: a setting to start from, and what is tuned of it.

    Args:
        arm: Its methods, at the published setting where there is one.
        axes: What is tuned, learning rate and weight decay always; empty where the setting is shown as it is.
        source: Where the setting to start from comes from.
        changes: What it changes, in the words of the method's place: loss, gradient, optimiser, weights, forward
            pass, head, first weights.
        unranked: Why it has no place in the ranking, if it has none (transferred embeddings, a published setting).
        alone: Name of the same candidate without the radial penalty; empty where this one is not such a pair.
    """

    arm: Arm
    axes: tuple[Axis, ...]
    source: str
    changes: str
    unranked: str = ""
    alone: str = ""
