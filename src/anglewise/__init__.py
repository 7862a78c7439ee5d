"""anglewise: networks that learn by angle, not by radius.

This package is the geometry alone, for NumPy, PyTorch and JAX arrays alike.  ``anglewise.torch`` adds it to
anybody's PyTorch loop; ``anglewise.lab`` trains many runs at once and compares methods fairly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


def __getattr__(name: str) -> Any:
    """The public names, imported when first used: the command line answers before NumPy is there."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    homes = {"AnglewiseError": "errors", "radial_penalty": "penalty"}
    value = getattr(import_module(f"{__name__}.{homes.get(name, 'geometry')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
