r"""nGPT: stream and weight vectors on the unit sphere, and steps of learned size along it.

.. math:: h \leftarrow N\bigl((1 - a_A) \odot h + a_A \odot N(A(h))\bigr), \qquad
   h \leftarrow N\bigl((1 - a_M) \odot h + a_M \odot N(M(h))\bigr), \qquad N(x) = x / |x|

a is a vector over the width, :math:`|s| \, \alpha \sqrt d` with s trained from :math:`1/\sqrt d`.  Since
:math:`(1 - a) h + a N(f) = (1 - a) (h + \frac{a}{1 - a} N(f))`, the sub-layer's output is scaled where it leaves, and
the stream after the add (a = 1 is left out).  After each step, and before the first, every weight vector along the
embedding dimension has length 1: rows of the tables, incoming weights of queries, keys, values, of the MLP's first
layer and of the head, outgoing weights of the two output maps.  Learned scales: :math:`s_u \sqrt d` on MLP inputs, and
:math:`s_z` on logits.

Source: arXiv 2410.01131; repository NVIDIA/ngpt (alpha 0.05; no weight decay, no warm-up).  What differs: queries and
keys are not normalised token by token; instead their weights are multiplied by :math:`s_{qk} \sqrt d`, which gives
the scores the published size on average.  Positions are learned and added, not rotary; the MLP is the model's own,
not SwiGLU.  Set the model's biases to false, as there are none in nGPT (where there are, they are left alone).
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.geometry import direction
from anglewise.lab.methods.taps import attach
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, POSITIVE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.schedule import Schedule

NAME = "ngpt"


def _normal(w: Float[Array, "*batch i o"], axis: int) -> Float[Array, "*batch i o"]:
    return jnp.moveaxis(direction(jnp.moveaxis(w, axis, -1)), -1, axis)


@method
class NGPT(Method):
    """nGPT: unit stream and weight vectors, learned steps on the sphere (forward pass, weights; arXiv 2410.01131).

    Args:
        alpha: First size of the steps.
        logits: First multiplier of the logits.
        learned: Whether step sizes and scales are trained, or stay what they are at first.
    """

    alpha: Annotated[float | Schedule, NOT_NEGATIVE] = 0.05
    logits: Annotated[float | Schedule, POSITIVE] = 1.0
    learned: bool = True

    def reshape(self, network: Any) -> Any:
        """Attach the learned scales, at their first values.

        Raises:
            SpecError: If the network is no Transformer, or has layer norms or a tied head.
        """
        if not hasattr(network, "blocks"):
            raise SpecError("ngpt got a network without a residual stream: take a Transformer")
        if network.model.norm != "none":
            raise SpecError(f'ngpt got norm={network.model.norm!r}, expected "none": it brings its own')
        if network.head is None:
            raise SpecError("ngpt got a tied head, expected one of its own: set tied to false")
        if not self.learned:
            return network
        d = network.position.shape[-1]
        parts = {"head": jnp.full(network.head.weight.shape[1], 1 / math.sqrt(d))}
        for k, block in enumerate(network.blocks):
            parts |= {f"{k}.{part}": jnp.full(d, 1 / math.sqrt(d)) for part in ("attention", "mlp", "qk")}
            parts[f"{k}.up"] = jnp.ones(block.up.weight.shape[1])
        return attach(network, NAME, parts)

    def init(self, params: Params, key: PRNGKeyArray) -> Params:
        """Weight vectors at length 1."""
        return self.project(params)

    def project(self, params: Params) -> Params:
        """Weight vectors at length 1."""
        blocks = [b for block in params.blocks for b in (block.qkv, block.up)]
        outward = [b for block in params.blocks for b in (block.out, block.down)]
        return eqx.tree_at(
            lambda p: (
                p.embedding if p.lift is None else p.lift,
                p.position,
                p.head.weight,
                *(b.weight for block in p.blocks for b in (block.qkv, block.up)),
                *(b.weight for block in p.blocks for b in (block.out, block.down)),
            ),
            params,
            (
                _normal(params.embedding if params.lift is None else params.lift, -1),
                _normal(params.position, -1),
                _normal(params.head.weight, 0),
                *(_normal(b.weight, 0) for b in blocks),
                *(_normal(b.weight, 1) for b in outward),
            ),
        )

    def weights(self, params: Params) -> Params:
        """Queries and keys, and the head, as they are scaled."""
        d = params.position.shape[-1]
        logits: Any = self.logits

        def wide(k: int, weight: Array) -> Array:
            scale = self._scale(params, f"{k}.qk", math.sqrt(d)) * math.sqrt(d)
            return weight * jnp.concatenate([scale, scale, jnp.ones_like(scale)]).astype(weight.dtype)

        head = params.head.weight * self._scale(params, "head", logits * math.sqrt(d))
        return eqx.tree_at(
            lambda p: (p.head.weight, *(block.qkv.weight for block in p.blocks)),
            params,
            (
                jnp.asarray(head, params.head.weight.dtype),
                *(wide(k, block.qkv.weight) for k, block in enumerate(params.blocks)),
            ),
        )

    def tap(self, params: Params, site: str, h: Float[Array, "*batch d"], key: Any) -> Float[Array, "*batch d"]:
        """Steps and normalisation, site by site."""
        if site == "embedded":
            return direction(h)
        k, _, part = site.removeprefix("block.").partition(".")
        root = math.sqrt(params.position.shape[-1])
        if part == "mlp.pre":
            return (h * (self._scale(params, f"{k}.up", 1.0) * root)).astype(h.dtype)
        if part in ("attention.out", "mlp.out"):
            a = self._step(params, f"{k}.{part.removesuffix('.out')}")
            return (direction(h) * (a / (1 - a))).astype(h.dtype)
        a = self._step(params, f"{k}.attention" if part == "stream" else f"{k}.mlp")
        return direction((h * (1 - a)).astype(h.dtype))

    def _step(self, params: Params, name: str) -> Any:
        alpha: Any = self.alpha
        return jnp.abs(self._scale(params, name, alpha * math.sqrt(params.position.shape[-1])))

    def _scale(self, params: Params, name: str, unit: Any) -> Any:
        """The scale of this name in the forward pass: what is trained, times `unit`; or its first value."""
        if self.learned:
            return params.extra[NAME][name] * unit
        d, part = params.position.shape[-1], name.partition(".")[2]
        shape = params.blocks[0].up.weight.shape[1] if part == "up" else d
        first = 1.0 if part == "up" else 1 / math.sqrt(d)
        return first * unit * jnp.ones(params.head.weight.shape[1] if name == "head" else shape)


PUBLISHED = NGPT()
"""The repository's first values; its runs have weight decay 0 and no warm-up."""
