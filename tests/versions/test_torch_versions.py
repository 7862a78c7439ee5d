"""The oldest and the newest PyTorch that the drop-in promises, each in an environment of its own.

Outside the ordinary run, since an environment holds five gigabytes and takes minutes:

    ANGLEWISE_TORCH_VERSIONS=1 pytest tests/versions

makes ``build/torch-VERSION`` where it does not exist yet.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLDEST, NEWEST = "2.6.0", "2.14.1"
ASKED = os.environ.get("ANGLEWISE_TORCH_VERSIONS")


def test_the_oldest_is_the_one_that_is_promised():
    promised = re.search(r'^torch = \["torch>=(.*)"\]$', (ROOT / "pyproject.toml").read_text(), flags=re.M)
    assert promised is not None and OLDEST.startswith(promised[1])


@pytest.mark.slow
@pytest.mark.skipif(not ASKED, reason="asked for by ANGLEWISE_TORCH_VERSIONS=1")
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_the_drop_in_passes_its_tests_on(version):
    home = ROOT / "build" / f"torch-{version}"
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        packages = [f"torch=={version}", "numpy", "array-api-compat", "pytest"]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
    tests = [str(path) for path in sorted((ROOT / "tests/torch").glob("test_*.py"))]
    tests = [path for path in tests if Path(path).name != "test_import.py"]
    # the releases warn about themselves, each in its own way
    command = [str(python), "-m", "pytest", "-q", "--confcutdir", "tests/torch", "-o", "filterwarnings=default"]
    done = subprocess.run(
        [*command, *tests, "tests/torch/methods"], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
