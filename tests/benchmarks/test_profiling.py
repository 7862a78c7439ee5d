"""The profile of a step says what each operation is."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp

ROOT = Path(__file__).parents[2]


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
