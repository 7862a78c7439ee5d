"""Laws are examined on programs in which a product and a sum are never contracted.

XLA may fuse them into one instruction with one rounding (FMA), also across the border between a method that does
nothing and the one behind it.  "To the bit" is a law about the mathematics of a method; what the compiler rounds
differently at the last bit is not its doing, so it is not asked to: an optimised program on a processor with FMA may
differ there in the last bit.
"""

from __future__ import annotations

import jax
import pytest


@pytest.fixture(autouse=True, scope="package")
def uncontracted():
    """No contraction while the laws are examined, whatever the environment says."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
