"""Keyed random streams: what a seed gives depends on the seed and the purpose alone.

Arms at equal seed share initial weights, split and batch order because none of these streams knows the arm.
"""

from __future__ import annotations

import zlib

import jax
from jaxtyping import PRNGKeyArray


def stream(seed: int, purpose: str) -> PRNGKeyArray:
    """The key of one purpose, for instance ``"init"``, ``"split"``, ``"batch"``, ``"noise"``.

    Args:
        seed: The run's seed, from 0 to 2^32 - 1.
        purpose: Any text; different texts give independent streams.
    """
    return jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), zlib.crc32(purpose.encode()))
