r"""GrokTransfer: start from the token embedding of a small network that was trained on the same examples.

.. math:: E = A B, \qquad A \in \mathbb R^{\text{tokens} \times 4} \text{ copied}, \quad
   B \in \mathbb R^{4 \times e} \text{ drawn}, \quad \text{both trained on}

The small network has embedding 4 and one hidden layer of 16 ReLUs without biases; it reads all positions side by side
and is trained by AdamW on all training examples at once.

This changes the task's information: training starts from a trained network.  It belongs to the closed track, and its
`weak_steps` full-batch steps of the small network are not among the run's steps: add them, and their seconds,
wherever steps to generalise are compared.

Source: arXiv 2504.13292 (its public repository is a stub): p = 113, a quarter of the table; the target's scale, lr
and wd 0.3, 1e-3, 1 (MLP 128, 512) or 0.7, 1e-3, 1 (Transformer).  There the small network is trained until its
validation accuracy is no longer trivial; here for a set number of steps, so that no test example is looked at.  Its
lr and wd are unstated, and ours; that `scale` multiplies B alone, from a standard normal, is inferred.
"""

from __future__ import annotations

import functools
from typing import Annotated, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, Bound
from anglewise.lab.protocols.loss import cross_entropy
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Factorised, Network, Params, called
from anglewise.lab.protocols.task import Data

NARROW, HIDDEN = 4, 16


class Weak(NamedTuple):
    """The small network's weights."""

    table: Float[Array, "tables tokens narrow"]
    up: Float[Array, "i hidden"]
    down: Float[Array, "hidden c"]

    def __call__(self, inputs: Int[Array, "n length"]) -> Float[Array, "n c"]:
        """Logits."""
        tables = len(self.table)
        parts = [self.table[i % tables][inputs[:, i]] for i in range(inputs.shape[1])]
        return jax.nn.relu(jnp.concatenate(parts, axis=-1) @ self.up) @ self.down


def draw(key: PRNGKeyArray, tables: int, tokens: int, length: int, classes: int) -> Weak:
    """A small network as PyTorch would draw it."""
    keys = jax.random.split(key, 3)

    def linear(key: PRNGKeyArray, i: int, o: int) -> Array:
        return jax.random.uniform(key, (i, o), jnp.float32, -(i**-0.5), i**-0.5)

    table = jax.random.normal(keys[0], (tables, tokens, NARROW), jnp.float32)
    return Weak(table, linear(keys[1], length * NARROW, HIDDEN), linear(keys[2], HIDDEN, classes))


@functools.partial(jax.jit, static_argnames="steps")
def train(weak: Weak, inputs: Array, labels: Array, lr: Any, wd: Any, steps: int) -> Weak:
    """The small network after so many full-batch steps of AdamW."""
    adam = optax.scale_by_adam()

    def step(_: Any, carry: Any) -> Any:
        weak, opt_state = carry
        gradient = jax.grad(lambda w: jnp.mean(cross_entropy(w(inputs), labels)))(weak)
        update, opt_state = adam.update(gradient, opt_state)
        return jax.tree.map(lambda w, u: w - lr * (u + wd * w), weak, update), opt_state

    return jax.lax.fori_loop(0, steps, step, (weak, adam.init(weak)))[0]


@method
class GrokTransfer(Method):
    """GrokTransfer: embedding from a small trained network, closed track (init; arXiv 2504.13292).

    Args:
        scale: Standard deviation of B.
        lr: Learning rate of the small network.
        wd: Its decoupled weight decay.
        weak_steps: Its full-batch steps; add them to the run's.
    """

    scale: Annotated[float, NOT_NEGATIVE] = 0.3
    lr: Annotated[float, NOT_NEGATIVE] = 1e-2
    wd: Annotated[float, NOT_NEGATIVE] = 1.0
    weak_steps: Annotated[int, Bound(0, 10_000_000)] = 1000

    needs = frozenset({"data"})

    def reshape(self, network: Network) -> Network:
        """Put a narrow table, and the map that lifts it, in the embedding's place.

        Raises:
            SpecError: If there is no embedding, or the network cannot compute with a lifted one.
        """
        if not isinstance(network, Factorised):
            raise SpecError(
                f"groktransfer got a {called(network)}, whose embedding cannot be a product: "
                "give its network the fields embedding and lift"
            )
        if network.embedding is None:
            raise SpecError(
                f"groktransfer got a {called(network)} with a one-hot input, expected learned embeddings: "
                "give the model an embedding width"
            )
        *outer, e = network.embedding.shape
        return eqx.tree_at(
            lambda n: (n.embedding, n.lift),
            network,
            (jnp.zeros((*outer, NARROW)), jnp.zeros((NARROW, e))),
            is_leaf=lambda x: x is None,
        )

    def init(self, params: Params, key: PRNGKeyArray, *, data: Data) -> Params:
        """Train the small network, copy its table, draw the lift."""
        keys = jax.random.split(key)
        *_, tokens, _ = params.embedding.shape
        tables = params.embedding.size // (tokens * NARROW)
        classes = tokens if params.head is None else params.head.weight.shape[1]
        lr, wd, scale = (jnp.asarray(x, jnp.float32) for x in (self.lr, self.wd, self.scale))
        weak = draw(keys[0], tables, tokens, data.train_inputs.shape[1], classes)
        weak = train(weak, data.train_inputs, data.train_labels, lr, wd, self.weak_steps)
        lift = scale * jax.random.normal(keys[1], params.lift.shape, jnp.float32)
        table = weak.table.reshape(params.embedding.shape)
        return eqx.tree_at(lambda p: (p.embedding, p.lift), params, (table, lift))


PUBLISHED_MLP, PUBLISHED_TRANSFORMER = GrokTransfer(scale=0.3), GrokTransfer(scale=0.7)
"""The paper's target scales; it trains the targets with AdamW, lr 1e-3, wd 1."""
