"""``anglewise doctor``: what is installed and how fast it is; of a store, whether it is whole."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

from anglewise.cli.flags import AddVerb
from anglewise.errors import SpecError

LIBRARIES = ("jax", "jaxlib", "equinox", "optax", "numpy", "scipy", "pyarrow", "duckdb", "torch")


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb("doctor", doctor, "what is installed and how fast it is; with DIR: whether a store is whole")
    parser.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="a store to examine")
    parser.add_argument("--mend", action="store_true", help="put right what can be put right without training")
    parser.add_argument("--json", action="store_true", help="machine-readable")


def doctor(arguments: argparse.Namespace) -> int:
    """Examine this machine, or a store: 0 if nothing is wrong with it or left to mend, 1 otherwise."""
    if arguments.dir is not None:
        return _examine_store(arguments.dir, mend=arguments.mend, as_json=arguments.json)
    if arguments.mend:
        raise SpecError("--mend mends a store: give its folder, anglewise doctor DIR --mend")
    state = examine()
    print(json.dumps(state, indent=2) if arguments.json else "\n".join(lines(state)))
    return 0


def _examine_store(root: Path, *, mend: bool, as_json: bool) -> int:
    from anglewise.lab.report.format import plain
    from anglewise.lab.store import examine as examining
    from anglewise.lab.store.lock import locked

    with locked(root):
        findings = examining.examine(root)
        for finding in findings if mend else ():
            if finding.mend is not None:
                finding.mend()
    if as_json:
        print(json.dumps(examining.report(root, findings, mended=mend), indent=2))
    else:
        for finding in findings:
            advice = f"--mend: {finding.advice}" if finding.mend is not None and not mend else finding.advice
            print(plain(f"{finding.path}: {finding.text}. {advice[0].upper()}{advice[1:]}."))
        print(f"{len(findings)} findings" if findings else f"{root}: everything is as it was written")
    return 1 if any(finding.mend is None or not mend for finding in findings) else 0


def gemm_peak(n: int = 1024, seconds: float = 0.5) -> float:
    """Best rate of a float32 n x n matrix product on the first device within some seconds, in GFLOP/s."""
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

    return {
        "anglewise": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "devices": [
            {"kind": d.device_kind, "platform": d.platform, "free_gib": round(free_bytes(d) / 2**30, 1)}
            for d in jax.devices()
        ],
        "gemm_gflops": round(gemm_peak(), 1),
    }


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def lines(state: dict[str, Any]) -> list[str]:
    """The state of the machine as lines of text."""
    rows = [
        ("anglewise", state["anglewise"]),
        ("python", f"{state['python']} on {state['platform']}, {state['cores']} cores"),
        *((name, version or "not installed") for name, version in state["libraries"].items()),
        *(("device", f"{d['kind']} ({d['platform']}), {d['free_gib']} GiB to plan with") for d in state["devices"]),
        ("GEMM peak", f"{state['gemm_gflops']:.0f} GFLOP/s in float32 (1024 x 1024)"),
    ]
    return [f"{name:12} {value}" for name, value in rows]
