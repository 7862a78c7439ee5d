r"""GPT: a decoder for tasks with several answer tokens, in nanoGPT's architecture.

.. math:: x_t = E_{w_t} + P_t, \qquad x \leftarrow x + A_k(N_1 x), \qquad x \leftarrow x + M_k(N_2 x), \qquad
    z_t = N(x_t) E^\top

Positions are learned, norms stand before the sub-layers, the MLP has 4 d neurons and the exact GELU, and the head is
the transposed token table.  All weights are drawn from N(0, sigma^2), sigma = 0.02, and the two output maps of each
block from :math:`N(0, \sigma^2 / 2L)`, so that the stream's size at the end does not grow with the L blocks.  Biases
are off unless asked for.  Source: repository karpathy/nanoGPT.

Logits are read where the task asks for them, one row for each label.  Sites are those of
:mod:`anglewise.lab.models.decoder` at all positions, ``[positions, n, d]``.  A tap may act on the softmax weights, too:
the method ``dropout`` at ``embedded``, at these weights and at the sub-layers' outputs is nanoGPT's dropout.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.lab.models.decoder import (
    block_sites,
    default_sites,
    output_maps,
    residual_layers,
    stacked_matrices,
)
from anglewise.lab.models.layers import LayerNorm, Linear, activate, matmul, roles
from anglewise.lab.protocols.fields import COUNT, POSITIVE, Bound, bounded
from anglewise.lab.protocols.model import Activations, LinearMap, Site, SubLayer, Tap, product
from anglewise.lab.protocols.task import Task, answers_of

Visit: TypeAlias = Callable[..., Array]
"""Called with a site and its activation; returns what the network goes on with."""


@dataclasses.dataclass(frozen=True)
@bounded
class GPT:
    """A GPT, see this module.

    Args:
        layers: Number of blocks L.
        width: Width d of the stream.
        heads: Attention heads; must divide the width.
        context: Number of learned positions; 0 is the length of the input.
        bias: Whether linear maps and norms have biases.
        tied: Whether the head is the transposed token table.
        sigma: Standard deviation of the first weights.
    """

    layers: Annotated[int, COUNT] = 6
    width: Annotated[int, COUNT] = 384
    heads: Annotated[int, COUNT] = 6
    context: Annotated[int, Bound(0)] = 0
    bias: bool = False
    tied: bool = True
    sigma: Annotated[float, POSITIVE] = 0.02

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.width % self.heads:
            raise SpecError(f"heads must divide the width, got {self.heads} heads for width {self.width}")

    @property
    def causal(self) -> bool:
        """A position sees only itself and earlier ones."""
        return True

    @property
    def sites(self) -> tuple[str, ...]:
        """Every sub-layer's output before the residual add."""
        return default_sites(self.layers)

    def pieces(self, task: Task) -> int:
        """Parts of the program on `task`, compiled one by one: all positions attend in one product."""
        return 4 * self.layers

    def parameters(self, task: Task) -> int:
        """Number of weights of a network for a task, from the specification alone."""
        d, norm = self.width, self.width * (1 + self.bias)
        block = 12 * d * d + 9 * d * self.bias + 2 * norm
        head = 0 if self.tied else d * task.classes
        return (task.tokens + (self.context or task.length)) * d + self.layers * block + norm + head

    def activations(self, task: Task) -> int:
        """Numbers that a forward pass keeps of one example of `task`: vectors and softmax weights of every block."""
        d, length, answers = self.width, task.length, len(answers_of(task).positions)
        block = length * (16 * d + 2 * self.heads * length)
        return length * d + self.layers * block + 2 * answers * task.classes

    def init(self, task: Task, key: PRNGKeyArray) -> GPTNetwork:
        """A network for `task`, whose weights are drawn with `key`.

        Raises:
            SpecError: If inputs are longer than there are positions, or a tied head has another vocabulary.
        """
        if 0 < self.context < task.length:
            raise SpecError(f"context must be 0 or at least the input's length {task.length}, got {self.context}")
        if self.tied and task.classes != task.tokens:
            raise SpecError(
                f"a tied head has a class for each of the {task.tokens} tokens, got {task.classes} classes: set tied "
                "to false"
            )
        return GPTNetwork(self, task, key=key)


class GPTBlock(eqx.Module):
    """Attention and MLP with their norms."""

    norm1: LayerNorm
    norm2: LayerNorm
    qkv: Linear
    out: Linear
    up: Linear
    down: Linear

    def __init__(self, model: GPT, *, key: PRNGKeyArray):
        """Draw weights."""
        d, keys = model.width, jax.random.split(key, 4)
        small = model.sigma / math.sqrt(2 * model.layers)
        self.norm1, self.norm2 = LayerNorm(d, bias=model.bias), LayerNorm(d, bias=model.bias)
        self.qkv = _normal(d, 3 * d, model.sigma, bias=model.bias, key=keys[0])
        self.out = _normal(d, d, small, bias=model.bias, key=keys[1])
        self.up = _normal(d, 4 * d, model.sigma, bias=model.bias, key=keys[2])
        self.down = _normal(4 * d, d, small, bias=model.bias, key=keys[3])

    def __call__(self, x: Float[Array, "t n d"], heads: int, site: Visit) -> Float[Array, "t n d"]:
        """The stream behind the block."""
        mixed = site("attention.mixed", self._attend(self.norm1(x), heads, site), tapped=False)
        x = site("stream", x + site("attention.out", self.out(mixed)))
        pre = site("mlp.pre", self.up(self.norm2(x)))
        post = site("mlp.post", activate("gelu", pre), tapped=False)
        return site("out", x + site("mlp.out", self.down(post)))

    def _attend(self, x: Float[Array, "t n d"], heads: int, site: Visit) -> Float[Array, "t n d"]:
        """Causal softmax attention, before the output map."""
        t, n, d = x.shape
        q, k, v = (part.reshape(t, n, heads, -1) for part in jnp.split(self.qkv(x), 3, axis=-1))
        scores = jnp.einsum("qnhe,knhe->qnhk", q, k) / math.sqrt(d // heads)
        seen = jnp.tril(jnp.ones((t, t), bool))[:, None, None, :]
        weights = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf), axis=-1)
        weights = site("attention.weights", weights.reshape(t, n, -1)).reshape(scores.shape)
        return jnp.einsum("qnhk,knhe->qnhe", weights, v).reshape(t, n, d)


class GPTNetwork(eqx.Module):
    """A GPT with weights."""

    embedding: Float[Array, "tokens d"]
    position: Float[Array, "positions d"]
    blocks: tuple[GPTBlock, ...]
    norm: LayerNorm
    head: Linear | None
    lift: Float[Array, "k d"] | None
    extra: dict[str, Any]
    model: GPT = eqx.field(static=True)
    length: int = eqx.field(static=True)
    reads: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, model: GPT, task: Task, *, key: PRNGKeyArray):
        """Draw weights; each part has a key of its own."""
        keys, d = jax.random.split(key, model.layers + 3), model.width
        self.embedding = model.sigma * jax.random.normal(keys[0], (task.tokens, d))
        self.position = model.sigma * jax.random.normal(keys[1], (model.context or task.length, d))
        self.blocks = tuple(GPTBlock(model, key=k) for k in keys[3:])
        self.norm = LayerNorm(d, bias=model.bias)
        self.head = None if model.tied else _normal(d, task.classes, model.sigma, bias=False, key=keys[2])
        self.lift, self.extra = None, {}
        self.model, self.length, self.reads = model, task.length, answers_of(task).positions

    def __call__(
        self, inputs: Int[Array, "n length"], *, tap: Tap | None = None, key: PRNGKeyArray | None = None
    ) -> tuple[Float[Array, "rows classes"], Activations]:
        """Logits where the task reads them and activations by site, ``[positions, n, d]``."""
        activations: dict[str, Array] = {}
        table = product(self.tables)

        def site(name: str, h: Array, *, tapped: bool = True) -> Array:
            activations[name] = h if tap is None or not tapped else tap(name, h)
            return activations[name]

        x = site("embedded", table[inputs.T] + self.position[: self.length, None])
        for k, block in enumerate(self.blocks):

            def inside(name: str, h: Array, *, tapped: bool = True, k: int = k) -> Array:
                return site(f"block.{k}.{name}", h, tapped=tapped)

            x = block(x, self.model.heads, inside)
        read = jnp.swapaxes(x[jnp.asarray(self.reads)], 0, 1).reshape(-1, x.shape[-1])
        h = self.norm(read)
        return (matmul(h, table.T) if self.head is None else self.head(h)), activations

    @property
    def roles(self) -> Any:
        """What each parameter is."""
        return roles(self)

    @property
    def stacked(self) -> Any:
        """Queries, keys and values lie in one weight."""
        return stacked_matrices(self)

    @property
    def tables(self) -> tuple[Array, ...]:
        """The embedding, and the factor that a method put behind it."""
        return tuple(w for w in (self.embedding, self.lift) if w is not None)

    @property
    def normalised(self) -> bool:
        """There are layer norms."""
        return True

    @property
    def all_sites(self) -> Mapping[str, Site]:
        """The embedded input, and of each block the parts of both sub-layers and the stream behind them."""
        d, length = self.position.shape[-1], self.length
        sites = {"embedded": Site(d, "stream", length)}
        for k, block in enumerate(self.blocks):
            hidden = block.up.weight.shape[1]
            sites |= block_sites(k, d, hidden, self.model.heads * length, length, taps=True)
        return sites

    @property
    def linear_maps(self) -> Mapping[str, LinearMap]:
        """The output projection of each sub-layer."""
        return output_maps(self.blocks)

    @property
    def sub_layers(self) -> tuple[SubLayer, ...]:
        """Attention and MLP of each block."""
        return residual_layers(self.blocks)


def _normal(i: int, o: int, sigma: float, *, bias: bool, key: PRNGKeyArray) -> Linear:
    """A layer with weights from N(0, sigma^2) and biases 0."""
    layer = Linear(i, o, bias=bias, key=key)
    layer = eqx.tree_at(lambda m: m.weight, layer, sigma * jax.random.normal(key, (i, o)))
    return eqx.tree_at(lambda m: m.bias, layer, jnp.zeros(o)) if bias else layer
