"""Every value that readings write has a definition, and none is left over from a value that is gone."""

from __future__ import annotations

import fnmatch
import functools

import jax
import pytest

from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Compiled
from anglewise.lab.methods.controls import RadiusClamp
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.readings.quantities import DRAWINGS, QUANTITIES, THEMES, drawing, markdown, meaning
from anglewise.lab.readings.radii import Radii
from anglewise.lab.readings.sets import READINGS
from anglewise.lab.spec import Arm, Run, Training
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.parity import Parity

CASES = {
    "pairs": (Modular(p=7, train=0.5), MLP(hidden=(12, 10), embedding=6)),
    "sequences": (Modular(p=5, train=0.5, form="a b ="), Transformer(layers=2, width=8, heads=2)),
    "parity": (Parity(bits=6, secret=2, train=24, test=16), MLP(hidden=(8,))),
}
METHODS = (AdamW(), RadialPenalty(0.3, 0.7), RadiusClamp())


@functools.cache
def written() -> frozenset[tuple[str, str, int]]:
    """All values by reading, name and number of axes: what readings would write, without computing it."""
    shapes = set()
    for task, model in CASES.values():
        run = Run("names", task, model, Arm("arm", METHODS), Training(budget=4, every=1, measure_every=2), 0)
        suiting = {name: reading for name, reading in READINGS.items() if reading.suits(task, model)}
        population = Population([run], Compiled(run, Placement(False, 0, 4), tuple(suiting.values()), (Radii(),)))
        population.begin()
        compiled, of = population.compiled, (population.member, population.state, population.past)
        values = {"radii-always": jax.eval_shape(compiled.program.evaluate, *of[:2])["readings"]}
        for name, reading in suiting.items():
            with jax.enable_x64(reading.precision == "float64"):
                values[name] = jax.eval_shape(compiled._measure((reading,), reading.precision), *of)
        shapes |= {(name, key[1], len(x.shape)) for name, by_key in values.items() for key, x in by_key.items()}
    return frozenset(shapes)


def test_every_value_that_is_written_has_a_whole_definition():
    assert len({name for _, name, _ in written()}) > 140
    for reading, name, rank in sorted(written()):
        about = meaning(name)
        assert about.theme in THEMES[:-1], name
        assert all((about.title, about.text, about.read, about.unit, about.range, about.source)), name
        assert about.reading == reading or name == "fourier_max", (name, about.reading, reading)
        assert (about.kind is not None) == (rank > 0), name
        assert rank == 0 or drawing(name, rank) is not None, name


def test_no_definition_is_of_a_value_that_nothing_writes():
    names = {name for _, name, _ in written()}
    assert {pattern for pattern in QUANTITIES if not fnmatch.filter(names, pattern)} == set()


def test_control_a_value_without_a_definition_is_seen():
    assert meaning("never_heard_of").theme == "Other" and not meaning("never_heard_of").read


@pytest.mark.parametrize("name", QUANTITIES)
def test_definitions_are_sentences_of_at_most_thirty_words(name):
    about = QUANTITIES[name]
    for text in (about.text, about.read):
        assert text[0] == text[0].upper() and text.endswith("."), text
        assert all(len(sentence.split()) <= 30 for sentence in text.split(". ")), text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("test_radius", "On test examples. Mean length"),
        ("hessian_trace_se_total", "For the total loss, penalties included. Standard error of: Trace"),
        ("preconditioned_sharpness_error", "Bound on the error of: Largest eigenvalue"),
        ("angular_gradient_x0.5", "multiplied by this factor"),
        ("match_radius_wanted", "was to match"),
    ],
)
def test_a_value_that_is_made_of_another_is_explained_by_it(name, words):
    assert words in meaning(name).text


def test_a_standard_error_keeps_the_unit_and_has_no_line_of_the_value():
    assert meaning("radial_energy_se").lines == () and meaning("radial_energy").lines == (1.0,)
    assert meaning("hessian_trace_se").unit == meaning("hessian_trace").unit


def test_the_page_has_every_value_and_every_array_a_way_to_be_drawn():
    page = markdown()
    assert all(f"| `{name}` |" in page for name in QUANTITIES)
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {7}
    assert {name for name, about in QUANTITIES.items() if about.kind} == set(DRAWINGS)
