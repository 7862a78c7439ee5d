r"""What an experiment costs, from its specification alone; and whether it may be begun.

The estimate makes no run, weight or table, so an experiment of any size can be checked.  Its memory is that of one run,
since an accelerator trains as many at once as fit.  In numbers of 4 bytes (8 in float64) it is

.. math:: N (5 + c) + (b + \max(n', m') / 2) A + 6 (n + m)(l + k) + 25 E

with N weights; c the copies of them that methods keep and readings make, beside weights, gradient, update and the
weights of two earlier measurements; A the numbers that a forward pass keeps of one example, b of them in a batch; n
training and m test examples of length l with k labels, n' and m' of them evaluated; E evaluations.  On the tracks it
is 0.7 to 2.5 times what the compiler plans.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from anglewise.errors import SpecError
from anglewise.lab.engine.names import check_names
from anglewise.lab.engine.placement import first_device
from anglewise.lab.engine.step import Program
from anglewise.lab.protocols.fields import named
from anglewise.lab.protocols.model import Sized
from anglewise.lab.protocols.reading import Reading
from anglewise.lab.protocols.task import Task, answers_of, evaluated_of
from anglewise.lab.spec import Arm, Experiment

RUNS, STEPS, PIECES = 10_000, 10**9, 500
GIB = 2**30
LARGER = "ask for less, or add --large"
"""In Python: ``run(..., large=True)``."""


class Cost(NamedTuple):
    """What an experiment asks for at most.

    Attributes:
        runs: Arms times seeds.
        steps: Optimiser steps of all runs together.
        parameters: Weights of one network; 0 where the model does not say.
        pieces: Parts of its program that are compiled one by one: layers, pairs of positions that attend.
        bytes: Memory of one run.
    """

    runs: int
    steps: int
    parameters: int
    pieces: int
    bytes: int


class Limits(NamedTuple):
    """What is begun without being asked twice; see :class:`Cost`."""

    runs: int = RUNS
    steps: int = STEPS
    pieces: int = PIECES
    bytes: int = 0


def cost(experiment: Experiment, readings: Sequence[Reading] = ()) -> Cost:
    """What an experiment asks for at most.

    Args:
        experiment: Its arms, seeds, budget, task and model.
        readings: What is measured.

    Example:
        >>> from anglewise.lab.experiments import EXPERIMENTS
        >>> asked = cost(EXPERIMENTS["track-c2"])
        >>> asked.runs, asked.steps, asked.parameters, asked.pieces
        (16, 4800, 133338, 8)
    """
    task, model, rule = experiment.task, experiment.model, experiment.training
    runs = len(experiment.arms) * experiment.seeds
    weights = _of(model, "parameters", task)
    each = _of(model, "activations", task)
    n, m = task.sizes
    batch = min(rule.batch or n, n)
    kept = [sum(int(getattr(method, "copies", 0)) for method in arm.methods) for arm in experiment.arms]
    measured = max((int(reading.copies) for reading in readings), default=0) if rule.measure_every else 0
    numbers = (
        weights * (5 + max(kept, default=0) + measured)
        + (batch + max(evaluated_of(task)) // 2) * each
        + 6 * (n + m) * (task.length + len(answers_of(task).positions))
        + 25 * (rule.budget // rule.every)
    )
    size = 8 if rule.precision == "float64" else 4
    return Cost(runs, runs * rule.budget, weights, _of(model, "pieces", task), size * numbers)


def admit(experiment: Experiment, readings: Sequence[Reading] = (), *, large: bool = False) -> None:
    """Check that an experiment does not ask for too much, and that each of its arms can be trained.

    Args:
        experiment: What is to be trained, or only timed.
        readings: What is measured.
        large: Whether limits are lifted.

    Raises:
        SpecError: In one line, with the estimate and the limit, or with what is wrong with an arm.
    """
    if not large:
        within(experiment.name, cost(experiment, readings), Limits(bytes=memory()))
    task, networks = experiment.task, Networks(experiment)
    suited = [reading for reading in readings if reading.suits(task, experiment.model)]
    if any(texts for reading in suited for _, _, texts in named(reading)):
        check_names(suited, networks.plain, task)
    for arm in experiment.arms:
        try:
            _ = Program(task, experiment.model, arm.methods, experiment.training)
            check_names(arm.methods, networks.of(arm), task)
        except SpecError as error:
            raise SpecError(f"arm {arm.name!r}: {error}") from error


class Networks:
    """The networks of an experiment as shapes alone: nothing is drawn and nothing is compiled."""

    def __init__(self, experiment: Experiment):
        """Look at nothing yet."""
        self.task, self.model = experiment.task, experiment.model

    @functools.cached_property
    def plain(self) -> Any:
        """The network that no method has changed."""
        return eqx.filter_eval_shape(self.model.init, self.task, jax.random.key(0))

    def of(self, arm: Arm) -> Any:
        """The network of an arm."""
        changes = [method.reshape for method in arm.methods if method.reshape is not None]

        def changed() -> Any:
            network: Any = self.model.init(self.task, jax.random.key(0))
            for reshape in changes:
                network = reshape(network)
            return network

        return eqx.filter_eval_shape(changed) if changes else self.plain

    def parameters(self, arm: Arm) -> int:
        """Weights of an arm's network."""
        shapes = jax.tree.leaves(self.of(arm))
        return sum(x.size for x in shapes if jnp.issubdtype(getattr(x, "dtype", object), jnp.floating))


def within(name: str, asked: Cost, limits: Limits) -> None:
    """Check an estimate against limits.

    Raises:
        SpecError: With the first number that is beyond its limit, and the limit.
    """
    pieces = f"{asked.pieces:,} pieces to compile (layers, pairs of positions)"
    memory = f"{_gib(asked.bytes)} of memory ({asked.parameters:,} parameters)"
    texts = {
        "runs": f"{name} has {asked.runs:,} runs, the limit is {limits.runs:,}",
        "pieces": f"a network of {name} has {pieces}, the limit is {limits.pieces:,}",
        "bytes": f"a run of {name} needs about {memory}, this machine has {_gib(limits.bytes)}",
        "steps": f"{name} has up to {asked.steps:,} steps to train, the limit is {limits.steps:,}",
    }
    for number, text in texts.items():
        if getattr(asked, number) > getattr(limits, number):
            raise SpecError(f"{text}: {LARGER}")


def idle(experiment: Experiment) -> list[str]:
    """What of an experiment's settings cannot act as it is written, and what it means instead: a line for each."""
    rule, n = experiment.training, experiment.task.sizes[0]
    evaluations = -(-rule.budget // rule.every) + 1
    notes = {
        f"training.batch {rule.batch} is more than the {n} training examples: every step sees all": rule.batch > n,
        f"training.block {rule.block} is more than a batch: it is not cut": rule.block > min(rule.batch or n, n),
        f"training.sustain {rule.sustain} is more than the {evaluations} evaluations: no run will count as sustained":
            rule.sustain > evaluations,
        f"training.further {rule.further} reaches beyond the budget of {rule.budget} steps: every run trains to it":
            rule.further > rule.budget,
        f"training.measure_every {rule.measure_every} is more than the budget of {rule.budget} steps: a run is "
        "measured at its beginning and its end": rule.measure_every > rule.budget,
    }  # fmt: skip
    return [note for note, holds in notes.items() if holds]


def memory(device: jax.Device | None = None) -> int:
    """Bytes of a device's memory: an accelerator's own, or else this machine's; None for the device that trains."""
    device = first_device() if device is None else device
    stats = None if device.platform == "cpu" else device.memory_stats()
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of(model: object, name: str, task: Task) -> int:
    """One of a model's sizes; 0 where the model declares none."""
    return int(getattr(model, name)(task)) if isinstance(model, Sized) else 0


def _gib(size: int) -> str:
    return f"{size / GIB:,.1f} GiB" if size < 2**60 else f"10^{len(str(size // GIB)) - 1} GiB"
