"""What the step counts: right answers, and their share."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from anglewise.lab.engine.step import share


@pytest.mark.parametrize("n", [4656, 5107, 7662, 12769])
def test_all_right_is_an_accuracy_of_exactly_1(n):
    """Compiled, since compilers turn the division by a constant into a product; without the guard 7662 fails."""

    def of_all(right):
        return share(jnp.sum(right), n, jnp.float32)

    assert jax.jit(of_all)(jnp.ones(n, bool)) == 1
    assert jax.jit(of_all)(jnp.ones(n, bool).at[3].set(False)) == pytest.approx(1 - 1 / n, abs=1e-7)
