"""The laboratory: trains many runs at once, compares methods fairly, shows what the networks did while they learned.

The public names stand in ``__init__.pyi``; each is imported when it is first used.
"""

import os
from collections.abc import Iterable

from anglewise.errors import missing
from anglewise.lazy import attach

READING = ("jaxtyping", "scipy", "pyarrow", "duckdb", "safetensors", "matplotlib", "rich", "jinja2")
"""What reading a store needs: a laptop without JAX can show what an accelerator trained."""
TRAINING = ("jax", "equinox", "optax", "matfree", "tomli_w", "loky", "platformdirs", "filelock")
"""What training needs besides; with the above, what the extra `lab` brings."""


def require(libraries: Iterable[str]) -> None:
    """Raise one line that says what to do where libraries are not installed.

    Raises:
        MissingError: If one is not.
    """
    if error := missing("anglewise.lab", "lab", libraries):
        raise error


require(READING)

# LAPACK's threads busy-wait against XLA's: a 1024 x 200 SVD took 16 ms with one thread and up to 3.5 s with two.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__getattr__, __dir__, __all__ = attach(globals())
