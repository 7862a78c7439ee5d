"""What measuring costs: each reading alone, and sets of them at an experiment's own cadence, beside training.

The set-ups are those of ``engine.py``; the cadence is that of the track.  ``training`` is the time of the steps between
two measurements; a reading's time is that of one measurement over its own ``every``.  So a ratio is a share of
training.  Curvature is listed apart: it may cost more, and says what.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import jax

from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Compiled, arithmetic
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.protocols.reading import PastWeights, Reading
from anglewise.lab.readings.sets import CURVATURE, DEFAULT, READINGS
from anglewise.lab.spec import Arm, Run, Training
from benchmarks.cases import Case, Speed, together
from benchmarks.engine import SETUPS, STRENGTH, Ours, Setup

TRAINING, USUAL = "training", "all but curvature"
SETS = {
    "default readings": tuple(DEFAULT.values()),
    USUAL: tuple(reading for name, reading in READINGS.items() if name not in CURVATURE),
}
WANTED = 0.10
"""Share of training that all readings but curvature are wanted to take at most."""
CYCLE = 8
"""Measurements over which readings of different cadences are averaged."""


def cases(speed: Speed) -> Iterator[Case]:
    """Every set-up; none when quick, since compiling all readings takes minutes."""
    for name in () if speed.quick else SETUPS:
        yield share_case(name, list(READINGS), speed)


def share_case(name: str, wanted: Sequence[str], speed: Speed) -> Case:
    """A set-up with its sets of readings, and some of the readings alone."""
    setup = SETUPS[name]
    own = [key for key in wanted if READINGS[key].suits(setup.task, setup.model)]
    names = [TRAINING, *SETS, *own]
    return Case(
        name, f"ms per {setup.cadence} steps", lambda: together("benchmarks.readings:Measured", (name,), names, speed),
        ratios=tuple((other, TRAINING) for other in names[1:]), limit={f"{USUAL} / {TRAINING}": WANTED}, restarts=1,
        note=f"A measurement every {setup.cadence} steps; ratios are shares of training. "
        f"Curvature: {', '.join(key for key in own if key in CURVATURE)}.",
    )  # fmt: skip


class Measured:
    """A network in training, and what its measurements take.

    Args:
        name: Of the set-up.
    """

    def __init__(self, name: str):
        self.setup: Setup = SETUPS[name]
        task, model, batch, adamw, cadence = self.setup
        methods = (adamw, RadialPenalty(strength=STRENGTH))
        self.training = Training(budget=10**6, every=cadence, batch=batch, measure_every=cadence)
        run = Run("bench", task, model, Arm("arm", methods), self.training, 0)
        self.compiled = Compiled(run, Placement(False, 0, cadence), tuple(READINGS.values()), ())
        self.population = Population([run], self.compiled)
        self.population.begin()
        self.ours = Ours(self.setup, methods)
        state = self.population.state
        self.past = (PastWeights(state.params, state.step),) * 2

    def first(self, name: str) -> float:
        """Compile; in seconds."""
        begun = time.perf_counter()
        self.seconds(name, 1)
        return time.perf_counter() - begun

    def seconds(self, name: str, steps: int) -> float:
        """Seconds of so many times what lies between two measurements, or of so many measurements."""
        begun = time.perf_counter()
        if name == TRAINING:
            self.ours.run(steps)
            return (time.perf_counter() - begun) * self.setup.cadence
        own = self.compiled.readings
        if name in READINGS:
            for _ in range(steps):
                self._measure((READINGS[name],))
            return (time.perf_counter() - begun) / READINGS[name].every
        due = [tuple(r for r in SETS[name] if r in own and count % r.every == 0) for count in range(CYCLE)]
        total = 0.0
        for some in filter(None, dict.fromkeys(due)):
            begun = time.perf_counter()
            for _ in range(steps):
                self._measure(some)
            total += (time.perf_counter() - begun) * due.count(some) / CYCLE
        return total

    def _measure(self, readings: tuple[Reading, ...]) -> None:
        with arithmetic(self.training):
            values = self.compiled.measure(readings, self.population.member, self.population.state, self.past)
        jax.block_until_ready(values)
