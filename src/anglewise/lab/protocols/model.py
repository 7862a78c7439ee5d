"""What the engine, methods and readings know of a model: an architecture, and what its networks declare of themselves.

A model is a frozen dataclass: its fields are its specification, which is hashed into a run's id.  No method and no
reading knows the name of a layer.  A method asks the network for its head, its tables, its sites; a method that needs
more than every network has (a residual stream, say) asks for an optional protocol of this file, and is refused on a
network that does not have it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

import equinox as eqx
import jax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from anglewise.lab.protocols.task import Task

Params: TypeAlias = Any
"""A network whose numbers are all trained: a pytree of floating-point arrays, with the network's properties."""

Activations: TypeAlias = Mapping[str, Float[Array, "..."]]
"""Activations ``[*batch, d]`` by site, each of its own width, in the order of the forward pass.  The head reads the
last."""

Tap: TypeAlias = Callable[[str, Float[Array, "*batch d"]], Float[Array, "*batch d"]]
"""Called by a network with (site, activation); what it returns is what the network goes on with."""

Kind: TypeAlias = Literal["input", "pre", "post", "output", "stream", "block", "mixed", "attention"]
"""What stands at a site.

``"input"``: the embedded input, all positions side by side.  ``"pre"``, ``"post"``: neurons before and after their
activation function.  ``"output"``: what a sub-layer adds to a residual stream.  ``"stream"``: that stream;
``"block"``: the stream behind a whole block.  ``"mixed"``: attention's values before the output map.
``"attention"``: softmax weights, head by head, ``[positions, n, heads * input length]``.
"""


class Site(NamedTuple):
    """What a network declares of one of its sites.

    Attributes:
        width: Size d of the activation's last axis.
        kind: What stands there.
        positions: Number of positions of an activation ``[positions, n, d]``; 0 for ``[n, d]``.
        tapped: Whether the network lets a tap act there.
    """

    width: int
    kind: Kind
    positions: int = 0
    tapped: bool = True


class LinearMap(NamedTuple):
    """The linear map behind a site: h = x @ weight (+ bias), with x the activation at `source`.

    Args:
        source: A site.
        layer: Picks the layer from a network (or from anything of its structure); it has a `weight` and a `bias`.
    """

    source: str
    layer: Callable[[Any], Any]

    def weight(self, network: Any) -> Any:
        """The weight in `network`, ``[i, d]``."""
        return self.layer(network).weight

    def bias(self, network: Any) -> Any:
        """The bias in `network`, ``[d]``; None where the layer has none."""
        return self.layer(network).bias


class SubLayer(NamedTuple):
    """A sub-layer f of a residual stream, h <- h + f(h).

    Attributes:
        block: Number of its block, from 0.
        kind: Attention reads the stream by queries, keys and values, which lie side by side in one weight.
        pre: Site of an MLP's neurons before their activation function; empty for attention.
        out: Site of f(h).
        stream: Site of the stream after the addition.
        reads: Picks the layer that reads the stream, ``[d, o]``.
        writes: Picks the layer whose output is f(h), ``[i, d]``.
    """

    block: int
    kind: Literal["attention", "mlp"]
    pre: str
    out: str
    stream: str
    reads: Callable[[Any], Any]
    writes: Callable[[Any], Any]


@runtime_checkable
class Network(Protocol):
    """A model with weights: an Equinox module, called on a batch."""

    extra: dict[str, Any]
    """Parameters that methods attached, by the method's name."""

    def __call__(
        self, inputs: Int[Array, "n length"], *, tap: Tap | None = None, key: PRNGKeyArray | None = None
    ) -> tuple[Float[Array, "rows classes"], Activations]:
        """Run the network on a batch.

        Args:
            inputs: Token indices.
            tap: Called with every activation; what it gives is what the network goes on with.
            key: For noise in the forward pass; there only for methods that need it.

        Returns:
            Logits, a row for each label (an example's ones next to each other), and activations by site.
        """

    @property
    def all_sites(self) -> Mapping[str, Site]:
        """Every site, in the order of the forward pass; the head reads the last."""

    @property
    def linear_maps(self) -> Mapping[str, LinearMap]:
        """For each default site, the linear map that makes it."""

    @property
    def roles(self) -> Any:
        """What each parameter is, in the structure of the parameters: ``"embedding"`` (tables; a token's vector is the
        last axis), ``"hidden"`` and ``"head"`` (matrices ``[in, out]``), ``"vector"`` (biases, gains), ``"extra"``
        (what a method attached)."""

    @property
    def stacked(self) -> Any:
        """How many matrices lie side by side in each parameter, in the structure of the parameters: 3 for queries, keys
        and values in one weight, else 1."""

    @property
    def tables(self) -> tuple[Float[Array, "*tables rows e"], ...]:
        """Parameters whose product is the tokens' vectors: one table ``[tokens, e]`` or one for each position
        ``[positions, tokens, e]``, and the factor that a method put behind it.  Empty for a one-hot input."""

    @property
    def norm(self) -> Callable[[Float[Array, "*batch d"]], Float[Array, "*batch d"]] | None:
        """Normalises what the head reads; None for nothing."""

    @property
    def head(self) -> Any:
        """The layer that makes logits, with a `weight` ``[in, classes]`` and a `bias`; None where it is the transposed
        token table."""


@runtime_checkable
class Factorised(Protocol):
    """A network whose token table may be replaced by a narrow one and a factor behind it, ``embedding @ lift``."""

    embedding: Float[Array, "*tables tokens e"] | None
    lift: Float[Array, "k e"] | None


@runtime_checkable
class Residual(Protocol):
    """A network with a residual stream, which starts at the first site and which the head reads."""

    @property
    def sub_layers(self) -> tuple[SubLayer, ...]:
        """What is added to the stream, in order."""

    @property
    def normalised(self) -> bool:
        """Whether the network normalises the stream, or what reads it."""


@runtime_checkable
class Model(Protocol):
    """What learns: an architecture, without weights."""

    def __hash__(self) -> int:
        """Equal specifications share one program."""

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites whose radius is penalised and shown when nobody says otherwise."""

    def init(self, task: Task, key: PRNGKeyArray) -> Network:
        """A network for `task`, whose weights are drawn with `key`."""


@runtime_checkable
class Sized(Protocol):
    """A model that says what it costs before it is made."""

    def parameters(self, task: Task) -> int:
        """Number of weights."""

    def activations(self, task: Task) -> int:
        """Numbers that one example's forward pass keeps."""

    def pieces(self, task: Task) -> int:
        """Parts of its program that are compiled one by one."""


@runtime_checkable
class Attending(Protocol):
    """A model with attention."""

    @property
    def heads(self) -> int:
        """Number of heads."""

    @property
    def causal(self) -> bool:
        """Whether a position sees only itself and earlier ones."""


@functools.lru_cache(maxsize=64)
def shape_of(model: Model, task: Task) -> Network:
    """The network of a model for a task with shapes in the place of numbers: for what it declares of itself."""
    return eqx.filter_eval_shape(model.init, task, jax.random.key(0))


def sites_of(kind: Kind, network: Network) -> tuple[str, ...]:
    """The network's sites of one kind, in the order of the forward pass."""
    return tuple(name for name, site in network.all_sites.items() if site.kind == kind)


def called(network: Any) -> str:
    """A network's name in messages: its class's, without the word network."""
    return type(network).__name__.removesuffix("Network")


def product(tables: tuple[Any, ...]) -> Float[Array, "*tables tokens e"]:
    """The tokens' vectors, from a network's tables."""
    return functools.reduce(lambda narrow, lift: narrow @ lift, tables)
