"""What is said about installing is true: from a clone, by targets and extras that exist, and in one line."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import array_api_compat
import numpy
import pytest

import anglewise
from anglewise.errors import AnglewiseError, install, missing
from anglewise.lab import LIBRARIES

ROOT = Path(__file__).parents[1]
SKIPPED = {".git", ".venv", "build", "runs", "tests"}
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "Makefile", *ROOT.rglob("*.md"), *ROOT.rglob("*.py"), *ROOT.rglob("*.toml")]
    if not SKIPPED & set(path.relative_to(ROOT).parts)
}
FROM_AN_INDEX = re.compile(r"(?:pip3?|pipx|uv|poetry|conda) (?:pip )?(?:install|add)\b[^\n]*?[\s\"']anglewise\b(?! @)")
EXTRAS = tomllib.loads(TEXTS["pyproject.toml"])["project"]["optional-dependencies"]
TARGETS = set(re.findall(r"^([a-z-]+):", TEXTS["Makefile"], flags=re.M))


def test_no_text_promises_that_an_index_has_it():
    assert {name: found for name, text in TEXTS.items() if (found := FROM_AN_INDEX.findall(text))} == {}


@pytest.mark.parametrize(
    "line",
    ['pip install "anglewise[torch]"', "pip install anglewise", "uv add anglewise", "pip install -U 'anglewise[lab]'"],
)
def test_control_a_promise_is_seen(line):
    assert FROM_AN_INDEX.search(line)


@pytest.mark.parametrize("line", ["pip install -e '.[torch]'", "anglewise query 'x'", "pip install torch"])
def test_control_an_install_from_a_clone_is_none(line):
    assert not FROM_AN_INDEX.search(line)


def test_extras_and_targets_that_are_named_exist():
    named = [
        x for text in TEXTS.values() for found in re.findall(r"'?\.\[([\w,]+)\]'?", text) for x in found.split(",")
    ]
    assert "torch" in named and set(named) <= set(EXTRAS)
    makes = [
        x for text in TEXTS.values() for x in re.findall(r"(?:^|`)make ([a-z][a-z-]*)(?=`|\s|$)", text, flags=re.M)
    ]
    assert "torch" in makes and set(makes) <= TARGETS
    assert {"lab", "torch"} <= TARGETS & set(EXTRAS)  # what `install` names


def test_the_laboratory_asks_for_what_its_extra_brings():
    assert sorted(LIBRARIES) == sorted(re.match(r"[\w-]+", line)[0] for line in EXTRAS["lab"])


def test_a_missing_library_is_an_error_of_ours_and_an_import_error():
    error = missing("anglewise.torch", "torch", ["numpy", "no_such_library"])
    assert str(error) == f"anglewise.torch needs no_such_library: {install('torch')}"
    assert isinstance(error, AnglewiseError) and isinstance(error, ImportError) and error.name == "no_such_library"
    assert missing("anglewise.torch", "torch", ["numpy"]) is None


@pytest.fixture
def bare(tmp_path):
    """Python with anglewise and what it always needs, and no extra."""
    for package in (numpy, array_api_compat):
        folder = Path(package.__file__).parent
        for part in (folder, folder.with_name(f"{folder.name}.libs")):
            if part.exists():
                (tmp_path / part.name).symlink_to(part)

    def run(*words):
        path = f"{Path(anglewise.__file__).parents[1]}:{tmp_path}"
        environment = {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, "-S", *words], capture_output=True, text=True, timeout=60, env=environment
        )

    return run


def test_control_the_geometry_needs_no_extra(bare):
    done = bare("-c", "import numpy, anglewise; print(anglewise.radius(numpy.array([3.0, 4.0])))")
    assert done.returncode == 0 and done.stdout == "5.0\n", done.stderr


@pytest.mark.parametrize(
    ("statement", "part", "extra"),
    [
        ("import anglewise.torch", "anglewise.torch needs torch", "torch"),
        ("from anglewise.torch import RadialSuppression", "anglewise.torch needs torch", "torch"),
        ("from anglewise.torch.lightning import RadialLightningMixin", "anglewise.torch needs torch", "torch"),
        ("from anglewise.lab.runner import train", "anglewise.lab needs jax, ", "lab"),
        ("from anglewise.lab.store import Reader", "anglewise.lab needs jax, ", "lab"),
    ],
)
def test_importing_a_part_without_its_libraries_says_what_to_do_in_the_last_line(bare, statement, part, extra):
    done = bare("-c", statement)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith(f"anglewise.errors.MissingError: {part}") and last.endswith(install(extra))


def test_the_command_says_it_in_one_line(bare):
    done = bare("-m", "anglewise.cli", "list", "tasks")
    assert done.returncode == 2
    assert done.stderr.startswith("anglewise: anglewise.lab needs jax, ") and done.stderr.count("\n") == 1
    assert bare("-m", "anglewise.cli", "--version").stdout.strip() == anglewise.__version__
