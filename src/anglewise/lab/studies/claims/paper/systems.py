"""Names of the systems that only the paper's tables need; imports no JAX, so that tables can be read without it."""

from __future__ import annotations

MODULI = (97, 137, 211)
"""Of table 6."""
FRACTIONS = (0.6, 0.5, 0.4, 0.3)
"""Training shares of table 6."""


def place_name(p: int, share: float) -> str:
    """The system of a modulus and a training share.

    Example:
        >>> place_name(97, 0.5)
        'mlp, 97 at .5'
    """
    return f"mlp, {p} at {share:g}".replace("0.", ".")
