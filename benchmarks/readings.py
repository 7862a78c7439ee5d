"""What measuring costs: every instrument alone, and all together at the experiments' own cadence, as a share of a run.

    python benchmarks/readings.py [--quick] [--only a,b,c]

The set-ups are those of benchmarks/engine.py; cadences are those of the named experiments on the same task and model.
Curvature is listed apart: it is allowed to cost more, and says what.  Training and measuring are timed in turn; the
share is the median over rounds.  Writes build/readings.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import jax
from engine import CASES, Ours, milliseconds, steps_for

from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Compiled, arithmetic
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.protocols.reading import PastWeights
from anglewise.lab.readings.sets import CURVATURE, DEFAULT, READINGS
from anglewise.lab.spec import Arm, Run, Training

CADENCE = {"a": "track-d", "b": "quickstart", "c": "track-a"}
"""The experiment whose ``measure_every`` a set-up is measured at."""


class Measured:
    """A network in training, and what its measurements take."""

    def __init__(self, task, model, batch, adamw, cadence: int):
        self.cadence = cadence
        training = Training(budget=10**6, every=cadence, batch=batch, measure_every=cadence)
        run = Run("bench", task, model, Arm("arm", (adamw, RadialPenalty())), training, 0)
        self.compiled = Compiled(run, Placement(False, 0, 20), tuple(READINGS.values()), ())
        self.population = Population([run], self.compiled)
        self.population.begin()
        self.population.advance()
        step = self.population.state.step
        self.past = (PastWeights(self.population.state.params, step),) * 2

    def one(self, readings) -> float:
        """Milliseconds of one measurement, its results fetched."""
        begun = time.perf_counter()
        jax.block_until_ready(
            self.compiled.measure(tuple(readings), self.population.member, self.population.state, self.past)
        )
        return 1e3 * (time.perf_counter() - begun)

    def each(self, readings) -> float:
        """Milliseconds per measurement, averaged over a whole cycle of cadences."""
        own = set(self.compiled.readings)
        due = [[r for r in readings if r in own and count % r.every == 0] for count in range(8)]
        known = {tuple(some): self.one(some) for some in due if some}  # compiles
        known = {some: min(self.one(some) for _ in range(3)) for some in known}
        return sum(known[tuple(some)] for some in due if some) / len(due)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="to see that it works; its shares mean nothing")
    parser.add_argument("--only", default="a,b,c", help="which set-ups")
    parser.add_argument("--out", type=Path, default=Path("build/readings.json"))
    args = parser.parse_args()
    rounds, seconds = (1, 0.05) if args.quick else (5, 0.6)
    usual = [r for r in READINGS.values() if r not in CURVATURE.values()]
    if args.quick:
        print("quick: a few cold steps make training look up to three times slower, and measuring cheap; no figures")
    written = []
    for name, (task, model, batch, adamw) in CASES.items():
        if name[0] not in args.only.split(","):
            continue
        cadence = EXPERIMENTS[CADENCE[name[0]]].training.measure_every
        ours = Ours(task, model, batch, (adamw, RadialPenalty()))
        measured = Measured(task, model, batch, adamw, cadence)
        count, pairs = steps_for(ours.run, seconds), []
        for _ in range(rounds):
            step = milliseconds(ours.run, count)
            pairs.append((step, measured.each(DEFAULT.values()), measured.each(usual)))
        step, default, everything = (statistics.median(column) for column in zip(*pairs, strict=True))
        shares = [statistics.median(pair[i] / (cadence * pair[0]) for pair in pairs) for i in (1, 2)]
        print(f"\n{name}: {step:.2f} ms per step, a measurement every {cadence} steps")
        print(f"  default readings: {default:7.1f} ms each, {shares[0]:6.1%} of training")
        print(f"  all but curvature:{everything:7.1f} ms each, {shares[1]:6.1%} of training (wanted: 10 %)", flush=True)
        row = {"name": name, "step_ms": step, "measure_every": cadence, "share_default": shares[0],
               "share_all_but_curvature": shares[1], "alone_ms": {}}  # fmt: skip
        for key, reading in READINGS.items():
            if reading not in measured.compiled.readings or (args.quick and key in CURVATURE):
                continue
            measured.one([reading])
            row["alone_ms"][key] = alone = min(measured.one([reading]) for _ in range(rounds))
            share = alone / reading.every / (cadence * step)
            note = " (curvature)" if key in CURVATURE else ""
            print(f"    {key:16}{alone:9.1f} ms alone, at every {reading.every}: {share:6.1%}{note}", flush=True)
        written.append(row)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(written, indent=2) + "\n")
    print(f"\nwritten: {args.out}")


if __name__ == "__main__":
    with arithmetic(Training()):
        main()
