r"""GrokAdamW: AdamW on a gradient with an amplified slow part, with less momentum the later the tensor.

.. math::

   g \leftarrow g \min\Bigl(1, \frac{1}{|g| + 10^{-6}}\Bigr), \quad
   \mu \leftarrow a \mu + (1 - a) g, \quad a = a_0 e^{-k s}, \quad \mu_0 = 0, \quad g \leftarrow g + \lambda \mu

   m \leftarrow \beta_1^{(i)} m + (1 - \beta_1^{(i)}) g, \quad \beta_1^{(i)} = \beta_1 (1 - \gamma)^i, \qquad
   v \leftarrow \beta_2 v + (1 - \beta_2) g^2

   w \leftarrow (1 - \eta \lambda_w) w - \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \frac{m}{\sqrt v + \epsilon}

Source: repository cognitivecomputations/grokadamw (also in the transformers library); no paper.  Kept as released:
i counts tensors, not layers, so by tensor 50 there is no momentum; the bias correction has the undecayed
:math:`\beta_1`, which makes the first steps of late tensors up to 10 times too large; epsilon is added to the root
before its correction.  Tensors are counted here in the network's own order.  The signal s is the user's; the
package's own is the gap between validation and training loss, and 0 where it is given no losses.  It is 0 here
too: any other looks at validation data, or else is a schedule, which may stand in its place.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import ANY, DECAY, NOT_NEGATIVE, SHARE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.schedule import Number

CLIP = 1.0
"""Greatest norm of one tensor's gradient, as packaged."""


class Moments(NamedTuple):
    """Updates made so far; the slow gradient and Adam's two moments."""

    seen: Int[Array, ""]
    slow: Params
    first: Params
    second: Params


@method
class GrokAdamW(Method):
    """GrokAdamW: an optimiser, AdamW with a Grokfast filter and momentum decaying by tensor (its repository).

    Args:
        lr: Learning rate.
        wd: Decoupled weight decay; each step multiplies weights by 1 - lr * wd.
        beta1: Decay of the first moment, for the first tensor.
        beta2: Decay of the second moment.
        eps: Added to the root of the second moment.
        alpha: Decay a_0 of the slow gradient at signal 0.
        lamb: Amplification of the slow gradient.
        gamma: Share of beta1 lost from one tensor to the next.
        decay_rate: k, how fast the signal shortens the slow gradient's memory.
        signal: s; 0 is the released behaviour without validation losses.
        clip: Whether each tensor's gradient is clipped to norm 1, as packaged.
    """

    lr: Annotated[Number, NOT_NEGATIVE] = 1e-3
    wd: Annotated[Number, NOT_NEGATIVE] = 1e-2
    beta1: Annotated[float, DECAY] = 0.9
    beta2: Annotated[float, DECAY] = 0.999
    eps: Annotated[float, NOT_NEGATIVE] = 1e-8
    alpha: Annotated[Number, DECAY] = 0.98
    lamb: Annotated[Number, NOT_NEGATIVE] = 2.0
    gamma: Annotated[float, SHARE] = 0.1
    decay_rate: Annotated[float, NOT_NEGATIVE] = 0.1
    signal: Annotated[Number, ANY] = 0.0
    clip: bool = True

    downhill = True

    @property
    def copies(self) -> int:
        """The slow gradient and both moments."""
        return 3

    def transform(self) -> optax.GradientTransformation:
        """Clip, amplify, scale by the moments, add the decay, step downhill."""
        alpha = self.alpha * jnp.exp(-self.decay_rate * self.signal)

        def init(params: Params) -> Moments:
            zeros = [jax.tree.map(jnp.zeros_like, params) for _ in range(3)]  # of which no two share memory
            return Moments(jnp.zeros((), jnp.int32), *zeros)

        def update(gradient: Params, state: Moments, params: Params) -> tuple[Params, Moments]:
            t = state.seen + 1
            rate = self.lr * jnp.sqrt(1 - self.beta2**t) / (1 - self.beta1**t)
            gradient = jax.tree.map(clipped, gradient) if self.clip else gradient
            slow = jax.tree.map(lambda old, g: alpha * old + (1 - alpha) * g, state.slow, gradient)
            amplified = jax.tree.map(lambda g, mu: g + self.lamb * mu, gradient, slow)
            betas = momenta(params, self.beta1, self.gamma)
            first = jax.tree.map(lambda b, m, g: b * m + (1 - b) * g, betas, state.first, amplified)
            second = jax.tree.map(lambda v, g: self.beta2 * v + (1 - self.beta2) * g * g, state.second, amplified)

            def downhill(w: Array, m: Array, v: Array) -> Array:
                return -self.lr * self.wd * w - rate * m / (jnp.sqrt(v) + self.eps)

            return jax.tree.map(downhill, params, first, second), Moments(t, slow, first, second)

        return optax.GradientTransformation(init, update)  # type: ignore[arg-type]


def clipped(g: Array) -> Array:
    """`g`, shortened to norm 1 where it is longer, as PyTorch does it."""
    return g * jnp.minimum(1.0, CLIP / (jnp.sqrt(jnp.sum(g * g)) + 1e-6))


def momenta(params: Params, beta1: Any, gamma: Any) -> Params:
    """beta1 (1 - gamma)^i for the i-th tensor, in the structure of `params`."""
    leaves, structure = jax.tree.flatten(params)
    return jax.tree.unflatten(structure, [beta1 * (1 - gamma) ** i for i in range(len(leaves))])
