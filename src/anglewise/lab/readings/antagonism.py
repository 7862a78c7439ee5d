r"""Antagonistic gradient: what the penalty alone and the task alone do, to first order, to singular values.

A has one activation per row (n rows, width d), R is the diagonal of its radii, :math:`\tau` the target.  Descending
the penalty (per unit of its strength) and the task loss, each sample by its own gradient, moves A by

.. math:: \dot A_{\text{penalty}} = -\frac{2}{d}\bigl(I - \tau \sqrt d \, R^{-1}\bigr) A, \qquad
    \dot A_{\text{task}} = -\nabla_A \sum_i \ell_i

A motion moves a simple singular value by :math:`\dot\sigma_i = u_i^\top \dot A v_i`, and hence, with
:math:`\beta^2 = |A|_F^2 - \sigma_1^2` the energy of the rest and :math:`s = |A|_F^2 / \sigma_1^2` the stable rank,

.. math:: \frac{\dot\sigma_1}{\sigma_1} = \frac{u_1^\top \dot A v_1}{\sigma_1}, \qquad
    \frac{\dot\beta}{\beta} = \frac{\langle A, \dot A\rangle - \sigma_1 \dot\sigma_1}{|A|_F^2 - \sigma_1^2}, \qquad
    \frac{\dot s}{s} = 2 \Bigl(\frac{\langle A, \dot A\rangle}{|A|_F^2} - \frac{\dot\sigma_1}{\sigma_1}\Bigr)

The paper says that the penalty pulls hardest along :math:`\sigma_1`.  Where all radii are equal its motion is a
multiple of A: every singular value shrinks by the same factor and the stable rank stands still.  A gain of rank
needs unequal radii, or comes from the task.  Source: arXiv 2606.32000, "antagonistic gradient"; the remark on equal
radii is ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from anglewise.lab.protocols.fields import COUNT, Bound
from anglewise.lab.protocols.reading import ROWS, Reading, Snapshot
from anglewise.penalty import radial_penalty


class Rates(NamedTuple):
    """Relative changes per unit of time: of the first singular value, of all others, of the stable rank."""

    sigma1: Float[Array, ""]
    bulk: Float[Array, ""]
    stable_rank: Float[Array, ""]


@dataclasses.dataclass(frozen=True)
class Antagonism(Reading):
    """First-order change of the leading singular value, of the rest and of the stable rank: by penalty, by task.

    The penalty's rates are per unit strength, at the arm's own target or, where it has no radial penalty, at 1; the
    two-sided penalty is meant.  Strength times the penalty's rate plus the task's is the total's.

    Args:
        every: Measurements between two values.
        rows: Training examples that give the rows of A; 0 is all.
    """

    every: Annotated[int, COUNT] = 4
    rows: Annotated[int, Bound(0)] = ROWS

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """``{penalty,task}_{sigma1,bulk,stable_rank}_rate``, by site."""
        values: dict[tuple[str, str], Array] = {}
        gradients = snapshot.gradients("task", "train", self.rows)
        seen = snapshot.forward("train", self.rows)
        for site in snapshot.sites:
            h, n = seen.activations[site], seen.inputs.shape[0]
            target = snapshot.radial_terms[site][1] if site in snapshot.radial_terms else 1.0
            pull = n * jax.grad(lambda h, target=target: radial_penalty(h, target))(h)
            moves = {"penalty": -pull, "task": -gradients[site]}
            flat = {name: move.reshape(-1, h.shape[-1]) for name, move in moves.items()}
            a = h.reshape(-1, h.shape[-1])
            top = leading(a)
            for name, move in flat.items():
                for what, value in rates(a, move, top)._asdict().items():
                    values[site, f"{name}_{what}_rate"] = value
        return values


def rates(a: Float[Array, "n d"], move: Float[Array, "n d"], top: Float[Array, " d"]) -> Rates:
    """Rates of a matrix A that moves by `move`, with `top` its first right singular vector; NaN where A is 0."""
    along = a @ top
    peak, energy = jnp.sum(along * along), jnp.sum(a * a)
    lift, work = jnp.sum(along * (move @ top)), jnp.sum(a * move)
    return Rates(lift / peak, (work - lift) / (energy - peak), 2 * (work / energy - lift / peak))


def leading(a: Float[Array, "n d"]) -> Float[Array, " d"]:
    r"""First right singular vector of A, as the last eigenvector of :math:`A^\top A`: 2.6 ms at width 200.

    Squaring A costs the small singular values their digits and the first one none.
    """
    return jnp.linalg.eigh(a.T @ a)[1][:, -1]
