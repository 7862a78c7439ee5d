r"""Multi-layer perceptron on a short tuple of tokens, as in the grokking literature.

.. math:: h_1 = W_1 [e_a; e_b] + b_1, \qquad h_{k+1} = W_{k+1} \phi(h_k) + b_{k+1}, \qquad z = W \phi(h_L) + b

e is one-hot ("2-hot" input) or a learned embedding.  Sites: ``hidden.k.pre`` is h_{k+1}, ``hidden.k.post`` its
activation, ``input`` the vector [e_a; e_b] (to read; nothing can be tapped there); the default sites are the
pre-activations.

The first layer is a look-up: with a one-hot input, W_1 e_a is a row of W_1; with embeddings it is a row of the
product of table and weights, which is formed once per step wherever the batch is larger than the vocabulary.  For many
positions of few tokens, such as bits, a product is many times faster than as many look-ups and their gradients.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.lab.models.layers import Activation, Linear, activate, one_answer, roles
from anglewise.lab.protocols.fields import COUNT, Bound, bounded
from anglewise.lab.protocols.model import Activations, LinearMap, Site, Tap, product
from anglewise.lab.protocols.task import Task


@dataclasses.dataclass(frozen=True)
@bounded
class MLP:
    """A multi-layer perceptron.

    Args:
        hidden: Widths of the hidden layers.
        embedding: Width of each token's learned embedding; 0 is a one-hot input.
        shared: Whether all positions use one embedding table.
        bias: Whether layers have biases.
        activation: ``"relu"`` or ``"gelu"``.
    """

    hidden: Annotated[tuple[int, ...], COUNT] = (200, 200)
    embedding: Annotated[int, Bound(0)] = 0
    shared: bool = True
    bias: bool = False
    activation: Activation = "relu"

    def __post_init__(self) -> None:
        """Check the fields."""
        if not self.hidden:
            raise SpecError("hidden must list at least one width, got none")

    @property
    def sites(self) -> tuple[str, ...]:
        """The pre-activations of all hidden layers."""
        return tuple(f"hidden.{k}.pre" for k in range(len(self.hidden)))

    def pieces(self, task: Task) -> int:
        """Parts of the program on `task`, compiled one by one: three for each layer, a look-up for each position."""
        return 3 * len(self.hidden) + task.length * (self.embedding > 0)

    def parameters(self, task: Task) -> int:
        """Number of weights of a network for a task, from the specification alone."""
        widths = (task.length * (self.embedding or task.tokens), *self.hidden, task.classes)
        tables = 1 if self.shared else task.length
        layers = sum(i * o + o * self.bias for i, o in itertools.pairwise(widths))
        return tables * task.tokens * self.embedding + layers

    def activations(self, task: Task) -> int:
        """Numbers that a forward pass keeps of one example of `task`: input, every layer before and after, logits."""
        return task.length * (self.embedding or task.tokens) + 2 * sum(self.hidden) + 2 * task.classes

    def init(self, task: Task, key: PRNGKeyArray) -> MLPNetwork:
        """A network for `task`, drawn with `key` as PyTorch does: linear layers uniform, embeddings standard normal."""
        one_answer(self, task)
        return MLPNetwork(self, task, key=key)


class MLPNetwork(eqx.Module):
    """An MLP with weights."""

    embedding: Float[Array, "tables tokens e"] | None
    layers: tuple[Linear, ...]
    head: Linear
    lift: Float[Array, "k e"] | None
    extra: dict[str, Any]
    activation: Activation = eqx.field(static=True)
    tokens: int = eqx.field(static=True)

    def __init__(self, model: MLP, task: Task, *, key: PRNGKeyArray):
        """Draw weights; each layer has a key of its own."""
        keys = jax.random.split(key, len(model.hidden) + 2)
        tables = 1 if model.shared else task.length
        self.embedding = jax.random.normal(keys[0], (tables, task.tokens, model.embedding)) if model.embedding else None
        widths = (task.length * (model.embedding or task.tokens), *model.hidden)
        self.layers = tuple(
            Linear(i, o, bias=model.bias, key=k) for i, o, k in zip(widths[:-1], widths[1:], keys[1:-1], strict=True)
        )
        self.head = Linear(widths[-1], task.classes, bias=model.bias, key=keys[-1])
        self.lift, self.extra = None, {}
        self.activation = model.activation
        self.tokens = task.tokens

    def __call__(
        self, inputs: Int[Array, "n length"], *, tap: Tap | None = None, key: PRNGKeyArray | None = None
    ) -> tuple[Float[Array, "n classes"], Activations]:
        """Logits and activations by site."""
        activations: dict[str, Array] = {"input": self._embedded(inputs)}  # computed only where it is read
        h = self._first(inputs)
        for k, following in enumerate((*self.layers[1:], self.head)):
            pre, post = f"hidden.{k}.pre", f"hidden.{k}.post"
            activations[pre] = tap(pre, h) if tap else h
            a = activate(self.activation, activations[pre])
            activations[post] = tap(post, a) if tap else a
            h = following(activations[post])
        return h, activations

    @property
    def all_sites(self) -> Mapping[str, Site]:
        """The input, to read, and every hidden layer before and after its activation function."""
        sites = {"input": Site(self.layers[0].weight.shape[0], "input", tapped=False)}
        for k, layer in enumerate(self.layers):
            width = layer.weight.shape[1]
            sites |= {f"hidden.{k}.pre": Site(width, "pre"), f"hidden.{k}.post": Site(width, "post")}
        return sites

    @property
    def linear_maps(self) -> Mapping[str, LinearMap]:
        """The layer that makes each pre-activation."""
        sources = ["input", *(f"hidden.{k}.post" for k in range(len(self.layers) - 1))]
        return {f"hidden.{k}.pre": LinearMap(source, _layer(k)) for k, source in enumerate(sources)}

    @property
    def roles(self) -> Any:
        """What each parameter is."""
        return roles(self)

    @property
    def stacked(self) -> Any:
        """Every parameter is one matrix."""
        return jax.tree.map(lambda _: 1, self)

    @property
    def tables(self) -> tuple[Array, ...]:
        """The embedding, and the factor that a method put behind it."""
        return tuple(w for w in (self.embedding, self.lift) if w is not None)

    @property
    def norm(self) -> None:
        """Nothing is normalised."""

    def _embedded(self, inputs: Int[Array, "n length"]) -> Float[Array, "n i"]:
        if not self.tables:
            dtype = self.head.weight.dtype
            return jax.nn.one_hot(inputs, self.tokens, dtype=dtype).reshape(inputs.shape[0], -1)
        vectors = product(self.tables)
        parts = [vectors[i % vectors.shape[0]][inputs[:, i]] for i in range(inputs.shape[1])]
        return jnp.concatenate(parts, axis=-1)

    def _first(self, inputs: Int[Array, "n length"]) -> Float[Array, "n d"]:
        """First pre-activation: by look-up, or as a product where there are more look-ups to add than tokens."""
        first, (n, length) = self.layers[0], inputs.shape
        if length >= self.tokens:
            return first(self._embedded(inputs))
        blocks = first.weight.reshape(length, -1, first.weight.shape[-1])
        if not self.tables:
            terms = [blocks[i] for i in range(length)]
        elif n < self.tokens:
            return first(self._embedded(inputs))
        else:
            vectors = product(self.tables)
            terms = [vectors[i % vectors.shape[0]] @ blocks[i] for i in range(length)]
        h = jnp.asarray(sum(terms[i][inputs[:, i]] for i in range(length)))
        return h if first.bias is None else h + first.bias


def _layer(k: int) -> Callable[[Any], Any]:
    return lambda network: network.layers[k]
