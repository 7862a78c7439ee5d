"""The benchmarks run, and write what they say; their numbers are not tested here."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp

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


def test_the_profile_knows_a_product_by_its_shape_and_an_optimiser_by_its_name():
    spec = importlib.util.spec_from_file_location("profiling", ROOT / "benchmarks" / "profiling.py")
    profiling = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(profiling)

    def step(x, w):
        y = x @ w
        with jax.named_scope("optimiser"):
            return w - 0.1 * jnp.sin(w) * (x.T @ y)

    text = jax.jit(step).lower(jnp.ones((64, 32)), jnp.ones((32, 48))).compile().as_text()
    found = profiling.operations(text).values()
    products = {(o.detail, o.flops) for o in found if o.part == "products"}
    assert ("x w   64 x 32 x 48", 2.0 * 64 * 32 * 48) in products and len(products) == 2
    assert any(o.part == "optimiser" for o in found)
    assert not any(o.part.startswith("evaluation") for o in found)
