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
from anglewise.lab import READING, TRAINING
from anglewise.lab.store import Store

ROOT = Path(__file__).parents[1]
SKIPPED = {".git", ".venv", "build", "runs", "tests"}
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "Makefile", *ROOT.rglob("*.md"), *ROOT.rglob("*.py"), *ROOT.rglob("*.toml")]
    if not SKIPPED & set(path.relative_to(ROOT).parts)
}
FROM_AN_INDEX = re.compile(
    r"(?m)^(?!Once it is on the index, )[^\n]*?(?:pip3?|pipx|uv|poetry|conda) (?:pip )?(?:install|add)\b"
    r"[^\n]*?[\s\"']anglewise\b(?! @)"
)
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
        x for text in TEXTS.values() for x in re.findall(r"(?:^|`)make ([a-z][a-z-]*)(?=`|\n|$|\s+#)", text, flags=re.M)
    ]
    assert "torch" in makes and set(makes) <= TARGETS
    assert {"lab", "torch"} <= TARGETS & set(EXTRAS)  # what `install` names


def test_the_laboratory_asks_for_what_its_extra_brings():
    extra = {re.match(r"[\w-]+", line)[0].replace("-", "_") for line in EXTRAS["lab"]}
    assert {*READING, *TRAINING} == extra


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
        ("from anglewise.lab.runner import train", "anglewise.lab needs jaxtyping, ", "lab"),
        ("from anglewise.lab.store import Reader", "anglewise.lab needs jaxtyping, ", "lab"),
    ],
)
def test_importing_a_part_without_its_libraries_says_what_to_do_in_the_last_line(bare, statement, part, extra):
    done = bare("-c", statement)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith(f"anglewise.errors.MissingError: {part}") and last.endswith(install(extra))


def test_the_command_says_it_in_one_line(bare):
    done = bare("-m", "anglewise.cli.main", "run", "quickstart", "--dry-run")
    assert done.returncode == 2
    assert done.stderr.startswith("anglewise: anglewise.lab needs jaxtyping, ") and done.stderr.count("\n") == 1
    assert bare("-m", "anglewise.cli.main", "--version").stdout.strip() == anglewise.__version__


WITHOUT_JAX = """
import sys, importlib.util
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("jax", "jaxlib", "equinox", "optax", "matfree"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
real = importlib.util.find_spec
def find_spec(name, package=None):
    return None if name in ("jax", "equinox", "optax", "matfree") else real(name, package)
importlib.util.find_spec = find_spec
"""


def without_jax(statement):
    return subprocess.run([sys.executable, "-c", WITHOUT_JAX + statement], capture_output=True, text=True, timeout=60)


def test_a_store_is_read_without_jax(tmp_path):
    with Store.open(tmp_path / "store"):
        pass
    path = str(tmp_path / "store")
    done = without_jax(
        f"from anglewise.lab.store import Reader; print(Reader({path!r}).query('SELECT 1 AS x').to_pylist())"
    )
    assert done.returncode == 0 and done.stdout == "[{'x': 1}]\n", done.stderr


@pytest.mark.parametrize(
    "module", ["runner", "engine.population", "methods.optimizers", "models.mlp", "tasks.modular", "readings.sets"]
)
def test_training_without_jax_says_what_to_do(module):
    done = without_jax(f"import anglewise.lab.{module}")
    wanted = f"anglewise.errors.MissingError: anglewise.lab needs jax, equinox, optax, matfree: {install('lab')}"
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == wanted


def test_the_package_brings_its_templates_styles_and_scripts(tmp_path):
    """A wheel holds what lies in the package's folder and is not ignored: there it must be found."""
    tracked = subprocess.run(["git", "ls-files", "-z", "src"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, tracked.stdout.split("\0")):
        target = tmp_path / Path(name).relative_to("src")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    statement = (
        "from anglewise.lab.report.html import document as d; "
        "e = d.environment(); print(d.__file__, *(e.get_template(name).name for name in e.list_templates())); "
        "print(*(len(d._asset(name)) > 1000 for name in ('page.css', 'page.js')))"
    )
    environment = {"PYTHONPATH": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", statement], capture_output=True, text=True, timeout=60, env=environment
    )
    first, second = done.stdout.splitlines()
    assert first.startswith(str(tmp_path)) and "experiment.html.jinja" in first and second == "True True", done.stderr
