r"""Regularisers for sparse and for low-rank solutions: L1 and the nuclear norm, as penalty or as proximal step.

.. math:: L + \beta \sum_i |w_i| \qquad \text{or} \qquad w \leftarrow \operatorname{sign}(w) \max(|w| - \eta \beta, 0)

and the same for singular values: :math:`L + \beta \sum_k \sigma_k(W)`, whose sub-gradient is
:math:`\beta \operatorname{msign}(W)`.  Grokking follows the regulariser that fits the solution, about
:math:`1 / (\eta \beta)` steps later, and the L2 norm may grow meanwhile.  Source: arXiv 2506.05718.

The nuclear penalty is written as :math:`\langle \operatorname{msign}(W), W \rangle` with a constant msign: value and
gradient are right, its curvature reads 0.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array

from anglewise.errors import SpecError
from anglewise.lab.methods.matrices import MATRICES, Matrices, msign_svd, on_matrices
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, Names
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Activations, Params
from anglewise.lab.protocols.schedule import Number

Form = Literal["penalty", "proximal"]


class _Sparsity(Method):
    """What both have in common: one of two places is filled in, by `form`."""

    beta: Any
    lr: Any
    form: Form

    @property
    def penalty(self) -> Any:  # type: ignore[override]
        """Beta times the norm; None where it is a proximal step."""
        return self._penalty if self.form == "penalty" else None

    @property
    def project(self) -> Any:  # type: ignore[override]
        """The soft threshold at lr * beta; None where it is a penalty."""
        return (lambda params: self.shrunk(params, self.lr * self.beta)) if self.form == "proximal" else None

    def _penalty(self, activations: Activations, params: Params) -> Any:
        return self.beta * self.norm(params)

    def norm(self, params: Params) -> Any:
        """The norm that is kept small."""
        raise TypeError(f"{type(self).__name__} has no norm: define norm(params)")

    def shrunk(self, params: Params, by: Any) -> Params:
        """Parameters after the proximal step of size `by`."""
        raise TypeError(f"{type(self).__name__} has no proximal step: define shrunk(params, by)")


@method
class L1(_Sparsity):
    """L1: penalty on, or soft threshold of, the absolute weights (penalty or weights; arXiv 2506.05718).

    Args:
        beta: Coefficient of the sum over all weights.
        lr: Learning rate of the proximal step, which takes lr * beta off every weight; not used by the penalty.
        form: ``"penalty"`` or ``"proximal"``.
        roles: Which parameters.
    """

    beta: Annotated[Number, NOT_NEGATIVE] = 1e-5
    lr: Annotated[Number, NOT_NEGATIVE] = 1e-3
    form: Form = "penalty"
    roles: Annotated[tuple[str, ...], Names("role")] = (*MATRICES, "vector")

    def norm(self, params: Params) -> Any:
        """Sum of absolute values of `params`; the sub-gradient at zero is zero, as in PyTorch."""
        pairs = zip(jax.tree.leaves(params), jax.tree.leaves(params.roles), strict=True)
        return sum(jnp.sum(jax.lax.stop_gradient(jnp.sign(w)) * w) for w, role in pairs if role in self.roles)

    def shrunk(self, params: Params, by: Any) -> Params:
        """Every weight of `params` nearer to zero by `by`."""

        def one(role: str, w: Array) -> Array:
            return w - jnp.clip(w, -by, by) if role in self.roles else w

        return jax.tree.map(one, params.roles, params)


@method
class Nuclear(_Sparsity):
    """Nuclear norm: penalty on, or soft threshold of, singular values (penalty or weights; arXiv 2506.05718).

    Args:
        beta: Coefficient of the sum over all singular values of all matrices.
        lr: Learning rate of the proximal step, which takes lr * beta off every value; not used by the penalty.
        form: ``"penalty"`` or ``"proximal"``.
        roles: Which matrices; a Transformer's qkv is three.
    """

    beta: Annotated[Number, NOT_NEGATIVE] = 1e-4
    lr: Annotated[Number, NOT_NEGATIVE] = 1e-3
    form: Form = "penalty"
    roles: Annotated[tuple[str, ...], Names("role")] = MATRICES

    def __post_init__(self) -> None:
        """Check that the roles are matrices."""
        if unmeant := set(self.roles) - set(MATRICES):
            raise SpecError(f"roles must be of matrices ({', '.join(MATRICES)}), got {', '.join(sorted(unmeant))}")

    def norm(self, params: Params) -> Any:
        """Sum of singular values of the matrices in `params`."""

        def along(W: Matrices) -> Matrices:
            return jax.lax.stop_gradient(msign_svd(jax.lax.stop_gradient(W))) * W

        products = on_matrices(along, self.roles, params)
        pairs = zip(jax.tree.leaves(products), jax.tree.leaves(params.roles), strict=True)
        return sum(jnp.sum(w) for w, role in pairs if role in self.roles)

    def shrunk(self, params: Params, by: Any) -> Params:
        """Every singular value of `params` nearer to zero by `by`."""

        def one(W: Matrices) -> Matrices:
            U, S, Vt = jnp.linalg.svd(W, full_matrices=False)
            return W - (U * jnp.minimum(S, by)[..., None, :]) @ Vt

        return on_matrices(one, self.roles, params)
