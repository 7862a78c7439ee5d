"""The drawings of ``concepts.md``: ``python -m docs.drawings`` in the root writes them into ``docs/pictures/``.

They explain words and show no data.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from docs.svg import ACCENT, BLUE, FAINT, INK, SOFT, arrow, dot, line, path, picture, tag, text

PICTURES = Path(__file__).parent / "pictures"
WIDTH, HEIGHT = 430, 132


def _box(x: float, y: float, width: float, words: str, *, fill: str = "#ffffff", stroke: str = SOFT) -> list[str]:
    return [
        tag("rect", x=x, y=y, width=width, height=30, rx=5, fill=fill, stroke=stroke),
        text(x + width / 2, y + 20, words, text_anchor="middle"),
    ]


def _curve(x: float, y: float, shape: Callable[[float], float], *, stroke: str, width: float = 90) -> str:
    return path(
        [(x + width * i / 40, y - 60 * shape(i / 40)) for i in range(41)],
        stroke=stroke,
        width=2,
        stroke_linejoin="round",
    )


def _axes(x: float, y: float, width: float = 90) -> str:
    return line(x, y, x + width, y, stroke=SOFT, width=1) + line(x, y, x, y - 66, stroke=SOFT, width=1)


def _rise(at: float) -> Callable[[float], float]:
    return lambda t: 1 / (1 + math.exp(-40 * (t - at)))


def activation_and_site() -> list[str]:
    """A network from left to right, two sites marked."""
    parts: list[str] = []
    for x, words in ((20, "tokens"), (116, "layer 1"), (212, "layer 2"), (308, "logits")):
        parts += _box(x, 50, 72, words)
    for x in (92, 188, 284):
        parts.append(arrow(x, 65, x + 24, 65, stroke=SOFT))
    for x, site in ((200, "hidden.0.pre"), (296, "hidden.1.pre")):
        parts += [dot(x, 65, r=6, fill=ACCENT), text(x, 110, site, text_anchor="middle", fill=ACCENT, size=12)]
        parts.append(line(x, 72, x, 98, stroke=ACCENT, width=1))
    return [*parts, text(20, 28, "A site is a place where we read a vector h.")]


def radius_and_direction() -> list[str]:
    """One vector with its length and its direction."""
    return [
        tag("circle", cx=90, cy=84, r=34, fill="none", stroke=FAINT, stroke_width=1.5),
        arrow(90, 84, 190, 34, stroke=INK),
        arrow(90, 84, 120.4, 68.8, stroke=BLUE, width=3),
        text(150, 76, "length r: the radius", fill=INK),
        text(118, 104, "arrow of length 1: the direction u", fill=BLUE),
        text(198, 32, "h = r u", size=15),
    ]


def radial_and_angular() -> list[str]:
    """A motion, split along and across the vector."""
    return [
        arrow(30, 110, 130, 60),
        text(60, 104, "h", size=15),
        arrow(130, 60, 182, 34, stroke=ACCENT),
        arrow(130, 60, 112, 24, stroke=BLUE),
        text(190, 44, "radial: h gets longer or shorter", fill=ACCENT),
        text(124, 20, "angular: h turns", fill=BLUE),
    ]


def penalty() -> list[str]:
    """Vectors inside and outside the sphere, pulled to it."""
    parts = [tag("circle", cx=90, cy=66, r=44, fill="none", stroke=INK, stroke_dasharray="4 3")]
    for angle, length in ((0.3, 22), (1.2, 58), (2.6, 24), (3.7, 60), (5.3, 20)):
        c, s = math.cos(angle), math.sin(angle)
        end = 40 if length < 44 else 48
        parts += [
            dot(90 + length * c, 66 + length * s, fill=ACCENT),
            arrow(90 + length * c, 66 + length * s, 90 + end * c, 66 + end * s, stroke=ACCENT, width=1.5),
        ]
    return [
        *parts,
        text(170, 48, "It pulls each vector to the sphere."),
        text(170, 70, "Target: the sphere's radius, in units of √d.", size=12, fill=SOFT),
        text(170, 90, "Strength: how hard it pulls.", size=12, fill=SOFT),
    ]


def radial_energy() -> list[str]:
    """A gradient against the vector it acts on: across, random, along."""
    parts: list[str] = []
    for x, words, dx, dy in (
        (66, "0: only turns h", -28, -22),
        (190, "1: any direction", 5, -36),
        (330, "d: only along h", 27, -27),
    ):
        parts += [
            arrow(x - 30, 92, x + 10, 52),
            arrow(x + 10, 52, x + 10 + dx, 52 + dy, stroke=ACCENT),
            text(x - 4, 118, words, text_anchor="middle", size=12),
        ]
    return parts


def arm_run_experiment() -> list[str]:
    """Two arms times four seeds."""
    parts = [text(20, 22, "experiment: all arms and seeds on one task", fill=SOFT)]
    for row, (name, colour) in enumerate((("AdamW", SOFT), ("AdamW + penalty", ACCENT))):
        y = 56 + 40 * row
        parts.append(text(20, y + 5, name, fill=colour))
        parts += [dot(170 + 50 * seed, y, r=11, fill=colour, fill_opacity=0.6) for seed in range(4)]
        parts.append(text(350, y + 5, "an arm", size=12, fill=SOFT))
    for seed in range(4):
        parts.append(text(170 + 50 * seed, 125, f"seed {seed}", size=11, fill=SOFT, text_anchor="middle"))
    return [*parts, tag("rect", x=204, y=36, width=32, height=78, rx=8, fill="none", stroke=BLUE),
            text(240, 80, "a pair", size=12, fill=BLUE)]  # fmt: skip


def reached_and_held() -> list[str]:
    """Test accuracy over steps: it touches the threshold once, and stays above it later."""
    up = [(30, 104), (90, 100), (120, 34), (140, 74), (170, 66), (200, 30), (240, 27), (300, 26)]
    return [
        line(30, 106, 310, 106, stroke=SOFT, width=1),
        line(30, 40, 310, 40, stroke=FAINT),
        text(314, 44, "threshold 95 %", size=12, fill=SOFT),
        path(up, stroke=BLUE),
        dot(118, 39, r=5, fill=ACCENT),
        text(110, 20, "reached", fill=ACCENT, text_anchor="middle"),
        dot(190, 41, r=5, fill=BLUE),
        text(190, 20, "held from here", fill=BLUE),
        text(300, 122, "steps", size=12, fill=SOFT, text_anchor="end"),
    ]


def outcomes() -> list[str]:
    """Training and test accuracy for four endings."""
    cases = (
        ("grokked", _rise(0.2), _rise(0.75)),
        ("at once", _rise(0.4), _rise(0.45)),
        ("memorised", _rise(0.25), lambda t: 0.06),
        ("underfit", lambda t: 0.3 * t, lambda t: 0.06),
    )
    parts = [text(12, 18, "training", size=12, fill=SOFT), text(70, 18, "test", size=12, fill=BLUE)]
    for place, (name, train, test) in enumerate(cases):
        x = 12 + 103 * place
        parts += [_axes(x, 104), _curve(x, 104, train, stroke=SOFT), _curve(x, 104, test, stroke=BLUE)]
        parts.append(text(x + 45, 122, name, size=11, text_anchor="middle"))
    return parts


def censored() -> list[str]:
    """Four runs, one of which never got there within the budget."""
    parts = [line(300, 14, 300, 112, stroke=INK), text(306, 24, "budget", size=12)]
    for row, end in enumerate((150, 210, 180)):
        y = 30 + 24 * row
        parts += [line(30, y, end, y, stroke=SOFT), dot(end, y, fill=BLUE)]
    parts += [line(30, 102, 294, 102, stroke=SOFT), tag("circle", cx=300, cy=102, r=5, fill="#ffffff", stroke=ACCENT)]
    return [*parts, text(310, 106, "later than this", size=12, fill=ACCENT), text(30, 124, "steps", size=12, fill=SOFT)]


def reading() -> list[str]:
    """Training goes on; a reading looks at it from the side."""
    parts = [arrow(20, 44, 400, 44, stroke=SOFT), text(20, 30, "training steps", size=12, fill=SOFT)]
    for x in (100, 210, 320):
        parts += [dot(x, 44, fill=INK), line(x, 50, x, 78, stroke=BLUE), *_box(x - 40, 80, 80, "reading", stroke=BLUE)]
    return [*parts, text(20, 126, "It looks at the weights and changes nothing.", size=12, fill=SOFT)]


def store() -> list[str]:
    """An experiment asks; the store has some runs; the missing ones are trained."""
    parts = [*_box(16, 50, 96, "experiment"), *_box(300, 50, 100, "report")]
    for row in range(2):
        for column in range(5):
            there = row * 5 + column < 7
            parts.append(
                tag("rect", x=158 + 20 * column, y=46 + 20 * row, width=15, height=15, rx=3,
                    fill=BLUE if there else "#ffffff", stroke=BLUE if there else ACCENT)
            )  # fmt: skip
    return [
        *parts, arrow(114, 65, 150, 65, stroke=SOFT), arrow(262, 65, 298, 65, stroke=SOFT),
        text(156, 36, "store", fill=SOFT), text(156, 112, "Only missing runs are trained.", size=12, fill=ACCENT),
    ]  # fmt: skip


DRAWINGS: dict[str, tuple[str, Callable[[], list[str]]]] = {
    "activation-and-site": ("Sites in a network where activations are read", activation_and_site),
    "radius-and-direction": ("A vector is a length times a direction", radius_and_direction),
    "radial-and-angular": ("A motion splits into a radial and an angular part", radial_and_angular),
    "penalty": ("The penalty pulls each vector to a sphere", penalty),
    "radial-energy": ("Radial energy says how much of a gradient lies along the vector", radial_energy),
    "arm-run-experiment": ("An experiment is arms times seeds; runs of one seed make a pair", arm_run_experiment),
    "reached-and-held": ("Reached is one evaluation at the threshold, held is several in a row", reached_and_held),
    "outcomes": ("How runs end: training and test accuracy over steps", outcomes),
    "censored": ("A run that never got there is only known to be later than the budget", censored),
    "reading": ("A reading looks at training and changes nothing", reading),
    "store": ("A store keeps runs; only missing ones are trained", store),
}


def drawn() -> dict[Path, str]:
    """Every file with its text."""
    return {PICTURES / f"{name}.svg": picture(WIDTH, HEIGHT, title, make()) for name, (title, make) in DRAWINGS.items()}


if __name__ == "__main__":
    for file, content in drawn().items():
        file.write_text(content, encoding="utf-8")
        print(f"written: docs/pictures/{file.name}")
