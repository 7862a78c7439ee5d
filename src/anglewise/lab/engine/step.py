r"""One training step and one evaluation of one member: pure functions of (member, state).

.. math:: L(\theta) = \operatorname{mean}_i \ell(z_i, y_i) + \sum_{\text{methods}} \text{penalty}(h, \theta)

The composition inside a step: loss terms, backward, transforms in the arm's order, update, projections.  A batch
may be worked off in blocks of rows whose gradients are added: the same number up to rounding, and faster where a
block's activations fit the cache.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.lab.engine.forward import with_methods
from anglewise.lab.engine.names import check_names
from anglewise.lab.engine.placement import first_device
from anglewise.lab.protocols.dataclass import at_step
from anglewise.lab.protocols.loss import cross_entropy, per_example
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Activations, Model, Network, Params
from anglewise.lab.protocols.reading import ActivationReading, PastWeights, Reading, Snapshot
from anglewise.lab.protocols.task import Answers, Data, Task, answers_of, evaluated_of
from anglewise.lab.spec import Training

Chain: TypeAlias = tuple[Method, ...]
MEASURING = 0xFFFFFFFF
"""Splits the keys that readings draw with off a run's noise; no step has this number."""
OPTIMISER, EVALUATION = "optimiser", "evaluation"
"""Names of what a profile tells apart: operations of the compiled program bear them."""
OUTER = 50
"""One in so many training examples is held out for methods that learn on such (as published, arXiv 2504.17243)."""
Values: TypeAlias = Mapping[tuple[str, str], Array]
Past: TypeAlias = tuple[PastWeights, PastWeights]
"""The weights at the last measurement, and at the one before it."""


class State(NamedTuple):
    """All that changes while a member trains; keeps shapes, dtypes and device."""

    step: Int[Array, ""]
    order: Int[Array, " n"]
    params: Params
    opt_state: tuple[Any, ...]


class Member(NamedTuple):
    """All that stays: hyper-parameters, data, and the keys of its random streams."""

    methods: Chain
    data: Data
    batch_key: PRNGKeyArray
    noise_key: PRNGKeyArray


class Batch(NamedTuple):
    """What one step learns from."""

    inputs: Int[Array, "rows length"]
    labels: Int[Array, "rows ..."]
    key: PRNGKeyArray | None


def correct(logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Bool[Array, " n"]:
    """Whether the label's logit is strictly greater than every other: a tie, or a NaN, is wrong."""
    hit = labels[:, None] == jnp.arange(logits.shape[-1])
    answer = jnp.sum(jnp.where(hit, logits, 0), axis=-1)
    largest_other = jnp.max(jnp.where(hit, -jnp.inf, logits), axis=-1)
    return answer > largest_other


def grade(logits: Float[Array, "rows c"], labels: Int[Array, "n ..."], answers: Answers) -> Bool[Array, " graded"]:
    """What counts for accuracy: whether each example is right, or each graded label where these count alone.

    An example whose graded labels are all right under teacher forcing is one that greedy decoding answers right:
    every label but the first is then predicted behind right tokens alone, in both.
    """
    right = correct(logits, labels.reshape(-1))
    if labels.ndim == 1:
        return right
    graded = right.reshape(labels.shape)[:, jnp.asarray(answers.graded)]
    return jnp.all(graded, axis=-1) if answers.whole else graded.reshape(-1)


def share(count: Int[Array, ""], n: int, dtype: DTypeLike) -> Float[Array, ""]:
    """``count / n``, exactly 1 for all of them: compilers divide by a constant as they multiply, which is not exact.

    Example:
        >>> bool(jax.jit(lambda k: share(k, 7662, jnp.float32))(jnp.array(7662)) == 1)
        True
    """
    return jnp.where(count == n, jnp.ones((), dtype), count.astype(dtype) / n)


@dataclasses.dataclass(frozen=True)
class Program:
    """The functions of one structure: what runs that differ in numbers alone have in common.

    Args:
        task: What is learned.
        model: What learns.
        methods: A chain, of which the structure counts and not the numbers.
        training: Batch, order, precision.
        at_evaluations: Readings of the activations that :meth:`evaluate` has at hand anyway.
        block: Rows whose gradient is taken at once; 0 is the whole batch.

    Raises:
        SpecError: If two methods bring a loss, none or two step downhill, or one stands where it would be undone.
    """

    task: Task
    model: Model
    methods: Chain
    training: Training
    at_evaluations: tuple[ActivationReading, ...] = ()
    block: int = 0

    def __post_init__(self) -> None:
        """Check that the chain can train."""
        names = [type(method).__name__ for method in self.methods]
        losses = [name for name, method in zip(names, self.methods, strict=True) if method.loss is not None]
        if len(losses) > 1:
            raise SpecError(f"an arm can have one loss, got {len(losses)}: {', '.join(losses)}")
        transforms = [(name, m) for name, m in zip(names, self.methods, strict=True) if m.transform is not None]
        if all(m.downhill is False for _, m in transforms):
            raise SpecError(f"an arm needs an optimiser such as adamw, got only {', '.join(names)}")
        if len(steps := [name for name, m in transforms if m.downhill]) > 1:
            raise SpecError(f"an arm can have one optimiser, got {len(steps)}: {', '.join(steps)}")
        order = [(name, m.position) for name, m in zip(names, self.methods, strict=True) if m.transform is not None]
        for (before, stood), (after, position) in itertools.pairwise(order):
            if position == "first" or (stood == "last" and position != "last"):
                where = f"{after} must stand before" if position == "first" else f"{before} must stand behind"
                raise SpecError(f"got {before} before {after}, but {where} every optimiser and filter of its arm")

    @cached_property
    def needs(self) -> frozenset[str]:
        """What the methods ask of the engine."""
        return frozenset[str]().union(*(method.needs for method in self.methods))

    @cached_property
    def rows(self) -> int:
        """Training examples that steps learn from: all but those held out for a method that needs ``"outer"``."""
        n = self.task.sizes[0]
        return n - max(1, n // OUTER) if "outer" in self.needs else n

    @cached_property
    def dtype(self) -> DTypeLike:
        """Floating-point type of parameters and arithmetic."""
        return jnp.float64 if self.training.precision == "float64" else jnp.float32

    @cached_property
    def static(self) -> Any:
        """The network without its weights.

        Raises:
            SpecError: If a method names what the network has not.
        """

        def shaped() -> Any:
            network: Any = self.model.init(self.task, jax.random.key(0))
            for method in self.methods:
                network = method.reshape(network) if method.reshape is not None else network
            return network

        network = eqx.filter_eval_shape(shaped)
        check_names(self.methods, network, self.task)
        return eqx.partition(network, _is_weight)[1]

    def start(self, member: Member, key: PRNGKeyArray) -> State:
        """First weights, drawn in float32 whatever the precision, and empty memories."""
        network: Any = eqx.combine(*_drawing(self.model, self.task)(key))
        for method in member.methods:
            network = method.reshape(network) if method.reshape is not None else network
        params = eqx.filter(network, _is_weight)
        chain = self._chain(member, 0)
        for index, method in enumerate(chain):
            if method.init is not None:
                extra = {"data": member.data} if "data" in method.needs else {}
                params = method.init(params, jax.random.fold_in(key, 1000 + index), **extra)
        params = jax.tree.map(lambda w: w.astype(self.dtype), params)
        opt_state = tuple(m.transform().init(params) if m.transform is not None else () for m in chain)
        order = jnp.arange(self.rows, dtype=jnp.int32)
        return State(jnp.zeros((), jnp.int32), order, params, opt_state)

    def step(self, member: Member, state: State) -> State:
        """One update."""
        data, n = member.data, self.rows
        size = min(self.training.batch or n, n)
        key = jax.random.fold_in(member.batch_key, state.step)
        if size == n:
            return self._update(member, state, data.train_inputs[:n], data.train_labels[:n])
        if self.training.order == "replacement":
            rows = jax.random.randint(key, (size,), 0, n)
            return self._update(member, state, data.train_inputs[rows], data.train_labels[rows])
        batches = -(-n // size)
        index = state.step % batches
        state = state._replace(order=jax.lax.cond(index == 0, _shuffle, lambda key, order: order, key, state.order))

        def take(count: int) -> Callable[[State], State]:
            def run(state: State) -> State:
                rows = jax.lax.dynamic_slice(state.order, (index * size,), (count,))
                return self._update(member, state, data.train_inputs[rows], data.train_labels[rows])

            return run

        left, last = n - (batches - 1) * size, index == batches - 1
        if left == size:
            return take(size)(state)
        return _either(last, take(left), take(size), state)

    @jax.named_scope(EVALUATION)
    def evaluate(self, member: Member, state: State) -> dict[str, Any]:
        """Loss and accuracy on both parts, and under ``"readings"`` values by (site, name)."""
        data, row = member.data, dict[str, Any]()
        network = self._network(state.params, self._chain(member, state.step))
        values: dict[tuple[str, str], Array] = {}
        answers, (n, m) = answers_of(self.task), evaluated_of(self.task)
        for part, inputs, labels in (
            ("train", data.train_inputs[:n], data.train_labels[:n]),
            ("test", data.test_inputs[:m], data.test_labels[:m]),
        ):
            logits, activations = network(inputs)
            row[f"{part}_loss"] = jnp.mean(self._loss(self._chain(member, 0))(logits, labels))
            right = grade(logits, labels, answers)
            row[f"{part}_accuracy"] = share(jnp.sum(right), right.shape[0], self.dtype)
            if part == "train":
                at_sites = {site: activations[site] for site in self.model.sites}
                for reading in self.at_evaluations:
                    values.update(reading.read(at_sites))
        return {**row, "readings": values}

    def snapshot(self, member: Member, state: State, past: Past) -> Snapshot:
        """What a reading sees of a member."""
        chain = self._chain(member, state.step)
        penalties = [m.penalty for m in chain if m.penalty is not None]
        radial_terms: dict[str, Any] = {}  # numbers by now
        for method in chain:
            radial_terms.update(method.radial_terms() if method.radial_terms is not None else {})
        edges = [m.edge(opt_state) for m, opt_state in zip(chain, state.opt_state, strict=True) if m.edge is not None]
        return Snapshot(
            task=self.task,
            model=self.model,
            params=state.params,
            static=self.static,
            data=member.data,
            step=state.step,
            key=jax.random.fold_in(jax.random.fold_in(member.noise_key, MEASURING), state.step),
            loss=self._loss(chain),
            penalty=(lambda activations, params: _sum(p(activations, params) for p in penalties))
            if penalties
            else None,
            radial_terms=radial_terms,
            edge=edges[-1] if edges else None,
            earlier=past,
            after=lambda: self.step(member, state).params,
            build=lambda params: self._network(params, chain),
            checks=lambda activations: self._checks(chain, state, activations),
        )

    def measure(self, readings: tuple[Reading, ...], member: Member, state: State, past: Past) -> Values:
        """Values of some readings, by (site, name)."""
        snapshot, values = self.snapshot(member, state, past), dict[tuple[str, str], Array]()
        for reading in readings:
            values.update(reading.measure(snapshot))
        return values

    def _chain(self, member: Member, step: Any) -> Chain:
        """The methods as they are at one step: schedules evaluated, the model's own sites filled in."""
        now = (at_step(method, step) for method in member.methods)
        here = {"sites": self.model.sites}
        return tuple(dataclasses.replace(m, **here) if getattr(m, "sites", None) == () else m for m in now)  # type: ignore[type-var]

    def _network(self, params: Params, chain: Chain) -> Network:
        """The network as it computes: with the methods' taps and weights."""
        return with_methods(params, self.static, chain)

    @staticmethod
    def _checks(chain: Chain, state: State, activations: Activations) -> dict[str, tuple[Array, Array]]:
        pairs: dict[str, tuple[Array, Array]] = {}
        for method, opt_state in zip(chain, state.opt_state, strict=True):
            pairs |= method.check(opt_state, state.params, activations) if method.check is not None else {}
        return pairs

    @staticmethod
    def _loss(chain: Chain) -> Callable[[Array, Array], Array]:
        return per_example(next((method.loss for method in chain if method.loss is not None), cross_entropy))

    def _terms(self, params: Params, chain: Chain, batch: Batch) -> tuple[Array, Array | None]:
        """Task loss and the sum of all penalties, None where there is none."""
        logits, activations = self._network(params, chain)(batch.inputs, key=batch.key)
        penalties = [m.penalty(activations, params) for m in chain if m.penalty is not None]
        return jnp.mean(self._loss(chain)(logits, batch.labels)), _sum(penalties) if penalties else None

    def _total(self, params: Params, chain: Chain, batch: Batch) -> Array:
        task, penalty = self._terms(params, chain, batch)
        return task if penalty is None else task + penalty

    def _both(self, params: Params, chain: Chain, batch: Batch) -> Array:
        task, penalty = self._terms(params, chain, batch)
        return jnp.stack([task, jnp.zeros_like(task) if penalty is None else penalty])

    def _by_blocks(self, derivative: Any, params: Params, chain: Chain, batch: Batch) -> Any:
        """A derivative of a mean over rows, block by block; the last block holds what does not divide."""
        rows, block = batch.labels.shape[0], self.block
        if not block or rows <= block or "whole-batch" in self.needs:
            return derivative(params, chain, batch)
        count = -(-rows // block)
        size = rows // count

        def cut(first: int, last: int) -> Batch:
            return Batch(batch.inputs[first:last], batch.labels[first:last], batch.key)

        def add(total: Any, xs: tuple[Array, ...]) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, derivative(params, chain, Batch(xs[0], xs[1], batch.key))), None

        middle = cut(size, count * size)
        stacked = tuple(x.reshape(count - 1, size, *x.shape[1:]) for x in (middle.inputs, middle.labels))
        total, _ = jax.lax.scan(add, derivative(params, chain, cut(0, size)), stacked)
        rest = (rows - count * size) / rows
        if not rest:
            return jax.tree.map(lambda x: x / count, total)
        last = derivative(params, chain, cut(count * size, rows))
        return jax.tree.map(lambda x, y: x * ((1 - rest) / count) + y * rest, total, last)

    def _update(self, member: Member, state: State, inputs: Array, labels: Array) -> State:
        """Gradient, transforms, update, projections."""
        chain = self._chain(member, state.step)
        noise = jax.random.fold_in(member.noise_key, state.step)
        batch = Batch(inputs, labels, jax.random.fold_in(noise, 0) if "forward-noise" in self.needs else None)

        def gradient(params: Params) -> Params:
            return self._by_blocks(jax.grad(self._total), params, chain, batch)

        def parts(params: Params) -> tuple[Params, ...]:
            stacked = self._by_blocks(jax.jacrev(self._both), params, chain, batch)
            return tuple(jax.tree.map(lambda x, i=i: x[i], stacked) for i in range(2))

        def outer(params: Params) -> Array:
            inputs, labels = member.data.train_inputs[self.rows :], member.data.train_labels[self.rows :]
            logits, _ = self._network(params, chain)(inputs)
            return jnp.mean(self._loss(chain)(logits, labels))

        direction, opt_state = gradient(state.params), list(state.opt_state)
        for index, method in enumerate(chain):
            if method.transform is None:
                continue
            asked = {"gradient": gradient, "parts": parts, "outer": outer}
            extra: dict[str, Any] = {name: asked[name] for name in asked if name in method.needs}
            if "noise" in method.needs:
                extra["key"] = jax.random.fold_in(noise, index + 1)
            transform = optax.with_extra_args_support(method.transform())
            with jax.named_scope(OPTIMISER):
                direction, new = transform.update(direction, opt_state[index], state.params, **extra)
            opt_state[index] = _like(new, opt_state[index])
        with jax.named_scope(OPTIMISER):
            params = optax.apply_updates(state.params, direction)
        for method in chain:
            params = method.project(params) if method.project is not None else params
        return State(state.step + 1, state.order, _like(params, state.params), tuple(opt_state))


@functools.lru_cache(maxsize=64)
def _drawing(model: Model, task: Task) -> Callable[[PRNGKeyArray], tuple[Any, Any]]:
    """Draws a network's weights, beside the network without them; compiled once for all arms."""
    static = eqx.partition(eqx.filter_eval_shape(model.init, task, jax.random.key(0)), _is_weight)[1]
    draw = jax.jit(lambda key: eqx.filter(model.init(task, key), _is_weight))
    return lambda key: (draw(key), static)


def _shuffle(key: PRNGKeyArray, order: Int[Array, " n"]) -> Int[Array, " n"]:
    return jax.random.permutation(key, order.shape[0]).astype(order.dtype)


def _either(
    condition: Bool[Array, ""], this: Callable[[State], State], that: Callable[[State], State], state: State
) -> State:
    """``this(state)`` where `condition` holds, else ``that(state)``.

    On a CPU both are loops of one round or none, since a loop keeps its state in place.  Of a ``cond`` the compiler
    copies all that comes out of it, here the weights and the optimiser's memory, at every step.  On an accelerator
    the host waits for each condition of a loop, which costs more.
    """
    if first_device().platform != "cpu":
        return jax.lax.cond(condition, this, that, state)
    for wanted, then in ((~condition, that), (condition, this)):
        state = jax.lax.fori_loop(0, wanted.astype(jnp.int32), lambda _, s, then=then: then(s), state)
    return state


def _is_weight(x: Any) -> bool:
    return bool(
        eqx.is_inexact_array(x) or (isinstance(x, jax.ShapeDtypeStruct) and jnp.issubdtype(x.dtype, jnp.inexact))
    )


def _like(new: Any, old: Any) -> Any:
    """`new` in the dtypes of `old`: a state keeps its dtypes whatever the hyper-parameters' were."""
    return jax.tree.map(lambda x, y: jnp.asarray(x, jnp.asarray(y).dtype), new, old)


def _sum(terms: Iterable[Array]) -> Array:
    return cast("Array", sum(terms))
