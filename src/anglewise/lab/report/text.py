"""Numbers and names as people read them; names from users made harmless for terminal, HTML and script."""

from __future__ import annotations

import html
import json
import math
from typing import Any

DASH = "\u2013"


def plain(name: object) -> str:
    """A name without what could steer a terminal or turn the reading direction.

    Example:
        >>> plain("a\\x1b[2Jb")
        'a\ufffd[2Jb'
    """
    return "".join(c if c.isprintable() else "\ufffd" for c in str(name))


def escape(name: object) -> str:
    """A name as text inside HTML, also inside a quoted attribute.

    Example:
        >>> escape("<b>")
        '&lt;b&gt;'
    """
    return html.escape(plain(name), quote=True)


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


def number(value: float | None, digits: int = 3) -> str:
    """About three significant digits, without exponent where that is readable; a dash for none.

    Example:
        >>> number(140.0), number(0.01234), number(88.53), number(1.0), number(1.001)
        ('140', '0.0123', '88.5', '1', '1.00')
    """
    if value is None or not math.isfinite(value):
        return DASH
    if abs(value) >= 10 ** (digits - 1) or value == int(value):
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}"


def count_of(finished: int, planned: int) -> str:
    """Runs finished of those planned, in words that never hide a missing one.

    Example:
        >>> count_of(8, 8), count_of(6, 8)
        ('8', '6 of 8 runs, 2 missing')
    """
    if finished == planned:
        return str(planned)
    return f"{finished} of {planned} runs, {planned - finished} missing"
