"""A training step of the engine beside plain PyTorch, and the cost of one network as a population grows.

The engine's own training program runs, without evaluation.  Peers are in ``reference.py``.  Their Transformer computes
every position of every example, as it is usually written; the engine computes once what depends on one token alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from anglewise.lab.engine.placement import Placement, choose
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import MEMBERS, STATES, Compiled, arithmetic
from anglewise.lab.engine.rng import stream
from anglewise.lab.experiments.tracks import TRACK_A, TRACK_C2, TRACK_D
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.protocols.model import Model
from anglewise.lab.protocols.task import Task
from anglewise.lab.spec import Arm, Run, Training
from benchmarks import results
from benchmarks.cases import Alternative, Case, Speed, workers
from benchmarks.workers import Timed

EIGHT = 8
STRENGTH = 0.05


class Setup(NamedTuple):
    """A task, a model, examples per step (0: all), the optimiser, and the experiment whose cadence it is read at."""

    task: Task
    model: Model
    batch: int
    adamw: AdamW
    cadence: int


SETUPS = {
    "MLP 512, batch 256": Setup(
        TRACK_D.task, TRACK_D.model, 256, AdamW(lr=1e-3, wd=0.1), TRACK_D.training.measure_every
    ),
    "track C2, full batch": Setup(
        TRACK_C2.task, TRACK_C2.model, 0, AdamW(lr=0.05, wd=2.0, beta2=0.99), TRACK_C2.training.measure_every
    ),
    "track A's Transformer, batch 512": Setup(
        TRACK_A.task, TRACK_A.model, 512, AdamW(lr=2e-3, wd=2.0, beta2=0.98), TRACK_A.training.measure_every
    ),
}  # fmt: skip
SMALLEST = "MLP 512, batch 256"
OURS, PEER = "benchmarks.engine:ours", "benchmarks.reference:trains"


def cases(speed: Speed) -> Iterator[Case]:
    """Every set-up without and with the penalty, beside every peer; then populations."""
    for name, setup in SETUPS.items():
        for strength in (0.0, STRENGTH):
            if not speed.quick or (name == SMALLEST and strength):
                yield step_case(name, setup, strength, speed)
    if not speed.quick:
        yield population_case(speed)


def step_case(name: str, setup: Setup, strength: float, speed: Speed) -> Case:
    """One set-up beside its peers."""
    alternatives = {"anglewise": Alternative(OURS, (setup, strength))}
    words = theirs(setup, strength)
    alternatives |= {
        "PyTorch eager": Alternative(PEER, ("eager", *words)),
        "torch.compile": Alternative(PEER, ("compiled", *words)),
        f"torch.func of {EIGHT}": Alternative(PEER, ("ensemble", *words, EIGHT), EIGHT),
    }
    if not speed.quick:
        alternatives[f"torch.compile of torch.func of {EIGHT}"] = Alternative(PEER, ("compiled", *words, EIGHT), EIGHT)

    def facts(medians: Mapping[str, float]) -> dict[str, float]:
        seconds = medians["anglewise"] / 1e3
        return {"share_of_gemm_peak": flops(setup) / seconds / 1e9 / results.gemm()}

    return Case(
        name + (" + penalty" if strength else ""), "ms per step and network",
        lambda: workers(alternatives, speed), facts=facts, restarts=2,
    )  # fmt: skip


def population_case(speed: Speed) -> Case:
    """Members one after the other, and by ``vmap``."""
    setup = SETUPS["track C2, full batch"]
    sizes = (2, 4, 8, 16)
    alternatives = {"one network": Alternative(OURS, (setup, STRENGTH))}
    alternatives |= {f"vmap of {n}": Alternative(OURS, (setup, STRENGTH, n), n) for n in sizes}
    pairs = tuple((name, "one network") for name in list(alternatives)[1:])
    return Case("track C2 + penalty, members of a population", "ms per step and network",
                lambda: workers(alternatives, speed), ratios=pairs, restarts=2)  # fmt: skip


def flops(setup: Setup) -> float:
    """Flops of a step's matrix products (3 passes; look-ups are free; of the last block the last position alone).

    The engine's Transformer also computes what depends on one token once per token, and so does fewer than these:
    its share of the peak is that of the step as usually written.
    """
    task, model = setup.task, setup.model
    n = setup.batch or task.sizes[0]
    if isinstance(model, MLP):
        widths = (*model.hidden, task.classes)
        products = n * sum(i * o for i, o in itertools.pairwise(widths))
        if model.embedding:
            products += task.tokens * task.length * model.embedding * model.hidden[0]
        return 6.0 * products
    d, t, h = model.width, task.length, model.mlp or 4 * model.width
    whole = t * (4 * d * d + 2 * d * h)
    last = 2 * t * d * d + 2 * d * d + 2 * d * h
    return 6.0 * n * ((model.layers - 1) * whole + last + d * task.classes)


class Ours:
    """The engine's own training program, without evaluation.

    Args:
        setup: What trains.
        methods: The arm's.
        members: Networks; by ``vmap`` where there are several.
    """

    def __init__(self, setup: Setup, methods: tuple[Any, ...], members: int = 1):
        training = Training(budget=10**6, every=10**6, batch=setup.batch)
        runs = [Run("bench", setup.task, setup.model, Arm("arm", methods), training, seed) for seed in range(members)]
        usual = choose(setup.task, training, jax.devices()[0].platform)
        placement = Placement(True, usual.block, usual.segment) if members > 1 else usual
        self.population = Population(runs, Compiled(runs[0], placement, (), ()))
        step = self.population.compiled.program.step

        def many(member: Any, state: Any, count: Any) -> Any:
            return jax.lax.fori_loop(0, count, lambda _, s: step(member, s), state)

        if placement.batched:
            many = jax.vmap(many, in_axes=(MEMBERS, STATES, None), out_axes=STATES)
        self.many = jax.jit(many, donate_argnums=1)
        self.population.begin()

    def run(self, steps: int) -> None:
        """Train."""
        one = self.population
        with arithmetic(one.training):
            one.state = jax.block_until_ready(self.many(one.member, one.state, jnp.asarray(steps, jnp.int32)))


def ours(setup: Setup, strength: float, members: int = 1) -> Timed:
    """The engine's training, for a process of its own."""
    methods = (setup.adamw, *([RadialPenalty(strength=strength)] if strength else []))
    return Timed(Ours(setup, methods, members))


def theirs(setup: Setup, strength: float) -> tuple[Any, ...]:
    """The same task, network and optimiser as plain data."""
    task, model, adamw = setup.task, setup.model, setup.adamw
    data = task.split(stream(0, "split"))
    x, y = (np.array(v, np.int64) for v in (data.train_inputs, data.train_labels))
    if isinstance(model, MLP):
        name, fields = "mlp", {"p": task.tokens, "embedding": model.embedding, "hidden": model.hidden,
                               "bias": model.bias, "gelu": model.activation == "gelu"}  # fmt: skip
    else:
        name, fields = "transformer", {"tokens": task.tokens, "length": model.positions_table or task.length,
                                       "classes": task.classes, "d": model.width, "heads": model.heads,
                                       "layers": model.layers}  # fmt: skip
    decay = {"lr": float(adamw.lr), "weight_decay": float(adamw.wd), "betas": (adamw.beta1, adamw.beta2)}
    return name, fields, x, y, setup.batch, decay, strength
