"""A store of many runs: size on disk, and how long a query, a report, ``run`` with nothing to do and appends take.

A store of synthetic runs is made through the writer: up to 100 arms, seeds as needed, an evaluation every 25 steps.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from anglewise.lab.execution.planning import described, plan
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.models.mlp import MLP
from anglewise.lab.outcome import Outcome, outcome_under
from anglewise.lab.readings.sets import DEFAULT
from anglewise.lab.spec import Arm, Experiment, Manifest, Training
from anglewise.lab.store import Reader, Store, collect
from anglewise.lab.store.kept import Kept
from anglewise.lab.tasks.modular import Modular
from benchmarks.cases import Case, Opened, Speed
from benchmarks.timing import Measure
from benchmarks.workers import Failed

EVERY, MEASURED = 25, 100
START, CLOCK, PROCESSOR = "start alone", "clock", "processor"
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


def build() -> Path:
    """Where stores are made: on the disk that results are written to, not in memory."""
    Path("build").mkdir(exist_ok=True)
    return Path("build")


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


def appended(members: int) -> dict[str, Any]:
    """Seconds that rows of a population take as its training stores them: segments, checkpoints, all runs' end."""
    wanted = experiment(1, members, 10_000)
    runs = [(run.run_id, run.spec) for run in wanted.runs()]
    weights = {"layers.0.weight": np.zeros((16, 22), "f4")}
    times: dict[str, list[float]] = {"begin": [], "segment": [], "checkpoint": [], "end": []}

    @contextlib.contextmanager
    def clock(what: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        times[what].append(time.perf_counter() - begun)

    with tempfile.TemporaryDirectory(dir=build()) as folder, Store.open(Path(folder) / "store") as store:
        with clock("begin"):
            for run_id, spec in runs:
                store.begin(run_id, spec, {})
        for step in range(0, 6 * EVERY, EVERY):
            curve = {"step": step, "train_accuracy": 1.0, "test_accuracy": 0.5, "train_loss": 0.1, "test_loss": 0.2}
            reading = {"step": step, "site": "hidden.0.pre", "name": "radius", "value": 1.0}
            with clock("segment"):
                for run_id, _ in runs:
                    store.append(run_id, [curve], [reading])
            if step % (2 * EVERY):
                with clock("checkpoint"):
                    store.secure(run_id for run_id, _ in runs)
        ends = {
            run_id: (Outcome("trained", step), Kept(weights, {}, step, step, 1.0, EVERY, (), store.counts(run_id)))
            for run_id, _ in runs
        }
        with clock("end"):
            store.finish_all(ends)
    return times


def planned(wanted: Experiment, root: Path) -> tuple[float, float]:
    """Seconds in which `run` finds that nothing is to be trained, in this process: its identities, what is whole."""
    again = experiment(len(wanted.arms), wanted.seeds, wanted.training.budget)
    clock, processor = time.perf_counter(), time.process_time()
    with Store.open(root) as store:
        todo = plan(again, Reader(root), store.finished(), tuple(DEFAULT.values()))
    assert not todo.jobs and len(todo.done) == len(wanted.arms) * wanted.seeds
    return time.perf_counter() - clock, time.process_time() - processor


def timed(words: list[str]) -> dict[str, float]:
    """Seconds of a whole process: on the clock, and of the processor (user and system)."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "anglewise.cli.main", *words], capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise Failed(f"{' '.join(words)}: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {CLOCK: seconds, PROCESSOR: after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def finds_nothing(wanted: Experiment, root: Path) -> dict[str, float]:
    """The same, of :func:`planned`."""
    seconds, processor = planned(wanted, root)
    return {CLOCK: seconds, PROCESSOR: processor}


def cases(speed: Speed) -> Iterator[Case]:
    """Stores of several sizes, as packs, and one as folders; rows of a population.  When quick, small ones, once."""
    for runs in (50,) if speed.quick else (100, 1_000, 10_000):
        yield store_case(runs, rounds=1 if speed.quick else 6)
    yield store_case(50 if speed.quick else 1_000, packed=False, rounds=1 if speed.quick else 3)
    members = 50 if speed.quick else 1_000
    yield Case(
        f"rows of {members:,} members", "seconds", lambda: population(members), restarts=1, rounds=1, ratios=(),
        note="The runs begun, a segment's rows, the sync before a checkpoint, and the end of all runs.",
    )  # fmt: skip


def store_case(runs: int, steps: int = 1_000, rounds: int = 6, *, packed: bool = True) -> Case:
    """Commands on a store of so many runs, beside a command that does nothing."""
    commands = ("query", "query of every evaluation", "report", "run, with nothing to do")
    how = "as packs" if packed else "as folders"
    return Case(
        f"a store of {runs:,} runs, {how}", "seconds", lambda: opened(runs, steps, packed=packed), restarts=1,
        rounds=rounds, ratios=tuple((f"{name}, {CLOCK}", f"{START}, {CLOCK}") for name in commands),
        note="Whole processes: on the clock, and in seconds of the processor. The plan alone is in a process.",
    )  # fmt: skip


@contextlib.contextmanager
def population(members: int) -> Iterator[Opened]:
    """What storing a population's rows takes."""

    def once() -> dict[str, float]:
        return {what: statistics.median(times) for what, times in appended(members).items()}

    yield Opened({"rows": once})


@contextlib.contextmanager
def opened(runs: int, steps: int, *, packed: bool = True) -> Iterator[Opened]:
    """A store of synthetic runs, and what is timed on it."""
    with tempfile.TemporaryDirectory(dir=build()) as folder:
        root, config = Path(folder) / "store", Path(folder) / "many.toml"
        wanted = experiment(min(100, runs), math.ceil(runs / min(100, runs)), steps)
        config.write_text(file_of(wanted), encoding="utf-8")
        fill(root, wanted)
        facts: dict[str, Any] = {"as folders": size(root)}
        if packed:
            with unsynced(), Store.open(root) as store:
                store.compact()
            facts["as packs"] = size(root)
        commands = {
            START: ["--version"],
            "query": ["query", SQL, str(root)],
            "query of every evaluation": ["query", SQL_ROWS, str(root)],
            "report": ["report", str(root)],
            "run, with nothing to do": ["run", str(config), "--out", str(root), "--quiet"],
        }
        measures: dict[str, Measure] = {name: functools.partial(timed, words) for name, words in commands.items()}
        measures["the plan of that"] = functools.partial(finds_nothing, wanted, root)
        yield Opened(measures, facts=facts)
