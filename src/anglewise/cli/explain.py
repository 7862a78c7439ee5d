"""What a name means, wherever it was met: definition, unit, range, how to read it, source."""
# ruff: noqa: RUF001 -- Greek letters are meant

from __future__ import annotations

import dataclasses
import difflib
import inspect
import json
import re
import textwrap
from collections.abc import Iterable
from typing import Any, NamedTuple

from anglewise.errors import SpecError, shown
from anglewise.lab import catalogue
from anglewise.lab.outcome import MEANINGS
from anglewise.lab.readings import quantities
from anglewise.lab.readings.quantities import QUANTITIES, meaning
from anglewise.lab.readings.sets import DEFAULT, READINGS
from anglewise.lab.report.format import text_width
from anglewise.lab.report.plots.gallery import FIGURES
from anglewise.lab.store.columns import COLUMNS
from anglewise.lab.store.views import VIEWS

WIDTH = 100
NEAREST = 3
"""Names that are offered on a typo."""
SYMBOLS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η", "theta": "θ", "lambda": "λ",
    "mu": "μ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "xi": "ξ", "omega": "ω", "Sigma": "Σ",
    "Delta": "Δ", "nabla": "∇", "ell": "ℓ", "sum": "Σ", "prod": "Π", "sqrt": "√", "leftarrow": "←", "to": "→",
    "mapsto": "↦", "langle": "⟨", "rangle": "⟩", "cdot": "·", "times": "×", "odot": "⊙", "otimes": "⊗", "circ": "∘",
    "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "in": "∈", "infty": "∞", "approx": "≈",
    "propto": "∝", "dots": "…", "top": "T", "partial": "∂", "pm": "±", "quad": " ", "qquad": "  ",
}  # fmt: skip
"""TeX commands as Unicode."""
BY_KIND: dict[str, Any] = {
    "method": catalogue.METHODS, "schedule": catalogue.SCHEDULES, "task": catalogue.TASKS, "model": catalogue.MODELS,
}  # fmt: skip
CLASSES = {
    kind: {name: cls for known, cls in classes.items() for name in (known, cls.__name__)}
    for kind, classes in BY_KIND.items()
}
"""By kind: classes by their names on the command line and by those in specifications."""
NAMES: dict[str, Iterable[str]] = {
    "value": QUANTITIES, "reading": READINGS, "outcome": MEANINGS, "column": COLUMNS, **CLASSES, "figure": FIGURES,
}  # fmt: skip
"""All names by kind."""


def explain(name: str | None = None) -> str:
    """What a name means; of no name, all names by kind.

    Args:
        name: Of a value, reading, outcome, column, method, schedule, task, model or figure; or of a class of these.

    Raises:
        SpecError: If nothing has this name; the message offers the nearest names.

    Example:
        >>> print(explain("memorised"))
        memorised (outcome)
          Training accuracy reached 99 %. Test accuracy never reached the threshold.
          where:   lab/outcome.py, column "outcome" of the view runs
    """
    if name is None:
        kinds = [f"{kind}: {', '.join(names)}" for kind, names in NAMES.items()]
        lines = [textwrap.fill(kind, text_width(WIDTH), subsequent_indent="  ") for kind in kinds]
        return "\n\n".join(["anglewise explain NAME, where NAME is one of these:", *lines])
    return "\n\n".join(f"{name} ({about.kind})\n{_text(about)}" for about in abouts(name))


class Field(NamedTuple):
    """A field of a class: its name, its default as JSON where it has one, and what it is."""

    name: str
    default: str | None
    text: str


class About(NamedTuple):
    """What a name means in one of its kinds.

    Attributes:
        kind: One of :data:`NAMES`.
        text: The definition.
        facts: Further facts by name; an empty one does not hold.
        fields: Of a class.
    """

    kind: str
    text: str
    facts: dict[str, str]
    fields: tuple[Field, ...] = ()


def names_by_kind() -> dict[str, list[str]]:
    """All names that are explained."""
    return {kind: list(names) for kind, names in NAMES.items()}


def abouts(name: str) -> list[About]:
    """What a name means, in each of its kinds.

    Raises:
        SpecError: If nothing has this name; the message offers the nearest names.
    """
    kinds = [kind for kind, names in NAMES.items() if name in names]
    if "value" not in kinds and meaning(name).theme != "Other":  # made of another value's name
        kinds.insert(0, "value")
    if not kinds:
        known = sorted({known for names in NAMES.values() for known in names})
        near = difflib.get_close_matches(name[:100], known, n=NEAREST, cutoff=0.6)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise SpecError(f"unknown name {shown(name)}: {hint}See anglewise explain for all names")
    return [_about(kind, name) for kind in kinds]


def meanings(name: str) -> list[dict[str, Any]]:
    """The same as JSON values: `kind`, `text`, the facts, and `fields` by name.

    Raises:
        SpecError: If nothing has this name.
    """
    return [
        {
            "kind": about.kind,
            "text": " ".join(about.text.split()),
            **{key.replace(" ", "_"): value for key, value in about.facts.items() if value},
            "fields": {
                field.name: {
                    "default": None if field.default is None else json.loads(field.default),
                    "text": field.text,
                }
                for field in about.fields
            },
        }
        for about in abouts(name)
    ]


def _about(kind: str, name: str) -> About:
    """What a name of a kind means."""
    match kind:
        case "value":
            about = meaning(name)
            facts = {"formula": about.formula, "unit": about.unit, "range": about.range, "read it": about.read}
            facts["reading"] = "always"
            if about.reading != "radii-always":
                facts["reading"] = f"{about.reading} (--readings {about.reading})"
            return About(kind, about.text, facts | {"file": f"lab/readings/{about.module}.py", "source": about.source})
        case "reading":
            values = {value: about for value, about in QUANTITIES.items() if about.reading == name}
            facts = {"writes": ", ".join(values) or "values of several readings"}
            facts["source"] = next((about.source for about in values.values()), "")
            facts["use"] = f"--readings {name}" + (" (in default)" if name in DEFAULT else "")
            return _class(kind, READINGS[name], type(READINGS[name]), facts)
        case "outcome":
            return About(kind, MEANINGS[name], {"where": 'lab/outcome.py, column "outcome" of the view runs'})
        case "column":
            facts = {"unit": COLUMNS[name].unit, "views": _views(name), "use": "anglewise query SQL DIR"}
            return About(kind, COLUMNS[name].text, facts)
        case "figure":
            figure = FIGURES[name]
            facts = {"needs": " or ".join(figure.needs), "use": f"anglewise figure {name} DIR"}
            facts["with"] = f"--readings {figure.ask}" if figure.ask else ""
            return About(kind, f"{figure.text[0].upper()}{figure.text[1:]}.", facts)
    cls = CLASSES[kind][name]
    return _class(kind, cls, cls, {})


def _views(column: str) -> str:
    return ", ".join(view for view, columns in VIEWS.items() if column in columns)


def _class(kind: str, of: Any, cls: type, facts: dict[str, str]) -> About:
    """A class by its documentation: what it is, its formula, its fields with their values."""
    text, _, arguments = inspect.getdoc(cls).partition("\nArgs:\n") if cls.__doc__ else ("", "", "")  # type: ignore[union-attr]
    arguments = re.split(r"\n(?=\S)", arguments)[0]
    documented = dict(re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", arguments, re.MULTILINE))
    fields = []
    for field in dataclasses.fields(cls):
        default = getattr(of, field.name, dataclasses.MISSING)
        value = None if default is dataclasses.MISSING else json.dumps(default, default=str)
        fields.append(Field(field.name, value, " ".join(plain_math(documented.get(field.name, "")).split())))
    file = cls.__module__.removeprefix("anglewise.").replace(".", "/")
    return About(kind, plain_math(text), facts | {"file": f"{file}.py"}, tuple(fields))


def _text(about: About) -> str:
    """The definition, then the facts, then the fields."""
    lines = [""] if about.fields else []
    for field in about.fields:
        value = "" if field.default is None else f" (default {field.default})"
        line = f"{field.name}{value}: {field.text}" if field.text else f"{field.name}{value}"
        lines.append(textwrap.fill(line, text_width(WIDTH), initial_indent="  ", subsequent_indent="      "))
    return "\n".join([_block(about.text, about.facts), *lines])


def plain_math(text: str) -> str:
    r"""Documentation without markup: TeX as Unicode where that exists, roles and quotes taken off.

    Example:
        >>> plain_math(r"lr times :math:`\frac{\lambda}{2} |w|^2`, as in ``adamw``")
        'lr times (λ)/(2) |w|², as in adamw'
    """
    text = re.sub(r"^\s*\.\. math::", "   ", text, flags=re.MULTILINE)
    text = re.sub(r":\w+:`~?([^`]*)`", r"\1", text)
    text = re.sub(r"\\(?:text|operatorname|mathrm|mathbb|hat|dot|bar|tilde)\s*\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\\(?:hat|dot|bar|tilde|tfrac12|frac12)\b\s*", lambda match: "½ " if "12" in match[0] else "", text)
    for _ in range(3):
        text = re.sub(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"(\1)/(\2)", text)
        text = re.sub(r"\\sqrt\s*\{([^{}]*)\}", r"√(\1)", text)
    text = re.sub(r"\\([A-Za-z]+)", lambda match: SYMBOLS.get(match[1], match[1]), text)
    text = re.sub(r"\\[,;!]|\\\\", " ", text)
    for tex, plain in {"⟨ ": "⟨", " ⟩": "⟩", "^2": "²", "^{-1}": "⁻¹", "\\|": "|"}.items():
        text = text.replace(tex, plain)
    return re.sub(r"[{}]", "", text).replace("`", "").replace("\\ ", " ")


def _block(text: str, facts: dict[str, str]) -> str:
    """A text by paragraphs, then facts, one a line; those without a value are left out."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text.strip())]
    lines = [
        textwrap.fill(paragraph, text_width(WIDTH), initial_indent="  ", subsequent_indent="  ")
        for paragraph in paragraphs
    ]
    for key, value in facts.items():
        head = f"  {key + ':':8} "
        lines += (
            [textwrap.fill(value, text_width(WIDTH), initial_indent=head, subsequent_indent=" " * len(head))]
            if value
            else []
        )
    return "\n".join(lines)


def markdown() -> str:
    """The reference page of values, outcomes and columns."""

    def table(head: str, rows: Iterable[tuple[str, ...]]) -> str:
        lines = [f"| {head} |", "|---" * (head.count("|") + 1) + "|"]
        return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])

    columns = [(f"`{name}`", about.text, about.unit, _views(name)) for name, about in COLUMNS.items()]
    return "\n\n".join([
        "# What the names mean",
        "`anglewise explain NAME` shows the same in the terminal, and methods, tasks, models and schedules too.",
        quantities.markdown().strip(),
        "## Outcomes",
        table("outcome | what was seen", [(f"`{name}`", text) for name, text in MEANINGS.items()]),
        "## Columns of the views",
        table("column | what it holds | unit | views", columns),
    ]) + "\n"  # fmt: skip
