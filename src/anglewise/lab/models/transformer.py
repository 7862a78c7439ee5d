r"""Decoder Transformer on a short sequence, read at its last position.

Pre-norm block: :math:`x \leftarrow x + A(N_1 x)`, :math:`x \leftarrow x + M(N_2 x)`.  Grokfast's own block
carries the *normalised* stream: :math:`x \leftarrow N_1 x`, then :math:`x + A(x)`, then :math:`x + M(N_2 x)`.
Post-norm: :math:`x \leftarrow N_1(x + A(x))`, :math:`x \leftarrow N_2(x + M(x))`, and no norm before the head.

Sites are those of :mod:`anglewise.lab.models.decoder`, each ``[positions, n, d]``; in a post-norm block,
``block.k.out`` stands after the norm.  To read, not to tap: what the two output maps are applied to, and the softmax
weights (0 for a later position).

Three things make it fast, and none of them changes a value.  Attention over a handful of positions is a few
elementwise products and sums.  Of the last block only keys and values are needed everywhere; its sites hold the
last position alone, unless `positions` is ``"all"``.  And what depends on a single token is computed once per token
of the vocabulary, not once per example: see :class:`Layout`.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

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
from anglewise.lab.models.layers import Activation, LayerNorm, Linear, activate, matmul, one_answer, roles
from anglewise.lab.protocols.fields import COUNT, Bound, bounded
from anglewise.lab.protocols.model import Activations, LinearMap, Site, SubLayer, Tap, product
from anglewise.lab.protocols.task import Task


@dataclasses.dataclass(frozen=True)
@bounded
class Transformer:
    """A decoder Transformer with learned positions.

    Args:
        layers: Number of blocks.
        width: Width d of the stream.
        heads: Attention heads; must divide the width.
        mlp: Width of the MLP's hidden layer; 0 is 4 * width.
        norm: ``"pre"``, ``"post"``, ``"none"``, or ``"grokfast"`` (that repository's block, exactly).
        affine: Whether layer norms have gains and biases.
        activation: ``"gelu"`` or ``"relu"``.
        attention_bias: Whether attention's projections have biases.
        mlp_bias: Whether the MLP's layers have biases.
        tied: Whether the head is the transposed token table.
        causal: Whether a position sees only itself and earlier ones.
        positions_table: Number of learned positions; 0 is the length of the input.
        init_law: ``"torch"``: PyTorch's defaults (embeddings N(0, 1), Xavier-uniform attention input); ``"normal"``:
            all weights N(0, 1/width), head N(0, 1/vocabulary), biases 0 (track B).
        positions: Where the last block's sites are computed: ``"last"`` or ``"all"`` positions.
    """

    layers: Annotated[int, COUNT] = 2
    width: Annotated[int, COUNT] = 128
    heads: Annotated[int, COUNT] = 4
    mlp: Annotated[int, Bound(0)] = 0
    norm: Literal["pre", "post", "none", "grokfast"] = "pre"
    affine: bool = True
    activation: Activation = "gelu"
    attention_bias: bool = True
    mlp_bias: bool = True
    tied: bool = False
    causal: bool = True
    positions_table: Annotated[int, Bound(0)] = 0
    init_law: Literal["torch", "normal"] = "torch"
    positions: Literal["last", "all"] = "last"

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.width % self.heads:
            raise SpecError(f"heads must divide the width, got {self.heads} heads for width {self.width}")

    @property
    def sites(self) -> tuple[str, ...]:
        """Every sub-layer's output before the residual add."""
        return default_sites(self.layers)

    def pieces(self, task: Task) -> int:
        """Parts of the program on `task`, compiled one by one: in every block, pairs of positions that attend."""
        return self.layers * task.length * (task.length + 1) // 2

    def parameters(self, task: Task) -> int:
        """Number of weights of a network for a task, from the specification alone."""
        d, hidden = self.width, self.mlp or 4 * self.width
        norm = 2 * d * self.affine
        block = 4 * d * d + 2 * d * hidden + 4 * d * self.attention_bias + (hidden + d) * self.mlp_bias
        block += 2 * norm * (self.norm != "none")
        tables = (task.tokens + (self.positions_table or task.length)) * d
        last = norm * (self.norm in ("pre", "grokfast")) + d * task.classes * (not self.tied)
        return tables + self.layers * block + last

    def activations(self, task: Task) -> int:
        """Numbers that a forward pass keeps of one example of `task`: vectors of every block and position."""
        d, hidden, length = self.width, self.mlp or 4 * self.width, task.length
        return length * d + self.layers * length * (6 * d + hidden) + 2 * task.classes

    def init(self, task: Task, key: PRNGKeyArray) -> TransformerNetwork:
        """A network for `task`, whose weights are drawn with `key`."""
        if 0 < self.positions_table < task.length:
            raise SpecError(
                f"positions_table must be 0 or at least the input's length {task.length}, got {self.positions_table}"
            )
        one_answer(self, task)
        return TransformerNetwork(self, task, key=key)


Key: TypeAlias = frozenset[int]
EVERY: Key = frozenset({-1})
"""The key of what differs from example to example."""


class Layout:
    """Which rows stand for a position, and how one turns them into another position's.

    A position's state is a function of the tokens it has seen.  Its *key* is the set of those among them that
    differ between examples: none (one row stands for all examples), one (a row per token of the vocabulary), or
    more (a row per example, the key EVERY).
    """

    def __init__(self, inputs: Int[Array, "n t"], fixed: tuple[int | None, ...], tokens: int, *, share: bool):
        """Keys of the input positions; without `share`, or for a small batch, every example has its own rows."""
        self.inputs, self.tokens = inputs, tokens
        share = share and inputs.shape[0] > tokens
        self.keys = [
            (frozenset() if token is not None else frozenset({i})) if share else EVERY for i, token in enumerate(fixed)
        ]
        self.fixed = fixed

    def rows(self, i: int) -> Array:
        """Tokens of the rows that stand for input position i."""
        key = self.keys[i]
        if key == EVERY:
            return self.inputs[:, i]
        return jnp.arange(self.tokens) if key else jnp.asarray([self.fixed[i]])

    def count(self, key: Key) -> int:
        """Number of rows of a key."""
        return self.inputs.shape[0] if key == EVERY else (self.tokens if key else 1)

    def merge(self, keys: Sequence[Key]) -> Key:
        """Key of what has seen all of `keys`."""
        union = frozenset().union(*keys)
        return union if len(union) <= 1 else EVERY

    def align(self, h: Float[Array, "rows d"], have: Key, want: Key) -> Float[Array, "others d"]:
        """The rows of one key as rows of a key that has seen more."""
        if have == want:
            return h
        if not have:
            return jnp.broadcast_to(h, (self.count(want), h.shape[-1]))
        (position,) = have
        return h[self.inputs[:, position]]


class Stream(NamedTuple):
    """Hidden states of some positions: their rows one below the other, so that every layer is one flat product."""

    h: Float[Array, "rows d"]
    keys: tuple[Key, ...]

    def parts(self, layout: Layout) -> list[Array]:
        """The rows of each position."""
        ends = list(itertools.accumulate(layout.count(key) for key in self.keys))
        return [self.h[end - layout.count(key) : end] for end, key in zip(ends, self.keys, strict=True)]

    def whole(self, layout: Layout) -> Float[Array, "positions n d"]:
        """A row for every position and example."""
        parts = zip(self.parts(layout), self.keys, strict=True)
        return jnp.stack([layout.align(h, key, EVERY) for h, key in parts])


Visit: TypeAlias = Callable[..., Stream]
"""Called with a site and its activation; returns what the network goes on with."""


class Block(eqx.Module):
    """Attention and MLP with their norms."""

    norm1: LayerNorm | None
    norm2: LayerNorm | None
    qkv: Linear
    out: Linear
    up: Linear
    down: Linear
    model: Transformer = eqx.field(static=True)
    name: str = eqx.field(static=True)

    def __init__(self, model: Transformer, name: str, *, key: PRNGKeyArray):
        """Draw weights."""
        d, hidden, keys = model.width, model.mlp or 4 * model.width, jax.random.split(key, 5)
        normed = model.norm != "none"
        self.norm1 = LayerNorm(d, affine=model.affine) if normed else None
        self.norm2 = LayerNorm(d, affine=model.affine) if normed else None
        qkv = Linear(d, 3 * d, bias=model.attention_bias, key=keys[0])
        out = Linear(d, d, bias=model.attention_bias, key=keys[1])
        # nn.MultiheadAttention: Xavier over the stacked projection, biases at 0
        xavier = math.sqrt(6 / (4 * d))
        self.qkv = eqx.tree_at(
            lambda m: m.weight, qkv, jax.random.uniform(keys[2], (d, 3 * d), minval=-xavier, maxval=xavier)
        )
        self.out = out
        if model.attention_bias:
            self.qkv, self.out = (
                eqx.tree_at(lambda m: m.bias, m, replace_fn=jnp.zeros_like) for m in (self.qkv, self.out)
            )
        self.up = Linear(d, hidden, bias=model.mlp_bias, key=keys[3])
        self.down = Linear(hidden, d, bias=model.mlp_bias, key=keys[4])
        self.model, self.name = model, name

    def __call__(self, x: Stream, layout: Layout, site: Visit, *, last: bool) -> Stream:
        """The stream after the block, at all positions or, with `last`, at the last alone."""
        before, after = (None, self.norm2) if self.model.norm == "post" else (self.norm2, None)
        source = x if self.norm1 is None or self.model.norm == "post" else x._replace(h=self.norm1(x.h))
        mixed, weights, keys = self._attend(source, layout, last=last)
        for name, seen in (("mixed", mixed), ("weights", weights)):
            site(f"{self.name}.attention.{name}", Stream(seen, keys), tapped=False)
        a = site(f"{self.name}.attention.out", Stream(self.out(mixed), keys))
        carried = source if self.model.norm == "grokfast" else x
        kept = list(zip(carried.parts(layout), carried.keys, strict=True))[-len(keys) :]
        aligned = [layout.align(h, have, want) for (h, have), want in zip(kept, keys, strict=True)]
        stream = jnp.concatenate(aligned) + a.h
        stream = self.norm1(stream) if self.norm1 is not None and self.model.norm == "post" else stream
        h = site(f"{self.name}.stream", Stream(stream, keys)).h
        pre = Stream(self.up(h if before is None else before(h)), keys)
        pre = site(f"{self.name}.mlp.pre", pre)
        post = site(f"{self.name}.mlp.post", Stream(activate(self.model.activation, pre.h), keys), tapped=False)
        m = site(f"{self.name}.mlp.out", Stream(self.down(post.h), keys))
        return site(f"{self.name}.out", Stream(h + m.h if after is None else after(h + m.h), keys))

    def _attend(
        self, x: Stream, layout: Layout, *, last: bool
    ) -> tuple[Float[Array, "rows d"], Float[Array, "rows w"], tuple[Key, ...]]:
        """Softmax attention, as elementwise products over the few positions; before the output projection.

        The second is the attention weights, head by head, 0 for positions that are not seen.
        """
        d, heads = self.model.width, self.model.heads
        weight, bias = self.qkv.weight, self.qkv.bias
        queries = range(len(x.keys) - 1, len(x.keys)) if last else range(len(x.keys))
        if last:  # keys and values everywhere, queries at the last position
            q = matmul(x.parts(layout)[-1], weight[:, :d])
            kv = matmul(x.h, weight[:, d:])
        else:
            qkv = matmul(x.h, weight)
            q, kv = qkv[:, :d], qkv[:, d:]
        if bias is not None:
            q, kv = q + bias[:d], kv + bias[d:]
        q_parts = Stream(q, x.keys[-1:] if last else x.keys).parts(layout)
        kv_parts = Stream(kv, x.keys).parts(layout)
        # sums within a head, and copies to it, as products with an indicator: faster than reductions over 32
        per_head = jnp.repeat(jnp.eye(heads, dtype=x.h.dtype), d // heads, axis=0)
        outputs, attention, keys = [], [], []
        for part, i in zip(q_parts, queries, strict=True):
            seen = range(i + 1) if self.model.causal else range(len(x.keys))
            key = layout.merge([x.keys[j] for j in seen])
            query = layout.align(part, x.keys[i], key)
            pairs = [layout.align(kv_parts[j], x.keys[j], key) for j in seen]
            scores = [((query * kv[:, :d]) @ per_head) / math.sqrt(d // heads) for kv in pairs]
            weights = jax.nn.softmax(jnp.stack(scores), axis=0)  # [seen, rows, heads]
            terms = ((w @ per_head.T) * kv[:, d:] for w, kv in zip(weights, pairs, strict=True))
            outputs.append(functools.reduce(jnp.add, terms))
            padded = jnp.pad(weights, ((0, len(x.keys) - len(seen)), (0, 0), (0, 0)))
            attention.append(jnp.transpose(padded, (1, 2, 0)).reshape(weights.shape[1], -1))
            keys.append(key)
        return jnp.concatenate(outputs), jnp.concatenate(attention), tuple(keys)


class TransformerNetwork(eqx.Module):
    """A decoder Transformer with weights."""

    embedding: Float[Array, "tokens d"]
    position: Float[Array, "positions d"]
    blocks: tuple[Block, ...]
    norm: LayerNorm | None
    head: Linear | None
    lift: Float[Array, "k d"] | None
    extra: dict[str, Any]
    model: Transformer = eqx.field(static=True)
    fixed: tuple[int | None, ...] = eqx.field(static=True)

    def __init__(self, model: Transformer, task: Task, *, key: PRNGKeyArray):
        """Draw weights; each part has a key of its own."""
        keys = jax.random.split(key, model.layers + 4)
        d = model.width
        self.embedding = jax.random.normal(keys[0], (task.tokens, d))
        self.position = jax.random.normal(keys[1], (model.positions_table or task.length, d))
        self.blocks = tuple(Block(model, f"block.{k}", key=key_k) for k, key_k in enumerate(keys[4:]))
        self.norm = LayerNorm(d, affine=model.affine) if model.norm in ("pre", "grokfast") else None
        self.head = None if model.tied else Linear(d, task.classes, bias=False, key=keys[2])
        self.lift, self.extra = None, {}
        self.model, self.fixed = model, task.fixed
        if model.init_law == "normal":
            self._redraw(keys[3], task)

    def _redraw(self, key: PRNGKeyArray, task: Task) -> None:
        """Track B's law: N(0, 1/width) for every matrix, N(0, 1/vocabulary) for the head, zero biases."""
        scale = 1 / math.sqrt(self.model.width)
        keys = iter(jax.random.split(key, 3 + 4 * len(self.blocks)))

        def linear(layer: Linear, sigma: float) -> Linear:
            drawn = sigma * jax.random.normal(next(keys), layer.weight.shape)
            layer = eqx.tree_at(lambda m: m.weight, layer, drawn)
            if layer.bias is None:
                return layer
            return eqx.tree_at(lambda m: m.bias, layer, jnp.zeros_like(layer.bias))

        self.embedding = scale * jax.random.normal(next(keys), self.embedding.shape)
        self.position = scale * jax.random.normal(next(keys), self.position.shape)
        self.blocks = tuple(
            eqx.tree_at(
                lambda b: (b.qkv, b.out, b.up, b.down),
                block,
                tuple(linear(layer, scale) for layer in (block.qkv, block.out, block.up, block.down)),
            )
            for block in self.blocks
        )
        if self.head is not None:
            self.head = linear(self.head, 1 / math.sqrt(task.classes))

    def __call__(
        self, inputs: Int[Array, "n length"], *, tap: Tap | None = None, key: PRNGKeyArray | None = None
    ) -> tuple[Float[Array, "n classes"], Activations]:
        """Logits at the last position and activations by site, ``[positions, n, d]``."""
        activations: dict[str, Array] = {}
        table = product(self.tables)
        layout = Layout(inputs, self.fixed, table.shape[0], share=tap is None)

        def site(name: str, x: Stream, *, tapped: bool = True) -> Stream:
            activations[name] = x.whole(layout)
            if tap is None or not tapped:
                return x
            activations[name] = tap(name, activations[name])
            return x._replace(h=activations[name].reshape(x.h.shape))

        rows = [table[layout.rows(i)] + self.position[i] for i in range(len(layout.keys))]
        x = site("embedded", Stream(jnp.concatenate(rows), tuple(layout.keys)))
        for k, block in enumerate(self.blocks):
            final = k == len(self.blocks) - 1
            x = block(x, layout, site, last=final and self.model.positions == "last")
        h = layout.align(x.parts(layout)[-1], x.keys[-1], EVERY)
        h = h if self.norm is None else self.norm(h)
        logits = h @ table.T if self.head is None else self.head(h)
        return logits, activations

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
        """Whether there are layer norms."""
        return self.model.norm != "none"

    @property
    def all_sites(self) -> Mapping[str, Site]:
        """The embedded input, and of each block the parts of both sub-layers and the stream behind them."""
        d, length = self.position.shape[-1], len(self.fixed)
        sites = {"embedded": Site(d, "stream", length)}
        for k, block in enumerate(self.blocks):
            short = k == len(self.blocks) - 1 and self.model.positions == "last"
            n, hidden = 1 if short else length, block.up.weight.shape[1]
            sites |= block_sites(k, d, hidden, self.model.heads * length, n)
        return sites

    @property
    def linear_maps(self) -> Mapping[str, LinearMap]:
        """The output projection of each sub-layer."""
        return output_maps(self.blocks)

    @property
    def sub_layers(self) -> tuple[SubLayer, ...]:
        """Attention and MLP of each block."""
        return residual_layers(self.blocks)
