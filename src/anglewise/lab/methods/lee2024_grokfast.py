r"""Grokfast: amplify the slow part of the gradient, its mean over time, by an EMA or over a window.

.. math:: \mu \leftarrow \alpha \mu + (1 - \alpha) g, \quad \mu_0 = g_0, \qquad g \leftarrow g + \lambda \mu

is the EMA; the window adds lambda times the mean of the last K gradients, and nothing until there are K.  Both
stand before the optimiser.  Where the gradient hardly changes, the filtered one is (1 + lambda) g: a larger step,
which needs no filter.  Hence the control, the same optimiser with its learning rate times 1 + lambda.

Source: arXiv 2405.20233; repository ironjr/grokfast, ``gradfilter_ema`` and ``gradfilter_ma``.  The paper prints
:math:`\mu_0 = \theta_0`, evidently a slip: the released code starts at the first gradient.  Its filtered arms had
weight decay, its baseline none.  ``optax.ema`` starts at 0 and returns the mean alone, so the rule is written out.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import DECAY, NOT_NEGATIVE, Bound
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.schedule import Number


class Past(NamedTuple):
    """Updates made so far, and what is kept of their gradients: the mean, or a ring of the last K."""

    seen: Int[Array, ""]
    kept: Params


@method
class GrokfastEMA(Method):
    """Grokfast-EMA: adds a multiple of the gradient's moving average (stands before the optimiser; arXiv 2405.20233).

    Args:
        alpha: Share of the old mean kept per step; the mean remembers about 1 / (1 - alpha) steps.
        lamb: Amplification lambda of the mean; 0 is off.
    """

    alpha: Annotated[Number, DECAY] = 0.98
    lamb: Annotated[Number, NOT_NEGATIVE] = 2.0

    downhill = False

    def transform(self) -> optax.GradientTransformation:
        """Update the mean and add it; one more copy of the parameters."""

        def init(params: Params) -> Past:
            return Past(jnp.zeros((), jnp.int32), jax.tree.map(jnp.zeros_like, params))

        def update(gradient: Params, past: Past, params: Params | None = None) -> tuple[Params, Past]:
            def mean(old: Array, g: Array) -> Array:
                return jnp.where(past.seen == 0, g, self.alpha * old + (1 - self.alpha) * g)

            kept = jax.tree.map(mean, past.kept, gradient)
            return jax.tree.map(lambda g, m: g + self.lamb * m, gradient, kept), Past(past.seen + 1, kept)

        return optax.GradientTransformation(init, update)


@method
class GrokfastMA(Method):
    """Grokfast-MA: adds a multiple of the last K gradients' mean (stands before the optimiser; arXiv 2405.20233).

    Args:
        lamb: Amplification lambda of the mean; 0 is off.
        window: K, in steps, the current one included; as many copies of the parameters are kept.
    """

    lamb: Annotated[Number, NOT_NEGATIVE] = 5.0
    window: Annotated[int, Bound(1, 100_000)] = 100

    downhill = False

    @property
    def copies(self) -> int:
        """The ring."""
        return self.window + 1

    def transform(self) -> optax.GradientTransformation:
        """Write the gradient into a ring and add the ring's mean once it is full."""

        def init(params: Params) -> Past:
            ring = jax.tree.map(lambda w: jnp.zeros((self.window, *w.shape), w.dtype), params)
            return Past(jnp.zeros((), jnp.int32), ring)

        def update(gradient: Params, past: Past, params: Params | None = None) -> tuple[Params, Past]:
            slot, seen = past.seen % self.window, past.seen + 1
            kept = jax.tree.map(lambda ring, g: ring.at[slot].set(g.astype(ring.dtype)), past.kept, gradient)

            def filtered(g: Array, ring: Array) -> Array:
                return jnp.where(seen >= self.window, g + self.lamb * jnp.mean(ring, axis=0), g)

            return jax.tree.map(filtered, gradient, kept), Past(seen, kept)

        return optax.GradientTransformation(init, update)


@method
class GrokfastControl(Method):
    """Grokfast's control: the update times 1 + lamb, as by a larger learning rate (stands after the optimiser).

    It must be listed after the optimiser, because Adam is blind to the scale of its gradient and would undo a factor
    that stands before it.  All of the update is scaled, decoupled decay included, exactly as if the learning rate
    were (1 + lamb) times as large: divide `wd` by 1 + lamb to hold the decay per step.

    Args:
        lamb: The filter's lambda; 0 is off.
    """

    lamb: Annotated[Number, NOT_NEGATIVE] = 2.0

    position = "last"

    downhill = False

    def transform(self) -> optax.GradientTransformation:
        """Multiply what the optimiser returns."""
        return optax.stateless(lambda update, _: jax.tree.map(lambda u: (1 + self.lamb) * u, update))


PUBLISHED = GrokfastEMA(alpha=0.98, lamb=2.0)
"""The headline run (Adam, coupled decay 0.005), and the defaults of the released function."""
COMMAND_LINE = GrokfastEMA(alpha=0.99, lamb=5.0)
"""The defaults of the released script."""
PUBLISHED_MA = GrokfastMA(lamb=5.0, window=100)
"""The headline run with a window (coupled decay 0.01), and the defaults of both the function and the script."""
