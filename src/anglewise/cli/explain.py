"""``anglewise explain``: what a name means, wherever it was met: definition, unit, range, how to read it, source."""
# ruff: noqa: RUF001 -- Greek letters are meant

from __future__ import annotations

import argparse
import dataclasses
import difflib
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from anglewise.cli.flags import AddVerb
from anglewise.errors import SpecError, shown

Pages: TypeAlias = dict[str, dict[str, Callable[[str], str]]]
"""By kind, then by name: what writes the text."""
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


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb("explain", print_explanation, "what a name means: a reading, value, method, outcome, column, ...")
    parser.add_argument("name", nargs="?", metavar="NAME", help="any name that anglewise writes (default: list them)")
    parser.add_argument("--markdown", action="store_true", help="the reference of all names, as Markdown")


def print_explanation(arguments: argparse.Namespace) -> None:
    """Print what a name means."""
    if arguments.markdown and arguments.name is not None:
        raise SpecError(f"got {arguments.name!r} and --markdown: --markdown writes all names, leave the name out")
    print(markdown() if arguments.markdown else explain(arguments.name))


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
    pages = _pages()
    if name is None:
        kinds = [
            textwrap.fill(f"{kind}: {', '.join(names)}", WIDTH, subsequent_indent="  ") for kind, names in pages.items()
        ]
        return "\n\n".join(["anglewise explain NAME, where NAME is one of these:", *kinds])
    texts = [f"{name} ({kind})\n{page(name)}" for kind, names in pages.items() for page in _found(name, kind, names)]
    if not texts:
        known = {known for names in pages.values() for known in names}
        near = difflib.get_close_matches(name[:100], sorted(known), n=NEAREST, cutoff=0.6)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise SpecError(f"unknown name {shown(name)}: {hint}See anglewise explain for all names")
    return "\n\n".join(texts)


def _found(name: str, kind: str, names: dict[str, Callable[[str], str]]) -> list[Callable[[str], str]]:
    """What writes the text of a name of a kind, if it is one: also a value that is made of another one's name."""
    from anglewise.lab.readings.quantities import meaning

    if name in names:
        return [names[name]]
    return [_value] if kind == "value" and meaning(name).theme != "Other" else []


def _pages() -> Pages:
    from anglewise.lab import catalogue
    from anglewise.lab.outcome import MEANINGS
    from anglewise.lab.readings.quantities import QUANTITIES
    from anglewise.lab.readings.sets import READINGS
    from anglewise.lab.report.plots.gallery import FIGURES
    from anglewise.lab.store.columns import COLUMNS

    kinds: dict[str, dict[str, Any]] = {
        "method": catalogue.METHODS, "schedule": catalogue.SCHEDULES, "task": catalogue.TASKS,
        "model": catalogue.MODELS,
    }  # fmt: skip
    return {
        "value": dict.fromkeys(QUANTITIES, _value),
        "reading": dict.fromkeys(READINGS, _reading),
        "outcome": dict.fromkeys(MEANINGS, _outcome),
        "column": dict.fromkeys(COLUMNS, _column),
        **{kind: _classes(classes) for kind, classes in kinds.items()},
        "figure": dict.fromkeys(FIGURES, _figure),
    }


def _classes(classes: dict[str, Any]) -> dict[str, Callable[[str], str]]:
    """What writes the text of a class, by its name on the command line and by the one in specifications."""
    by_name = {name: cls for known, cls in classes.items() for name in (known, cls.__name__)}
    return {name: lambda name: _class(by_name[name], by_name[name]) for name in by_name}


def _value(name: str) -> str:
    from anglewise.lab.readings.quantities import meaning

    about = meaning(name)
    facts = {
        "formula": about.formula,
        "unit": about.unit,
        "range": about.range,
        "read it": about.read,
        "reading": f"{about.reading} (--readings {about.reading})" if about.reading != "radii-always" else "always",
        "file": f"lab/readings/{about.module}.py",
        "source": about.source,
    }
    return _block(about.text, facts)


def _reading(name: str) -> str:
    from anglewise.lab.readings.quantities import QUANTITIES
    from anglewise.lab.readings.sets import DEFAULT, READINGS

    reading = READINGS[name]
    values = {known: about for known, about in QUANTITIES.items() if about.reading == name}
    facts = {
        "writes": ", ".join(values) or "values of several readings",
        "source": next((about.source for about in values.values()), ""),
        "use": f"--readings {name}" + (" (in default)" if name in DEFAULT else ""),
    }
    return _class(reading, type(reading), facts)


def _outcome(name: str) -> str:
    from anglewise.lab.outcome import MEANINGS

    return _block(MEANINGS[name], {"where": 'lab/outcome.py, column "outcome" of the view runs'})


def _column(name: str) -> str:
    from anglewise.lab.store.columns import COLUMNS
    from anglewise.lab.store.views import VIEWS

    about = COLUMNS[name]
    views = ", ".join(view for view, columns in VIEWS.items() if name in columns)
    return _block(about.text, {"unit": about.unit, "views": views, "use": "anglewise query SQL DIR"})


def _figure(name: str) -> str:
    from anglewise.lab.report.plots.gallery import FIGURES

    known = FIGURES[name]
    facts = {"needs": " or ".join(known.needs), "use": f"anglewise figure {name} DIR"}
    facts["with"] = f"--readings {known.ask}" if known.ask else ""
    return _block(f"{known.text[0].upper()}{known.text[1:]}.", facts)


def _class(of: Any, cls: type, facts: dict[str, str] | None = None) -> str:
    """A class by its documentation: what it is, its formula, its fields with their values."""
    text, _, arguments = inspect.getdoc(cls).partition("\nArgs:\n") if cls.__doc__ else ("", "", "")  # type: ignore[union-attr]
    arguments = re.split(r"\n(?=\S)", arguments)[0]
    fields = dict(re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", arguments, re.MULTILINE))
    lines = [""] if dataclasses.fields(cls) else []
    for field in dataclasses.fields(cls):
        default = getattr(of, field.name, dataclasses.MISSING)
        value = "" if default is dataclasses.MISSING else f" (default {json.dumps(default, default=str)})"
        about = " ".join(plain_math(fields.get(field.name, "")).split())
        line = f"{field.name}{value}: {about}" if about else f"{field.name}{value}"
        lines.append(textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="      "))
    file = cls.__module__.removeprefix("anglewise.").replace(".", "/")
    return "\n".join([_block(plain_math(text), {**(facts or {}), "file": f"{file}.py"}), *lines])


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
    text = (
        re.sub(r"\\[,;!]|\\\\", " ", text)
        .replace("⟨ ", "⟨")
        .replace(" ⟩", "⟩")
        .replace("^2", "²")
        .replace("^{-1}", "⁻¹")
        .replace("\\|", "|")
    )
    return re.sub(r"[{}]", "", text).replace("`", "").replace("\\ ", " ")


def _block(text: str, facts: dict[str, str]) -> str:
    """A text by paragraphs, then facts, one a line; those without a value are left out."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text.strip())]
    lines = [textwrap.fill(paragraph, WIDTH, initial_indent="  ", subsequent_indent="  ") for paragraph in paragraphs]
    for key, value in facts.items():
        head = f"  {key + ':':8} "
        lines += [textwrap.fill(value, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))] if value else []
    return "\n".join(lines)


def markdown() -> str:
    """The reference page of values, outcomes and columns."""
    from anglewise.lab.outcome import MEANINGS
    from anglewise.lab.readings import quantities
    from anglewise.lab.store.columns import COLUMNS
    from anglewise.lab.store.views import VIEWS

    def table(head: str, rows: Iterable[tuple[str, ...]]) -> str:
        lines = [f"| {head} |", "|---" * (head.count("|") + 1) + "|"]
        return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])

    def views(name: str) -> str:
        return ", ".join(view for view, columns in VIEWS.items() if name in columns)

    columns = [(f"`{name}`", about.text, about.unit, views(name)) for name, about in COLUMNS.items()]
    return "\n\n".join([
        "# What the names mean",
        "`anglewise explain NAME` shows the same in the terminal, and methods, tasks, models and schedules too.",
        quantities.markdown().strip(),
        "## Outcomes",
        table("outcome | what was seen", [(f"`{name}`", text) for name, text in MEANINGS.items()]),
        "## Columns of the views",
        table("column | what it holds | unit | views", columns),
    ]) + "\n"  # fmt: skip
