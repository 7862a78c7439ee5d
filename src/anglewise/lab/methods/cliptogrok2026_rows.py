r"""Clip to Grok: after every step, no row of weights is longer than c.

.. math:: w_{row} \leftarrow w_{row} \cdot \min(1, c / |w_{row}|)

A row is the last axis of a PyTorch tensor: a unit's incoming weights, which here are a column; a position's vector;
and each bias or gain of a norm as *one row*, as released (``vectors=False`` leaves these out: a gain of ones in width
128 has length 11.3, so with c = 2 clipping it bounds the normalised activations).

Source: repository NiftyliuS/cliptogrok, ``norms.py`` and ``train.py``: token tables and the head are not clipped, and
weights are clipped once before training.
"""

from __future__ import annotations

from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from anglewise.lab.methods.matrices import UNIT_AXIS, divided, unit_lengths
from anglewise.lab.methods.taps import within
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.schedule import Number


@method
class ClipRows(Method):
    """Clip to Grok: shorten rows of weights longer than c after each step (weights; NiftyliuS/cliptogrok).

    Args:
        c: Longest allowed row, in units of weight.
        vectors: Whether biases and gains are clipped, each as one row.
        embedding: Whether token tables are clipped.
        head: Whether the unembedding is clipped.
        start: Rows that are scaled to exactly c before training: ``"none"``, ``"all"`` (released for at most 3
            layers), ``"edge"`` (token tables and head) or ``"edge_ln"`` (these and the final norm; for deep ones).
    """

    c: Annotated[Number, NOT_NEGATIVE] = 2.0
    vectors: bool = True
    embedding: bool = False
    head: bool = False
    start: Literal["none", "all", "edge", "edge_ln"] = "none"

    def init(self, params: Params, key: PRNGKeyArray) -> Params:
        """Scale what `start` says, then clip; the random stream is not touched."""

        edge = {"edge": (params.tables, params.head), "edge_ln": (params.tables, params.norm, params.head)}

        def scaled(w: Array, role: str, here: bool) -> Array:
            here = role in UNIT_AXIS and (self.start == "all" or here)
            return divided(self.c * w, unit_lengths(w, role)) if here else w

        return self.project(jax.tree.map(scaled, params, params.roles, within(params, edge.get(self.start))))

    def project(self, params: Params) -> Params:
        """Shorten every row that is too long."""
        spared = within(params, None if self.embedding else params.tables, None if self.head else params.head)

        def clipped(w: Array, role: str, spare: bool) -> Array:
            if role not in UNIT_AXIS or spare or (w.ndim < 2 and not self.vectors):
                return w
            norm = unit_lengths(w, role)
            return w * jnp.where(norm > self.c, self.c / jnp.where(norm > self.c, norm, 1), 1)

        return jax.tree.map(clipped, params, params.roles, spared)


RELEASED = ClipRows(c=2.0, start="all")
"""For two layers on modular multiplication; addition and division 1.75, subtraction 1.5, S5 1.0."""
