"""The laboratory: trains many runs at once, compares methods fairly, shows what the networks did while they learned."""

import os

from anglewise.errors import missing

LIBRARIES = (
    "jax", "equinox", "optax", "matfree", "jaxtyping", "scipy", "pyarrow", "duckdb", "safetensors", "plotly",
    "matplotlib", "rich",
)  # fmt: skip
"""What the extra `lab` brings."""
if error := missing("anglewise.lab", "lab", LIBRARIES):
    raise error

# LAPACK's threads busy-wait against XLA's: a 1024 x 200 SVD took 16 ms with one thread and up to 3.5 s with two.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
