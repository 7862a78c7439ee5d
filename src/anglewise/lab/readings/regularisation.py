r"""The radial penalty as a regulariser of weights: decay by a matrix that depends on the data.

For a layer :math:`h = x W` (here W is [in, out]; r = |h|, u = h / r, d its width, :math:`\tau` the target) the
gradient of :math:`L = E[(r - \tau \sqrt d)^2] / d` is

.. math:: \nabla_W L = \frac{2}{d} M W, \qquad M = E\Bigl[\Bigl(1 - \frac{\tau \sqrt d}{r}\Bigr) x x^\top\Bigr]

(a bias b adds :math:`E[(1 - \tau\sqrt d / r)\, x]\, b^\top` to M W).  Descending it multiplies W by I - (2/d) M:
weight decay where M has a positive eigenvalue, growth where it has a negative one, which it has while vectors are
*inside* the sphere.  Far outside, M is the inputs' second moment :math:`\Sigma = E[x x^\top]`; only there is the
penalty the anisotropic decay that the paper derives.  Its Gauss-Newton form keeps the radial stiffness 2/d of each
vector and no other curvature,

.. math:: G = \frac{2}{d} E[x x^\top \otimes u u^\top], \qquad \operatorname{tr} G = \frac{2}{d} E|x|^2,
    \qquad \operatorname{tr}_{\text{out}} G = \frac{2}{d} \Sigma, \qquad
    |G|_F^2 = \frac{4}{d^2} E_{s,t} \langle x_s, x_t \rangle^2 \langle u_s, u_t \rangle^2

The *anisotropy* of a symmetric matrix S of size k is its squared Frobenius norm over that of the isotropic matrix
of equal trace, :math:`k |S|_F^2 / (\operatorname{tr} S)^2`: 1 where it is isotropic, k where it has rank 1, and
k over the participation ratio of its eigenvalues in between.  The trace of M may vanish, hence beside it the share
of :math:`|M|_F^2` that no isotropic decay of equal trace has, :math:`1 - (\operatorname{tr} M)^2 / (k |M|_F^2)`.

Source: arXiv 2606.32000, section 4 (M, and its limit far outside); signs, Gauss-Newton form and measures are ours.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Float

from anglewise.geometry import direction, radius
from anglewise.lab.protocols.fields import COUNT, Bound
from anglewise.lab.protocols.reading import Reading, Snapshot

PAIRED = 256
"""Examples whose pairs give the Gauss-Newton form's anisotropy."""


@dataclasses.dataclass(frozen=True)
class PenaltyGradient(Reading):
    """The radial penalty as decay of each weight matrix: its spectrum, anisotropy, and what the weights really did.

    M is taken at the arm's own target, or at 1 where the arm has no radial penalty at a site (what the penalty would
    do), and for the two-sided penalty.  Scalars made of squares are estimates for the whole training set: the share
    of pairs of an example with itself, which is larger in a sample, is corrected, and they may pass a bound by their
    sampling error.  Spectra, and the negative share of one, are those of the sample: wider than the training set's.

    Args:
        every: Measurements between two values.
        rows: Training examples that the means are over; 0 is all.
    """

    every: Annotated[int, COUNT] = 4
    rows: Annotated[int, Bound(0)] = 1024

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """By site: the arrays ``penalty_spectrum`` and ``input_spectrum``, ascending, and 11 scalars.

        ``penalty_anisotropy``, ``penalty_anisotropic_share``, ``penalty_negative``, ``penalty_input_alignment``,
        ``input_anisotropy``, ``input_anisotropy_excess``, ``input_mean_share``, ``gauss_newton_trace``,
        ``gauss_newton_anisotropy``, ``update_alignment``, ``decay_alignment``.
        """
        measured: dict[tuple[str, str], Array] = {}
        activations, earlier = snapshot.forward("train", self.rows).activations, snapshot.earlier[0]
        of = snapshot.task.sizes[0]
        for site, linear_map in snapshot.network.linear_maps.items():
            target = snapshot.radial_terms[site][1] if site in snapshot.radial_terms else 1.0
            matrix, values = _of_layer(activations[linear_map.source], activations[site], target, of)
            now, then = linear_map.weight(snapshot.params), linear_map.weight(earlier.params)
            middle, change = (now + then) / 2, now - then
            for name, force in (("update_alignment", -(matrix @ middle)), ("decay_alignment", -middle)):
                cosine = jnp.sum(change * force) / (jnp.linalg.norm(change) * jnp.linalg.norm(force))
                values[name] = jnp.where(earlier.step >= 0, cosine, jnp.nan)
            measured.update({(site, name): value for name, value in values.items()})
        return measured


def pull(h: Float[Array, "*rows d"], target: Array | float = 1.0) -> Float[Array, "*rows"]:
    r"""How hard a vector is pulled inward, :math:`1 - \tau \sqrt d / r`; 0 at h = 0, which has no direction."""
    r = radius(h)
    away = r != 0  # so that NaN stays NaN
    return jnp.where(away, 1 - target * math.sqrt(h.shape[-1]) / jnp.where(away, r, 1), 0)


def decay_matrix(
    x: Float[Array, "*positions n i"], h: Float[Array, "*positions n d"], target: Array | float = 1.0
) -> Float[Array, "i i"]:
    """M, with which the penalty's gradient with respect to W is (2/d) M W."""
    weight, x = pull(h, target).reshape(-1), x.reshape(-1, x.shape[-1])
    return (x * weight[:, None]).T @ x / x.shape[0]


def square_of_mean(whole: Array, alone: Array, n: int, of: int) -> Array:
    r"""Squared norm of a mean over `of` examples, from n of them drawn without replacement; unbiased.

    .. math:: \Bigl|\frac1N \sum_s g_s\Bigr|^2 = \frac1N \, \overline{|g_s|^2}
        + \Bigl(1 - \frac1N\Bigr) \overline{\langle g_s, g_t \rangle}_{s \ne t}

    Args:
        whole: :math:`|g|^2` of the sample's mean, or an inner product of two such means.
        alone: Mean over the sample of :math:`|g_s|^2`, or of the two's inner products.
        n: Examples in the sample.
        of: N; for n = N the result is `whole`.
    """
    others = (n * whole - alone) / max(n - 1, 1)
    return alone / of + (1 - 1 / of) * others


def gauss_newton_square(x: Float[Array, "*positions n i"], h: Float[Array, "*positions n d"], of: int) -> Array:
    r""":math:`|E[x x^\top \otimes u u^\top]|_F^2` over `of` examples, from the pairs of the n given ones."""
    n = x.shape[-2]
    x, u = x.reshape(-1, x.shape[-1]), direction(h).reshape(-1, h.shape[-1])
    overlap = jnp.square((x @ x.T) * (u @ u.T))
    pairs = jnp.mean(overlap.reshape(x.shape[0] // n, n, x.shape[0] // n, n), axis=(0, 2))
    return square_of_mean(jnp.mean(pairs), jnp.trace(pairs) / n, n, of)


def _of_layer(
    x: Float[Array, "*positions n i"], h: Float[Array, "*positions n d"], target: Array | float, of: int
) -> tuple[Array, dict[str, Array]]:
    """M, and all values but those of the weights' change."""
    n, size, width = x.shape[-2], x.shape[-1], h.shape[-1]
    x, h = x.reshape(-1, n, size), h.reshape(-1, n, width)
    matrix, weight = decay_matrix(x, h, target), pull(h, target)
    vectors, ones = x.reshape(-1, size), jnp.ones_like(weight)
    moment = vectors.T @ vectors / vectors.shape[0]
    overlap = jnp.square(jnp.sum(x[:, None] * x[None], axis=-1)) / x.shape[0] ** 2

    def inner(a: Array, b: Array, of_a: Array, of_b: Array) -> Array:
        alone = jnp.sum(overlap * of_a[:, None] * of_b[None], axis=(0, 1))
        return square_of_mean(jnp.sum(a * b), jnp.mean(alone), n, of)

    strength, mass = jnp.trace(matrix), jnp.trace(moment)
    decays, both = inner(matrix, matrix, weight, weight), inner(matrix, moment, weight, ones)
    inputs = inner(moment, moment, ones, ones)
    mu, spectrum = jnp.linalg.eigvalsh(matrix), jnp.linalg.eigvalsh(moment)
    spanned = jnp.sum(spectrum > size * jnp.finfo(x.dtype).eps * spectrum[-1])
    mean = jnp.mean(x, axis=0)
    toward = square_of_mean(jnp.sum(jnp.square(jnp.mean(mean, axis=0))), jnp.mean(jnp.sum(mean * mean, -1)), n, of)
    some = slice(None, min(n, PAIRED))
    newton = gauss_newton_square(x[:, some], h[:, some], of)
    return matrix, {
        "penalty_spectrum": mu,
        "penalty_anisotropy": size * decays / jnp.square(strength),
        "penalty_anisotropic_share": 1 - jnp.square(strength) / (size * decays),
        "penalty_negative": jnp.sum(jnp.maximum(-mu, 0)) / jnp.sum(jnp.abs(mu)),
        "penalty_input_alignment": both / jnp.sqrt(decays * inputs),
        "input_spectrum": spectrum,
        "input_anisotropy": size * inputs / jnp.square(mass),
        "input_anisotropy_excess": spanned * inputs / jnp.square(mass) - 1,
        "input_mean_share": toward / mass,
        "gauss_newton_trace": 2 / width * mass,
        "gauss_newton_anisotropy": size * width * newton / jnp.square(mass),
    }
