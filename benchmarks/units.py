"""What one unit costs beside its training: in this process, in processes of this machine, on Ray, through SLURM.

Every run trains 4 steps of a tiny network, so nearly all that passes is overhead: handing out, planning, compiling
once in each process, writing rows, taking back.  Each way is timed at two sizes; the slope between them is the time of
one more unit, the rest is what beginning costs.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

from anglewise.errors import AnglewiseError
from anglewise.lab.execution.places import Place
from anglewise.lab.execution.processes import Processes
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.models.mlp import MLP
from anglewise.lab.report.progress import Silent
from anglewise.lab.runner import train
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.store import Store
from anglewise.lab.tasks.modular import Modular
from benchmarks.cases import Case, Opened, Speed
from benchmarks.timing import Measure

SLOTS = 2


def experiment(runs: int) -> Experiment:
    """So many runs that train nearly nothing."""
    arm = Arm("plain", (AdamW(lr=0.01, wd=0.1),))
    training = Training(budget=4, every=4, measure_every=0)
    return Experiment("overhead", Modular(p=11, train=0.5), MLP(hidden=(16,)), (arm,), training, seeds=runs)


class Nothing:
    """Workers that have ended at once and did nothing: what is left is the driver's own time."""

    slots = ahead = 64
    members, threads, place = 1, 1, "nowhere"

    def send(self, root, unit, session):
        future: Future[bool] = Future()
        future.set_result(True)
        return future

    def kill(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def workers(way: str):
    """The workers of a way, ready to begin."""
    if way == "one":
        return contextlib.nullcontext()
    if way == "jobs":
        return Processes(SLOTS)
    if way == "driver":
        return Nothing()
    if way in ("ray", "away"):
        from anglewise.lab.execution.ray import Ray

        return Ray(jobs=SLOTS, shared=None if way == "ray" else False)
    return Place(way).workers(SLOTS)


def seconds(way: str, runs: int) -> float:
    """From nothing to all runs in a new store."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        with workers(way) as them, Store.open(Path(folder) / "store") as store:
            train(experiment(runs), store, Silent(), provenance={}, readings=(), keep=False, workers=them)
            return time.perf_counter() - begun


def slope(way: str, few: int, many: int) -> dict[str, float]:
    """Milliseconds of one more unit, and seconds to begin."""
    short, long = seconds(way, few), seconds(way, many)
    each = (long - short) / (many - few)
    return {"each": 1000 * each, "to begin, s": short - few * each}


def cases(speed: Speed) -> Iterator[Case]:
    """Every way that there is here; when quick, this process and processes."""
    ways = {"one process": "one", f"{SLOTS} processes": "jobs", "the driver alone": "driver"}
    if not speed.quick:
        ways |= {"Ray": "ray", "Ray, files handed in": "away"}
    few, many = (5, 25) if speed.quick else (50, 450)
    yield Case(
        "one more unit", "ms", lambda: opened(ways, few, many), ratios=(), restarts=1,
        rounds=1 if speed.quick else 3, note=f"{SLOTS} at once, but for one process; from {few} to {many} units.",
    )  # fmt: skip
    if not speed.quick:
        yield Case(
            "one more unit, through SLURM's path on this machine", "ms",
            lambda: opened({"slurm:local": "slurm:local"}, 4, 12), ratios=(), restarts=1, rounds=2,
        )  # fmt: skip


@contextlib.contextmanager
def opened(ways: dict[str, str], few: int, many: int) -> Iterator[Opened]:
    """What is timed, without the ways that this machine lacks."""
    kept = Opened()
    for name, way in ways.items():
        try:
            with workers(way):
                measure: Measure = functools.partial(slope, way, few, many)
                kept.measures[name] = measure
        except AnglewiseError as error:
            kept.left_out[name] = str(error)
    yield kept
