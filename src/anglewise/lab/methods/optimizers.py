r"""The plain optimisers: AdamW, Adam with coupled L2, SGD.

.. math:: m \leftarrow \beta_1 m + (1-\beta_1) g, \quad v \leftarrow \beta_2 v + (1-\beta_2) g^2, \quad
   w \leftarrow (1 - \eta \lambda) w - \eta \, \hat m / (\sqrt{\hat v} + \epsilon)

is AdamW; Adam adds :math:`\lambda w` to g instead.  Identical optimisers are not two pieces of evidence: AdamW
with decay 0 is Adam.  Sources: arXiv 1711.05101, 1412.6980; PyTorch's defaults where nothing else is said.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import optax

from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import DECAY, NOT_NEGATIVE
from anglewise.lab.protocols.method import Edge, Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.schedule import Number


def _downhill(lr: Any) -> optax.GradientTransformation:
    return optax.scale(-lr)


def _matrices(params: Params) -> Params:
    return jax.tree.map(lambda w: w.ndim > 1, params)


def _adam_edge(method: Any, opt_state: Any) -> Edge:
    r"""Adam's edge of stability: :math:`(2 + 2 \beta_1) / ((1 - \beta_1) \eta)` for :math:`P^{-1} H`,
    :math:`P = \sqrt{\hat v} + \epsilon` (arXiv 2207.14484, equation 3; 38 / eta at beta1 0.9)."""
    count, nu = optax.tree_utils.tree_get(opt_state, "count"), optax.tree_utils.tree_get(opt_state, "nu")
    seen = 1 - method.beta2 ** jnp.maximum(count, 1)
    threshold = (2 + 2 * method.beta1) / ((1 - method.beta1) * method.lr)
    return Edge(jnp.asarray(threshold), jax.tree.map(lambda v: jnp.sqrt(v / seen) + method.eps, nu))


@method
class AdamW(Method):
    """AdamW: Adam with decoupled weight decay (optimiser; arXiv 1711.05101).

    Args:
        lr: Learning rate.
        wd: Decoupled weight decay; each step multiplies weights by 1 - lr * wd.
        beta1: Decay of the first moment.
        beta2: Decay of the second moment.
        eps: Added to the root of the second moment.
        decay: Which parameters decay: ``"all"``, or ``"matrices"`` (two axes or more).
    """

    lr: Annotated[Number, NOT_NEGATIVE] = 1e-3
    wd: Annotated[Number, NOT_NEGATIVE] = 0.0
    beta1: Annotated[float, DECAY] = 0.9
    beta2: Annotated[float, DECAY] = 0.999
    eps: Annotated[float, NOT_NEGATIVE] = 1e-8
    decay: Literal["all", "matrices"] = "all"

    downhill = True

    def transform(self) -> optax.GradientTransformation:
        """Scale by Adam's moments, add the decay, step downhill."""
        return optax.chain(
            optax.scale_by_adam(self.beta1, self.beta2, self.eps),
            optax.add_decayed_weights(self.wd, None if self.decay == "all" else _matrices),
            _downhill(self.lr),
        )

    def edge(self, opt_state: Any) -> Edge:
        """Adam's edge of stability."""
        return _adam_edge(self, opt_state)


@method
class Adam(Method):
    """Adam, with coupled L2: `wd` is added to the gradient before the moments (optimiser; arXiv 1412.6980).

    Args:
        lr: Learning rate.
        wd: Coefficient of the coupled L2.
        beta1: Decay of the first moment.
        beta2: Decay of the second moment.
        eps: Added to the root of the second moment.
    """

    lr: Annotated[Number, NOT_NEGATIVE] = 1e-3
    wd: Annotated[Number, NOT_NEGATIVE] = 0.0
    beta1: Annotated[float, DECAY] = 0.9
    beta2: Annotated[float, DECAY] = 0.999
    eps: Annotated[float, NOT_NEGATIVE] = 1e-8

    downhill = True

    def transform(self) -> optax.GradientTransformation:
        """Add the decay, scale by Adam's moments, step downhill."""
        return optax.chain(
            optax.add_decayed_weights(self.wd),
            optax.scale_by_adam(self.beta1, self.beta2, self.eps),
            _downhill(self.lr),
        )

    def edge(self, opt_state: Any) -> Edge:
        """Adam's edge of stability."""
        return _adam_edge(self, opt_state)


@method
class SGD(Method):
    r"""SGD: gradient descent with heavy-ball momentum and coupled L2 (optimiser).

    .. math:: b \leftarrow \mu b + g + \lambda w, \qquad w \leftarrow w - \eta b

    Args:
        lr: Learning rate.
        wd: Coefficient of the coupled L2.
        momentum: mu.
    """

    lr: Annotated[Number, NOT_NEGATIVE] = 1e-2
    wd: Annotated[Number, NOT_NEGATIVE] = 0.0
    momentum: Annotated[float, DECAY] = 0.0

    downhill = True

    def transform(self) -> optax.GradientTransformation:
        """Add the decay, accumulate, step downhill."""
        return optax.chain(optax.add_decayed_weights(self.wd), optax.trace(self.momentum), _downhill(self.lr))

    def edge(self, opt_state: Any) -> Edge:
        r"""Heavy-ball's edge of stability, :math:`(2 + 2 \mu) / \eta` (arXiv 2103.00065)."""
        return Edge(jnp.asarray((2 + 2 * self.momentum) / self.lr), None)
