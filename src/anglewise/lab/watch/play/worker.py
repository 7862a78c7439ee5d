"""The process that trains for the playground: commands come in as lines of JSON, frames go out as lines of JSON.

A frame is what the network shows after a few steps: accuracy, radius, and where test activations point (see
``compass.py``).  Numbers are arguments of the compiled program, so a slider that moves compiles nothing.
The process ends with its input.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import sys
import time
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from anglewise.errors import AnglewiseError
from anglewise.lab.engine.population import Population, Rows
from anglewise.lab.engine.programs import Programs
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.fourier import EmbeddingFourier
from anglewise.lab.readings.radii import Radii
from anglewise.lab.report.plots.circles import ring
from anglewise.lab.spec import Arm, Run, Training
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.watch.play.compass import Compass
from anglewise.lab.watch.play.settings import Settings, numbers, settings

DOTS = 90
"""Test examples whose activations are shown."""
EVERY = 4
"""Steps between two frames."""
FRAMES = 30.0
"""Frames in a second at most."""
SLOW = 6.0
"""The same in slow motion."""


def methods(chosen: Settings) -> tuple[Any, ...]:
    """The optimiser and the penalty with the numbers chosen."""
    optimiser = AdamW(lr=chosen.rate, wd=chosen.decay, beta1=0.9, beta2=0.99, eps=1e-25)
    return optimiser, RadialPenalty(strength=chosen.strength, target=chosen.target)


def run_of(chosen: Settings) -> Run:
    """The run that settings mean."""
    task = Modular(p=chosen.p, operation="+", train=0.4)
    model = MLP(hidden=(chosen.width, chosen.width), embedding=chosen.p, shared=False)
    training = Training(budget=chosen.budget, every=EVERY, measure_every=EVERY, split_seed=chosen.seed)
    return Run("playground", task, model, Arm("playground", methods(chosen)), training, chosen.seed)


class Trainer:
    """One run on its way; another one takes its place on request."""

    def __init__(self) -> None:
        self.programs = Programs((Radii(),))
        self.population: Population | None = None
        self.chosen = Settings()

    def start(self, chosen: Settings) -> None:
        """Begin anew."""
        run = run_of(chosen)
        self.chosen = chosen
        self.population = Population([run], self.programs.of(run, (Compass(), EmbeddingFourier(circles=1))))
        self.population.begin()

    def change(self, values: Mapping[str, float]) -> None:
        """Train on with other numbers; the program stays as it is."""
        self.chosen = dataclasses.replace(self.chosen, **dict[str, Any](values))
        if self.population is not None:
            old = self.population.member.methods
            new = jax.tree.map(lambda x, was: jnp.asarray(x, was.dtype), methods(self.chosen), old)
            if self.population.compiled.placement.batched:
                new = jax.tree.map(lambda x: x[None], new)
            self.population.member = self.population.member._replace(methods=new)

    def advance(self) -> dict[str, Any] | None:
        """Train to the next frame; None where there is nothing to train."""
        if self.population is None or not self.population.live.any():
            return None
        return self.frame(self.population.advance()[0])

    def frame(self, rows: Rows) -> dict[str, Any]:
        """What the network shows now, as JSON values."""
        last = rows.curves[-1]
        arrays = {(row["name"], row["site"]): _shaped(row) for row in rows.arrays}
        values = {(row["name"], row["site"]): row["value"] for row in rows.readings}
        sites = [_pointing(site, values, arrays) for name, site in arrays if name == "length"]
        shown = {"what": "frame", "step": last["step"], "train": _short(last["train_accuracy"])}
        shown |= {"test": _short(last["test_accuracy"]), "sites": sites, "ended": rows.ended}
        shown["numbers"] = {name: getattr(self.chosen, name) for name in ("strength", "target", "decay", "rate")}
        shown["diverged"] = not np.isfinite(last["train_loss"])
        return shown | {"circle": _circle(arrays)}


def _circle(arrays: Mapping[tuple[str, str], np.ndarray]) -> dict[str, Any] | None:
    """The first operand's tokens in the plane of its strongest frequency, in the order round the circle."""
    tables = [site for name, site in arrays if name == "circles"]
    if not tables:
        return None
    points = arrays["circles", tables[0]][0]
    closed, turns, k = ring(points, float(arrays["circle_frequencies", tables[0]][0]))
    if not np.isfinite(points).all():
        return None
    xy = points[closed]
    return {
        "k": k, "x": [_short(x) for x in xy[:, 0]], "y": [_short(y) for y in xy[:, 1]],
        "turns": [_short(x) for x in turns],
    }  # fmt: skip


def _pointing(site: str, values: Mapping[Any, float], arrays: Mapping[Any, np.ndarray]) -> dict[str, Any]:
    """Lengths and directions at one site: the first few by themselves, and of all how far they are off, in degrees."""
    direction, belongs = arrays["direction", site], arrays["belongs", site]
    off = 360 * np.abs((direction - belongs + 0.5) % 1 - 0.5)
    return {
        "site": site, "radius": _short(values["radius", site]), "off": _short(float(off.mean())),
        "k": int(values["compass_k", site]), "r": [_short(x) for x in arrays["length", site][:DOTS]],
        "direction": [_short(x) for x in direction[:DOTS]], "belongs": [_short(x) for x in belongs[:DOTS]],
    }  # fmt: skip


def _shaped(row: Mapping[str, Any]) -> np.ndarray:
    return np.asarray(row["values"], float).reshape([int(n) for n in row["shape"].split(",")])


def _short(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) else None


def say(message: Mapping[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(message, separators=(",", ":"), allow_nan=False) + "\n")
    sys.stdout.flush()


class Commands:
    """Lines of JSON from a file descriptor, read without waiting for more than there is."""

    def __init__(self, handle: int):
        self.handle, self.rest, self.over = handle, b"", False

    def read(self, wait: float | None) -> list[dict[str, Any]]:
        """Whole lines that have come, after waiting for at most so many seconds; None waits for one."""
        if select.select([self.handle], [], [], wait)[0]:
            data = os.read(self.handle, 65536)
            self.over = not data
            *lines, self.rest = (self.rest + data).split(b"\n")
            return [json.loads(line) for line in lines if line.strip()]
        return []


def main() -> None:
    """Obey until the input ends."""
    with contextlib.suppress(OSError):
        os.nice(5)  # whoever trains in earnest goes first
    trainer, commands = Trainer(), Commands(sys.stdin.fileno())
    going, slow, due = False, False, 0.0
    say({"what": "ready"})
    while not commands.over:
        for command in commands.read(max(due - time.monotonic(), 0.0) if going else None):
            try:
                match command.pop("do"):
                    case "start":
                        waits = bool(command.pop("waits", False))  # shows its first frame alone
                        say({"what": "state", "state": "compiling"})
                        trainer.start(settings(command))
                        say({"what": "begun", "settings": dataclasses.asdict(trainer.chosen)})
                        say({**(trainer.advance() or {}), "waits": waits})
                        going = not waits
                    case "set":
                        trainer.change(numbers(command))
                    case "pause":
                        going = False
                    case "go":
                        going = True
                    case "slow":
                        slow = bool(command["on"])
            except AnglewiseError as error:
                say({"what": "error", "text": str(error)})
        if going and time.monotonic() >= due:
            due = time.monotonic() + 1 / (SLOW if slow else FRAMES)
            frame = trainer.advance()
            if frame is not None:
                say(frame)
            going = frame is not None and not frame["ended"]


if __name__ == "__main__":
    main()
