"""The few layers that models are built of, with PyTorch's default initialisations.

Weights are stored ``[in, out]`` (columns are output units), so that a layer is ``x @ weight``.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.lab.protocols.task import Task, answers_of

Activation: TypeAlias = Literal["relu", "gelu"]


def activate(name: Activation, x: Array) -> Array:
    """ReLU, or the exact (erf) GELU that is PyTorch's default."""
    return jax.nn.relu(x) if name == "relu" else jax.nn.gelu(x, approximate=False)


def uniform(key: PRNGKeyArray, shape: tuple[int, ...], fan_in: int) -> Array:
    r"""PyTorch's default for linear weights and biases: uniform on :math:`\pm 1/\sqrt{\text{fan in}}`."""
    bound = 1 / math.sqrt(fan_in)
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)


@jax.custom_vjp
def matmul(x: Float[Array, "n i"], weight: Float[Array, "i o"]) -> Float[Array, "n o"]:
    """``x @ weight``, whose weight gradient is formed the way that is faster on a CPU.

    XLA's CPU product is up to 1.6 times slower for a tall result than for the same numbers as a wide one, so where
    a layer narrows, the gradient is computed transposed; the barrier keeps the compiler from undoing that.
    """
    return x @ weight


def _matmul_forward(x: Array, weight: Array) -> tuple[Array, tuple[Array, Array]]:
    return x @ weight, (x, weight)


def _matmul_backward(kept: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    x, weight = kept
    tall = weight.shape[0] >= 2 * weight.shape[1]
    gradient = jax.lax.optimization_barrier(g.T @ x).T if tall else x.T @ g
    return g @ weight.T, gradient


matmul.defvjp(_matmul_forward, _matmul_backward)


class Linear(eqx.Module):
    """An affine map, ``x @ weight + bias``."""

    weight: Float[Array, "i o"]
    bias: Float[Array, " o"] | None

    def __init__(self, i: int, o: int, *, bias: bool, key: PRNGKeyArray):
        """Draw weights as PyTorch's nn.Linear does."""
        keys = jax.random.split(key)
        self.weight = uniform(keys[0], (i, o), i)
        self.bias = uniform(keys[1], (o,), i) if bias else None

    def __call__(self, x: Float[Array, "*batch i"]) -> Float[Array, "*batch o"]:
        """Apply; leading axes are flattened, because a product of matrices is the fastest product."""
        y = matmul(x.reshape(-1, x.shape[-1]), self.weight)
        if self.bias is not None:
            y = y + self.bias
        return y.reshape(*x.shape[:-1], -1)


class LayerNorm(eqx.Module):
    r"""Layer normalisation, :math:`s (h - \bar h) / \sqrt{\mathrm{var}(h) + \epsilon} + b`; s and b only if affine."""

    gain: Float[Array, " d"] | None
    bias: Float[Array, " d"] | None
    epsilon: float = eqx.field(static=True)

    def __init__(self, d: int, *, affine: bool = True, bias: bool = True, epsilon: float = 1e-5):
        """Start at gain 1 and bias 0, as PyTorch does; an affine norm may have no bias."""
        self.gain = jnp.ones(d) if affine else None
        self.bias = jnp.zeros(d) if affine and bias else None
        self.epsilon = epsilon

    def __call__(self, h: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
        """Normalise over the last axis."""
        centred = h - jnp.mean(h, axis=-1, keepdims=True)
        scale = jax.lax.rsqrt(jnp.mean(centred * centred, axis=-1, keepdims=True) + self.epsilon)
        y = centred * scale
        y = y if self.gain is None else y * self.gain
        return y if self.bias is None else y + self.bias


def one_answer(model: Any, task: Task) -> None:
    """Check that a task asks for one token, behind its last.

    Raises:
        SpecError: With what the task asks for, and a model that can answer.
    """
    answers = answers_of(task)
    if answers.positions != (task.length - 1,):
        raise SpecError(
            f"{type(model).__name__} answers with one token behind the last, {type(task).__name__} asks for "
            f"{len(answers.positions)}: take the model gpt"
        )


def roles(network: Any) -> Any:
    """What each parameter of a network is, by the field that it stands in: see :class:`Network`."""

    def role(path: Any, w: Any) -> str:
        first = jax.tree_util.keystr(path[:1], simple=True)
        if first == "extra":
            return "extra"
        if first in ("embedding", "position", "lift"):
            return "embedding"
        if w.ndim < 2:
            return "vector"
        return "head" if first == "head" else "hidden"

    return jax.tree_util.tree_map_with_path(role, network)
