"""Numbers, estimates and names as people read them; a name from a user steers no terminal, page or script."""

from __future__ import annotations

import html
import json
import math
import shutil
import sys
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, NamedTuple

from anglewise.lab.stats import Interval, PValue

DASH = "\u2013"
NARROWEST = 80
"""Letters that a terminal has at least."""


def plain(name: object) -> str:
    """A name without what could steer a terminal or turn the reading direction.

    Example:
        >>> plain("a\\x1b[2Jb")
        'a\ufffd[2Jb'
    """
    text = str(name)
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)


def label(name: object) -> str:
    """A name inside a plotly text, which reads a subset of HTML, its entities, and placeholders like %{x}.

    Example:
        >>> label("<b>%{x}")
        '&lt;b&gt;%&#123;x}'
    """
    return html.escape(plain(name), quote=False).replace("%{", "%&#123;")


def script(value: Any) -> str:
    """JSON that cannot end the script element it stands in; NaN and infinities become null.

    Example:
        >>> script("</script>")
        '"\\\\u003c/script\\\\u003e"'
    """
    text = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)
    for c in "<>&\u2028\u2029":
        text = text.replace(c, f"\\u{ord(c):04x}")
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def text_width(most: int) -> int:
    """Letters of a line of text: those of the terminal and at most so many; as many where standard output is none."""
    return max(min(shutil.get_terminal_size().columns, most), NARROWEST) if sys.stdout.isatty() else most


def number(value: float | None, digits: int = 3) -> str:
    """About three significant digits, without exponent where that is readable; a dash for none.

    A half, as the median of two whole numbers may be, stays a half.  Everything else is rounded half up.

    Example:
        >>> number(140.0), number(0.01234), number(88.53), number(1.0), number(1.001), number(112.5), number(112.6)
        ('140', '0.0123', '88.5', '1', '1.00', '112.5', '113')
    """
    if value is None or not math.isfinite(value):
        return DASH
    if value == int(value):
        return f"{value:,.0f}"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.1f}" if 2 * value == int(2 * value) else f"{_half_up(value, 0):,.0f}"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{float(_half_up(value, places)):#.{digits}g}"


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals, rounded half up in the decimal digits that people see.

    Example:
        >>> fixed(0.125, 2), fixed(2.675, 2), fixed(12.5, 0)
        ('0.13', '2.68', '13')
    """
    return f"{_half_up(value, decimals):.{decimals}f}"


def _half_up(value: float, decimals: int) -> Decimal:
    unit = Decimal(1).scaleb(-decimals)
    return Decimal(repr(float(value))).quantize(unit, rounding=ROUND_HALF_UP, context=Context(prec=400))


def percent(value: float) -> str:
    """A share in whole percent, without the sign.

    Example:
        >>> percent(0.625)
        '63'
    """
    return fixed(100 * value, 0)


def within(budget: int) -> Callable[[float], str]:
    """How steps are written that may lie beyond a budget.

    Example:
        >>> within(1500)(90.0), within(1500)(math.inf)
        ('90', '> 1,500')
    """
    return lambda steps: f"> {budget:,}" if math.isinf(steps) else number(steps)


class Estimate(NamedTuple):
    """An estimate with its interval, and how it is written.

    Attributes:
        interval: The numbers; None where there is no estimate.
        form: Writes the value and each end.
        mark: Stands before the value.
        unit: Stands behind the value.
        note: Stands last.
        none: Stands for no estimate.

    Example:
        >>> [str(Estimate(x)) for x in (Interval(1.4, 1.26, 1.61, "t"), Interval(3.0, None, None, "none"), None)]
        ['1.40 [1.26, 1.61]', '3', '\u2013']
    """

    interval: Interval | None
    form: Callable[[float], str] = number
    mark: str = ""
    unit: str = ""
    note: str = ""
    none: str = DASH

    def __str__(self) -> str:
        """As text: an end that does not exist is not written."""
        if self.interval is None:
            return self.none + self.note
        value, low, high, _ = self.interval
        ends = "" if low is None or high is None else f" [{self.form(low)}, {self.form(high)}]"
        return f"{self.mark}{self.form(value)}{self.unit}{ends}{self.note}"


def chance(p: PValue | None) -> str:
    """A p-value; one that is only known to be at most so large says so.

    Example:
        >>> chance(PValue(0.03125)), chance(PValue(0.0002, at_most=True)), chance(None)
        ('0.031', '\u2264 0.00020', '\u2013')
    """
    return DASH if p is None else ("\u2264 " if p.at_most else "") + number(p.value, 2)


def known_to(every: int) -> str:
    """That crossings are only known to the evaluations; empty for exact times.

    Example:
        >>> known_to(10)
        'Evaluated every 10 steps: a crossing is known to that, and intervals allow for it.'
    """
    steps = "step" if every == 1 else f"{every:,} steps"
    return f"Evaluated every {steps}: a crossing is known to that, and intervals allow for it." if every else ""


def count_of(finished: int, planned: int) -> str:
    """Runs finished of those planned, in words that never hide a missing one.

    Example:
        >>> count_of(8, 8), count_of(6, 8)
        ('8', '6 of 8 runs, 2 missing')
    """
    if finished == planned:
        return str(planned)
    return f"{finished} of {planned} runs, {planned - finished} missing"
