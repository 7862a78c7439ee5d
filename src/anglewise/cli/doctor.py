"""What is installed, which devices there are, and the matrix-product rate that everything else is held against."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from typing import Any

LIBRARIES = ("jax", "jaxlib", "equinox", "optax", "numpy", "scipy", "pyarrow", "duckdb", "plotly", "torch")


def gemm_peak(n: int = 1024, seconds: float = 0.5) -> float:
    """Best rate of a float32 n x n matrix product on the first device, in GFLOP/s.

    Args:
        n: Rows and columns.
        seconds: How long to try; the best of all tries counts.
    """
    import jax
    import jax.numpy as jnp

    product = jax.jit(lambda a, b: a @ b)
    with jax.default_matmul_precision("highest"):
        a = jnp.sin(jnp.arange(n * n, dtype=jnp.float32)).reshape(n, n)
        product(a, a).block_until_ready()
        best, end = float("inf"), time.perf_counter() + seconds
        while time.perf_counter() < end:
            begun = time.perf_counter()
            product(a, a).block_until_ready()
            best = min(best, time.perf_counter() - begun)
    return 2 * n**3 / best / 1e9


def examine() -> dict[str, Any]:
    """Versions, devices and the matrix-product rate, as plain values."""
    import jax

    from anglewise import __version__
    from anglewise.lab.engine.placement import free_bytes

    def version(name: str) -> str | None:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None

    return {
        "anglewise": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "devices": [
            {"kind": d.device_kind, "platform": d.platform, "free_gib": round(free_bytes(d) / 2**30, 1)}
            for d in jax.devices()
        ],
        "gemm_gflops": round(gemm_peak(), 1),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The findings for a person."""
    rows = [
        ("anglewise", found["anglewise"]),
        ("python", f"{found['python']} on {found['platform']}, {found['cores']} cores"),
        *((name, version or "not installed") for name, version in found["libraries"].items()),
        *(("device", f"{d['kind']} ({d['platform']}), {d['free_gib']} GiB to plan with") for d in found["devices"]),
        ("GEMM peak", f"{found['gemm_gflops']:.0f} GFLOP/s in float32 (1024 x 1024)"),
    ]
    return [f"{name:12} {value}" for name, value in rows]
