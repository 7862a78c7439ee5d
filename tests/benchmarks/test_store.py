"""The benchmark of large stores runs, and prints what it says; its numbers are not tested here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_store_benchmark_prints_its_numbers(tmp_path):
    words = [str(ROOT / "benchmarks" / "store.py"), "--runs", "6", "--arms", "3", "--members", "4", "--rounds", "1"]
    only = "size,compact,packed,query,plan,append"
    done = subprocess.run(
        [sys.executable, *words, "--only", only, "--at", str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    numbers = json.loads(done.stdout)
    assert numbers["size"]["files"] > numbers["packed"]["files"] > 0
    assert numbers["query"]["median"] > 0 and numbers["plan"]["median"] > 0
    assert len(numbers["append"]["segment"]) == 6
