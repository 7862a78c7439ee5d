"""A store of many runs: size on disk, and how long a query, a report, `run` with nothing to do and appends take.

    python benchmarks/store.py [--runs 10000] [--steps 1000] [--rounds 5] [--at DIR] [--only a,b]

Makes a store of synthetic runs through the writer (100 arms, seeds as needed, an evaluation every 25 steps), unless DIR
holds one, and times whole processes.  Prints one JSON object, with every time in seconds of every round.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from anglewise.lab.execution.planning import described
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.models.mlp import MLP
from anglewise.lab.outcome import Outcome, outcome_under
from anglewise.lab.readings.sets import DEFAULT
from anglewise.lab.spec import Arm, Experiment, Manifest, Training
from anglewise.lab.store import Store, collect
from anglewise.lab.store.kept import Kept
from anglewise.lab.tasks.modular import Modular

EVERY, MEASURED = 25, 100
NAMES = ("radial_energy", "weight_norm", "effective_rank")
SQL = "SELECT arm, count(*) AS runs, median(t_capped) AS steps FROM runs GROUP BY arm ORDER BY steps"
SQL_ROWS = "SELECT arm, step, avg(test_accuracy) AS accuracy FROM curves GROUP BY arm, step ORDER BY arm, step"
FILE = """\
name = "many"
seeds = {seeds}
[task]
is = "modular"
p = 11
[model]
is = "mlp"
hidden = [16]
[training]
budget = {budget}
every = 25
measure_every = 100
"""


def experiment(arms: int, seeds: int, budget: int) -> Experiment:
    """Arms that differ in their learning rate."""
    chains = tuple(Arm(f"lr-{i:03d}", (AdamW(lr=0.001 * (1 + i), wd=0.1),)) for i in range(arms))
    training = Training(budget=budget, every=EVERY, measure_every=MEASURED)
    return Experiment("many", Modular(p=11), MLP(hidden=(16,)), chains, training, seeds=seeds)


def file_of(wanted: Experiment) -> str:
    """The same as a file that `anglewise run` reads."""
    lines = [FILE.format(seeds=wanted.seeds, budget=wanted.training.budget)]
    for arm in wanted.arms:
        adamw = arm.methods[0]
        lines.append(f'[arms.{arm.name}]\nmethods = [{{ is = "adamw", lr = {adamw.lr!r}, wd = {adamw.wd!r} }}]\n')
    return "".join(lines)


def rows_of(rng: np.random.Generator, budget: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Evaluations and readings of one run that generalises somewhere, or not."""
    steps = np.arange(0, budget + 1, EVERY)
    middle, noise = rng.uniform(0.2, 1.3) * budget, rng.normal(0, 0.01, (4, len(steps)))
    test = np.clip(1 / (1 + np.exp((middle - steps) / (0.03 * budget))) + noise[0], 0, 1)
    train = np.clip(1 - np.exp(-steps / (0.02 * budget)) + noise[1], 0, 1)
    curves = [
        {"step": int(s), "train_accuracy": float(a), "test_accuracy": float(b), "train_loss": float(c),
         "test_loss": float(d)}
        for s, a, b, c, d in zip(steps, train, test, np.exp(noise[2]) * (1.1 - train), 1.1 - test, strict=True)
    ]  # fmt: skip
    readings = [
        {"step": int(s), "site": "hidden.0.pre", "name": "radius", "value": float(np.float32(1 + x))}
        for s, x in zip(steps, noise[3], strict=True)
    ]
    for s in steps[steps % MEASURED == 0]:
        readings += [
            {"step": int(s), "site": "hidden.0.pre", "name": name, "value": float(np.float32(rng.uniform()))}
            for name in NAMES
        ]
    return curves, sorted(readings, key=lambda row: row["step"])


@contextlib.contextmanager
def unsynced() -> Iterator[None]:
    """Making a store is not what is timed: syncing would take most of it."""
    with mock.patch.object(os, "fsync", lambda handle: None):
        yield


def fill(root: Path, wanted: Experiment) -> None:
    """Write every run of an experiment, ended, as its training would have."""
    rng, rule = np.random.default_rng(0), wanted.training.rule
    origin = collect(["anglewise", "run", "many.toml"], "cpu", "float32")
    read = tuple(described(r) for r in DEFAULT.values() if r.suits(wanted.task, wanted.model))
    weights = {f"layers.{i}.weight": np.zeros(shape, "f4") for i, shape in enumerate(((16, 22), (11, 16)))}
    with unsynced(), Store.open(root) as store:
        store.manifest(Manifest.of(wanted, "anglewise run many.toml"))
        for run in wanted.runs():
            run_id = run.run_id
            curves, readings = rows_of(rng, rule.budget)
            store.begin(run_id, run.spec, origin)
            store.append(run_id, curves, readings)
            columns = {name: np.array([row[name] for row in curves], float) for name in curves[0]}
            columns["step"] = columns["step"].astype(int)
            ending = outcome_under(rule, columns)
            assert ending is not None
            outcome = Outcome(**vars(ending), seconds=1.0, trained=rule.budget, every=EVERY, rule=rule,
                              trained_seconds=1.0, readings=read)  # fmt: skip
            counts = store.counts(run_id)
            rest = {f"adam.{moment}.{name}": x for moment in ("m", "v") for name, x in weights.items()}
            store.keep(run_id, Kept(weights, rest, rule.budget, rule.budget, 1.0, EVERY, read, counts))
            store.finish(run_id, outcome)


def size(root: Path) -> dict[str, int]:
    """Files, bytes in them, and bytes that the disk gives to them."""
    found = [path.stat() for path in root.rglob("*") if path.is_file()]
    return {
        "files": len(found),
        "bytes": sum(one.st_size for one in found),
        "bytes_on_disk": sum(512 * one.st_blocks for one in found),
    }


def appended(members: int) -> list[float]:
    """Seconds that the rows of a segment of a population take, synced: the same members, again and again."""
    wanted = experiment(1, members, 10_000)
    runs = [(run.run_id, run.spec) for run in wanted.runs()]
    times = []
    with tempfile.TemporaryDirectory(dir=".") as folder, Store.open(Path(folder) / "store") as store:
        with unsynced():
            for run_id, spec in runs:
                store.begin(run_id, spec, {})
        for step in range(0, 6 * EVERY, EVERY):
            curve = {"step": step, "train_accuracy": 1.0, "test_accuracy": 0.5, "train_loss": 0.1, "test_loss": 0.2}
            reading = {"step": step, "site": "hidden.0.pre", "name": "radius", "value": 1.0}
            begun = time.perf_counter()
            for run_id, _ in runs:
                store.append(run_id, [curve], [reading])
            times.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        for run_id, _ in runs:
            store.seal(run_id)
        times.append(time.perf_counter() - begun)
    return times


def timed(words: list[str]) -> tuple[float, float]:
    """Seconds of a whole process: on the clock, and of the processor (user and system)."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "anglewise.cli.main", *words], capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--arms", type=int, default=100)
    parser.add_argument("--members", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at", type=Path, help="the store; made where there is none (default: made, then deleted)")
    parser.add_argument("--only", default="", help="some of size,query,rows,report,nothing,append")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = arguments.at or Path(stack.enter_context(tempfile.TemporaryDirectory(dir=".")))
        root, config = folder / "store", folder / "many.toml"
        wanted = experiment(arguments.arms, math.ceil(arguments.runs / arguments.arms), arguments.steps)
        if not root.exists():
            folder.mkdir(exist_ok=True, parents=True)
            config.write_text(file_of(wanted), encoding="utf-8")
            fill(root, wanted)
        what: dict[str, Callable[[], Any]] = {
            "size": lambda: size(root),
            "query": lambda: timed(["query", SQL, str(root)]),
            "rows": lambda: timed(["query", SQL_ROWS, str(root)]),
            "report": lambda: timed(["report", str(root)]),
            "nothing": lambda: timed(["run", str(config), "--out", str(root), "--quiet"]),
            "append": lambda: appended(arguments.members),
        }
        results: dict[str, Any] = {"runs": arguments.runs, "steps": arguments.steps, "machine": platform.platform()}
        for name in filter(None, arguments.only.split(",")) if arguments.only else what:
            once = name in ("size", "append")
            rounds = [what[name]() for _ in range(1 if once else arguments.rounds)]
            results[name] = rounds[0] if once else _summary(rounds)
        print(json.dumps(results, indent=1))


def _summary(rounds: list[tuple[float, float]]) -> dict[str, Any]:
    clock, processor = zip(*rounds, strict=True)
    return {"median": statistics.median(clock), "seconds": clock, "processor_seconds": processor}


if __name__ == "__main__":
    main()
