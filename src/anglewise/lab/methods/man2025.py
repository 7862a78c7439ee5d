r"""MAN: an L2 penalty on post-ReLU activations.

.. math:: \frac{\zeta}{2} \sum_{\text{hidden layers}} \operatorname{mean}_{\text{batch, units}} \mathrm{ReLU}(a)^2

The same function as the radial penalty at target 0 on post-activations with strength zeta / 2.
Source: arXiv 2512.08314, whose released code uses zeta 0.15 (CIFAR-100) and 0.1 (Tiny-ImageNet).
"""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp

from anglewise.lab.methods.sites import pick
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, Names
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Activations, Params
from anglewise.lab.protocols.schedule import Number


@method
class MAN(Method):
    """MAN: penalty on squared rectified activations (loss term; arXiv 2512.08314).

    Args:
        zeta: Coefficient, as released; half of it is the equivalent radial strength at target 0.
        sites: Pre-activations to rectify and penalise; empty means the model's own sites.
    """

    zeta: Annotated[Number, NOT_NEGATIVE] = 0.15
    sites: Annotated[tuple[str, ...], Names("site")] = ()

    def penalty(self, activations: Activations, params: Params) -> Any:
        """Half zeta times the sum over sites of the mean squared rectified activation."""
        at = pick(activations, self.sites)
        return 0.5 * self.zeta * sum(jnp.mean(jnp.square(jax.nn.relu(h))) for h in at.values())
