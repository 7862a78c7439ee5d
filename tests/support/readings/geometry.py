"""Networks whose activations are given, and networks seen in turned coordinates."""

from __future__ import annotations

import dataclasses
import types
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from anglewise.lab.engine.step import cross_entropy
from anglewise.lab.protocols.reading import PastWeights, Snapshot
from anglewise.lab.protocols.task import Data
from tests.support.programs import quick_jit


class Hand(eqx.Module):
    """Its weights are the activations of its only site, "a": an input is the number of a row.

    Logits are [n, positions * d] (or [n, d]) times the head.
    """

    h: Any
    head: Any

    def __call__(self, inputs, *, tap=None, key=None):
        h = self.h[..., inputs[:, 0], :]
        h = tap("a", h) if tap else h
        flat = h if h.ndim == 2 else jnp.moveaxis(h, 0, 1).reshape(h.shape[1], -1)
        return flat @ self.head, {"a": h}


def hand_snapshot(
    h, *, head=None, labels=None, loss=cross_entropy, penalty=None, radial_terms=None, earlier=(), step=9, **fields
):
    """A look at a hand-made network; `earlier` are (activations, step) of the last two measurements."""
    h = jnp.asarray(h)
    head = jnp.eye(h.shape[-1] * int(np.prod(h.shape[:-2])), dtype=h.dtype) if head is None else jnp.asarray(head)
    params, static = eqx.partition(Hand(h, head), eqx.is_inexact_array)
    inputs = np.arange(h.shape[-2], dtype=np.int32)[:, None]
    labels = jnp.zeros(len(inputs), jnp.int32) if labels is None else jnp.asarray(labels)
    past = [
        PastWeights(eqx.tree_at(lambda p: p.h, params, jnp.asarray(x, h.dtype)), jnp.asarray(k)) for x, k in earlier
    ]
    past += [PastWeights(params, jnp.asarray(-1))] * (2 - len(past))
    return Snapshot(
        task=None,
        model=types.SimpleNamespace(sites=("a",)),
        params=params,
        static=static,
        data=Data(inputs, labels, inputs, labels),
        step=jnp.asarray(step),
        key=jax.random.key(0),
        loss=loss,
        penalty=penalty,
        radial_terms=radial_terms or {},
        edge=None,
        earlier=tuple(past),
        **({"after": lambda: params} | fields),
    )


def hand(reading, h, **fields):
    """A reading's values at a hand-made network, by name, as floats."""
    found = quick_jit(lambda h: {name: v for (_, name), v in reading.measure(hand_snapshot(h, **fields)).items()})(h)
    return {name: float(value) for name, value in found.items()}


class Turned(Snapshot):
    """A look in whose network each site's activations are multiplied with a matrix, and the next layer undoes it."""

    turns: dict

    def at(self, params):
        inner, turns = super().at(params), self.turns

        def network(inputs, *, tap=None, key=None):
            def around(site, h):
                if site not in turns:
                    return tap(site, h) if tap else h
                turned = h @ turns[site]
                return (tap(site, turned) if tap else turned) @ jnp.linalg.inv(turns[site])

            logits, activations = inner(inputs, tap=around)
            return logits, {site: h @ turns[site] if site in turns else h for site, h in activations.items()}

        return network


def turned(snapshot, turns):
    """The look with its sites' coordinates changed."""
    fields = {f.name: getattr(snapshot, f.name) for f in dataclasses.fields(Snapshot) if f.name != "_known"}
    new = Turned(**fields)
    object.__setattr__(new, "turns", turns)
    return new
