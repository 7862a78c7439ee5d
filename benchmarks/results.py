"""What a run of the benchmarks is worth keeping: the machine, how busy it was, versions, commit, and the rows.

``SCHEMA`` changes when a field does.  A history holds one file per run and machine kind, so that numbers are only ever
compared with those of the same kind of machine.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import platform
import re
import resource
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from anglewise.files import put
from anglewise.lab.store import collect

SCHEMA = 1
LIBRARIES = ("anglewise", "jax", "jaxlib", "optax", "equinox", "numpy", "pyarrow", "duckdb", "torch")
HISTORY = Path(__file__).parent / "history"
BUSY = 0.05
"""Share of the processors that others may take before a run is marked as disturbed."""


@functools.cache
def gemm() -> float:
    """Best rate of a float32 matrix product on the first device, in GFLOP/s; measured once."""
    from anglewise.cli.doctor import gemm_peak

    return gemm_peak(seconds=2.0)


class Machine:
    """The machine while benchmarks run on it: what it is, and how much of it others take meanwhile."""

    def __init__(self) -> None:
        self.begun = datetime.datetime.now(datetime.UTC)
        self.load, self.at = os.getloadavg()[0], (_busy(), _own())

    def facts(self) -> dict[str, Any]:
        """As JSON values, at the end of the run."""
        import jax

        origin = collect(None, "", "float32")
        device, cores = jax.devices()[0], origin["cores"] or 1
        kind = origin["cpu"] if device.platform == "cpu" else str(device.device_kind)
        seconds = (datetime.datetime.now(datetime.UTC) - self.begun).total_seconds()
        others = _others(self.at, (_busy(), _own()), seconds, os.cpu_count() or 1)
        return {
            "kind": slug(f"{kind} {cores} cores"),
            "cpu": origin["cpu"],
            "cores": cores,
            "device": str(device.device_kind),
            "platform": platform.platform(),
            "gemm_gflops": round(gemm(), 1),
            "load_before": round(self.load, 2),
            "taken_by_others": None if others is None else round(others, 3),
            "quiet": others is not None and others <= BUSY,
        }


def whole(machine: Machine, rows: Sequence[Mapping[str, Any]], *, quick: bool) -> dict[str, Any]:
    """Everything that a run of the benchmarks has found."""
    origin = collect(None, "", "float32")
    commit = (origin["git_commit"] or "unknown") + ("-dirty" if origin["git_dirty"] else "")
    return {
        "schema": SCHEMA,
        "date": machine.begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": commit,
        "quick": quick,
        "machine": machine.facts(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in LIBRARIES},
        "seconds": round((datetime.datetime.now(datetime.UTC) - machine.begun).total_seconds(), 1),
        "rows": list(rows),
    }


def write(result: Mapping[str, Any], path: Path) -> Path:
    """Write a result as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path, (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())
    return path


def history_path(result: Mapping[str, Any]) -> Path:
    """Where a result stands in the history: ``KIND/DATE-COMMIT.json``, a quick one with ``-quick`` behind it."""
    commit, _, dirty = result["commit"].partition("-")
    name = f"{result['date'][:10]}-{commit[:8]}" + ("-dirty" if dirty else "") + ("-quick" if result["quick"] else "")
    return HISTORY / result["machine"]["kind"] / f"{name}.json"


def slug(text: str) -> str:
    """A name for a folder.

    Example:
        >>> slug("AMD EPYC 7B13 (2 cores)")
        'amd-epyc-7b13-2-cores'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _busy(file: Path = Path("/proc/stat")) -> float | None:
    """Processor seconds that the machine has spent on anybody's work so far; None where it does not say."""
    try:
        words = file.read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, steal = (int(word) for word in words[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Processor seconds of this process and of those that it has started and waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _others(
    before: tuple[float | None, float], after: tuple[float | None, float], seconds: float, cores: int
) -> float | None:
    """Share of the processors that others took between two moments.

    Example:
        >>> _others((100.0, 10.0), (130.0, 30.0), 10.0, 2)
        0.5
    """
    if before[0] is None or after[0] is None or seconds <= 0:
        return None
    return max(0.0, (after[0] - before[0]) - (after[1] - before[1])) / (seconds * cores)
