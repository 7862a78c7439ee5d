"""``anglewise explain``: every name that anglewise writes has a text."""

from __future__ import annotations

import dataclasses
import re

import pytest

from anglewise.cli.explain import explain, markdown, plain_math
from anglewise.cli.main import main
from anglewise.errors import SpecError
from anglewise.lab import catalogue
from anglewise.lab.outcome import MEANINGS
from anglewise.lab.readings.quantities import QUANTITIES
from anglewise.lab.readings.sets import READINGS
from anglewise.lab.report.plots.gallery import FIGURES
from anglewise.lab.store.columns import COLUMNS
from anglewise.lab.store.views import VIEWS

CLASSES = {**catalogue.METHODS, **catalogue.SCHEDULES, **catalogue.TASKS, **catalogue.MODELS}


@pytest.mark.parametrize("name", [*QUANTITIES, *READINGS, *MEANINGS, *COLUMNS, *CLASSES, *FIGURES])
def test_every_name_is_explained_in_lines_that_fit_a_terminal(name):
    text = explain(name)
    assert text.startswith(f"{name} (") and len(text.splitlines()) > 1
    assert max(map(len, text.splitlines())) <= 100
    assert not any(mark in text for mark in (":math:", "``", ".. math", ":class:", ":func:"))


@pytest.mark.parametrize("cls", CLASSES.values())
def test_a_class_is_explained_by_its_name_in_specifications_too(cls):
    assert f"{cls.__name__} (" in explain(cls.__name__)


@pytest.mark.parametrize("name", CLASSES)
def test_every_field_of_a_class_is_explained(name):
    text = explain(name)
    for field in dataclasses.fields(CLASSES[name]):
        (line,) = [line for line in text.splitlines() if re.match(rf"  {field.name}( \(|:|$)", line)]
        documented = line.partition(":")[2].strip() or f"`{field.name}`" in CLASSES[name].__doc__
        assert documented, (name, field.name)


def test_every_column_of_the_views_and_no_other_is_explained():
    assert set(COLUMNS) == {column for columns in VIEWS.values() for column in columns}


def test_a_name_of_several_kinds_is_explained_as_each():
    text = explain("radius")
    assert "radius (value)" in text and "radius (figure)" in text


def test_a_value_says_definition_unit_range_reading_file_and_source():
    text = explain("balance_radius")
    for words in ("formula: τ/2 + √(τ²/4 + ρ / 2λ)", "unit:", "range:", "--readings theory", "lab/readings/theory.py"):
        assert words in text


def test_without_a_name_all_kinds_are_listed():
    text = explain()
    for kind in ("value", "reading", "outcome", "column", "method", "schedule", "task", "model", "figure"):
        assert f"\n{kind}: " in text


def test_a_typo_is_answered_with_the_nearest_names():
    with pytest.raises(SpecError, match="unknown name 'radial_enrgy': did you mean 'radial_energy'"):
        explain("radial_enrgy")
    with pytest.raises(SpecError, match="unknown name 'qqqqqq': See anglewise explain for all names"):
        explain("qqqqqq")


def test_the_verb_prints_a_text_and_a_reference_and_refuses_both(capsys):
    assert main(["explain", "memorised"]) == 0
    assert "memorised (outcome)" in capsys.readouterr().out
    assert main(["explain", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("# What the names mean")
    assert main(["explain", "memorised", "--markdown"]) == 2
    assert "got 'memorised' and --markdown: --markdown writes all names" in capsys.readouterr().err


def test_the_reference_has_every_value_outcome_and_column():
    page = markdown()
    assert all(f"| `{name}` |" in page for name in (*QUANTITIES, *MEANINGS, *COLUMNS))


def test_formulas_lose_their_markup():
    assert plain_math(r":math:`\sqrt{\hat v} + \epsilon`") == "√(v) + ε"
    assert plain_math(r"\frac{\lambda}{2} \langle h, g \rangle") == "(λ)/(2) ⟨h, g⟩"
