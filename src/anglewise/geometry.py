r"""Polar coordinates for activations: every vector is a length times a direction.

Write h = r u with r = |h| and |u| = 1.  A motion of h either changes r (radial) or turns u (angular).  The library's
one idea: charge for radial motion, and leave angular motion free.

Every function takes PyTorch tensors and arrays of any library that follows the Python Array API standard (NumPy, JAX).
The width of the activation is the last axis.  Each function differentiates and compiles wherever its input does.
Half-precision inputs are computed in float32: the square of a norm needs the bits.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

Array: TypeAlias = Any
"""An array of any Array API library, or a PyTorch tensor."""


class RadialSplit(NamedTuple):
    """A field of vectors, split along and across the rays through the origin.

    Args:
        radial: The part along the rays, shaped like the field.
        angular: The part across them; the two sum to the field.
    """

    radial: Array
    angular: Array


class Displacement(NamedTuple):
    """How far vectors moved along their radius and across it, as lengths."""

    radial: Array
    angular: Array


def namespace(x: Array) -> Any:
    """The Array API namespace that `x` belongs to: ``jax.numpy``, ``numpy``, or PyTorch's wrapped to match.

    The array is asked first: PyTorch's compiler traces that without a warning.
    """
    ask = getattr(x, "__array_namespace__", None)
    if ask is not None:
        return ask()
    if hasattr(x, "requires_grad"):
        import array_api_compat.torch as compat

        return compat
    raise TypeError(
        f"expected an array with a width as its last axis, got {type(x).__name__}: "
        "pass a NumPy or JAX array or a PyTorch tensor"
    )


def widened(x: Array) -> tuple[Any, Array]:
    """Namespace of `x`, and `x` in at least float32 (half precision is widened, integers are refused)."""
    xp = namespace(x)
    if not xp.isdtype(x.dtype, "real floating"):
        raise TypeError(f"expected a floating-point array, got dtype {x.dtype}: convert it first")
    return xp, (xp.astype(x, xp.float32) if xp.finfo(x.dtype).bits < 32 else x)


def radius(h: Array) -> Array:
    r"""Length of every vector, :math:`r = |h|_2`, with gradient 0 (not NaN) at h = 0.

    Args:
        h: Activations, shape ``[*batch, d]``.

    Returns:
        Radii, shape ``[*batch]``, float32 or wider.

    Raises:
        TypeError: If `h` is not a floating-point array.

    Example:
        >>> import numpy as np
        >>> radius(np.array([[3.0, 4.0], [0.0, 0.0]]))
        array([5., 0.])
    """
    xp, h = widened(h)
    square = xp.sum(h * h, axis=-1)
    away = square != 0  # so that NaN stays NaN
    return xp.where(away, xp.sqrt(xp.where(away, square, xp.ones_like(square))), xp.zeros_like(square))


def direction(h: Array) -> Array:
    r"""Unit vector :math:`u = h / r` of every vector; the zero vector has no direction and gives zeros.

    Args:
        h: Activations, shape ``[*batch, d]``.

    Returns:
        Directions, shaped like `h`, float32 or wider.

    Raises:
        TypeError: If `h` is not a floating-point array.

    Example:
        >>> import numpy as np
        >>> direction(np.array([3.0, 4.0]))
        array([0.6, 0.8])
    """
    xp, h = widened(h)
    r = radius(h)[..., None]
    return h / xp.where(r != 0, r, xp.ones_like(r))


def split(v: Array, *, at: Array) -> RadialSplit:
    r"""Split `v` into the part that stretches `at` and the part that turns it.

    .. math:: v_r = \frac{\langle v, h \rangle}{\langle h, h \rangle} h, \qquad v_a = v - v_r

    Args:
        v: Vectors to split, shape ``[*batch, d]``, for instance the task gradient at `at`.
        at: Base points h, shape ``[*batch, d]``.  The zero vector has no direction: there all of `v` is angular.

    Returns:
        Two arrays shaped like `v` that sum to `v` and are orthogonal, vector by vector.

    Raises:
        TypeError: If either is not a floating-point array.

    Example:
        >>> import numpy as np
        >>> split(np.array([1.0, 0.0]), at=np.array([3.0, 4.0])).radial
        array([0.36, 0.48])
    """
    xp, v = widened(v)
    u = direction(at)
    radial = xp.sum(v * u, axis=-1, keepdims=True) * u
    return RadialSplit(radial, v - radial)


def displacement(before: Array, after: Array) -> Displacement:
    r"""Split the distance between two positions of every vector into a change of radius and a turn.

    .. math:: |h_1 - h_0|^2 = (r_1 - r_0)^2 + r_0 r_1 |u_1 - u_0|^2

    holds exactly, however far the vectors moved.  The first term is the radial part squared, the second the angular
    part squared.  Both have the same size backwards in time.  A vector that leaves or reaches 0 moves along its own
    ray, so its angular part is 0.

    Args:
        before: Vectors :math:`h_0 = r_0 u_0`, shape ``[*batch, d]``.
        after: The same vectors later, :math:`h_1 = r_1 u_1`, of the same shape.

    Returns:
        Two arrays of shape ``[*batch]``: ``radial`` is :math:`r_1 - r_0`, negative where the vector became shorter;
        ``angular`` is :math:`\sqrt{r_0 r_1} |u_1 - u_0|`, at least 0.

    Raises:
        TypeError: If either is not a floating-point array.

    Example:
        >>> import numpy as np
        >>> parts = displacement(np.array([3.0, 4.0]), np.array([-4.0, 3.0]))  # a quarter turn: all of it is angular
        >>> float(parts.radial), round(float(parts.angular), 4)
        (0.0, 7.0711)
    """
    xp, before = widened(before)
    r, s = radius(before), radius(after)
    has = (r != 0) & (s != 0)  # both have a direction; NaN stays NaN
    one = xp.ones_like(r)
    root = xp.sqrt(xp.where(has, r, one)) * xp.sqrt(xp.where(has, s, one))
    chord = radius(direction(after) - direction(before))
    return Displacement(s - r, xp.where(has, root * chord, xp.zeros_like(chord)))


def radial_energy(g: Array, *, at: Array) -> Array:
    r"""Share of `g` that is radial, times the width: 1 is what a random direction gives, on average.

    .. math:: \Phi = d \, \frac{\langle g, u \rangle^2}{|g|^2} \in [0, d]

    A parallel `g` gives d, an orthogonal one 0.  For isotropic `g` the law is close to chi-square with one degree of
    freedom: mean 1, median 0.45.  So always say whether a value is a mean or a median.  A zero `g` has no share and
    gives NaN, which the caller masks: a 0 would lower a mean.

    Args:
        g: Gradients, shape ``[*batch, d]``; use those of the task loss alone if you want to interpret the value.
        at: The activations h they were taken at, shape ``[*batch, d]``.

    Returns:
        One value per vector, shape ``[*batch]``.

    Raises:
        TypeError: If either is not a floating-point array.

    Source: arXiv 2606.32000, section 4.

    Example:
        >>> import numpy as np
        >>> radial_energy(np.array([6.0, 8.0]), at=np.array([3.0, 4.0])).round(6)
        np.float64(2.0)
    """
    xp, g = widened(g)
    # a fitted sample's gradient is so small that its squares vanish: the share does not depend on its scale
    peak = xp.max(xp.abs(g), axis=-1, keepdims=True)
    g = g / xp.where(peak > 0, peak, xp.ones_like(peak))
    along = xp.sum(direction(g) * direction(at), axis=-1)
    energy = g.shape[-1] * along * along
    return xp.where(peak[..., 0] > 0, energy, xp.full_like(energy, math.nan))


def singular_values(a: Array) -> Array:
    """Singular values, largest first; NaN for a matrix that holds NaN or infinity, where libraries raise.

    Args:
        a: Matrices, shape ``[*batch, n, d]``.

    Returns:
        Shape ``[*batch, min(n, d)]``, float32 or wider.

    Raises:
        TypeError: If `a` is not a floating-point array.

    Example:
        >>> import numpy as np
        >>> singular_values(np.diag([1.0, 2.0]))
        array([2., 1.])
    """
    xp, a = widened(a)
    finite = xp.all(xp.isfinite(a), axis=(-2, -1), keepdims=True)
    sigma = xp.linalg.svdvals(xp.where(finite, a, xp.zeros_like(a)))
    return xp.where(finite[..., 0], sigma, xp.full_like(sigma, math.nan))


def effective_rank(a: Array) -> Array:
    r"""Entropy rank of a set of row vectors: how many directions they use, weighted.

    .. math:: \exp\Bigl(-\sum_i q_i \ln q_i\Bigr), \qquad q_i = \sigma_i / \sum_j \sigma_j

    Args:
        a: One vector per row, shape ``[*batch, n, d]``.  Not centred here.  At most min(n, d).

    Returns:
        Shape ``[*batch]``; 0 where all vectors are zero.

    Raises:
        TypeError: If `a` is not a floating-point array.

    Source: Roy and Vetterli 2007, "The effective rank".

    Example:
        >>> import numpy as np
        >>> float(effective_rank(np.eye(3)).round(6))
        3.0
    """
    return effective_rank_of(singular_values(a))


def stable_rank(a: Array) -> Array:
    r"""Energy over peak energy of a set of row vectors: :math:`|A|_F^2 / \sigma_1^2`.

    Args:
        a: One vector per row, shape ``[*batch, n, d]``.  Not centred here.  At most min(n, d).

    Returns:
        Shape ``[*batch]``; 0 where all vectors are zero.

    Raises:
        TypeError: If `a` is not a floating-point array.

    Example:
        >>> import numpy as np
        >>> float(stable_rank(np.diag(np.array([2.0, 1.0]))))
        1.25
    """
    return stable_rank_of(singular_values(a))


def effective_rank_of(sigma: Array) -> Array:
    """The effective rank from singular values, shape ``[*batch, k]`` in any order; see :func:`effective_rank`."""
    xp = namespace(sigma)
    total = xp.sum(sigma, axis=-1, keepdims=True)
    q = sigma / xp.where(total != 0, total, xp.ones_like(total))
    entropy = -xp.sum(q * xp.log(xp.where(q != 0, q, xp.ones_like(q))), axis=-1)
    return xp.where(total[..., 0] != 0, xp.exp(entropy), xp.zeros_like(entropy))


def stable_rank_of(sigma: Array) -> Array:
    """The stable rank from singular values, shape ``[*batch, k]`` in any order; see :func:`stable_rank`."""
    xp = namespace(sigma)
    peak = xp.max(sigma, axis=-1, keepdims=True)
    share = sigma / xp.where(peak != 0, peak, xp.ones_like(peak))
    return xp.sum(share * share, axis=-1)
