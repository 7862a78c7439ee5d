"""Every example runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALLEST = {
    "1_add_to_your_loop.py": ["--p", "7", "--seeds", "2", "--steps", "8"],
    "gpt.py": ["--size", "toy", "--device", "cpu", "--suppression", "0.01", "--out", "out"],
}


def run(script: Path, *arguments: str, cwd: Path) -> str:
    command = [sys.executable, "-W", "error", str(script), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_every_example_runs_as_shown(script: Path, tmp_path: Path) -> None:
    assert run(script, *SMALLEST.get(script.name, []), cwd=tmp_path)
