"""The laboratory: trains many runs at once, compares methods fairly, shows what the networks did while they learned."""

import os

# LAPACK's threads busy-wait against XLA's: a 1024 x 200 SVD took 16 ms with one thread and up to 3.5 s with two.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
