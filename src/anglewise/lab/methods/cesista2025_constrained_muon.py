r"""Constrained Muon: every layer on its natural manifold, and the steepest step there.

With M the averaged gradient of a layer and :math:`\operatorname{msign}(M) = U V^\top` for :math:`M = U S V^\top`:

.. math::
    \text{hidden matrices}\quad & W \leftarrow \mathrm{SN}\bigl(W - \eta \operatorname{msign}(M)\bigr), \qquad
        \mathrm{SN}(W) = W / \sigma_1(W) \\
    \text{token and class vectors}\quad & w \leftarrow \operatorname{unit}\bigl(w - \eta\, s(T)\bigr), \qquad
        T_i = M_i - \langle M_i, w_i \rangle w_i

with s either the normalisation of every vector (as published) or msign of the whole table.  The network computes with
:math:`g_e \sqrt e\, E`, with :math:`g_h \sqrt{o / i}\, W` for a hidden matrix from i to o units, and with
:math:`g_z W / \sqrt i` for the head: at gains of 1, embeddings have RMS 1 and hidden matrices RMS-to-RMS norm 1, as
published.  Embeddings on a sphere are radial suppression by projection, at the input.

Vectors (biases, gains of norms) have no manifold here: they step by the sign of their average gradient.

Source: Franz Louis Cesista, "Muon and a geometric view of neural networks" and "Spectral-clipped weight decay" (two
posts, 2025): the rules for each kind of layer and a median of 44 steps on track C2.  No code was released; learning
rates, momentum, and whether SN normalises always or only above 1, are unstated: both are here.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PRNGKeyArray

from anglewise.lab.methods.matrices import (
    divided,
    joined,
    newton_schulz,
    parted,
    spectral_norm,
    unit_axis,
    unit_lengths,
)
from anglewise.lab.methods.taps import inputs, within
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import DECAY, NOT_NEGATIVE, SHARE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.schedule import Number

POWER_STEPS = 2
"""Power iterations per update; each starts from the last one's vector."""
FLOOR = 1e-5
"""Share of a gradient below which what is tangent in it counts as rounding, and moves nothing."""
FREE = ("vector", "extra")
"""Roles without a manifold."""


class Memory(NamedTuple):
    """Averaged gradients, and the leading right singular vector of every hidden matrix."""

    average: Params
    leading: Params


@method
class ConstrainedMuon(Method):
    """Muon on manifolds: unit token and class vectors, hidden matrices of spectral norm 1 (optimiser; Cesista 2025).

    Args:
        lr_embedding: Rate of the embeddings, against vectors of unit length.
        lr_first: Rate of the matrix that reads the embedded input (an MLP's first), against spectral norm 1.
        lr_hidden: Rate of all other hidden matrices.
        lr_head: Rate of the unembedding, against vectors of unit length.
        lr_vector: Rate of biases and gains.
        rate: Factor of all rates; a schedule here lets them fall together.
        momentum: mu of the average, m = mu m + (1 - mu) g.
        lookahead: Share of the step's own gradient that is mixed into the average once more (Nesterov's, roughly).
        gain_embedding: RMS of the embeddings' entries as the network sees them.
        gain_hidden: RMS-to-RMS norm of hidden matrices as the network sees them.
        gain_head: Factor of the logits: the head's class vectors have length gain_head / sqrt(width).
        vectors: What a table's tangent gradient becomes: ``"msign"``, or ``"normalise"`` each vector (as published).
        retraction: ``"normalise"`` hidden matrices to spectral norm 1, or ``"cap"`` them there.
    """

    lr_embedding: Annotated[Number, NOT_NEGATIVE] = 0.5
    lr_first: Annotated[Number, NOT_NEGATIVE] = 0.5
    lr_hidden: Annotated[Number, NOT_NEGATIVE] = 0.5
    lr_head: Annotated[Number, NOT_NEGATIVE] = 0.5
    lr_vector: Annotated[Number, NOT_NEGATIVE] = 0.01
    rate: Annotated[Number, NOT_NEGATIVE] = 1.0
    momentum: Annotated[Number, DECAY] = 0.5
    lookahead: Annotated[Number, SHARE] = 0.1
    gain_embedding: Annotated[Number, NOT_NEGATIVE] = 1.0
    gain_hidden: Annotated[Number, NOT_NEGATIVE] = 1.0
    gain_head: Annotated[Number, NOT_NEGATIVE] = 1.0
    vectors: Literal["msign", "normalise"] = "normalise"
    retraction: Literal["normalise", "cap"] = "normalise"

    downhill = True

    def init(self, params: Params, key: PRNGKeyArray) -> Params:
        """Draw token and class vectors uniform on their spheres, and Gaussian hidden matrices of spectral norm 1."""
        leaves, tree = jax.tree.flatten(params)
        keys = jax.tree.unflatten(tree, list(jax.random.split(key, len(leaves))))

        def draw(w: Array, role: str, count: int, key: PRNGKeyArray) -> Array:
            if role in FREE:
                return w
            normal = jax.random.normal(key, w.shape, w.dtype)
            if role != "hidden":
                return _unit(normal, role)
            parts = parted(normal, count)
            return joined(parts / jnp.linalg.norm(parts, 2, axis=(-2, -1), keepdims=True), count)

        return jax.tree.map(draw, params, params.roles, params.stacked, keys)

    def weights(self, params: Params) -> Params:
        """The weights that the network computes with: those on the manifolds, times their gains."""

        gains: dict[str, Number] = {
            "embedding": self.gain_embedding, "hidden": self.gain_hidden, "head": self.gain_head,
        }  # fmt: skip

        def gained(w: Array, role: str, count: int) -> Array:
            if role in FREE:
                return w
            i, o = parted(w, count).shape[-2:] if w.ndim > 1 else (1, 1)
            return w * (gains[role] * math.sqrt({"embedding": o, "hidden": o / i, "head": 1 / i}[role]))

        return jax.tree.map(gained, params, params.roles, params.stacked)

    def transform(self) -> optax.GradientTransformation:
        """The step on the manifolds, as the difference between the new weights and the old."""

        def init(params: Params) -> Memory:
            def leading(w: Array, role: str, count: int) -> Array:
                shape = parted(w, count).shape if role == "hidden" else (0, 0)
                return jnp.full((*shape[:-2], shape[-1]), 1 / math.sqrt(max(shape[-1], 1)), w.dtype)

            leads = jax.tree.map(leading, params, params.roles, params.stacked)
            return Memory(jax.tree.map(jnp.zeros_like, params), leads)

        def update(grads: Params, opt_state: Memory, params: Any = None) -> tuple[Params, Memory]:
            average = jax.tree.map(lambda m, g: self.momentum * m + (1 - self.momentum) * g, opt_state.average, grads)
            mixed = jax.tree.map(lambda m, g: m + self.lookahead * (g - m), average, grads)
            first = within(params, [linear_map.weight(params) for linear_map in inputs(params)])
            moved = jax.tree.map(self._move, params, params.roles, params.stacked, first, mixed, opt_state.leading)
            new, leading = jax.tree.transpose(jax.tree.structure(params), jax.tree.structure((0, 0)), moved)
            return jax.tree.map(jnp.subtract, new, params), Memory(average, leading)

        return optax.GradientTransformation(init, update)  # type: ignore[arg-type]

    def _move(self, w: Array, role: str, count: int, first: bool, u: Array, v: Array) -> tuple[Array, Array]:
        """The new weight of one layer, and its leading singular vector."""
        if role in FREE:
            return w - self.lr_vector * self.rate * jnp.sign(u), v
        if role == "hidden":
            lr = self.lr_first if first else self.lr_hidden
            parts = parted(w, count) - lr * self.rate * newton_schulz(parted(u, count))
            sigma, v = spectral_norm(parts, v, POWER_STEPS)
            return joined(parts / (sigma if self.retraction == "normalise" else jnp.maximum(sigma, 1)), count), v
        tangent = u - jnp.sum(u * w, axis=unit_axis(role), keepdims=True) * w
        tangent = jnp.where(unit_lengths(tangent, role) <= FLOOR * unit_lengths(u, role), 0, tangent)
        turn = newton_schulz(tangent) if self.vectors == "msign" else _unit(tangent, role)
        lr = self.rate * (self.lr_embedding if role == "embedding" else self.lr_head)
        return _unit(w - lr * turn, role), v


def _unit(w: Array, role: str) -> Array:
    """Every token's, or every class's, vector at unit length; 0 stays 0."""
    return divided(w, unit_lengths(w, role))
