"""anglewise: networks that learn by angle, not by radius.

This package is the geometry alone, for NumPy, PyTorch and JAX arrays alike.  ``anglewise.torch`` adds it to
anybody's PyTorch loop; ``anglewise.lab`` trains many runs at once and compares methods fairly.
"""

from anglewise.errors import AnglewiseError
from anglewise.geometry import (
    RadialSplit,
    direction,
    effective_rank,
    radial_energy,
    radius,
    split,
    stable_rank,
)
from anglewise.penalty import radial_penalty

__all__ = [
    "AnglewiseError",
    "RadialSplit",
    "direction",
    "effective_rank",
    "radial_energy",
    "radial_penalty",
    "radius",
    "split",
    "stable_rank",
]
__version__ = "0.1.0"
