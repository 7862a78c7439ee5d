"""A third kind of model: a gated network with a residual connection, whose layers have names that nothing else has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from anglewise.lab.models.layers import Linear
from anglewise.lab.protocols.model import LinearMap, Site


@dataclasses.dataclass(frozen=True)
class Gated:
    """h = x W + (x V) * sigmoid(x U), from the sum of the tokens' vectors."""

    width: int = 10
    sites: tuple[str, ...] = ("gate.in",)

    def init(self, task, key):
        return GatedNetwork(self, task, key)


class GatedNetwork(eqx.Module):
    """With weights."""

    vocabulary: jax.Array
    gate: Linear
    value: Linear
    skip: Linear
    classes: Linear
    extra: dict[str, Any]

    def __init__(self, model, task, key):
        keys = jax.random.split(key, 5)
        d = model.width
        self.vocabulary = jax.random.normal(keys[0], (task.length, task.tokens, d))
        self.gate, self.value, self.skip = (Linear(d, d, bias=True, key=k) for k in keys[1:4])
        self.classes = Linear(d, task.classes, bias=False, key=keys[4])
        self.extra = {}

    def __call__(self, inputs, *, tap=None, key=None):
        activations = {}

        def site(name, h):
            activations[name] = tap(name, h) if tap else h
            return activations[name]

        x = site("sum", sum(self.vocabulary[i][inputs[:, i]] for i in range(inputs.shape[1])))
        gate = site("gate.open", jax.nn.sigmoid(site("gate.in", self.gate(x))))
        h = site("read", self.skip(x) + self.value(x) * gate)
        return self.classes(h), activations

    @property
    def all_sites(self) -> Mapping[str, Site]:
        d = self.vocabulary.shape[-1]
        kinds = {"sum": "stream", "gate.in": "pre", "gate.open": "post", "read": "block"}
        return {name: Site(d, kind) for name, kind in kinds.items()}

    @property
    def linear_maps(self):
        return {"gate.in": LinearMap("sum", lambda network: network.gate)}

    @property
    def roles(self):
        def role(path, w):
            first = path[0].name
            if first == "extra":
                return "extra"
            if first in ("vocabulary", "classes"):
                return "embedding" if first == "vocabulary" else "head"
            return "hidden" if w.ndim == 2 else "vector"

        return jax.tree_util.tree_map_with_path(role, self)

    @property
    def stacked(self):
        return jax.tree.map(lambda _: 1, self)

    @property
    def tables(self):
        return (self.vocabulary,)

    @property
    def norm(self):
        return None

    @property
    def head(self):
        return self.classes


@dataclasses.dataclass(frozen=True)
class OneHotGated(Gated):
    """The same without a table: the gate reads one-hot tokens, all positions side by side."""

    def init(self, task, key):
        return OneHotNetwork(self, task, key)


class OneHotNetwork(eqx.Module):
    """With weights."""

    gate: Linear
    classes: Linear
    extra: dict[str, Any]
    tokens: int = eqx.field(static=True)

    def __init__(self, model, task, key):
        first, second = jax.random.split(key)
        self.gate = Linear(task.length * task.tokens, model.width, bias=False, key=first)
        self.classes = Linear(model.width, task.classes, bias=False, key=second)
        self.extra, self.tokens = {}, task.tokens

    def __call__(self, inputs, *, tap=None, key=None):
        x = jax.nn.one_hot(inputs, self.tokens, dtype=self.gate.weight.dtype).reshape(inputs.shape[0], -1)
        activations = {"bits": x}

        def site(name, h):
            activations[name] = tap(name, h) if tap else h
            return activations[name]

        h = site("gate.open", jnp.tanh(site("gate.in", self.gate(x))))
        return self.classes(h), activations

    @property
    def all_sites(self):
        i, d = self.gate.weight.shape
        return {"bits": Site(i, "input", tapped=False), "gate.in": Site(d, "pre"), "gate.open": Site(d, "post")}

    @property
    def linear_maps(self):
        return {"gate.in": LinearMap("bits", lambda network: network.gate)}

    @property
    def roles(self):
        names = {"gate": "hidden", "classes": "head", "extra": "extra"}
        return jax.tree_util.tree_map_with_path(lambda path, _: names[path[0].name], self)

    stacked, norm, head = GatedNetwork.stacked, GatedNetwork.norm, GatedNetwork.head

    @property
    def tables(self):
        return ()
