r"""Inks: how an arm looks in every figure, by what it does.

The *kind* of an arm is what it adds to its optimiser: the penalty, a norm, another loss.  A kind has a hue and a
marker, the same in every report and record.  Arms of one kind differ by their *variant*: dash, marker, lightness.  So
two arms of one figure differ in more than colour, for those who see no red, no green or no blue, and in grey.

A colour is given by its hue and chroma in OKLCH (Ottosson 2020, https://bottosson.github.io/posts/oklab/).  Its
lightness is such that it stands out from a light page and, in a second value, from a dark one: the contrast of WCAG 2
is at least 3 on each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

LIGHT_PAGE, DARK_PAGE = "#ffffff", "#14171a"
DASHES = {
    "solid": "-",
    "12px,3px": (0, (7, 1.8)),
    "12px,3px,3px,3px": (0, (7, 1.8, 1.8, 1.8)),
    "4px,2px": (0, (2.4, 1.2)),
}
"""Plotly's dashes of arms, as matplotlib has them.  Layers of a figure, such as a target, have others."""
SYMBOLS: Mapping[str, Any] = {
    "circle": "o", "diamond": "D", "triangle-up": "^", "square": "s", "pentagon": "p", "cross": "P", "x": "X",
    "triangle-down": "v", "triangle-left": "<", "triangle-right": ">", "star": "*", "hexagon": "h", "octagon": "8",
    "hexagram": (6, 1, 0), "star-triangle-up": (3, 1, 0), "star-triangle-down": (3, 1, 180),
    "star-diamond": (4, 1, 0), "star-square": (4, 1, 45),
}  # fmt: skip
"""Plotly's markers, as matplotlib has them; ``-open`` behind one of them makes it hollow."""
LIGHT = (0.585, 0.47, 0.65, 0.38, 0.53, 0.43, 0.62, 0.34)
DARK = (0.74, 0.85, 0.68, 0.91, 0.80, 0.88, 0.71, 0.94)
"""Lightness of the variants on a light and on a dark page."""


class Kind(NamedTuple):
    """What arms add to their optimiser.

    Attributes:
        hue: In degrees.
        chroma: 0 is grey.
        marker: Of its first variants; `second` of further ones.
        words: What a name holds that says so, as patterns in the order of the variants that they prefer.
        methods: Classes that say so.
    """

    hue: float
    chroma: float
    marker: str
    second: str
    words: tuple[str, ...]
    methods: tuple[str, ...]


# fmt: off
KINDS: Mapping[str, Kind] = {
    "control of the penalty": Kind(
        105, 0.12, "triangle-down", "star-triangle-down", ("push", "matched", "inflation"),
        ("ShuffledPenalty", "MatchedNoise")),
    "radial penalty": Kind(
        40, 0.19, "diamond", "star", ("radial|penalty|penalties",), ("RadialPenalty", "StopGradientPenalty")),
    "MAN": Kind(75, 0.16, "triangle-up", "triangle-right", ("man",), ("MAN",)),
    "norm, sphere or projection": Kind(
        252, 0.17, "square", "octagon",
        ("layer ?norm", "layer ?norm plain|affine layer ?norm", "rms ?norm", "projection|project tangential",
         "project ste|straight through projection", "sphere", "ngpt", "radius at most", "radius at least", "radius"),
        ("LayerNorm", "RMSNorm", "ProjectTangential", "ProjectSTE", "SphereCosine", "NGPT", "RadiusClamp",
         "RadiusReplay", "RadiusInit")),
    "loss or logits": Kind(
        155, 0.15, "pentagon", "hexagram",
        ("stablemax", "softmax64", "temperature", "logit norm", "label smoothing", "z loss", "harmonic",
         "self modelling", "next latent"),
        ("StableMax", "Softmax64", "Temperature", "LogitNorm", "LabelSmoothing", "ZLoss", "Harmonic", "SelfModelling",
         "NextLatent")),
    "weights": Kind(
        205, 0.11, "x", "hexagon",
        ("weight norm", "spectral norm", "norm clamp", "norm replay", "clip rows lion", "clip rows|rows", "l1",
         "nuclear", "groktransfer"),
        ("WeightNorm", "SpectralNorm", "NormClamp", "NormReplay", "ClipRows", "L1", "Nuclear", "GrokTransfer")),
    "activations": Kind(
        350, 0.20, "triangle-left", "star-triangle-up", ("dropout", "ar", "tar"), ("Dropout", "AR", "TAR")),
    "optimiser or gradient": Kind(
        305, 0.20, "cross", "star-diamond",
        ("muon", "lion", "grokfast ema", "grokfast ma", "perpgrad", "signsgd", "egd column", "egd rsvd", "egd", "sam",
         "grokadamw", "gradnorm", "neuralgrok", "pcgrad", "grokfast control", "constrained muon"),
        ("Muon", "ConstrainedMuon", "Lion", "SignSGD", "EGD", "SAM", "GrokAdamW", "GrokfastEMA", "GrokfastMA",
         "GrokfastControl", "PerpGrad", "GradNorm", "NeuralGrok", "PCGrad", "ClipGradient")),
    "plain": Kind(260, 0.012, "circle", "star-square", ("adamw", "adam", "sgd"), ()),
}
# fmt: on
"""The one table: hue, markers, and what belongs to a kind.  Of several kinds in one arm, the first counts."""
PLAIN = "plain"
LATER = {"tuned": 1, "strong": 1, "decay .1": 1, "decay 1": 2, "paper": 3, "chou": 4, "released": 5, "published": 6}
"""Words of a name that ask for a later variant of plain arms and of the penalty's, and how many later."""
STAGED = ("plain", "radial penalty")
MANY = 16
"""Variants of a kind; further arms of it begin again."""


class Ink(NamedTuple):
    """How an arm looks.

    Attributes:
        colour: On a light page.
        dark: On a dark one.
        dash: Of its lines, in plotly's words; one of :data:`DASHES`.
        symbol: Of its marks, in plotly's words: one of :data:`SYMBOLS`, with ``-open`` where hollow.
        kind: Its name in :data:`KINDS`.
    """

    colour: str
    dark: str
    dash: str
    symbol: str
    kind: str

    @property
    def open(self) -> bool:
        """Whether its marks are hollow."""
        return self.symbol.endswith("-open")

    @property
    def shape(self) -> str:
        """Its marker without being hollow."""
        return self.symbol.removesuffix("-open")

    @property
    def line(self) -> dict[str, Any]:
        """Keywords of matplotlib for a line."""
        return {"color": self.colour, "ls": DASHES[self.dash]}

    @property
    def mark(self) -> dict[str, Any]:
        """Keywords of matplotlib for marks."""
        face = "white" if self.open else self.colour
        return {"marker": SYMBOLS[self.shape], "color": self.colour, "mfc": face, "mec": self.colour}

    def faint(self, alpha: float = 0.16) -> str:
        """The colour, nearly transparent."""
        return f"rgba({','.join(map(str, _parts(self.colour)))},{alpha:g})"


def kind_of(name: str, methods: Sequence[str] = ()) -> str:
    """The kind of an arm: what its name says, or its methods where the name says nothing.

    Args:
        name: The arm's.
        methods: Classes of its methods; empty where unknown.

    Example:
        >>> kind_of("adamw-tuned+radial"), kind_of("mine", ["AdamW", "LayerNorm"]), kind_of("weight-norm")
        ('radial penalty', 'norm, sphere or projection', 'weights')
    """
    return _place(name, methods)[0]


def _place(name: str, methods: Sequence[str] = ()) -> tuple[str, int]:
    """The kind of an arm, and the variant that it prefers."""
    words = re.sub(r"without [a-z]+", "", re.sub(r"[^a-z0-9.]+", " ", name.lower()))
    later = max(
        (n for word, n in LATER.items() if re.search(rf"(?<![\w.]){re.escape(word)}(?![\w.])", words)), default=0
    )
    for kind, known in KINDS.items():
        for i in sorted(range(len(known.words)), key=lambda i: -len(known.words[i])):
            if re.search(rf"\b(?:{known.words[i]})\b", words):
                return kind, i + later * (kind in STAGED)
    by_methods = (kind for kind, known in KINDS.items() if set(known.methods) & set(methods))
    return next(by_methods, PLAIN), later


def ink(kind: str = PLAIN, variant: int = 0) -> Ink:
    """The ink of a variant of a kind."""
    known, i = KINDS[kind], variant % MANY
    shape = known.marker if i < MANY // 2 else known.second
    hollow = (i + i // len(DASHES)) % 2
    colour, dark = (_hex(lightness[i % len(lightness)], known.chroma, known.hue) for lightness in (LIGHT, DARK))
    return Ink(colour, dark, list(DASHES)[i % len(DASHES)], shape + "-open" * hollow, kind)


def inks_of(arms: Iterable[str], methods: Mapping[str, Sequence[str]] | None = None) -> dict[str, Ink]:
    """Inks of the arms of an experiment; no two of one kind have the same while there are variants left.

    Args:
        arms: Names in the order planned.
        methods: Classes of the methods, by the arm's name, where known.
    """
    wanted = {arm: _place(arm, (methods or {}).get(arm, ())) for arm in arms}
    taken: dict[str, dict[int, str]] = {}
    for arm in sorted(wanted, key=lambda arm: wanted[arm][1] == 0):  # those that a word asks for come first
        kind, first = wanted[arm]
        used = taken.setdefault(kind, {})
        free = (i % MANY for i in range(first, first + MANY) if i % MANY not in used)
        used[next(free, len(used))] = arm
    places = {arm: (kind, variant) for kind, used in taken.items() for variant, arm in used.items()}
    return {arm: ink(*places[arm]) for arm in wanted}


def inks_of_spec(arms: Sequence[str], spec: Mapping[str, Any]) -> dict[str, Ink]:
    """Inks of an experiment's arms; all that its specification names count, so that a part of it looks the same."""
    given = [arm for arm in spec.get("arms", ()) if isinstance(arm, Mapping) and "name" in arm]
    methods = {arm["name"]: [str(one.get("is", "")) for one in arm.get("methods", ())] for arm in given}
    return inks_of(dict.fromkeys([*methods, *arms]), methods)


def css(inks: Iterable[Ink]) -> str:
    """Style sheet with a variable for each ink, ``--ink-0`` and so on, and its other values on a dark page."""
    inks = list(inks)
    light = " ".join(f"--ink-{i}: {ink.colour};" for i, ink in enumerate(inks))
    dark = " ".join(f"--ink-{i}: {ink.dark};" for i, ink in enumerate(inks))
    return f":root {{ {light} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"


def dark_values(inks: Iterable[Ink]) -> dict[str, str]:
    """What a script replaces in figures on a dark page: each colour, and its parts as they stand in ``rgba()``."""
    table = {}
    for ink in inks:
        table[ink.colour] = ink.dark
        table[",".join(map(str, _parts(ink.colour)))] = ",".join(map(str, _parts(ink.dark)))
    return table


def _parts(colour: str) -> tuple[int, int, int]:
    """Red, green and blue."""
    r, g, b = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return r, g, b


def _hex(lightness: float, chroma: float, hue: float) -> str:
    """A colour of OKLCH in sRGB, with less chroma where a screen cannot show it."""
    while True:
        linear = _linear(lightness, chroma, hue)
        if chroma <= 0 or all(-1e-4 <= part <= 1 + 1e-4 for part in linear):
            break
        chroma -= 0.004
    parts = [min(max(part, 0.0), 1.0) for part in linear]
    encoded = [12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055 for part in parts]
    return "#" + "".join(f"{round(255 * part):02x}" for part in encoded)


def _linear(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    """Linear sRGB of a colour of OKLCH (Ottosson's matrices)."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    x = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    y = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    z = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * x - 3.3077115913 * y + 0.2309699292 * z,
        -1.2684380046 * x + 2.6097574011 * y - 0.3413193965 * z,
        -0.0041960863 * x - 0.7034186147 * y + 1.7076147010 * z,
    )
