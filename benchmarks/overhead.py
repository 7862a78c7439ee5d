"""What one unit costs beside its training: in this process, in processes of this machine, on Ray, through SLURM.

Every run trains 4 steps of a tiny network, so nearly all that passes is overhead: handing out, planning, compiling
once in each process, writing rows, taking back.  Each way is timed at two sizes, one after the other and again; the
slope between them is the time of one more unit, the rest is what beginning costs.  It prints a line for each way.

    python benchmarks/overhead.py [--sizes 50,200] [--rounds 2] [--ways one,jobs,ray,away,slurm:local,driver]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from concurrent.futures import Future
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from anglewise.lab.execution.places import Place
from anglewise.lab.execution.processes import Processes
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.models.mlp import MLP
from anglewise.lab.report.progress import Silent
from anglewise.lab.runner import train
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.store import Store
from anglewise.lab.tasks.modular import Modular

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="50,200")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--ways", default="one,jobs,ray,away,slurm:local")
    arguments = parser.parse_args()
    few, many = (int(size) for size in arguments.sizes.split(","))
    ways = arguments.ways.split(",")
    slopes: dict[str, list[float]] = {way: [] for way in ways}
    starts: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(arguments.rounds):
        for way in ways:
            short, long = seconds(way, few), seconds(way, many)
            slope = (long - short) / (many - few)
            slopes[way].append(slope)
            starts[way].append(short - few * slope)
            print(f"{way}: {few} in {short:.2f} s, {many} in {long:.2f} s", flush=True)
    for way in ways:
        each = [1000 * one for one in slopes[way]]
        text = f"{statistics.median(each):8.1f} ms each ({min(each):.1f} to {max(each):.1f})"
        begin = statistics.median(starts[way])
        print(f"{way:12} {text}, {begin:6.1f} s to begin, {SLOTS} at once, sizes {few}, {many}")


if __name__ == "__main__":
    main()
