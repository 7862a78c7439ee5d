"""``anglewise doctor``: what is installed and how fast it is; of a store, whether it is whole."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anglewise.cli.flags import AddVerb, add_json
from anglewise.cli.output import print_json
from anglewise.errors import SpecError, install

if TYPE_CHECKING:
    from anglewise.lab.store.finding import Finding

NEEDED = ("jax", "jaxlib", "equinox", "optax", "numpy", "scipy", "pyarrow", "duckdb")
"""What the laboratory cannot do without."""
LIBRARIES = (*NEEDED, "torch")
LEAST_DISK, LEAST_MEMORY = 2**28, 2**29
"""Bytes below which a small experiment may fail."""


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb("doctor", doctor, "what is installed, and how fast; DIR: is a store whole")
    parser.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="a store to examine")
    parser.add_argument("--on", metavar="PLACE", help="a cluster to examine: ray, ray://HOST:PORT, or slurm")
    parser.add_argument("--mend", action="store_true", help="put right what can be put right without training")
    add_json(parser)


def doctor(arguments: argparse.Namespace) -> int:
    """Examine this machine, a cluster, or a store: 0 if nothing is wrong with it or left to mend, 1 otherwise."""
    if arguments.on is not None:
        if arguments.dir is not None:
            raise SpecError("--on examines a cluster, and DIR a store: give one of them")
        from anglewise.cli.cluster import examine_cluster

        return examine_cluster(arguments)
    if arguments.dir is not None:
        return _examine_store(arguments.dir, mend=arguments.mend, as_json=arguments.json)
    if arguments.mend:
        raise SpecError("--mend mends a store: give its folder, anglewise doctor DIR --mend")
    state = examine()
    if arguments.json:
        print_json("doctor", **state)
    else:
        print("\n".join([*lines(state), "", *verdict(state)]))
    return 0 if state["ready"] else 1


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
        print_json("doctor", **examining.report(root, findings, mended=mend))
    else:
        for finding in findings:
            advice = f"--mend: {finding.advice}" if finding.mend is not None and not mend else finding.advice
            print(plain(f"{finding.path}: {finding.text}. {advice[0].upper()}{advice[1:]}."))
        print("\n".join(_store_verdict(root, findings, mended=mend)))
    return 1 if any(finding.mend is None or not mend for finding in findings) else 0


def _store_verdict(root: Path, findings: Sequence[Finding], *, mended: bool) -> list[str]:
    """Whether the store can be used, and what to do."""
    if not findings:
        return [f"{root}: everything is as it was written"]
    mendable = sum(finding.mend is not None for finding in findings)
    left = len(findings) - mendable * mended
    head = f"{len(findings)} findings"
    if mended and not left:
        return [f"{head}, all put right. The same command again should find nothing."]
    if mendable and not mended:
        rest = f"; the other {len(findings) - mendable} need what their lines say" if mendable < len(findings) else ""
        return [f"{head}. {mendable} can be put right without training: anglewise doctor {root} --mend{rest}"]
    return [f"{head}, {left} left: do what their lines say."]


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
    """Versions, devices and the matrix-product rate as plain values, and whether this is enough, with what to do."""
    from anglewise import __version__

    libraries = {name: _version(name) for name in LIBRARIES}
    devices, peak, problems = [], None, missing(libraries) + place_problems(Path.cwd())
    if libraries["jax"] is not None:
        try:
            devices, peak = _devices(), round(gemm_peak(), 1)
        except RuntimeError as error:  # of JAX: no device, or one that does not answer
            problems.append(
                f"JAX cannot compute: {' '.join(str(error).split())}. Try JAX_PLATFORMS=cpu anglewise doctor"
            )
    if devices and max(device["free_gib"] for device in devices) * 2**30 < LEAST_MEMORY:
        problems.append("less than 0.5 GiB of memory is free: end other programs")
    return {
        "anglewise": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "libraries": libraries,
        "devices": devices,
        "gemm_gflops": peak,
        "ready": not problems,
        "problems": problems,
    }


def missing(libraries: Mapping[str, str | None]) -> list[str]:
    """What lacks among the libraries, and how to get it."""
    away = [name for name in NEEDED if libraries.get(name) is None]
    return [f"not installed: {', '.join(away)}. {install('lab')}"] if away else []


def place_problems(folder: Path) -> list[str]:
    """Why stores could not be written below a folder, and what to do."""
    problems = []
    if not os.access(folder, os.W_OK):
        problems.append(f"{folder} cannot be written to: change to another folder, or give --out DIR")
    elif shutil.disk_usage(folder).free < LEAST_DISK:
        problems.append(f"less than 256 MiB of disk is free in {folder}: make room, or give --out DIR")
    return problems


def verdict(state: Mapping[str, Any]) -> list[str]:
    """Whether experiments can be trained here, and what to do."""
    if not state["ready"]:
        return ["Not ready:", *(f"  {problem}" for problem in state["problems"])]
    kinds = ", ".join(dict.fromkeys(device["kind"] for device in state["devices"]))
    drop_in = (
        "" if state["libraries"].get("torch") else f" The drop-in for PyTorch is not installed: {install('torch')}."
    )
    return [f"Ready: experiments train on {kinds}. Begin with: anglewise run quickstart.{drop_in}"]


def _devices() -> list[dict[str, Any]]:
    import jax

    from anglewise.lab.engine.placement import free_bytes

    return [
        {"kind": d.device_kind, "platform": d.platform, "free_gib": round(free_bytes(d) / 2**30, 1)}
        for d in jax.devices()
    ]


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
    ]
    if state["gemm_gflops"] is not None:
        rows.append(("speed", f"{state['gemm_gflops']:.0f} GFLOP/s, a float32 matrix product of 1024 x 1024"))
    return [f"{name:12} {value}" for name, value in rows]
