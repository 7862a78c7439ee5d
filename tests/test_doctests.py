"""Every example in a docstring runs and shows what it says."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import anglewise
import anglewise.torch

ROOT = Path(anglewise.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
WITH_EXAMPLES = [path for path in FILES if ">>>" in path.read_text(encoding="utf-8")]


def module_of(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))


def test_there_are_examples():
    assert len(FILES) > 30 and len(WITH_EXAMPLES) >= 3
    assert {ROOT / "geometry.py", ROOT / "penalty.py", ROOT / "errors.py"} <= set(WITH_EXAMPLES)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_example_runs(path):
    result = doctest.testmod(module_of(path))
    assert result.failed == 0 and result.attempted > 0


@pytest.mark.parametrize("package", [anglewise, anglewise.torch], ids=lambda package: package.__name__)
def test_every_public_function_has_an_example(package):
    public = {name: getattr(package, name) for name in package.__all__}
    functions = {name: value for name, value in public.items() if not isinstance(value, type)}
    assert functions and [name for name, value in functions.items() if ">>>" not in value.__doc__] == []


def test_control_a_wrong_example_is_seen():
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(wrong, out=lambda text: None).failed == 1
