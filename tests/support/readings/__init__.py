"""Looks to read from: small tasks and networks with weights of no particular law, in float32 or float64."""

from __future__ import annotations

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from anglewise.lab.engine.rng import stream
from anglewise.lab.engine.step import Member, Program, State
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols.reading import PastWeights, Snapshot
from anglewise.lab.spec import Training
from anglewise.lab.tasks.modular import Modular
from tests.support.programs import quick_jit

PAIRS, SEQUENCES = Modular(p=5, train=0.5), Modular(p=3, train=0.5, form="a b =")
CASES = {
    "mlp": (MLP(hidden=(8, 6), embedding=4, bias=True), PAIRS),
    "2-hot": (MLP(hidden=(8, 6)), PAIRS),
    "transformer": (Transformer(layers=1, width=8, heads=2, positions="all"), SEQUENCES),
}
BASE = (AdamW(lr=0.02, wd=0.1, beta2=0.99),)


def looking(model: Any, task: Any, methods: tuple[Any, ...] = BASE, *, seed: int = 0, trained: int = 0, scale=0.5):
    """A function ``params -> Look`` (for jit) and params: drawn at scale `scale`, or trained for `trained` steps.

    The two earlier measurements are networks that were drawn (or trained) before; call it inside
    ``jax.enable_x64(True)`` for float64.
    """
    precision = "float64" if jax.config.jax_enable_x64 else "float32"
    program = Program(task, model, methods, Training(precision=precision))
    methods = jax.tree.map(lambda x: jnp.asarray(x, program.dtype), methods)
    member = Member(methods, task.split(stream(seed, "split")), stream(seed, "batch"), stream(seed, "noise"))
    state = program.start(member, stream(seed, "init"))
    history = [state]
    rng, step = np.random.default_rng(seed), quick_jit(functools.partial(program.step, member))
    for _ in range(trained or 2):
        if trained:
            state = step(state)
        else:
            drawn = jax.tree.map(lambda x: jnp.asarray(scale * rng.normal(size=x.shape), x.dtype), state.params)
            state = state._replace(params=drawn, step=state.step + 5)
        history.append(state)
    last, before = history[-2], history[-3] if len(history) > 2 else history[0]
    past = (PastWeights(last.params, last.step), PastWeights(before.params, before.step))

    def at(params: Any) -> Snapshot:
        return program.snapshot(member, State(state.step, state.order, params, state.opt_state), past)

    return at, state.params


def read(reading: Any, model: Any, task: Any, methods: tuple[Any, ...] = BASE, **kwargs: Any) -> dict:
    """A reading's values as NumPy arrays, by (site, name), through a compiled program as the engine has it."""
    at, params = looking(model, task, methods, **kwargs)
    return jax.tree.map(np.asarray, quick_jit(lambda params: dict(reading.measure(at(params))))(params))


def replaced(network_params: Any, where: Any, value: Any) -> Any:
    """Params with one leaf replaced, keeping its dtype."""
    return eqx.tree_at(where, network_params, replace_fn=lambda old: jnp.asarray(value, old.dtype))
