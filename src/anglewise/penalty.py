r"""The radial penalty: it pulls every activation towards a sphere and leaves its angle free.

.. math::

    L(h) = \frac{1}{d} \bigl(|h| - \tau \sqrt d\bigr)^2, \qquad
    \nabla_h L = \frac{2}{d} \bigl(|h| - \tau \sqrt d\bigr) \frac{h}{|h|}

The gradient is purely radial.  :math:`\tau` is the *target*, the wanted radius in units of :math:`\sqrt d`.  1 is the
paper's sphere; 0 on post-activations is MAN (arXiv 2512.08314).  Inside the sphere the pull is outward.  Common
initialisations have radii far below :math:`\sqrt d`: there the penalty first inflates, then suppresses.  The one-sided
forms keep one of the two halves.  At h = 0 there is no direction, and the gradient is 0.

Source: arXiv 2606.32000, section 3.1.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from anglewise.geometry import Array, namespace, radius

Side: TypeAlias = Literal["both", "outer", "inner"]


def radial_penalty(h: Array, target: Array | float = 1.0, mask: Array | None = None, *, side: Side = "both") -> Array:
    r"""Mean over all vectors of :math:`(|h| - \tau \sqrt d)^2 / d`.

    Args:
        h: Activations, shape ``[*batch, d]``.
        target: Wanted radius in units of sqrt(d); a number, or an array that broadcasts over ``[*batch]``.
        mask: Weights that broadcast over ``[*batch]``, usually 0 or 1: vectors of weight 0 (padding) count
            neither in the sum nor in the number divided by.  If no weight is left the penalty is 0.
        side: ``"both"``; ``"outer"`` charges only radii above the target; ``"inner"`` only those below.

    Returns:
        A scalar, float32 or wider, in units of the squared target radius over d.  The penalty of no vectors is 0.

    Raises:
        TypeError: If `h` is not a floating-point array.
        ValueError: If `side` is none of the three.

    Example:
        >>> import numpy as np
        >>> float(radial_penalty(np.array([[3.0, 4.0]]), target=0.0))
        12.5
    """
    xp = namespace(h)
    if mask is not None:
        # where, not a product: a masked vector may hold anything, NaN included, and its gradient is 0
        kept = xp.broadcast_to(mask, h.shape[:-1]) != 0
        h = xp.where(kept[..., None], h, xp.zeros_like(h))
    return penalty_of_radius(radius(h), target, mask, side=side, width=h.shape[-1])


def penalty_of_radius(
    r: Array, target: Array | float = 1.0, mask: Array | None = None, *, side: Side = "both", width: int = 1
) -> Array:
    r"""The radial penalty of vectors whose radii are known: the mean of :math:`(r - \tau \sqrt d)^2 / d`.

    Args:
        r: Radii :math:`|h|`, shape ``[*batch]``, a floating-point array.
        target: As in :func:`radial_penalty`.
        mask: As in :func:`radial_penalty`.
        side: As in :func:`radial_penalty`.
        width: d.  The default, 1, is for radii that are in units of sqrt(d) already.

    Returns:
        A scalar of the dtype of `r`.

    Raises:
        ValueError: If `side` is none of the three.

    Example:
        >>> import numpy as np
        >>> float(penalty_of_radius(np.array([5.0]), target=0.0, width=2))
        12.5
    """
    xp = namespace(r)
    excess = r - target * math.sqrt(width)
    if side == "outer":
        excess = xp.where(excess < 0, xp.zeros_like(excess), excess)
    elif side == "inner":
        excess = xp.where(excess > 0, xp.zeros_like(excess), excess)
    elif side != "both":
        raise ValueError(f"side must be 'both', 'outer' or 'inner', got {side!r}")
    if mask is None:
        square = excess * excess / width
        return xp.mean(square) if math.prod(square.shape) else xp.sum(square)  # of no vectors: 0, not 0/0
    weight = xp.broadcast_to(xp.astype(mask, excess.dtype), excess.shape)
    excess = xp.where(weight != 0, excess, xp.zeros_like(excess))
    total = xp.sum(weight)
    return xp.sum(weight * (excess * excess / width)) / xp.where(total > 0, total, xp.ones_like(total))
