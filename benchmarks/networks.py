"""Networks trained to generalisation per minute: the unit that a laboratory is paid in.

A network counts when its test accuracy has held 95 % over four evaluations, three steps apart, by the rule of track C2;
its run ends there.  Two recipes: AdamW as tuned for the track, and the leaderboard's record.  Each measurement is a
whole process that a user could start: ``anglewise run --jobs N``, or a population that trains as one batched program.
Nothing has been compiled before, except where it says ``programs kept``: there an earlier process has filled the cache.
``whole process`` counts the wall clock, from its start to its last line.  ``training`` leaves out imports, compilation
and the report: it divides by the seconds of training that the runs report themselves, shared by the jobs at work.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import tomli_w

from anglewise.lab.experiments.tracks import TRACK_C2
from anglewise.lab.spec import Experiment
from anglewise.lab.store import Reader
from anglewise.lab.studies.leaderboard.leaderboards import winner
from anglewise.lab.studies.leaderboard.plan import assemble
from benchmarks.cases import Case, Opened, Speed
from benchmarks.workers import Failed

WHOLE, TRAINING = "whole process", "training"
Ways: TypeAlias = "Mapping[str, tuple[int, Callable[[int], Mapping[str, float]]]]"
"""By name: how many networks one process trains, and the process, which gets its first seed and gives rates."""
LONGEST = 300.0
"""Seconds that one process is expected to take at most; larger populations are named and left out."""


class Recipe(NamedTuple):
    """An arm of a leaderboard, by its track and name."""

    track: str
    arm: str


RECIPES = {
    "tuned AdamW": Recipe("track-c2", "adamw"),
    "the record's recipe": Recipe("track-c2-record", "constrained-muon"),
}
QUICKEST = "the record's recipe"
SIZES = (1, 8, 64, 512)


def cases(speed: Speed) -> Iterator[Case]:
    """Both recipes by jobs and by populations; when quick, one network of the faster one."""
    cores = len(os.sched_getaffinity(0))
    jobs = sorted({1, 2, cores})
    for name, recipe in RECIPES.items():
        if not speed.quick:
            with tempfile.TemporaryDirectory() as folder:
                yield rate_case(f"{name}, jobs", processes(recipe, jobs, 4, Path(folder)))
            yield rate_case(f"{name}, batched populations", populations(recipe, SIZES))
        elif name == QUICKEST:
            yield rate_case(f"{name}, one job", processes(recipe, (1,), 1), rounds=1)


def rate_case(name: str, alternatives: Ways, rounds: int = 3) -> Case:
    """Rates of several ways to train networks of one recipe.

    Args:
        name: Of the case.
        rounds: How often each is measured; a single round is the one that shows whether they work.
        alternatives: The ways, in the order of their sizes.
    """
    first = next(iter(alternatives))
    return Case(
        f"track C2, {name}", "networks per minute", lambda: opened(alternatives, again=rounds > 1), better="more",
        restarts=1, rounds=rounds,
        ratios=tuple((f"{other}, {kind}", f"{first}, {kind}") for other in list(alternatives)[1:]
                     for kind in (WHOLE, TRAINING)),
        facts=lambda medians: {"best_per_core": max(medians.values(), default=0.0) / len(os.sched_getaffinity(0))},
        note=f"Counted when test accuracy has held {TRACK_C2.training.threshold:.0%} over {TRACK_C2.training.sustain} "
        f"evaluations. Best per core: networks per minute and core of the best of them.",
    )  # fmt: skip


@contextlib.contextmanager
def opened(alternatives: Ways, *, again: bool) -> Iterator[Opened]:
    """Measures of the alternatives that fit; each next one is expected to take as long per network as the one before.

    Args:
        alternatives: The ways, in the order of their sizes.  Each is tried once.
        again: Whether measurements are made anew, in turns; else those of the trial count.
    """
    found, each, seed = Opened(), 0.0, iter(range(0, 10**6, 1000))
    for name, (networks, process) in alternatives.items():
        if each * networks > LONGEST:
            found.left_out[name] = f"would take about {each * networks / 60:.0f} minutes here"
            continue
        begun = time.perf_counter()
        try:
            tried = process(next(seed))
        except Failed as error:
            found.left_out[name] = str(error)
            continue
        each = (time.perf_counter() - begun) / networks
        found.measures[name] = (lambda process=process: process(next(seed))) if again else (lambda tried=tried: tried)
    yield found


def experiment(recipe: Recipe, networks: int, first_seed: int) -> Experiment:
    """Track C2 with one arm, whose runs end once they have generalised."""
    (arm,) = assemble(recipe.track, [recipe.arm]).experiment.arms
    training = dataclasses.replace(TRACK_C2.training, further=0, measure_every=0)
    return dataclasses.replace(
        TRACK_C2, name="networks", arms=(arm,), baseline="", contrasts=(), training=training, seeds=networks,
        first_seed=first_seed,
    )  # fmt: skip


def toml_of(recipe: Recipe, networks: int, first_seed: int) -> str:
    """The same experiment as a file that ``anglewise run`` reads."""
    table = winner(recipe.track, recipe.arm)
    assert table is not None
    training = {"further": 0, "measure_every": 0}
    head = {"base": "track-c2", "seeds": networks, "first_seed": first_seed, "training": training}
    return tomli_w.dumps(head | {"arms": table["arms"]})


def processes(recipe: Recipe, jobs: Sequence[int], each: int, kept: Path | None = None) -> Ways:
    """``anglewise run`` with one or several jobs, each of which trains `each` networks.

    Args:
        recipe: What is trained.
        jobs: How many jobs.
        each: Networks per job.
        kept: A folder for compiled programs, with which the last of them runs once more.
    """
    ways = {
        f"{count} job{'s' * (count > 1)}": (each * count, functools.partial(run, recipe, each * count, count))
        for count in jobs
    }
    if kept is not None:
        name, (networks, last) = list(ways.items())[-1]
        ways[f"{name}, programs kept"] = networks, functools.partial(last, kept=kept)
    return ways


def populations(recipe: Recipe, sizes: Sequence[int]) -> Ways:
    """Batched populations of some sizes."""
    return {f"population of {size}": (size, functools.partial(population, recipe, size)) for size in sizes}


def run(recipe: Recipe, networks: int, jobs: int, seed: int, *, kept: Path | None = None) -> dict[str, float]:
    """Train networks as a user would: ``anglewise run FILE --jobs N``.

    Args:
        recipe: What is trained.
        networks: How many.
        jobs: Processes that train at once.
        seed: The first.
        kept: A folder for compiled programs; None for none.

    Raises:
        Failed: If the command fails.
    """
    one = experiment(recipe, networks, seed)
    with tempfile.TemporaryDirectory() as folder:
        file, store = Path(folder) / "networks.toml", Path(folder) / "store"
        file.write_text(toml_of(recipe, networks, seed), encoding="utf-8")
        words = ["run", str(file), "--arms", recipe.arm, "--out", str(store), "--quiet", "--jobs", str(jobs)]
        seconds = process("anglewise", *words, cache="off" if kept is None else str(kept))[1]
        reader = Reader(store)
        outcomes = [reader.outcome(run_id) for run_id in reader.finished()]
        ended = [outcome for outcome in outcomes if outcome is not None]
        reached = sum(outcome.sustained is not None for outcome in ended)
        training = sum(outcome.trained_seconds or 0.0 for outcome in ended) / jobs
        assert reader.finished() == {each.run_id for each in one.runs()}, "the file says what the experiment says"
    return rates(reached, seconds, training)


def population(recipe: Recipe, size: int, seed: int) -> dict[str, float]:
    """Train one batched population in a process of its own.

    Raises:
        Failed: If it does not fit into memory, or the process fails.
    """
    said, seconds = process("benchmarks.networks", json.dumps([*recipe, size, seed]))
    answer = json.loads(said.splitlines()[-1])
    if "why" in answer:
        raise Failed(answer["why"])
    return rates(answer["reached"], seconds, answer["training"])


def rates(reached: int, whole: float, training: float) -> dict[str, float]:
    """Networks per minute.

    Example:
        >>> rates(4, 60.0, 30.0)
        {'whole process': 4.0, 'training': 8.0}
    """
    return {WHOLE: 60 * reached / whole, TRAINING: 60 * reached / training}


def process(module: str, *words: str, cache: str = "off") -> tuple[str, float]:
    """Run ``python -m MODULE WORDS``: what it prints, and its seconds.

    Args:
        module: Of Python.
        *words: Its arguments.
        cache: Folder for compiled programs.

    Raises:
        Failed: If it ends with an error.
    """
    command, environment = [sys.executable, "-m", module, *words], os.environ | {"ANGLEWISE_CACHE": cache}
    environment.pop("XLA_PYTHON_CLIENT_PREALLOCATE", None)  # as a user has it
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise Failed(f"{module} {words[0][:40]}: {(done.stderr.strip() or 'no message').splitlines()[-1][:200]}")
    return done.stdout, seconds


def train_population(track: str, arm: str, size: int, seed: int) -> dict[str, Any]:
    """Train a batched population until every member has ended, in this process."""
    from anglewise.lab.engine.placement import Placement, choose, first_device, free_bytes
    from anglewise.lab.engine.population import Population, bytes_each
    from anglewise.lab.engine.programs import Compiled
    from anglewise.lab.outcome import outcome_under

    runs = list(experiment(Recipe(track, arm), size, seed).runs())
    first = runs[0]
    usual = choose(first.task, first.training, first_device().platform)
    compiled = Compiled(first, Placement(True, usual.block, usual.segment), (), ())
    if size > 1 and (needed := size * bytes_each(first, compiled)) > (room := free_bytes(first_device())):
        return {"why": f"needs {needed / 2**30:.1f} GiB of memory, {room / 2**30:.1f} GiB may be planned with"}
    members = Population(runs, compiled)
    members.begin()
    reached, training = 0, 0.0
    while members.live.any():
        for row in members.advance():
            if row.ended:
                ending = outcome_under(row.run.training.rule, row.history)
                reached += ending is not None and ending.sustained is not None
                training += row.seconds  # its share of the population's
    return {"reached": reached, "training": training}


if __name__ == "__main__":
    print(json.dumps(train_population(*json.loads(sys.argv[1]))))
