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
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.geometry import direction
from anglewise.lab.methods.taps import attach, own_head, within
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, POSITIVE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Network, Params, Residual, SubLayer, called
from anglewise.lab.protocols.schedule import Number

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

    alpha: Annotated[Number, NOT_NEGATIVE] = 0.05
    logits: Annotated[Number, POSITIVE] = 1.0
    learned: bool = True

    def reshape(self, network: Network) -> Network:
        """Attach the learned scales, at their first values.

        Raises:
            SpecError: If the network has no residual stream, or has layer norms or a tied head.
        """
        if not isinstance(network, Residual):
            raise SpecError(f"ngpt got a {called(network)}, which has no residual stream: take a Transformer")
        if network.normalised:
            raise SpecError(f'ngpt got a {called(network)} with layer norms, expected none: set norm to "none"')
        own_head(network, "ngpt")
        if not self.learned:
            return network
        return attach(network, NAME, {name: jnp.full(*scale) for name, scale in _scales(network).items()})

    def init(self, params: Params, key: PRNGKeyArray) -> Params:
        """Weight vectors at length 1."""
        return self.project(params)

    def project(self, params: Params) -> Params:
        """Weight vectors at length 1."""
        read = within(params, [sub.reads(params).weight for sub in params.sub_layers], params.head.weight)
        written = within(params, [sub.writes(params).weight for sub in params.sub_layers])
        narrow = within(params, params.tables[:-1])

        def unit(w: Array, role: str, read: bool, written: bool, narrow: bool) -> Array:
            if read:
                return _normal(w, 0)
            return _normal(w, -1) if written or (role == "embedding" and not narrow) else w

        return jax.tree.map(unit, params, params.roles, read, written, narrow)

    def weights(self, params: Params) -> Params:
        """Queries and keys, and the head, as they are scaled."""
        root = math.sqrt(_width(params))
        attention = [sub for sub in params.sub_layers if sub.kind == "attention"]

        def wide(sub: SubLayer) -> Array:
            scale, weight = self._scale(params, f"{sub.block}.qk", root) * root, sub.reads(params).weight
            return weight * jnp.concatenate([scale, scale, jnp.ones_like(scale)]).astype(weight.dtype)

        head = params.head.weight * self._scale(params, "head", self.logits * root)
        return eqx.tree_at(
            lambda p: (p.head.weight, *(sub.reads(p).weight for sub in attention)),
            params,
            (jnp.asarray(head, params.head.weight.dtype), *(wide(sub) for sub in attention)),
        )

    def tap(self, params: Params, site: str, h: Float[Array, "*batch d"], key: Any) -> Float[Array, "*batch d"]:
        """Steps and normalisation, site by site."""
        root = math.sqrt(_width(params))
        for sub in params.sub_layers:
            if site == sub.pre:
                return (h * (self._scale(params, f"{sub.block}.up", 1.0) * root)).astype(h.dtype)
            if site in (sub.out, sub.stream):
                a = jnp.abs(self._scale(params, f"{sub.block}.{sub.kind}", self.alpha * root))
                if site == sub.out:
                    return (direction(h) * (a / (1 - a))).astype(h.dtype)
                return direction((h * (1 - a)).astype(h.dtype))
        return direction(h)  # the first site, where the stream starts

    def _scale(self, params: Params, name: str, unit: Number) -> Array:
        """The scale of this name in the forward pass: what is trained, times `unit`; or its first value."""
        if self.learned:
            return params.extra[NAME][name] * unit
        size, first = _scales(params)[name]
        return first * unit * jnp.ones(size)


def _width(network: Network) -> int:
    """Width of the residual stream."""
    return next(iter(network.all_sites.values())).width


def _scales(network: Any) -> dict[str, tuple[int, float]]:
    """Size and first value of every scale, by name."""
    d = _width(network)
    first = 1 / math.sqrt(d)
    scales = {"head": (network.head.weight.shape[1], first)}
    for sub in network.sub_layers:
        scales[f"{sub.block}.{sub.kind}"] = (d, first)
        if sub.kind == "attention":
            scales[f"{sub.block}.qk"] = (d, first)
        else:
            scales[f"{sub.block}.up"] = (network.all_sites[sub.pre].width, 1.0)
    return scales


PUBLISHED = NGPT()
"""The repository's first values; its runs have weight decay 0 and no warm-up."""
