"""Names that the paper's tables need; imports no JAX, so that tables can be read without it."""

from __future__ import annotations

MODULI = (97, 137, 211)
"""Of table 6."""
FRACTIONS = (0.6, 0.5, 0.4, 0.3)
"""Training shares of table 6."""
PROBES = 500
"""Of the Hessian's trace, in the runs of table 8."""
WEAK, STRONG = "decay .001", "decay .1"
PENALTY = f"{WEAK} + penalty"
GPT, GPT_PLAIN, GPT_PENALTY = "gpt", "AdamW", "AdamW + penalty"
"""The system of claim C07 and its arms."""
TAXONOMY = {
    "LayerNorm": f"{WEAK} + LayerNorm", "MAN": f"{WEAK} + MAN .15", "hard sphere": f"{WEAK} + projection",
    "spectral norm": f"{WEAK} + spectral norm", "perpGrad": f"{WEAK} + perpGrad",
}  # fmt: skip
"""Arms of table 5 that no claim trains, by the paper's word."""


def place_name(p: int, share: float) -> str:
    """The system of a modulus and a training share.

    Example:
        >>> place_name(97, 0.5)
        'mlp, 97 at .5'
    """
    return f"mlp, {p} at {share:g}".replace("0.", ".")
