"""What every value that readings write means: definition, formula, unit, range, how to read it, source.

The definitions are data, in ``quantities.toml`` beside this file: 130 entries of one form are looked up, compared and
translated more easily in a table than in code.  Terminal, report and reference page all show these.  A value that is
not listed is shown all the same, under its own name and the theme "Other".  ``test_`` before a name and ``_total``,
``_se``, ``_error`` behind it change the definition and nothing else.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["curve", "density", "share", "map", "circles", "list"]

THEMES = (
    "Geometry",
    "Gradients",
    "Motion",
    "Spectra",
    "Curvature",
    "Circuits",
    "Logits and neurons",
    "Theory",
    "Controls",
    "Other",
)


class Quantity(NamedTuple):
    """One value.

    Args:
        theme: Part of the report.
        title: Label of an axis.
        text: Definition.
        read: What high and low mean.
        unit: Of the value.
        range: Values that it can take.
        formula: Plain text; empty for none.
        lines: Values worth a dotted line.
        reading: Name of the reading that writes it.
        module: That reading's file.
        source: Paper and section.
        kind: How an array is drawn; None for a number.
        x: What an array's index is.
    """

    theme: str
    title: str
    text: str = ""
    read: str = ""
    unit: str = ""
    range: str = ""
    formula: str = ""
    lines: tuple[float, ...] = ()
    reading: str = ""
    module: str = ""
    source: str = ""
    kind: Kind | None = None
    x: str = ""

    @property
    def note(self) -> str:
        """Definition and how to read it."""
        return f"{self.text} {self.read}".strip()


class Drawing(NamedTuple):
    """One array: as ``curve`` (values by index), ``density`` (grid and values), ``share`` (by frequency), and so on."""

    kind: Kind
    x: str
    y: str


def _load() -> dict[str, Quantity]:
    text = (files("anglewise.lab.readings") / "quantities.toml").read_text(encoding="utf-8")
    return {
        name: _quantity(reading, shared, entry)
        for reading, shared in tomllib.loads(text).items()
        for name, entry in shared.items()
        if isinstance(entry, dict)
    }


def _quantity(reading: str, shared: dict[str, Any], entry: dict[str, Any]) -> Quantity:
    own = {key: entry[key] for key in ("read", "unit", "range", "formula", "kind", "x") if key in entry}
    theme, source = (entry.get(key, shared[key]) for key in ("theme", "source"))
    lines, module = tuple(entry.get("lines", ())), shared["module"]
    return Quantity(
        theme, entry["axis"], entry["is"], lines=lines, reading=reading, module=module, source=source, **own
    )


QUANTITIES = _load()
"""By name, in the order in which the report shows them; a name that ends in ``*`` stands for all that begin so."""
DRAWINGS = {name: Drawing(q.kind, q.x, q.title) for name, q in QUANTITIES.items() if q.kind is not None}
"""How arrays are drawn; any other is drawn as curves if it has one axis, and is left to queries if it has more."""

_PLACES = {name: k for k, name in enumerate(QUANTITIES)}
_PREFIXES = {"test_": "On test examples"}
_SUFFIXES = {
    "_total": "For the total loss, penalties included",
    "_se": "Standard error",
    "_error": "Bound on the error",
}


def meaning(name: str) -> Quantity:
    """What a value means; of an unknown one, only its name."""
    if name in QUANTITIES:
        return QUANTITIES[name]
    for prefix, words in _PREFIXES.items():
        if name.startswith(prefix) and name != prefix:
            return _derived(meaning(name.removeprefix(prefix)), words, name)
    for suffix, words in _SUFFIXES.items():
        if name.endswith(suffix) and name != suffix:
            return _derived(meaning(name.removesuffix(suffix)), words, name)
    for pattern, quantity in QUANTITIES.items():
        start, star, end = pattern.partition("*")
        if star and name.startswith(start) and name.endswith(end) and len(name) > len(start + end):
            what = name.removeprefix("match_").removesuffix(end).replace("_", " ")
            return quantity._replace(title=f"{what}, {quantity.title}") if start == "match_" else quantity
    return Quantity("Other", name.replace("_", " "))


def _derived(base: Quantity, words: str, name: str) -> Quantity:
    """A value that is made of another one."""
    if base.theme == "Other":
        return Quantity("Other", name.replace("_", " "))
    if words.startswith(("On", "For")):
        reading = "radii" if base.reading == "radii-always" else base.reading
        return base._replace(text=f"{words}. {base.text}", reading=reading)
    read = "Small beside the value: the value is well determined."
    return base._replace(text=f"{words} of: {base.text}", read=read, range="0 and up", formula="", lines=())


def place(name: str) -> tuple[int, str]:
    """A key that sorts values as they are listed here: what is made of another's name follows it."""
    base = name
    for prefix in _PREFIXES:
        base = base.removeprefix(prefix)
    while base not in QUANTITIES and any(base.endswith(suffix) for suffix in _SUFFIXES):
        for suffix in _SUFFIXES:
            base = base.removesuffix(suffix)
    return (_PLACES.get(base, len(_PLACES)), name.removeprefix("test_") + ("~" if name.startswith("test_") else ""))


def drawing(name: str, rank: int) -> Drawing | None:
    """How an array with so many axes is drawn; None for not at all."""
    found = DRAWINGS.get(name) or DRAWINGS.get(name.removesuffix("_total"))
    if found is not None:
        return found
    return Drawing("curve", "index", name.replace("_", " ")) if rank == 1 else None


def markdown() -> str:
    """The reference of all values as Markdown: a table per theme."""
    parts = [
        "d is the width of a site, h an activation, r = |h| its radius, u = h / r its direction, g a gradient. "
        "`test_` before a name means test examples; `_total` behind it the total loss, penalties included; `_se` a "
        "standard error; `_error` a bound on the error."
    ]
    for theme in THEMES:
        rows = [
            f"| `{name}` | {_cell(q.text)}{f' `{_cell(q.formula)}`' if q.formula else ''} | {_cell(q.unit)} "
            f"| {_cell(q.range)} | {_cell(q.read)} | `{q.reading}` ({_cell(q.source)}) |"
            for name, q in QUANTITIES.items()
            if q.theme == theme
        ]
        if rows:
            head = [
                "| value | definition | unit | range | how to read it | reading, source |",
                "|---|---|---|---|---|---|",
            ]
            parts.append("\n".join([f"## {theme}", "", *head, *rows]))
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
