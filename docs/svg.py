"""A few lines of SVG: the pictures of the pages are text, small, and the same bytes on every machine."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

INK, SOFT, FAINT, ACCENT, BLUE = "#1f2328", "#59636e", "#d1d9e0", "#d4600a", "#2f6fb2"
"""Text, second text, lines, what the eye shall find, and its counterpart."""


def _attributes(values: dict[str, object]) -> str:
    return "".join(
        f' {name.strip("_").replace("_", "-")}="{_text(value)}"' for name, value in values.items() if value is not None
    )


def _text(value: object) -> str:
    return escape(f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value))


def tag(name: str, content: str = "", **attributes: object) -> str:
    """One element; ``_`` in an attribute's name stands for ``-``."""
    return f"<{name}{_attributes(attributes)}" + (f">{content}</{name}>" if content else "/>")


def text(x: float, y: float, words: str, *, size: float = 13, fill: str = INK, **more: object) -> str:
    """Words, at the left end of their base line unless ``text_anchor`` says otherwise."""
    return tag("text", escape(words), x=x, y=y, font_size=size, fill=fill, **more)


def line(x1: float, y1: float, x2: float, y2: float, *, stroke: str = INK, width: float = 1.5, **more: object) -> str:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke, stroke_width=width, **more)


def arrow(x1: float, y1: float, x2: float, y2: float, *, stroke: str = INK, width: float = 2) -> str:
    """A line with a head at its second end."""
    turn, size = math.atan2(y2 - y1, x2 - x1), 8.0
    sides = [(x2 - size * math.cos(turn + a), y2 - size * math.sin(turn + a)) for a in (0.45, -0.45)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in [(x2, y2), *sides])
    return line(x1, y1, x2, y2, stroke=stroke, width=width) + tag("polygon", points=points, fill=stroke)


def dot(x: float, y: float, *, r: float = 4, fill: str = INK, **more: object) -> str:
    """A small disc."""
    return tag("circle", cx=x, cy=y, r=r, fill=fill, **more)


def path(points: Iterable[tuple[float, float]], *, stroke: str = INK, width: float = 2, **more: object) -> str:
    """A line through points."""
    drawn = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return tag("path", d=drawn, fill="none", stroke=stroke, stroke_width=width, **more)


def picture(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    """A whole file on a white ground, with `title` for those who do not see it."""
    ground = tag("rect", width=width, height=height, rx=6, fill="#ffffff")
    body = "\n".join([f"<title>{escape(title)}</title>", ground, *parts])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" role="img">\n{body}\n</svg>\n'
    )
