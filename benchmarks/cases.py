"""What is compared: a case and its alternatives, how much time they get, and the rooms that have them."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks import timing
from benchmarks.timing import Measure, Summary, interleaved, paired, steps_for, summary
from benchmarks.workers import Failed, Worker

ROOMS = {
    "engine": "a training step, beside PyTorch eager, compiled, and ensembles of 8",
    "readings": "each reading, and all of them at an experiment's cadence, as a share of training",
    "overheads": "the store, the default readings and the live page, as ratios of training alone",
    "dropin": "the radial penalty in PyTorch: a step with it over a step without, and with over with",
    "networks": "networks trained to generalisation per minute: jobs, and batched populations",
    "units": "one more run beside its training: processes, Ray, SLURM",
    "store": "a store of many runs: query, report, and a run with nothing to do",
}
"""Each is the module ``benchmarks.NAME`` with a function ``cases(speed)``.  One without it is not there yet."""


def rooms() -> list[str]:
    """Names of the rooms that are there, in the order in which they run."""
    folder = Path(__file__).parent
    files = {name: folder / f"{name}.py" for name in ROOMS}
    return [name for name, file in files.items() if file.is_file() and "\ndef cases(" in file.read_text("utf-8")]


@dataclasses.dataclass(frozen=True)
class Speed:
    """How much time is spent.

    Args:
        quick: Whether only the smallest cases run: to see that it works, and roughly where it stands.
        rounds: Rounds of a case at most, in each of its restarts.
        seconds: Of one measurement.
        most_seconds: After which a restart begins no further round.
        restarts: How often a case is set up anew: a process keeps the memory that it was given, and two of the same
            program differ by two per cent for as long as they live.
    """

    quick: bool = False
    rounds: int = 12
    seconds: float = 0.6
    most_seconds: float = 120.0
    restarts: int = 3


FULL, QUICK = Speed(), Speed(True, rounds=6, seconds=0.2, most_seconds=10.0, restarts=1)


@dataclasses.dataclass
class Opened:
    """The alternatives of a case, ready to be measured.

    Args:
        measures: By name.
        first_steps: Seconds from the start of a process to the end of its first step, by name.
        left_out: Alternatives that cannot be measured here, and why.
        facts: What else is known, as JSON values.
    """

    measures: dict[str, Measure] = dataclasses.field(default_factory=dict)
    first_steps: dict[str, float] = dataclasses.field(default_factory=dict)
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Case:
    """Alternatives that are measured under equal conditions.

    Args:
        name: Of the case.
        unit: Of the values.
        open: Makes the alternatives ready, for as long as its block lasts.
        ratios: Pairs (over, under); None for the first alternative over each of the others.
        limit: What a ratio is wanted to be at most, by ``OVER / UNDER``.
        better: ``"less"`` or ``"more"``.
        facts: Further facts, made of the medians by alternative.
        note: One line on how to read it.
        restarts: At most so many; 0 for as many as the speed has.
        rounds: At most so many; 0 for as many as the speed has.
    """

    name: str
    unit: str
    open: Callable[[], contextlib.AbstractContextManager[Opened]]
    ratios: tuple[tuple[str, str], ...] | None = None
    limit: Mapping[str, float] = dataclasses.field(default_factory=dict)
    better: str = "less"
    facts: Callable[[Mapping[str, float]], Mapping[str, Any]] = lambda medians: {}
    note: str = ""
    restarts: int = 0
    rounds: int = 0

    def pairs(self, names: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Which ratios are formed of alternatives of these names."""
        return [(names[0], other) for other in names[1:]] if self.ratios is None else self.ratios


def cases(room: str, speed: Speed) -> Iterator[Case]:
    """The cases of a room."""
    yield from importlib.import_module(f"benchmarks.{room}").cases(speed)


def measured(room: str, case: Case, speed: Speed) -> dict[str, Any]:
    """Measure a case; gives its row of the results."""
    kept, values, medians = Opened(), dict[str, list[float]](), list[dict[str, float]]()
    rounds = min(speed.rounds, case.rounds or speed.rounds)
    for restart in range(min(speed.restarts, case.restarts or speed.restarts)):
        with case.open() as opened:
            new = interleaved(opened.measures, rounds, most_seconds=speed.most_seconds, seed=restart)
        for name, each in new.items():
            values.setdefault(name, []).extend(each)
        kept = opened if restart == 0 else kept
        pairs = [pair for pair in case.pairs(list(new)) if set(pair) <= set(new)]
        medians.append({f"{a} / {b}": paired(new[a], new[b]).median for a, b in pairs})
    ratios = {f"{a} / {b}": paired(values[a], values[b]) for a, b in case.pairs(list(values)) if {a, b} <= set(values)}
    return {
        "room": room,
        "name": case.name,
        "unit": case.unit,
        "better": case.better,
        "alternatives": {name: summary(each)._asdict() for name, each in values.items()},
        "ratios": {
            name: ratio._asdict()
            | {"by_restart": [each[name] for each in medians if name in each]}
            | _decided(ratio, case.limit.get(name))
            for name, ratio in ratios.items()
        },
        "seconds_to_first_step": kept.first_steps,
        "left_out": kept.left_out,
        "facts": kept.facts | dict(case.facts({name: summary(each).median for name, each in values.items()})),
        "note": case.note,
    }


def _decided(ratio: Summary, limit: float | None) -> dict[str, Any]:
    return {} if limit is None else {"limit": limit, "decision": timing.decision(ratio, limit)}


@dataclasses.dataclass(frozen=True)
class Alternative:
    """Something that trains, in a process of its own.

    Args:
        build: ``"module:function"`` that returns a :class:`~benchmarks.workers.Timed`.
        arguments: Its arguments, as plain data.
        each: Networks that one of its steps trains; its times are per network.
    """

    build: str
    arguments: tuple[Any, ...] = ()
    each: int = 1


class Together(Protocol):
    """Several alternatives in one process."""

    def first(self, name: str) -> float:
        """Build one and run its first step; seconds, imports apart."""

    def seconds(self, name: str, steps: int) -> float:
        """Seconds that so many steps of one take."""


@contextlib.contextmanager
def workers(alternatives: Mapping[str, Alternative], speed: Speed) -> Iterator[Opened]:
    """A process for each alternative, warm; measures are milliseconds per step and network.

    Args:
        alternatives: By name.  One that fails is left out, and the row says why.
        speed: Gives the seconds of a measurement.
    """
    opened = Opened()
    with contextlib.ExitStack() as stack:
        for name, alternative in alternatives.items():
            try:
                worker = Worker(alternative.build, *alternative.arguments)
                stack.callback(worker.end)
                opened.first_steps[name] = worker.first_step()
                worker.ask("seconds", 2)
                steps = steps_for(lambda n, worker=worker: worker.ask("seconds", n), speed.seconds)
            except Failed as error:
                opened.first_steps.pop(name, None)
                opened.left_out[name] = str(error)
                continue
            opened.measures[name] = _milliseconds(worker, steps, alternative.each)
        yield opened


def _milliseconds(worker: Worker, steps: int, each: int) -> Measure:
    return lambda: 1e3 * worker.ask("seconds", steps) / steps / each


@contextlib.contextmanager
def together(
    build: str, arguments: tuple[Any, ...], names: Sequence[str], speed: Speed, *, facts: bool = False, steps: int = 0
) -> Iterator[Opened]:
    """One process for all alternatives: for differences of a per cent, which two processes differ by anyway.

    Args:
        build: ``"module:function"`` that returns a :class:`Together`.
        arguments: Its arguments, as plain data.
        names: Of the alternatives.
        speed: Gives the seconds of a measurement.
        facts: Whether the object is asked for its ``facts()`` too.
        steps: Of one measurement; 0 for as many as take the seconds of the speed.
    """
    opened, worker = Opened(), Worker(build, *arguments)
    with contextlib.ExitStack() as stack:
        stack.callback(worker.end)
        for name in names:
            try:
                first = worker.ask("first", name)
            except Failed as error:
                opened.left_out[name] = str(error)
            else:
                opened.first_steps[name] = first
        for name in () if steps else opened.first_steps:
            worker.ask("seconds", name, 1)  # code that they share may be compiled anew once all are there
        for name in opened.first_steps:
            if not (count := steps):
                count = steps_for(lambda n, name=name: worker.ask("seconds", name, n), speed.seconds)
            opened.measures[name] = lambda name=name, count=count: 1e3 * worker.ask("seconds", name, count) / count
        opened.facts |= worker.ask("facts") if facts else {}
        yield opened
