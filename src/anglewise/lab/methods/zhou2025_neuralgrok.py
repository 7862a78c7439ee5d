r"""NeuralGrok: a small network, learned beside the model, weighs the entries of every gradient; and what is left
of it without that network, gradients of constant length.

.. math::

   \tilde g = c \frac{s \odot g}{|s \odot g|}, \qquad s = \operatorname{softmax}_{\text{entries}} \mathrm{MLP}_\phi(g),
   \qquad \phi \leftarrow \mathrm{Adam}\Bigl(\nabla_\phi L_{\text{outer}}\bigl(w - \eta\, \tilde g(\phi)\bigr)\Bigr)

tensor by tensor; phi learns every T steps through one virtual step of SGD, judged by the task loss on a fiftieth of
the training examples, which the model is not trained on.  With s = 1 the rule is :class:`GradNorm`, which the
published ablation concedes does most of the work.  Under Adam, only changes of \|g\| over time make it matter.

Source: arXiv 2504.17243; repository Blackzxy/NeuralOptGrok.  phi's first weights (PyTorch's default, as in the older
released file) come from a fixed seed of their own, the same in every run.  Deviations from the released code: the
virtual step starts at the current weights (there, at those of one step ago), no decay of phi (there 1e-6).  Known
defect: the newer released class takes the softmax over an axis of size 1, so s = 1, phi never moves and the rule is
gradient normalisation: ``RELEASED``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from anglewise.errors import SpecError
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import COUNT, NOT_NEGATIVE, SEEDS, Bound
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.schedule import Number

Over: TypeAlias = Literal["entries", "released"]
Phi: TypeAlias = tuple[tuple[Float[Array, "i o"], Float[Array, " o"]], ...]
BETAS = (0.9, 0.98)
"""Of the Adam that trains phi, as released."""


class Learned(NamedTuple):
    """Updates made so far, the amplifier's weights, and the memory of its optimiser."""

    seen: Int[Array, ""]
    phi: Phi
    adam: Any


def unit(x: Array) -> Array:
    """x / |x| over all entries, 0 where x is 0; first scaled by its largest entry, so that nothing underflows."""
    top = jax.lax.stop_gradient(jnp.max(jnp.abs(x)))
    x = x / jnp.where(top == 0, 1, top)
    return x / jnp.sqrt(jnp.where(top == 0, 1, jnp.sum(x * x)))


@method
class GradNorm(Method):
    """Gradient normalisation: each tensor's gradient gets length c (stands before the optimiser; arXiv 2504.17243).

    Args:
        c: The length.
    """

    c: Annotated[Number, NOT_NEGATIVE] = 1.0

    downhill = False

    def transform(self) -> optax.GradientTransformation:
        """Normalise tensor by tensor; a gradient of 0 stays 0."""
        return optax.stateless(lambda gradient, _: jax.tree.map(lambda g: self.c * unit(g), gradient))


@method
class NeuralGrok(Method):
    """NeuralGrok: a learned network reweighs gradients (stands before the optimiser; arXiv 2504.17243).

    Args:
        c: Length of each tensor's gradient.
        meta_lr: Learning rate of phi.
        inner_lr: Learning rate eta of the virtual step.
        every: T, steps between updates of phi.
        hidden: Widths of the amplifier's hidden layers; published 32 * 16, or 32 * 4.
        softmax: Over all ``"entries"`` of a tensor, or as ``"released"``, over an axis of size 1.
        seed: Of phi's first weights.

    Raises:
        SpecError: If `hidden` is empty.
    """

    c: Annotated[Number, NOT_NEGATIVE] = 1.0
    meta_lr: Annotated[Number, NOT_NEGATIVE] = 1e-4
    inner_lr: Annotated[Number, NOT_NEGATIVE] = 1e-3
    every: Annotated[int, COUNT] = 4
    hidden: Annotated[tuple[int, ...], Bound(1, 65_536)] = (512,)
    softmax: Over = "entries"
    seed: Annotated[int, SEEDS] = 0

    needs = frozenset({"outer"})

    downhill = False

    def __post_init__(self) -> None:
        """Check the fields."""
        if not self.hidden:
            raise SpecError("hidden must list at least one width, got none")

    @property
    def copies(self) -> int:
        """Of every entry its row in each hidden layer; with a single one that need never be stored."""
        return 2 + (sum(self.hidden) if len(self.hidden) > 1 else 0)

    def transform(self) -> optax.GradientTransformation:
        """Amplify; every T steps, let the amplifier learn (in a population: compute it always, take it then)."""
        adam = optax.scale_by_adam(*BETAS)

        def init(params: Params) -> Learned:
            dtype = jnp.result_type(*jax.tree.leaves(params))
            phi = jax.tree.map(lambda w: w.astype(dtype), drawn(self.hidden, self.seed))
            return Learned(jnp.zeros((), jnp.int32), phi, adam.init(phi))

        def update(
            gradient: Params, state: Learned, params: Params, *, outer: Callable[[Params], Array], **_: Any
        ) -> tuple[Params, Learned]:
            amplified = self.amplify(state.phi, gradient)

            def learn() -> tuple[Phi, Any]:
                trial = jax.tree.map(lambda w, g: w - self.inner_lr * g, params, amplified)
                _, pull = jax.vjp(lambda phi: self.amplify(phi, gradient), state.phi)
                wanted = jax.tree.map(
                    lambda q, g: (-self.inner_lr * q).astype(g.dtype), jax.grad(outer)(trial), amplified
                )
                step, opt_state = adam.update(pull(wanted)[0], state.adam)
                phi = jax.tree.map(lambda w, s: (w - self.meta_lr * s).astype(w.dtype), state.phi, step)
                return phi, jax.tree.map(lambda x, old: x.astype(old.dtype), opt_state, state.adam)

            seen = state.seen + 1
            phi, opt_state = jax.lax.cond(seen % self.every == 0, learn, lambda: (state.phi, state.adam))
            return amplified, Learned(seen, phi, opt_state)

        return optax.GradientTransformationExtraArgs(init, update)  # type: ignore[arg-type]

    def amplify(self, phi: Phi, gradient: Params) -> Params:
        """The `gradient` as the model gets it from the amplifier with weights `phi`."""

        def one(g: Array) -> Array:
            z = scores(phi, g.reshape(-1)).reshape(g.shape)
            if self.softmax == "released":
                return self.c * unit(jax.nn.softmax(z[..., None], axis=-1)[..., 0] * g)
            # the softmax without its denominator, which the normalisation takes out again
            return self.c * unit(jnp.exp(z - jax.lax.stop_gradient(jnp.max(z))) * g)

        return jax.tree.map(one, gradient)


def drawn(hidden: tuple[int, ...], seed: int) -> Phi:
    """The amplifier's first weights: uniform within one over the root of the number of inputs."""
    keys, widths = jax.random.split(jax.random.key(seed), len(hidden) + 1), (1, *hidden, 1)

    def layer(key: Array, i: int, o: int) -> tuple[Array, Array]:
        table = jax.random.uniform(key, (i + 1, o), jnp.float32, -1, 1) / i**0.5
        return table[:i], table[i]

    return tuple(layer(key, i, o) for key, i, o in zip(keys, widths[:-1], widths[1:], strict=True))


@functools.partial(jax.checkpoint, prevent_cse=False)
def scores(phi: Phi, x: Float[Array, " n"]) -> Float[Array, " n"]:
    """The amplifier's output for each entry; with one hidden layer, the [n, hidden] table need never be stored."""
    (first, bias), *middle, (last, offset) = phi
    h = jax.nn.relu(x[:, None] * first[0] + bias)
    for weight, b in middle:
        h = jax.nn.relu(h @ weight + b)
    return jnp.sum(h * last[:, 0], axis=-1) + offset[0]


PUBLISHED = NeuralGrok()
"""As the paper states it (AdamW 1e-3, betas 0.9 and 0.98, decay 1e-3, clip 1)."""
RELEASED = NeuralGrok(every=2, hidden=(64, 128, 64), softmax="released")
"""The newer released class: gradient normalisation at length 1, whatever phi."""
