"""Members that train as one program: started, advanced by segments, retired one by one, saved and restored.

What is compiled stands in ``programs.py``; here are the members' data, states, curves and ends.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from anglewise.lab.engine import checkpoint
from anglewise.lab.engine.checkpoint import Tree
from anglewise.lab.engine.placement import tree_bytes
from anglewise.lab.engine.programs import Compiled, arithmetic, placed, sharding_of
from anglewise.lab.engine.rng import stream
from anglewise.lab.engine.step import Member, Past, State
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.reading import PastWeights, named_parameters
from anglewise.lab.spec import Json, Run

T = TypeVar("T")
CURVES = ("train_accuracy", "test_accuracy", "train_loss", "test_loss")
Frames: TypeAlias = Mapping[tuple[str, str], np.ndarray]
"""Values by (site, name)."""


class Last(NamedTuple):
    """A member's last state as named arrays: its weights, named as in the network, and all else that going on needs."""

    step: int
    weights: Mapping[str, np.ndarray]
    rest: Mapping[str, np.ndarray]


class Rows(NamedTuple):
    """One member's values of one segment, and (as `history`) since its start; `last` once it has ended."""

    run: Run
    curves: list[Json]
    readings: list[Json]
    arrays: list[Json]
    last: Last | None
    history: dict[str, np.ndarray]
    seconds: float

    @property
    def ended(self) -> bool:
        """Whether the run trains no further."""
        return self.last is not None


class Watch(NamedTuple):
    """How members are evaluated, beyond what their experiment's own rule asks for.

    Attributes:
        every: Steps between evaluations; divides the rule's.
        stops: Further steps that are evaluated: budgets off that grid.
        least: Steps to train at least; what has been trained once is trained again whole.
    """

    every: int
    stops: tuple[int, ...] = ()
    least: int = 0


class Population:
    """Runs of one structure that train together (on a CPU: a single one).

    A member whose run has ended is idle; a batched program drops its idle members once they are half of it, since
    each new size is compiled anew.
    """

    def __init__(self, runs: Sequence[Run], compiled: Compiled, watch: Watch | None = None):
        """Place members; :meth:`begin`, :meth:`restore` or :meth:`go_on` gives them weights."""
        self.compiled, self.training, self.rule = compiled, runs[0].training, runs[0].training.rule
        self.watch = watch or Watch(self.rule.every)
        self.runs = list(runs)
        self.live = np.ones(len(runs), bool)
        self.seconds = np.zeros(len(runs))
        self.steps = np.zeros(0, np.int64)
        self.curves = {name: np.zeros((len(runs), 0)) for name in CURVES}
        self.past: Past

    @property
    def step(self) -> int:
        """Step of the last evaluation; -1 before the first."""
        return int(self.steps[-1]) if self.steps.size else -1

    def begin(self) -> None:
        """Draw splits and first weights."""
        with arithmetic(self.training):
            members = [_member(run) for run in self.runs]
            states = [
                self.compiled.program.start(member, stream(run.seed, "init"))
                for run, member in zip(self.runs, members, strict=True)
            ]
            batched = self.compiled.placement.batched
            self.member = self._stacked(members) if batched else members[0]
            self.state: State = states[0]
            if batched:
                self.state = State(states[0].step, *self._stacked([state[1:] for state in states]))
            never = PastWeights(_copied(self.state.params), jnp.asarray(-1, jnp.int32))
            self.past = (never, never)

    def _stacked(self, trees: Sequence[T]) -> T:
        """Members' trees as one; the last comes again until each device has as many."""
        more = self.compiled.placement.padded(len(trees)) - len(trees)
        stacked: T = jax.tree.map(lambda *xs: jnp.stack(xs), *trees, *[trees[-1]] * more)
        return placed(stacked, self.compiled.placement.devices)

    def targets(self) -> list[int]:
        """Steps of the next evaluations: a segment's worth, and no further than the next measurement."""
        every, due, most = self.watch.every, self.rule.measure_every, max(self.rule.budget, self.watch.least)
        first = (self.step // every + 1) * every
        grid = range(first, first + self.compiled.length * every, every)
        stops = (*self.watch.stops, self.rule.budget, most)
        steps = sorted({step for step in (*grid, *stops) if self.step < step <= most})
        steps = ([0, *steps] if self.step < 0 and 0 not in steps else steps)[: self.compiled.length]
        ends = [i for i, step in enumerate(steps) if due and step % due == 0]
        return steps[: ends[0] + 1] if ends else steps

    def advance(self) -> list[Rows]:
        """Train one segment; returns every live member's rows and retires those that have ended."""
        targets = self.targets()
        with arithmetic(self.training):
            self.state, rows, seconds = self.compiled.advance(self.member, self.state, targets)
        if not self.compiled.placement.batched:
            rows = jax.tree.map(lambda x: np.asarray(x)[None], rows)
        self.seconds[self.live] += seconds / self.live.sum()
        self.steps = np.concatenate([self.steps, np.asarray(targets, np.int64)])
        for name in CURVES:
            new = np.asarray(rows[name][: len(self.runs), : len(targets)], np.float64)
            self.curves[name] = np.concatenate([self.curves[name], new], axis=1)
        live = [int(i) for i in np.flatnonzero(self.live)]
        measured = self._measured(live)
        shown = [self._show(i, targets, rows["readings"], measured[i]) for i in live]
        self._retire()
        return shown

    def settled(self) -> list[Rows]:
        """Members that have ended before anything is trained, since they went on from a state beyond their end."""
        live = [int(i) for i in np.flatnonzero(self.live) if self.steps.size and self._end(int(i)) is not None]
        shown = [self._show(i, [], {}, {}) for i in live]
        self._retire()
        return shown

    def _retire(self) -> None:
        if not self.steps.size:
            return
        self.live[[int(i) for i in np.flatnonzero(self.live) if self._end(int(i)) is not None]] = False
        if self.compiled.placement.batched and 0 < 2 * self.live.sum() <= len(self.runs):
            self._keep(np.flatnonzero(self.live))

    def _measured(self, live: list[int]) -> dict[int, dict[tuple[str, str], np.ndarray]]:
        """Each live member's values of the readings that are due now: all of them where its run ends here."""
        due, step, readings = self.rule.measure_every, self.step, self.compiled.readings
        by_member: dict[int, dict[tuple[str, str], np.ndarray]] = {i: {} for i in live}
        last = [i for i in live if self._end(i) == step] if readings and due else []
        regular = tuple(r for r in readings if due and step % due == 0 and step // due % r.every == 0)
        if not regular and not last:
            return by_member
        for some, members in ((regular, live), (tuple(r for r in readings if r not in regular), last)):
            if not some or not members:
                continue
            with arithmetic(self.training):
                values = self.compiled.measure(some, self.member, self.state, self.past)
            for i in members:
                by_member[i] |= {name: x[i] if self.compiled.placement.batched else x for name, x in values.items()}
        if step % due == 0:  # a measurement between two regular ones is none that the next is compared with
            self.past = (PastWeights(_copied(self.state.params), self.state.step + 0), self.past[0])
        return by_member

    def _show(self, index: int, targets: list[int], at_evaluations: Frames, measured: Frames) -> Rows:
        """One member's rows of this segment."""
        offset = len(self.steps) - len(targets)
        curves: list[Json] = [
            {"step": step, **{name: float(self.curves[name][index, offset + i]) for name in CURVES}}
            for i, step in enumerate(targets)
        ]
        readings: list[Json] = [
            {"step": step, "site": site, "name": name, "value": float(values[index][i])}
            for i, step in enumerate(targets)
            for (site, name), values in at_evaluations.items()
        ]
        arrays: list[Json] = []
        for (site, name), value in measured.items():
            row = {"step": targets[-1], "site": site, "name": name}
            if value.ndim:
                arrays.append(row | {"shape": ",".join(map(str, value.shape)), "values": value.ravel()})
            else:
                readings.append(row | {"value": float(value)})
        history = {"step": self.steps, **{name: self.curves[name][index] for name in CURVES}}
        last = None if self._end(index) is None else self._last(index)
        return Rows(self.runs[index], curves, readings, arrays, last, history, float(self.seconds[index]))

    def _end(self, index: int) -> int | None:
        """The step at which a run ends by its rule; None while it goes on, or has not trained again what it had."""
        loss = self.curves["train_loss"][index]
        end = self.rule.end(self.steps, self.curves["test_accuracy"][index], loss)
        return end if self.step >= self.watch.least or not np.isfinite(loss[-1:]).all() else None

    def _last(self, index: int) -> Last:
        """One member's state as named arrays."""
        state, past = self.state, self.past
        if self.compiled.placement.batched:
            state, past = _each(state, past, lambda x: x[index])
        weights, rest = jax.device_get((named_parameters(state.params), self._rest(state, past)))
        return Last(self.step, dict(weights), checkpoint.named(rest))

    def _rest(self, state: State, past: Past) -> dict[str, Tree]:
        """What going on needs beside the weights; weights at earlier measurements only where something reads them."""
        earlier = {"past": past} if self.compiled.readings else {}
        return {"order": state.order, "memory": state.opt_state} | earlier

    def _keep(self, rows: np.ndarray) -> None:
        """Go on with the members at `rows` alone (of a batched program)."""
        self.runs, self.live = [self.runs[i] for i in rows], self.live[rows]
        self.seconds = self.seconds[rows]
        self.curves = {name: x[rows] for name, x in self.curves.items()}
        more = self.compiled.placement.padded(len(rows)) - len(rows)
        rows = np.concatenate([rows, np.repeat(rows[-1:], more)])
        self._take_rows(rows)

    def _take_rows(self, rows: np.ndarray) -> None:
        """Members' data and states at some rows, each on the device that trains it."""
        devices = self.compiled.placement.devices
        self.member = placed(jax.tree.map(lambda x: x[rows], self.member), devices)
        self.state, self.past = _each(self.state, self.past, lambda x: placed(x[rows], devices))

    def save(self, path: Path, note: Json = MappingProxyType({})) -> None:
        """Write everything that going on needs, with a note: the caller's, the members, how they are watched."""
        members = {"runs": [run.run_id for run in self.runs], "looks": len(self.steps), **self.watch._asdict()}
        saved = self._saved(self._without_padding(), self.steps, self.curves, self.seconds)
        checkpoint.write(path, saved, {**note, **members})

    def _without_padding(self) -> tuple[State, Past]:
        """States of the members alone, so that another number of devices can go on from them."""
        if not self.compiled.placement.batched:
            return self.state, self.past
        return _each(self.state, self.past, lambda x: x[: len(self.runs)])

    def go_on(
        self, lasts: Sequence[Last], histories: Sequence[Mapping[str, np.ndarray]], seconds: Sequence[float]
    ) -> None:
        """Go on from where each member once ended.

        Args:
            lasts: The state of each, all at one step.
            histories: Evaluations of each so far, at equal steps.
            seconds: Training seconds of each so far.

        Raises:
            StoreError: If a state is not one of these runs.
        """
        self.begin()
        states, pasts = [], []
        with arithmetic(self.training):
            for i, last in enumerate(lasts):
                state, past = self.state, self.past
                if self.compiled.placement.batched:
                    state, past = _each(state, past, operator.itemgetter(i))
                params = _from_names(last.weights, state.params)
                rest = checkpoint.shaped(last.rest, self._rest(state, past), "the kept state")
                rest = jax.tree.map(jnp.asarray, rest)
                states.append((rest["order"], params, rest["memory"]))
                pasts.append(rest.get("past", past))
            step = jnp.asarray(lasts[0].step, jnp.int32)
            if self.compiled.placement.batched:
                self.state = State(step, *self._stacked(states))
                first, second = (
                    PastWeights(self._stacked([past[k].params for past in pasts]), pasts[0][k].step) for k in range(2)
                )
                self.past = first, second
            else:
                self.state, self.past = State(step, *states[0]), pasts[0]
        self.steps = np.asarray(histories[0]["step"], np.int64)
        self.curves = {name: np.stack([np.asarray(h[name], np.float64) for h in histories]) for name in CURVES}
        self.seconds = np.asarray(seconds, float)

    def restore(self, path: Path, evaluations: int, *, live: Collection[str]) -> None:
        """Go on from a checkpoint.

        Args:
            path: The checkpoint, made by a population of the same runs in the same order.
            evaluations: How many it holds, from its note.
            live: Identities of the runs that have not ended since.

        Raises:
            StoreError: If the file does not fit.
        """
        self.begin()
        n, shape = len(self.runs), jax.ShapeDtypeStruct
        curves = {name: shape((n, evaluations), np.float64) for name in CURVES}
        with arithmetic(self.training):
            like = jax.eval_shape(self._without_padding)
            saved = self._saved(like, shape((evaluations,), np.int64), curves, shape((n,), np.float64))
            back = checkpoint.read(path, saved)
            self.state, self.past = jax.tree.map(jnp.asarray, back["state"])
            if self.compiled.placement.batched:
                rows = np.minimum(np.arange(self.compiled.placement.padded(n)), n - 1)
                devices = self.compiled.placement.devices
                self.state, self.past = _each(self.state, self.past, lambda x: placed(x[rows], devices))
        self.steps, self.curves, self.seconds = back["steps"], back["curves"], back["seconds"]
        self.live = np.array([run.run_id in live for run in self.runs])

    @staticmethod
    def _saved(state: Tree, steps: Tree, curves: Tree, seconds: Tree) -> dict[str, Tree]:
        return {"state": state, "steps": steps, "curves": curves, "seconds": seconds}


def _from_names(arrays: Mapping[str, np.ndarray], like: Params) -> Params:
    """Weights by name in the structure of `like`."""
    paths = dict(zip(named_parameters(like), checkpoint.named(like), strict=True))
    by_path = {paths[name]: x for name, x in arrays.items() if name in paths}
    return jax.tree.map(jnp.asarray, checkpoint.shaped(by_path, like, "the kept weights"))


def _each(state: State, past: Past, take: Callable[[jax.Array], jax.Array]) -> tuple[State, Past]:
    """A batched program's state with something taken of every array that has a row for each member."""
    step, *moving = state
    earlier, before = (PastWeights(jax.tree.map(take, was.params), was.step) for was in past)
    return State(step, *jax.tree.map(take, moving)), (earlier, before)


def _copied(tree: Params) -> Params:
    """A copy that survives when the original is given to a program for good."""
    return jax.tree.map(jnp.copy, tree)


def shapes(run: Run, members: int, compiled: Compiled) -> tuple[Member, State]:
    """The shapes of so many members like a run, and of their states; nothing is drawn."""
    with arithmetic(run.training):
        member = _member(run)
        state = jax.eval_shape(compiled.program.start, member, stream(run.seed, "init"))
        member = jax.eval_shape(lambda: member)
    if not compiled.placement.batched:
        return member, state
    rows, sharding = compiled.placement.padded(members), sharding_of(compiled.placement.devices)

    def stacked(x: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((rows, *x.shape), x.dtype, sharding=sharding)

    step, *moving = state
    return jax.tree.map(stacked, member), State(step, *jax.tree.map(stacked, moving))


def _member(run: Run) -> Member:
    """All that stays of a run while it trains."""
    dtype = jnp.float64 if run.training.precision == "float64" else jnp.float32
    fixed = run.training.split_seed
    data = run.task.split(stream(run.seed if fixed < 0 else fixed, "split"))
    methods = jax.tree.map(lambda x: jnp.asarray(x, dtype), run.arm.methods)
    return Member(methods, data, stream(run.seed, "batch"), stream(run.seed, "noise"))


def bytes_each(run: Run, compiled: Compiled) -> int:
    """Memory that one more member takes on its device, as the compiler plans it."""
    one = Population([run], compiled)
    one.begin()
    with arithmetic(run.training):
        planned = compiled.planned_bytes(one.member, one.state)
    return tree_bytes((one.member, one.state, one.past)) // compiled.placement.padded(1) + planned
