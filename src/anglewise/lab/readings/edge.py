r"""Edge of stability: the largest eigenvalue that training meets, against the one at which it would oscillate.

.. math:: \text{edge ratio} = \lambda_{\max}(P^{-1} H) \,/\, \text{threshold}

H is the Hessian of the loss that is trained, penalty included; P is the optimiser's diagonal preconditioner (Adam:
:math:`\sqrt{\hat v} + \epsilon`; plain SGD: none) and `threshold` the eigenvalue above which its linearised dynamics
grow: :math:`(2 + 2\mu)/\eta` for heavy-ball momentum, :math:`(2 + 2\beta_1)/((1 - \beta_1)\eta)` for Adam.  1 is the
edge.  P^{-1} H has the eigenvalues of the symmetric :math:`P^{-1/2} H P^{-1/2}`, which Lanczos gets.

Both are statements about full-batch training and the loss over *all* training rows; the largest eigenvalue over a
random part of the rows is larger on average, since it is convex in H (track C2: 1.10 on 1,024 rows where all 5,107
give 0.88).  Weight decay, which adds its coefficient to
every eigenvalue where it is coupled, is not counted.  Before the first update Adam has no preconditioner: NaN.

Sources: arXiv 2103.00065 (SGD), 2207.14484 (adaptive).  Cost: `lanczos` Hessian-vector products, of about 55 ms for a
MLP 200-200 on 5,107 rows (2 CPU cores); on all 4,656 rows of track A's Transformer 28 s and 1.7 GB, which fewer `rows`
cut in proportion.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array

from anglewise.lab.protocols.fields import COUNT, Bound
from anglewise.lab.protocols.reading import Reading, Snapshot
from anglewise.lab.readings.hessian import hessian, largest, preconditioned, ritz

START = 3
"""What a key is drawn for."""


@dataclasses.dataclass(frozen=True)
class EdgeOfStability(Reading):
    """Largest (preconditioned) eigenvalue of the trained loss against the optimiser's threshold.

    Args:
        every: Measurements between two of its values.
        rows: Training examples that the loss is a mean over; 0 is all.
        lanczos: Steps of Lanczos.
    """

    every: Annotated[int, COUNT] = 4
    precision: ClassVar[Literal["as trained", "float64"]] = "float64"
    rows: Annotated[int, Bound(0)] = 0
    lanczos: Annotated[int, Bound(1, 1000)] = 15

    @property
    def copies(self) -> int:
        """Lanczos keeps all of its vectors, in float64."""
        return 4 + 2 * self.lanczos

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """``preconditioned_sharpness``, its ``_error`` (an eigenvalue lies that near), ``edge_threshold`` and
        ``edge_ratio``; nothing where nobody knows the optimiser's edge."""
        if snapshot.edge is None:
            return {}
        params, (inputs, labels) = snapshot.params, snapshot.rows("train", self.rows)
        product = hessian(lambda params: snapshot.objective(params, inputs, labels, "total"), params)
        known: Array = jnp.asarray(True)
        if snapshot.edge.preconditioner is not None:
            known = snapshot.step > 0
            diagonal = jax.tree.map(lambda p, w: p.astype(w.dtype), snapshot.edge.preconditioner, params)
            product = preconditioned(product, diagonal)
        values, error = largest(ritz(product, params, snapshot.draw(START), steps=self.lanczos))
        threshold = snapshot.edge.threshold
        return {
            ("", "preconditioned_sharpness"): jnp.where(known, values[0], jnp.nan),
            ("", "preconditioned_sharpness_error"): jnp.where(known, error, jnp.nan),
            ("", "edge_threshold"): jnp.asarray(threshold),
            ("", "edge_ratio"): jnp.where(known, values[0] / threshold, jnp.nan),
        }
