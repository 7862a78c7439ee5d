r"""Radial suppression: a penalty that softly holds activations on a sphere.

.. math:: \lambda \sum_{\text{sites}} \operatorname{mean} \frac{1}{d} \bigl(|h| - \tau \sqrt d\bigr)^2

Source: arXiv 2606.32000 ("Radial Suppression Accelerates Algorithmic Generalization"); whether sites are summed
is unstated there, and summed in a later repository of the same group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from anglewise.lab.methods.sites import pick
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, Names
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Activations, Params
from anglewise.lab.protocols.schedule import Number
from anglewise.penalty import Side, radial_penalty


@method
class RadialPenalty(Method):
    """Radial: softly hold activations on a sphere of radius target * sqrt(d) (loss term; arXiv 2606.32000).

    Args:
        strength: lambda.
        target: Wanted radius in units of sqrt(d).
        sites: Where; empty means the model's own sites.
        over: Whether sites are summed or averaged.
        side: ``"both"``, or only radii above (``"outer"``) or below (``"inner"``) the target.
    """

    strength: Annotated[Number, NOT_NEGATIVE] = 0.05
    target: Annotated[Number, NOT_NEGATIVE] = 1.0
    sites: Annotated[tuple[str, ...], Names("site")] = ()
    over: Literal["sum", "mean"] = "sum"
    side: Side = "both"

    def penalty(self, activations: Activations, params: Params) -> Any:
        """Strength times the sum (or mean) over sites."""
        at = pick(activations, self.sites)
        total = sum(radial_penalty(h, self.target, side=self.side) for h in at.values())
        return self.strength * (total if self.over == "sum" else total / len(at))

    def radial_terms(self) -> Mapping[str, tuple[Any, Any]]:
        """Strength per site, and target."""
        each = self.strength if self.over == "sum" else self.strength / len(self.sites)
        return dict.fromkeys(self.sites, (each, self.target))
