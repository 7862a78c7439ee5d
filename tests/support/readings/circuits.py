"""Networks that are given by hand, as tables, to read circuits from."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from anglewise.lab.protocols.model import Site
from anglewise.lab.protocols.reading import Snapshot
from anglewise.lab.tasks.modular import Modular
from tests.support.programs import quick_jit


class Hand(eqx.Module):
    """A network whose logits and one activation, ``x.post``, are tables over (token a, token b)."""

    logits: Any
    post: Any
    embedding: Any = None

    def __call__(self, inputs, *, tap=None, key=None):
        a, b = inputs[:, 0], inputs[:, 1]
        return self.logits[a, b], {"x.post": self.post[a, b]}

    @property
    def linear_maps(self) -> Mapping:
        return {}

    @property
    def all_sites(self) -> Mapping:
        return {"x.post": Site(self.post.shape[-1], "post")}

    @property
    def tables(self) -> tuple:
        return () if self.embedding is None else (self.embedding,)


def look_at(task: Any, network: Any) -> tuple[Any, Any]:
    """A function ``params -> Look`` and params, for a network of any kind."""
    params, static = eqx.partition(network, eqx.is_inexact_array)
    data = task.split(jax.random.key(0))

    def at(params):
        return Snapshot(
            task, None, params, static, data, 0, jax.random.key(1), None, None, {}, None, (), lambda: params
        )

    return at, params


def drawn(model: Any, task: Any, seed: int = 0) -> Any:
    """A network with weights of no particular law, without a compilation."""
    rng = np.random.default_rng(seed)
    shapes = eqx.filter_eval_shape(model.init, task, jax.random.key(0))
    is_weight = lambda x: isinstance(x, jax.ShapeDtypeStruct)  # noqa: E731
    return jax.tree.map(lambda x: jnp.asarray(0.5 * rng.normal(size=x.shape)) if is_weight(x) else x, shapes)


@functools.lru_cache(maxsize=64)
def _compiled(reading: Any, task: Any, structure: Any) -> Any:
    network = jax.tree.unflatten(structure, [jnp.zeros(())] * structure.num_leaves)
    at, _ = look_at(task, network)
    return quick_jit(lambda params: dict(reading.measure(at(params))))


def measured(reading: Any, task: Any, network: Any) -> dict:
    """A reading's values by (site, name), in float64; compiled once per reading, task and kind of network."""
    with jax.enable_x64(True):
        network = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), network)
        return jax.tree.map(np.asarray, _compiled(reading, task, jax.tree.structure(network))(network))


def in_group(task: Modular, table: np.ndarray) -> np.ndarray:
    """A table over places in the group's order, [n, n, ...], as one over tokens; what is outside is 0."""
    order = np.asarray(task.cycle.order)
    found = np.zeros((task.tokens, task.tokens, *table.shape[2:]))
    found[np.ix_(order, order)] = table
    return found


def classes_in_group(task: Modular, logits: np.ndarray) -> np.ndarray:
    """Logits over places in the group's order, [n, n, n], as ones over tokens and classes; what is outside is 0."""
    found = np.zeros((len(task.cycle.order),) * 2 + (task.classes,))
    found[..., np.asarray(task.cycle.order)] = logits
    return in_group(task, found)


def places(n: int) -> tuple[np.ndarray, np.ndarray]:
    """i and j, each [n, n]."""
    return np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
