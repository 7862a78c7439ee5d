"""A public name is imported when it is first used, and the stub is the one list of them."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import anglewise
from anglewise.lab import catalogue
from anglewise.lazy import attach, public_names

MODULES = ("anglewise", "anglewise.lab", "anglewise.torch")
HEAVY = {"jax", "numpy", "torch", "pyarrow", "duckdb", "rich", "matplotlib", "scipy"}
SECONDS = 0.3


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_laboratory_is_immediate_and_brings_nothing_heavy():
    code = (
        "import sys, time; begun = time.process_time(); import anglewise.lab as lab; dir(lab); "
        f"print(time.process_time() - begun, *{HEAVY} & set(sys.modules))"
    )
    seconds, *heavy = min((python(code).split() for _ in range(3)), key=lambda words: float(words[0]))
    assert heavy == [] and float(seconds) < SECONDS


def test_what_reads_a_store_needs_no_jax():
    names = "Reader, open_results, ExperimentResults, SpecError, StoreError, Experiment, Arm, Training, Outcome"
    assert python(f"import sys; from anglewise.lab import {names}; print('jax' in sys.modules)") == "False"


def test_control_what_trains_brings_jax():
    assert python("import sys; from anglewise.lab import AdamW; print('jax' in sys.modules)") == "True"


@pytest.mark.parametrize("module", MODULES)
def test_every_name_is_there_and_listed(module):
    package = import_module(module)
    assert package.__all__ == sorted(public_names(Path(str(package.__file__)).with_suffix(".pyi")))
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert [name for name in dir(package) if not name.startswith("__")] == package.__all__


def test_whatever_has_a_name_in_the_catalogue_is_public():
    named = {cls for kinds in (catalogue.TASKS, catalogue.MODELS, catalogue.METHODS, catalogue.SCHEDULES)
             for cls in kinds.values()}  # fmt: skip
    lab = import_module("anglewise.lab")
    assert [cls for cls in named if getattr(lab, cls.__name__, None) is not cls] == []


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        ("anglewise", "radios", "module 'anglewise' has no attribute 'radios': did you mean 'radius'?"),
        ("anglewise.lab", "Experimnet", "module 'anglewise.lab' has no attribute 'Experimnet': did you mean 'Experim"),
        (
            "anglewise.torch",
            "RadialSupression",
            "'RadialSupression': did you mean 'RadialSuppression'",
        ),
        ("anglewise.lab", "zzzzzz", "module 'anglewise.lab' has no attribute 'zzzzzz': see dir(anglewise.lab)"),
    ],
)
def test_a_typo_gets_the_nearest_name(module, name, message):
    with pytest.raises(AttributeError) as error:
        getattr(import_module(module), name)
    assert message in str(error.value) and error.value.name == name


def test_names_of_a_star_are_those_that_its_module_imports_as_themselves(tmp_path):
    stub = Path(anglewise.__file__).parent / "lab" / "__init__.pyi"
    assert public_names(stub)["AdamW"] == "anglewise.lab.methods.optimizers"
    (tmp_path / "__init__.pyi").write_text(
        "from a.b import C as C\nfrom a.b import D\nfrom a.b import E as F\nimport os\nx: int"
    )
    assert public_names(tmp_path / "__init__.pyi") == {"C": "a.b"}


def test_a_name_is_looked_up_once(tmp_path):
    (tmp_path / "__init__.pyi").write_text("from math import pi as pi")
    namespace = {"__name__": "mine", "__file__": str(tmp_path / "__init__.py")}
    load, names, listed = attach(namespace)
    assert listed == ["pi"] and "pi" in names() and "pi" not in namespace
    assert load("pi") == namespace["pi"] == 3.141592653589793
