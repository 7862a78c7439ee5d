r"""What methods that act on weights share: which axis a unit's vector runs along, and functions of a whole matrix.

With :math:`W = U S V^\top`,

.. math:: \operatorname{msign}(W) = U V^\top, \qquad \sigma_1(W) = \max_v |W v| / |v|

Weights are stored ``[in, out]``: a unit's incoming weights, a *row* in PyTorch, lie along axis -2 here; a token's
vector in a table lies along axis -1.  Functions of matrices work on the last two axes and take any axes before them
as a batch.  Newton-Schulz coefficients: repository KellerJordan/Muon.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from anglewise.errors import SpecError, unknown
from anglewise.lab.protocols.model import Params

Matrices: TypeAlias = Float[Array, "*batch i o"]

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients a, b, c of Muon's quintic; they lift small singular values fast and end in about [0.5, 1.5]."""
UNIT_AXIS: Mapping[str, int] = {"embedding": -1, "hidden": -2, "head": -2, "vector": -1}
"""By role, the axis that a unit's (or token's) vector runs along; a bias or a gain is one vector."""
MATRICES = ("embedding", "hidden", "head")
"""Roles whose parameters are matrices, or stacks of such."""


def unit_axis(role: str) -> int:
    """The axis that a unit's vector runs along, for a parameter of this role.

    Raises:
        SpecError: For a role without units, such as ``"extra"``.
    """
    if role not in UNIT_AXIS:
        raise SpecError(unknown("role", role, UNIT_AXIS))
    return UNIT_AXIS[role]


def length(w: Array, axis: int | None = None, *, keepdims: bool = True) -> Array:
    """Euclidean length along `axis` (None: of all of `w`), whose gradient at zero is zero."""
    square = jnp.sum(w * w, axis=axis, keepdims=keepdims)
    return jnp.where(square == 0, 0, jnp.sqrt(jnp.where(square == 0, 1, square)))


def unit_lengths(w: Array, role: str) -> Array:
    """The length of every unit's vector, with that axis kept at size 1."""
    return length(w, unit_axis(role))


def divided(w: Array, by: Array) -> Array:
    """``w / by``, and 0 where `by` is 0; a NaN stays one."""
    return jnp.where(by == 0, 0, w / jnp.where(by == 0, 1, by))


def newton_schulz(G: Matrices, steps: int = 5) -> Matrices:
    r"""About msign(G), by products alone: :math:`X \leftarrow a X + (b A + c A^2) X` with :math:`A = X X^\top`.

    Starts at G over its Frobenius norm, works on the shorter side, and in the dtype of G (released: bfloat16).
    """
    a, b, c = NEWTON_SCHULZ
    tall = G.shape[-2] > G.shape[-1]
    X = jnp.swapaxes(G, -1, -2) if tall else G
    X = X / (jnp.sqrt(jnp.sum(X * X, axis=(-2, -1), keepdims=True)) + 1e-7)

    def closer(_: int, X: Matrices) -> Matrices:
        A = X @ jnp.swapaxes(X, -1, -2)
        return a * X + (b * A + c * (A @ A)) @ X

    X = jax.lax.fori_loop(0, steps, closer, X)
    return jnp.swapaxes(X, -1, -2) if tall else X


def msign_svd(G: Matrices, floor: Any = 0.0) -> Matrices:
    r"""Singular values s become ``s / max(s, floor)``, exactly; directions that G lacks stay absent: msign(0) = 0.

    Never differentiate through it: the derivative of a singular vector has no bound.
    """
    U, S, Vt = jnp.linalg.svd(G, full_matrices=False)
    return (U * (S * inverse(S, max(G.shape[-2:]), floor))[..., None, :]) @ Vt


def inverse(S: Float[Array, "*batch k"], size: int, floor: Any = 0.0) -> Float[Array, "*batch k"]:
    """``1 / max(S, floor)`` of descending singular values, and 0 for rounding errors of a matrix of this size."""
    some = S[..., :1] * (size * jnp.finfo(S.dtype).eps) < S
    return jnp.where(some, 1 / jnp.where(some, jnp.maximum(S, floor), 1), 0).astype(S.dtype)


def start_vector(n: int, dtype: Any = jnp.float32) -> Float[Array, " n"]:
    """A fixed vector of length 1 in general position, to start a power iteration from."""
    v = jax.random.normal(jax.random.key(0), (n,), jnp.float32)
    return (v / jnp.linalg.norm(v)).astype(dtype)


def spectral_norm(
    W: Matrices, start: Float[Array, "*some o"], iterations: int = 1
) -> tuple[Float[Array, "*batch 1 1"], Float[Array, "*batch o"]]:
    r"""The largest singular value by power iteration from `start` (one vector, or one each), and the next start.

    .. math:: u = W v / |W v|, \quad v = W^\top u / |W^\top u|, \qquad \sigma = u^\top W v \le \sigma_1

    u and v are constants for derivatives, as published, so that :math:`d\sigma = u^\top dW\, v`.
    """
    fixed, v = jax.lax.stop_gradient(W), jnp.broadcast_to(start, (*W.shape[:-2], W.shape[-1])).astype(W.dtype)

    def once(_: int, pair: tuple[Array, Array]) -> tuple[Array, Array]:
        u = fixed @ pair[1][..., None]
        u = divided(u, length(u, -2))
        v = (jnp.swapaxes(fixed, -1, -2) @ u)[..., 0]
        return u, divided(v, length(v, -1))

    u, v = jax.lax.fori_loop(0, max(iterations, 1), once, (jnp.zeros((*W.shape[:-1], 1), W.dtype), v))
    u, v = jax.lax.stop_gradient(u), jax.lax.stop_gradient(v)
    return jnp.sum(u * (W @ v[..., None]), axis=(-2, -1), keepdims=True), v


def parted(w: Array, count: int) -> Matrices:
    """The `count` matrices that lie side by side in a parameter, one below the other: ``[i, 3 o]`` as ``[3, i, o]``."""
    return w if count == 1 else jnp.stack(jnp.split(w, count, axis=-1))


def joined(matrices: Matrices, count: int) -> Array:
    """The inverse of :func:`parted`."""
    return matrices if count == 1 else jnp.concatenate(list(matrices), axis=-1)


def on_matrices(
    f: Callable[..., Matrices], roles: tuple[str, ...], tree: Params, *rest: Params, only: tuple[str, ...] = ()
) -> Params:
    """`f` of every matrix of these roles in `tree` (and of its likes in `rest`); everything else stays.

    With `only`, it acts where one of these strings is part of the parameter's readable path.
    """

    def one(path: Any, role: str, count: int, w: Array, *others: Array) -> Array:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        if role not in roles or (only and not any(part in name for part in only)):
            return w
        return joined(f(*(parted(x, count) for x in (w, *others))), count)

    return jax.tree_util.tree_map_with_path(one, tree.roles, tree.stacked, tree, *rest)
