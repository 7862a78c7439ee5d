"""The compiled functions of one structure: a segment of training with its evaluations, and the measurements apart.

A segment is one compiled call: for each of its evaluations, train up to that step, then evaluate.  The inner loop's
length is a run-time value, so the training code is a program of its own inside it.  How often it is evaluated, and what
is read, changes not a bit of the training.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from anglewise.lab.engine import cache
from anglewise.lab.engine.placement import Place, Placement, choose, first_device
from anglewise.lab.engine.step import Member, Past, Program, State, Values
from anglewise.lab.protocols.model import Model
from anglewise.lab.protocols.reading import ActivationReading, PastWeights, Reading
from anglewise.lab.protocols.task import Task
from anglewise.lab.spec import Run, Training

T = TypeVar("T")
MEMBERS: Any = Member(0, 0, 0, 0)  # type: ignore[arg-type]
STATES: Any = State(None, 0, 0, 0)  # type: ignore[arg-type]
PASTS: Any = (PastWeights(0, None),) * 2  # type: ignore[arg-type]
"""Axes along which a batched program's members, states and past weights are stacked: all count the same steps."""
Doing: TypeAlias = Literal["compiling", "training", "measuring"]
"""What compiled functions are at: the first measurement with some readings compiles its program and runs it."""
AT_ONCE = 8
"""Members of a batched program that are measured at once: a reading may look at a whole table of inputs."""


def unheard(doing: Doing) -> None:
    """Nobody listens to what is done."""


class Structure(NamedTuple):
    """What runs must have in common to train as one program."""

    task: Task
    model: Model
    methods: jax.tree_util.PyTreeDef
    training: Training


def structure_of(run: Run) -> Structure:
    """The part of a run's specification that is compiled in: everything but numbers that may be arrays."""
    return Structure(run.task, run.model, jax.tree.structure(run.arm.methods), run.training)


@contextlib.contextmanager
def arithmetic(training: Training) -> Iterator[None]:
    """Full precision: float64 where asked for, and no silent TF32 on accelerators."""
    with jax.enable_x64(training.precision == "float64"), jax.default_matmul_precision("highest"):
        yield


class Compiled:
    """The compiled functions of one structure on one placement; compiled once per number of members."""

    def __init__(
        self,
        run: Run,
        placement: Placement,
        readings: tuple[Reading, ...],
        at_evaluations: tuple[ActivationReading, ...],
    ):
        """Assemble, without compiling."""
        self.told: Callable[[Doing], None] = unheard
        self.training, self.placement = run.training, placement
        self.program = Program(run.task, run.model, run.arm.methods, run.training, at_evaluations, placement.block)
        self.readings = tuple(reading for reading in readings if reading.suits(run.task, run.model))
        self.length = max(1, placement.segment // run.training.every)
        segment = self._segment
        if placement.batched:
            segment = jax.vmap(segment, in_axes=(MEMBERS, STATES, None, None), out_axes=(STATES, 0))
            segment = spread(segment, placement.devices, (MEMBERS, STATES, None, None), (STATES, 0))
        self._advance = jax.jit(segment, donate_argnums=1)
        self._measures: dict[tuple[Reading, ...], jax.stages.Wrapped] = {}
        self._ready: dict[tuple[int, ...], jax.stages.Compiled] = {}
        self._compiling = threading.Lock()

    def measure(
        self, readings: tuple[Reading, ...], member: Member, state: State, past: Past
    ) -> dict[tuple[str, str], np.ndarray]:
        """Values of some of the readings, by (site, name)."""
        values: dict[tuple[str, str], np.ndarray] = {}
        for precision in ("as trained", "float64"):
            due = tuple(reading for reading in readings if reading.precision == precision)
            if not due:
                continue
            with jax.enable_x64(precision == "float64" or self.training.precision == "float64"):
                self.told("measuring" if due in self._measures else "compiling")
                if due not in self._measures:
                    self._measures[due] = jax.jit(self._measure(due, precision))
                values |= jax.device_get(self._measures[due](member, state, past))
        return values

    def _measure(self, readings: tuple[Reading, ...], precision: str) -> Callable[[Member, State, Past], Values]:
        """One program for some readings."""
        batched = self.placement.batched

        def measure(member: Member, state: State, past: Past) -> Values:
            if precision == "float64":
                member, state, past = jax.tree.map(_widened, (member, state, past))
            return dict(self.program.measure(readings, member, state, past))

        def some_at_once(member: Member, state: State, past: Past) -> Values:
            step, *moving = state
            steps = [was.step for was in past]

            def one(xs: Any) -> Any:
                member, moving, params = xs
                was = [PastWeights(*pair) for pair in zip(params, steps, strict=True)]
                return measure(member, State(step, *moving), (was[0], was[1]))

            return jax.lax.map(one, (member, moving, [was.params for was in past]), batch_size=AT_ONCE)

        return spread(some_at_once, self.placement.devices, (MEMBERS, STATES, PASTS), 0) if batched else measure

    def _segment(self, member: Member, state: State, targets: Array, count: Array) -> tuple[State, Any]:
        evaluate, step = self.program.evaluate, self.program.step
        shapes = jax.eval_shape(evaluate, member, state)
        rows = jax.tree.map(lambda x: jnp.zeros((self.length, *x.shape), x.dtype), shapes)

        def look(i: Array, carry: tuple[State, Any]) -> tuple[State, Any]:
            state, rows = carry
            state = jax.lax.fori_loop(state.step, targets[i], lambda _, s: step(member, s), state)
            row = evaluate(member, state)
            return state, jax.tree.map(lambda r, x: r.at[i].set(x), rows, row)

        return jax.lax.fori_loop(0, count, look, (state, rows))

    def advance(self, member: Member, state: State, targets: Sequence[int]) -> tuple[State, Any, float]:
        """Train through `targets` and evaluate at each; returns the new state, the rows, and seconds taken."""
        padded = np.zeros(self.length, np.int32)
        padded[: len(targets)] = targets
        args = (member, state, jnp.asarray(padded), jnp.asarray(len(targets), jnp.int32))
        if _size(state) not in self._ready:
            self.told("compiling")
        segment = self.prepare(member, state)
        self.told("training")
        begun = time.perf_counter()
        state, rows = jax.block_until_ready(segment(*args))
        return state, jax.tree.map(np.asarray, rows), time.perf_counter() - begun

    def prepare(self, member: Member, state: State) -> jax.stages.Compiled:
        """The segment's program for members like these, or of these shapes; compiled by the first who asks for it."""
        with self._compiling:
            if (size := _size(state)) not in self._ready:
                steps = jax.ShapeDtypeStruct((self.length,), jnp.int32), jax.ShapeDtypeStruct((), jnp.int32)
                with arithmetic(self.training):
                    self._ready[size] = self._advance.lower(member, state, *steps).compile()
            return self._ready[size]

    def planned_bytes(self, member: Member, state: State) -> int:
        """Memory that the compiler plans for a segment of these members, beside what they hold themselves."""
        targets, zero = jnp.zeros(self.length, jnp.int32), jnp.zeros((), jnp.int32)
        plan: Any = self._advance.lower(member, state, targets, zero).compile().memory_analysis()
        return int(plan.temp_size_in_bytes + plan.output_size_in_bytes)


def mesh_of(devices: int) -> jax.sharding.Mesh:
    """The first devices of this host, along the axis of members."""
    auto = (jax.sharding.AxisType.Auto,)
    return jax.make_mesh((devices,), ("members",), axis_types=auto, devices=jax.local_devices()[:devices])


def placed(tree: T, devices: int) -> T:
    """Arrays with a row for each member, each row on the device that trains it."""
    sharding = sharding_of(devices)
    return tree if sharding is None else jax.device_put(tree, sharding)  # type: ignore[no-any-return]


def sharding_of(devices: int) -> jax.sharding.Sharding | None:
    """How rows of members lie on devices; None for one device."""
    if devices == 1:
        return None
    return jax.sharding.NamedSharding(mesh_of(devices), jax.sharding.PartitionSpec("members"))


def _size(state: State) -> tuple[int, ...]:
    """What programs for different numbers of members differ in."""
    return tuple(jax.tree.leaves(state.params)[0].shape)


def spread(batched: Callable[..., Any], devices: int, inputs: Any, outputs: Any) -> Callable[..., Any]:
    """A batched function whose members are spread over devices: each computes its part, and none asks another.

    Args:
        batched: Works on any number of members.
        devices: How many; with one it stays as it is.
        inputs: For each argument the axis of its members, as for ``vmap``: 0, or None where all have the same.
        outputs: For its result likewise.
    """
    if devices == 1:
        return batched
    mesh = mesh_of(devices)

    def specs(axes: Any) -> Any:
        spec = jax.sharding.PartitionSpec
        return jax.tree.map(lambda x: spec() if x is None else spec("members"), axes, is_leaf=lambda x: x is None)

    return jax.shard_map(batched, mesh=mesh, in_specs=specs(inputs), out_specs=specs(outputs), check_vma=False)


def _widened(x: Array) -> Array:
    return x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x


FAR = 2**31 - 1
"""Stands for any budget where programs are compared: when a run stops is no part of its program."""
MOST = 64
"""Programs that are kept.  Seeds come first in an experiment, so its arms take turns: with fewer places than structures
each would be compiled anew for each seed.  The largest leaderboard has about 60 structures.  A program of the
quickstart's network takes 10 to 40 MB of memory, the more the more is measured."""


class Programs:
    """The programs that somebody trains with: each is compiled once, and the least recently used goes first.

    A search or a study that trains many experiments hands the same object to all of them, so that a second experiment
    of equal structure compiles nothing.

    Args:
        at_evaluations: Readings of activations that every evaluation takes.
        place: How members are placed on the device.
        most: Programs that are kept.
    """

    def __init__(self, at_evaluations: tuple[ActivationReading, ...] = (), *, place: Place = choose, most: int = MOST):
        """Compile nothing yet."""
        cache.use()
        self._at_evaluations, self._place, self._most = at_evaluations, place, most
        self._kept: OrderedDict[tuple[Structure, Placement, tuple[Reading, ...]], Compiled] = OrderedDict()
        self._changing = threading.Lock()

    @property
    def device(self) -> jax.Device:
        """The device that they run on."""
        return first_device()

    def of(self, run: Run, readings: tuple[Reading, ...] = ()) -> Compiled:
        """The program that a run trains with: one for each structure, placement and choice of readings.

        Args:
            run: Its numbers do not matter, nor when it ends.
            readings: What is measured.
        """
        same = dataclasses.replace(run.training, budget=FAR, threshold=1.0, sustain=1, further=-1, split_seed=-1)
        structure = structure_of(run)._replace(training=same)
        placement = self._place(run.task, run.training, self.device.platform)
        key = structure, placement, readings
        with self._changing:
            if key not in self._kept:
                self._kept[key] = Compiled(run, placement, readings, self._at_evaluations)
                if len(self._kept) > self._most:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]
