r"""One training step and one evaluation of one member: pure functions of (state, hyper-parameters, data, key).

.. math:: L(\theta) = \operatorname{mean}_i \ell(z_i, y_i) + \sum_{\text{methods}} \text{penalty}(h, \theta)

The composition inside a step: loss terms, backward, transforms in the arm's order, update, projections.  A batch
may be worked off in blocks of rows whose gradients are added: the same number up to rounding, and faster where a
block's activations fit the cache.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.lab.methods.dataclass import at_step
from anglewise.lab.protocols import Activations, Data, Method, Model, Params, Reading, Task
from anglewise.lab.spec import Training


class State(NamedTuple):
    """All that changes while a member trains; keeps shapes, dtypes and device."""

    step: Int[Array, ""]
    order: Int[Array, " n"]
    params: Params
    memory: tuple[Any, ...]


class Member(NamedTuple):
    """All that stays: hyper-parameters, data, and the keys of its random streams."""

    methods: tuple[Method, ...]
    data: Data
    batch_key: PRNGKeyArray
    noise_key: PRNGKeyArray


def cross_entropy(logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
    r"""Per-example cross-entropy, :math:`\ln \sum_j e^{z_j} - z_y`."""
    peak = jax.lax.stop_gradient(jnp.max(logits, axis=-1))
    shifted = logits - peak[:, None]
    hit = labels[:, None] == jnp.arange(logits.shape[-1])
    return jnp.log(jnp.sum(jnp.exp(shifted), axis=-1)) - jnp.sum(jnp.where(hit, shifted, 0), axis=-1)


def correct(logits: Float[Array, "n c"], labels: Int[Array, " n"]) -> Bool[Array, " n"]:
    """Whether the label's logit is strictly greater than every other: a tie, or a NaN, is wrong."""
    hit = labels[:, None] == jnp.arange(logits.shape[-1])
    own = jnp.sum(jnp.where(hit, logits, 0), axis=-1)
    rival = jnp.max(jnp.where(hit, -jnp.inf, logits), axis=-1)
    return own > rival


def tree_dtype(tree: Any, dtype: Any) -> Any:
    """Floating-point leaves of `tree` as `dtype`."""
    return jax.tree.map(lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree)


class Program(NamedTuple):
    """What a structure (task, model, chain of methods, training) compiles to, still unjitted."""

    start: Callable[[Member, PRNGKeyArray], State]
    step: Callable[[Member, State], State]
    evaluate: Callable[[Member, Params], Mapping[str, Array]]
    measure: Callable[[Member, Params], Mapping[tuple[str, str], Array]]


def build(
    task: Task,
    model: Model,
    methods: tuple[Method, ...],
    training: Training,
    *,
    readings: tuple[Reading, ...] = (),
    instruments: tuple[Any, ...] = (),
    block: int = 0,
) -> Program:
    """Assemble the functions of one structure.

    Args:
        task: What is learned.
        model: What learns.
        methods: A chain whose structure (not its numbers) is compiled in.
        training: Batch, order, precision.
        readings: Instruments of the costlier kind, called by ``measure`` with the network and training examples.
        instruments: Instruments on the activations that ``evaluate`` has at hand anyway.
        block: Rows per block; 0 is the whole batch at once.

    Raises:
        SpecError: If two methods bring a loss, or no method steps downhill.
    """
    losses = [m for m in methods if m.loss is not None]
    if len(losses) > 1:
        raise SpecError(f"an arm can have one loss, got {len(losses)}: {[type(m).__name__ for m in losses]}")
    if not any(m.transform is not None for m in methods):
        raise SpecError(f"an arm needs an optimiser, got only {[type(m).__name__ for m in methods]}")
    needs = frozenset[str]().union(*(m.needs for m in methods))
    dtype = jnp.float64 if training.precision == "float64" else jnp.float32
    n = task.sizes[0]
    batch = min(training.batch or n, n)
    block = 0 if "whole-batch" in needs else block

    def skeleton(chain: tuple[Method, ...]) -> Any:
        def make() -> Any:
            network = model.init(task, jax.random.key(0))
            for m in chain:
                network = m.reshape(network) if m.reshape is not None else network
            return network

        return eqx.partition(eqx.filter_eval_shape(make), _is_weight)[1]

    static = skeleton(methods)

    def sited(chain: tuple[Method, ...], step: Any) -> tuple[Method, ...]:
        """The chain as it is at one step: schedules evaluated, the model's sites filled in."""
        now = (at_step(m, step) for m in chain)
        return tuple(
            dataclasses.replace(m, sites=model.sites) if getattr(m, "sites", None) == () else m for m in now
        )

    def task_loss(chain, params, inputs, labels, key) -> tuple[Array, Activations]:
        logits, activations = eqx.combine(params, static)(inputs, key=key)
        loss = next((m.loss for m in chain if m.loss is not None), cross_entropy)
        return jnp.mean(loss(logits, labels)), activations

    def penalties(chain, activations, params) -> Array:
        return sum((m.penalty(activations, params) for m in chain if m.penalty is not None), jnp.zeros((), dtype))

    def total(params, chain, inputs, labels, key) -> Array:
        value, activations = task_loss(chain, params, inputs, labels, key)
        if any(m.penalty is not None for m in chain):
            value = value + penalties(chain, activations, params)
        return value

    def parts(params, chain, inputs, labels, key) -> Array:
        value, activations = task_loss(chain, params, inputs, labels, key)
        return jnp.stack([value, penalties(chain, activations, params)])

    def over_blocks(derivative, params, chain, inputs, labels, key):
        """Mean over rows of a derivative, block by block."""
        rows = labels.shape[0]
        if not block or rows <= block:
            return derivative(params, chain, inputs, labels, key)
        count = -(-rows // block)
        size = rows // count
        whole = count * size

        def add(total_so_far, xs):
            one = derivative(params, chain, *xs, key)
            return jax.tree.map(jnp.add, total_so_far, one), None

        first = derivative(params, chain, inputs[:size], labels[:size], key)
        cut = [x[size:whole].reshape(count - 1, size, *x.shape[1:]) for x in (inputs, labels)]
        summed, _ = jax.lax.scan(add, first, tuple(cut))
        if whole == rows:
            return jax.tree.map(lambda x: x / count, summed)
        rest = derivative(params, chain, inputs[whole:], labels[whole:], key)
        share = (rows - whole) / rows
        return jax.tree.map(lambda x, y: x * ((1 - share) / count) + y * share, summed, rest)

    def update(chain, state: State, inputs, labels, noise) -> tuple[Params, tuple[Any, ...]]:
        forward_key = jax.random.fold_in(noise, 0) if "forward-noise" in needs else None

        def gradient(params):
            return over_blocks(jax.grad(total), params, chain, inputs, labels, forward_key)

        def gradients(params):
            stacked = over_blocks(jax.jacrev(parts), params, chain, inputs, labels, forward_key)
            return tuple(jax.tree.map(lambda x, i=i: x[i], stacked) for i in range(2))

        direction, memory = gradient(state.params), []
        for index, (m, old) in enumerate(zip(chain, state.memory, strict=True)):
            if m.transform is None:
                memory.append(old)
                continue
            extra = {
                **({"gradient": gradient} if "gradient" in m.needs else {}),
                **({"parts": gradients} if "parts" in m.needs else {}),
                **({"key": jax.random.fold_in(noise, index + 1)} if "noise" in m.needs else {}),
            }
            transform = optax.with_extra_args_support(m.transform())
            direction, new = transform.update(direction, old, state.params, **extra)
            memory.append(_like(new, old))
        params = optax.apply_updates(state.params, direction)
        for m in chain:
            params = m.project(params) if m.project is not None else params
        return _like(params, state.params), tuple(memory)

    def start(member: Member, init_key: PRNGKeyArray) -> State:
        """First weights and empty memories."""
        network = model.init(task, init_key)
        for m in member.methods:
            network = m.reshape(network) if m.reshape is not None else network
        params = eqx.filter(network, _is_weight)
        chain = sited(member.methods, 0)
        for index, m in enumerate(chain):
            params = m.init(params, jax.random.fold_in(init_key, 1000 + index)) if m.init is not None else params
        params = tree_dtype(params, dtype)
        memory = tuple(m.transform().init(params) if m.transform is not None else () for m in chain)
        return State(jnp.zeros((), jnp.int32), jnp.arange(n, dtype=jnp.int32), params, memory)

    def step(member: Member, state: State) -> State:
        """One update."""
        data, noise = member.data, jax.random.fold_in(member.noise_key, state.step)
        chain = sited(member.methods, state.step)
        order = state.order
        if batch == n:
            inputs, labels = data.train_inputs, data.train_labels
            params, memory = update(chain, state, inputs, labels, noise)
        elif training.order == "replacement":
            key = jax.random.fold_in(member.batch_key, state.step)
            rows = jax.random.randint(key, (batch,), 0, n)
            params, memory = update(chain, state, data.train_inputs[rows], data.train_labels[rows], noise)
        else:
            each = -(-n // batch)
            epoch, index = state.step // each, state.step % each
            key = jax.random.fold_in(member.batch_key, epoch)
            order = jax.lax.cond(
                index == 0, lambda o: jax.random.permutation(key, n).astype(o.dtype), lambda o: o, order
            )

            def go(size):
                def run(_):
                    rows = jax.lax.dynamic_slice(order, (index * batch,), (size,))
                    return update(chain, state, data.train_inputs[rows], data.train_labels[rows], noise)

                return run

            left = n - (each - 1) * batch
            if left == batch:
                params, memory = go(batch)(None)
            else:
                params, memory = jax.lax.cond(index == each - 1, go(left), go(batch), None)
        return State(state.step + 1, order, params, memory)

    def forward(member: Member, params: Params, inputs, labels) -> tuple[Array, Array, Activations]:
        logits, activations = eqx.combine(params, static)(inputs)
        loss = next((m.loss for m in sited(member.methods, 0) if m.loss is not None), cross_entropy)
        return jnp.mean(loss(logits, labels)), jnp.sum(correct(logits, labels)).astype(dtype) / labels.shape[0], activations

    def evaluate(member: Member, params: Params) -> Mapping[str, Any]:
        """Loss and accuracy on both parts, and the instruments' values by (site, name)."""
        data = member.data
        loss, accuracy, activations = forward(member, params, data.train_inputs, data.train_labels)
        test_loss, test_accuracy, _ = forward(member, params, data.test_inputs, data.test_labels)
        own = {site: activations[site] for site in model.sites}
        readings_: dict[tuple[str, str], Array] = {}
        for instrument in instruments:
            readings_.update(instrument.read(own))
        return {
            "train_accuracy": accuracy,
            "test_accuracy": test_accuracy,
            "train_loss": loss,
            "test_loss": test_loss,
            "readings": readings_,
        }

    def measure(member: Member, params: Params) -> Mapping[tuple[str, str], Array]:
        """The costlier readings, on the training examples."""
        network = eqx.combine(params, static)
        found: dict[tuple[str, str], Array] = {}
        for reading in readings:
            found.update(
                reading.measure(network, model.sites, member.data.train_inputs, member.data.train_labels)
            )
        return found

    return Program(start, step, evaluate, measure)


def _is_weight(x: Any) -> bool:
    return eqx.is_inexact_array(x) or (
        isinstance(x, jax.ShapeDtypeStruct) and jnp.issubdtype(x.dtype, jnp.inexact)
    )


def _like(new: Any, old: Any) -> Any:
    """`new` in the dtypes of `old`: a state keeps its dtypes whatever the hyper-parameters' were."""
    return jax.tree.map(lambda x, y: jnp.asarray(x, jnp.asarray(y).dtype), new, old)
