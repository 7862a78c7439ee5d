r"""Lion, and SignSGD: every weight moves by the same amount, and only the sign is learned from the gradient.

.. math:: c = \beta_1 m + (1 - \beta_1) g, \qquad w \leftarrow (1 - \eta \lambda) w - \eta \operatorname{sign}(c),
    \qquad m \leftarrow \beta_2 m + (1 - \beta_2) g

At beta1 = beta2 = 0 it is SignSGD.  Norms grow with the number of steps unless something bounds them (decay, or
clipped rows).  Source: arXiv 2302.06675; optax has the same rule.
"""

from __future__ import annotations

from typing import Annotated, Any

import optax

from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import DECAY, NOT_NEGATIVE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.schedule import Number


def _downhill(wd: Any, lr: Any) -> optax.GradientTransformation:
    return optax.chain(optax.add_decayed_weights(wd), optax.scale(-lr))


@method
class Lion(Method):
    """Lion: step by the sign of a momentum, with decoupled decay (optimiser; arXiv 2302.06675).

    Args:
        lr: Learning rate: the length of every weight's step; 3 to 10 times below AdamW's.
        wd: Decoupled weight decay, 3 to 10 times above AdamW's; each step multiplies weights by 1 - lr * wd.
        beta1: Weight of the momentum in the step.
        beta2: Decay of the momentum.
    """

    lr: Annotated[Number, NOT_NEGATIVE] = 3e-4
    wd: Annotated[Number, NOT_NEGATIVE] = 0.0
    beta1: Annotated[float, DECAY] = 0.9
    beta2: Annotated[float, DECAY] = 0.99

    downhill = True

    def transform(self) -> optax.GradientTransformation:
        """Sign of the interpolated momentum, decay, step downhill."""
        return optax.chain(optax.scale_by_lion(self.beta1, self.beta2), _downhill(self.wd, self.lr))


CLIP_TO_GROK = Lion(lr=1e-3, wd=0.0, beta1=0.9, beta2=0.97)
"""As used with clipped rows for 2 layers, repository NiftyliuS/cliptogrok (1e-4 for 8 layers)."""


@method
class SignSGD(Method):
    """SignSGD: step by the sign of the gradient, with decoupled decay (optimiser; arXiv 1802.04434).

    Args:
        lr: Learning rate: the length of every weight's step.
        wd: Decoupled weight decay.
    """

    lr: Annotated[Number, NOT_NEGATIVE] = 3e-4
    wd: Annotated[Number, NOT_NEGATIVE] = 0.0

    downhill = True

    def transform(self) -> optax.GradientTransformation:
        """Sign, decay, step downhill."""
        return optax.chain(optax.scale_by_sign(), _downhill(self.wd, self.lr))
