"""What a run costs beside its training: the store, the default readings, and the live page with a browser at it.

Each alternative trains one run as ``anglewise run`` does, with what is named and all that stands before it.  ``training
alone`` draws, trains and evaluates the same run and writes nothing.  Every run has a seed and a store of its own, and
programs are compiled before.  The small network is the worst case: its steps take a fraction of a millisecond, so what
is done per evaluation weighs most.
"""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Programs
from anglewise.lab.experiments.announce import Announced
from anglewise.lab.experiments.quickstart import EXPERIMENT, TUNED
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.sets import AT_EVALUATIONS, DEFAULT
from anglewise.lab.report.progress import progress_for
from anglewise.lab.runner import train
from anglewise.lab.spec import Arm, Experiment
from anglewise.lab.store import Store, collect
from anglewise.lab.tasks.modular import Modular
from benchmarks.cases import Case, Speed, together

ALONE, STORE, READ, PAGE = "training alone", "+ store", "+ default readings", "+ live page"
KINDS = (ALONE, STORE, READ, PAGE)
SIZES = {"small network": 2000, "quickstart": 96}
"""Steps of a run; the quickstart's tuned arm takes about as many to its end."""
LIMIT = 1.10
"""What readings at an experiment's cadence are wanted to make of training's time at most."""


def cases(speed: Speed) -> Iterator[Case]:
    """The small network, then the quickstart's; when quick, a short run of the small one, without the page."""
    if speed.quick:
        yield run_case("small network", 480, KINDS[:3], speed)
        return
    for size, steps in SIZES.items():
        yield run_case(size, steps, KINDS, speed)


def run_case(size: str, steps: int, kinds: Sequence[str], speed: Speed) -> Case:
    """One run of so many steps, by what is done beside training."""
    pairs = ((STORE, ALONE), (READ, ALONE), (PAGE, ALONE), (READ, STORE), (PAGE, READ))
    return Case(
        f"{size}, a run of {steps:,} steps", "ms per run",
        lambda: together("benchmarks.overheads:Laboratory", (size, steps), kinds, speed, steps=1),
        ratios=pairs, limit={f"{READ} / {ALONE}": LIMIT} if size == "quickstart" else {}, restarts=1,
        note=f"An evaluation every {EXPERIMENT.training.every} steps, a measurement every "
        f"{EXPERIMENT.training.measure_every}. The page is served by a process of its own, and one reader is at it.",
    )  # fmt: skip


class Laboratory:
    """Trains runs in one process, with programs that are compiled once.

    Args:
        size: Of the network: a key of :data:`SIZES`.
        steps: Of a run.
    """

    def __init__(self, size: str, steps: int):
        training = dataclasses.replace(EXPERIMENT.training, budget=steps, threshold=1.0, sustain=steps, further=-1)
        self.experiment = dataclasses.replace(
            EXPERIMENT, arms=(Arm("adamw", TUNED),), training=training, baseline="", contrasts=(), seeds=1
        )
        if size == "small network":
            small = MLP(hidden=(64, 64), embedding=32, shared=False)
            self.experiment = dataclasses.replace(self.experiment, task=Modular(p=23, train=0.4), model=small)
        self.programs, self.seed = Programs(AT_EVALUATIONS), 0
        self.provenance = collect(None, str(self.programs.device.device_kind), "float32")

    def first(self, name: str) -> float:
        """Train one run, which compiles; in seconds."""
        return self.seconds(name, 1)

    def seconds(self, name: str, steps: int) -> float:
        """Seconds that so many runs take, one after the other."""
        return sum(self._seconds(name) for _ in range(steps))

    def _seconds(self, name: str) -> float:
        self.seed += 1
        one = dataclasses.replace(self.experiment, first_seed=self.seed)
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            root = Path(folder) / "store"
            if name == PAGE:
                stack.enter_context(watched(root))
            begun = time.perf_counter()
            if name == ALONE:
                self._alone(one)
            else:
                self._stored(one, root, readings=name != STORE)
            return time.perf_counter() - begun

    def _alone(self, experiment: Experiment) -> None:
        (run,) = experiment.runs()
        population = Population([run], self.programs.of(run))
        population.begin()
        while population.live.any():
            population.advance()

    def _stored(self, experiment: Experiment, root: Path, *, readings: bool) -> None:
        """As ``anglewise run`` trains, with the programs that are there."""
        with Store.open(root) as store:
            train(
                experiment, store, Announced(root, progress_for(quiet=True)), provenance=self.provenance,
                readings=tuple(DEFAULT.values()) if readings else (), programs=self.programs,
            )  # fmt: skip


@contextlib.contextmanager
def watched(root: Path) -> Iterator[None]:
    """The live page of a store, with a reader that follows it as a browser does."""
    from anglewise.lab.watch.beside import served

    with served(root) as address:
        if not address:
            raise RuntimeError("the live page could not start: is the extra watch installed?")
        reader = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.overheads", address], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert reader.stdout is not None
            reader.stdout.readline()  # it is connected
            yield
        finally:
            reader.kill()
            reader.communicate()


def follow(address: str) -> None:
    """Read the events of a page: first without an experiment, then of the first one that its list has."""
    import json
    import urllib.request

    key = ""
    while True:
        with urllib.request.urlopen(f"{address}events{'?show=' + key if key else ''}", timeout=600) as answer:
            print("connected", flush=True)
            for line in answer:
                if not key and line.startswith(b"data: ") and (found := json.loads(line[6:]).get("list")):
                    key = found[0]["key"]
                    break


if __name__ == "__main__":
    with contextlib.suppress(OSError, BrokenPipeError):
        follow(sys.argv[1])
