"""The benchmarks run, and write what they say; their numbers are not tested here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_engine_benchmark_writes_its_rows(tmp_path):
    out = tmp_path / "bench.json"
    words = [str(ROOT / "benchmarks" / "engine.py"), "--quick", "--only", "a", "--out", str(out)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())
    assert [row["name"][0] for row in rows] == ["a", "a"]
    for row in rows:
        assert set(row) == {"name", "ours_ms", "reference_ms", "ratio", "gemm_share"}
        assert row["ours_ms"] > 0 and row["reference_ms"] > 0 and 0 < row["gemm_share"] < 1.5


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
