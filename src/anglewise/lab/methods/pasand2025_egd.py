r"""Egalitarian gradient descent: every principal direction of a layer's gradient is given the same speed.

.. math:: G \leftarrow (G G^\top)^{-1/2} G = U V^\top \qquad \text{for } G = U S V^\top

exactly by an SVD; from a randomised range of rank k,
:math:`U_k \max(S_k, \text{floor})^{-1} U_k^\top G`; or without any SVD by dividing each column of G, as stored
``[in, out]`` (a unit's incoming weights), by its length.  A filter before SGD; switch it off after grokking by a
schedule of `strength`.

Source: arXiv 2510.04930, repository asahebpa/Egalitarian-Gradient-Descent, whose layout is ``[in, out]`` as here and
whose floors are kept: 1e-6 under singular values, 0.01 under a column's length.  Released runs treat fewer layers than
"every layer": the input layer of an MLP with one hidden layer; ``up`` and ``down`` of a Transformer, before Adam.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import optax

from anglewise.errors import SpecError
from anglewise.lab.methods.matrices import MATRICES, Matrices, inverse, length, msign_svd, on_matrices
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import COUNT, NOT_NEGATIVE, SHARE, Names
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.schedule import Number

POWER_STEPS = 2
"""Power iterations of the randomised range, as released."""


@method
class EGD(Method):
    """EGD: give a gradient's principal directions equal speed (gradient filter; arXiv 2510.04930).

    Args:
        strength: Share of the equalised gradient, the rest being the plain one; 0 is off.
        floor: Least singular value, or length of a column, to divide by.
        kind: ``"svd"``, ``"rsvd"`` (of rank `rank`) or ``"column"``.
        rank: k of ``"rsvd"``.
        roles: Which matrices.
        only: Parts of readable paths; if any are given, only parameters that match one.
    """

    strength: Annotated[Number, SHARE] = 1.0
    floor: Annotated[float, NOT_NEGATIVE] = 1e-6
    kind: Literal["svd", "rsvd", "column"] = "svd"
    rank: Annotated[int, COUNT] = 36
    roles: Annotated[tuple[str, ...], Names("role")] = ("hidden",)
    only: Annotated[tuple[str, ...], Names("part")] = ()

    downhill = False

    def __post_init__(self) -> None:
        """Check the fields."""
        if unmeant := set(self.roles) - set(MATRICES):
            raise SpecError(f"roles must be of matrices ({', '.join(MATRICES)}), got {', '.join(sorted(unmeant))}")

    def transform(self) -> optax.GradientTransformation:
        """Equalise every matrix's gradient; the rest passes."""

        def update(updates: Params, state: Any, params: Params = None) -> tuple[Params, Any]:
            return on_matrices(self._mixed, self.roles, updates, only=self.only), state

        return optax.GradientTransformation(lambda params: optax.EmptyState(), update)

    def _mixed(self, G: Matrices) -> Matrices:
        return self.strength * self.equalised(G) + (1 - self.strength) * G

    def equalised(self, G: Matrices) -> Matrices:
        """The gradient `G` of one matrix with equal speeds."""
        if self.kind == "column":
            norms = length(G, -2)
            return jnp.where(norms == 0, 0, G / jnp.maximum(jnp.where(norms == 0, 1, norms), self.floor))
        return msign_svd(G, self.floor) if self.kind == "svd" else _randomised(G, self.rank, self.floor)


COLUMN = EGD(kind="column", floor=0.01)
"""Column normalisation as released for modular addition."""
TRANSFORMER = EGD(floor=1e-9, only=("up", "down"))
"""As released for the Transformer of modular multiplication, in front of Adam at learning rate 1e-3 without decay."""


def _randomised(G: Matrices, rank: int, floor: Any) -> Matrices:
    """As released: a range of `rank` right directions from a fixed test matrix, then an exact SVD within it."""
    n = G.shape[-1]
    Q = jax.random.normal(jax.random.key(0), (n, min(rank, *G.shape[-2:])), G.dtype)
    Gt = jnp.swapaxes(G, -1, -2)
    for _ in range(POWER_STEPS):
        Q = jnp.linalg.qr(G @ Q)[0]
        Q = jnp.linalg.qr(Gt @ Q)[0]
    U, S, _ = jnp.linalg.svd(G @ Q, full_matrices=False)
    return (U * inverse(S, max(G.shape[-2:]), floor)[..., None, :]) @ (jnp.swapaxes(U, -1, -2) @ G)
