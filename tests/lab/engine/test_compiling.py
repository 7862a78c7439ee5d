"""Seconds of compiling are counted once, also where pieces lie within one another."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from anglewise.lab.engine.compiling import Covered, seconds_compiling


def covered(*pieces):
    """Pieces as (end, seconds), told in the order of their ends."""
    now = [0.0]
    some = Covered(lambda: now[0])
    for end, seconds in pieces:
        now[0] = end
        some.add(seconds)
    return some.seconds


def test_pieces_within_one_another_count_once():
    assert covered((2.0, 1.0), (5.0, 2.0)) == pytest.approx(3.0)
    assert covered((2.0, 1.0), (4.0, 1.0), (5.0, 5.0)) == pytest.approx(5.0)
    assert covered((2.0, 2.0), (3.0, 2.0)) == pytest.approx(3.0)


def test_a_long_list_of_pieces_is_kept_short_and_whole():
    assert covered(*((float(i), 0.5) for i in range(1, 1001))) == pytest.approx(500.0)


def test_compiling_is_heard_and_running_is_not(programs_of_their_own):
    start = seconds_compiling()
    double = jax.jit(lambda x: jnp.sin(2 * x) + 0.123456)
    double(jnp.ones(7)).block_until_ready()
    after = seconds_compiling()
    assert after > start
    double(jnp.ones(7)).block_until_ready()
    assert seconds_compiling() == after
