"""Laws are examined on programs in which a product and a sum are never contracted.

XLA may fuse them into one instruction with one rounding (FMA), also across the border between a method that does
nothing and the one behind it.  "To the bit" is a law about the mathematics of a method; what the compiler rounds
differently at the last bit is not its doing, so it is not asked to: an optimised program on a processor with FMA may
differ there in the last bit.
"""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="module")
def examined_uncontracted(uncontracted):
    """All laws."""
