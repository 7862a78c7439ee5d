r"""Curvature of the loss in weight space: Hessian trace, top eigenvalues, spectral density, normalised sharpness.

.. math:: \text{normalised sharpness} = \lambda_{\max} |\theta|^2, \qquad
    \text{normalised trace} = \operatorname{Tr}(H) \, |\theta|^2 / N, \qquad
    \text{by layers} = \sum_l \operatorname{Tr}(H_{ll}) \, |\theta_l|^2 / N_l

H is the Hessian of the mean loss over the first rows of the training set with respect to all N parameters theta,
H_ll its diagonal block for parameter array l.  Of the task loss; and, with names that end in ``_total``, of the task
loss plus the penalty, where the arm has a penalty.

**What can be compared.**  Two networks' flatness can be compared at equal training loss only.  The Gauss-Newton part
of H is J' (diag p - p p') J, and diag p - p p' vanishes exponentially as the softmax saturates: an inflated network
that fits perfectly looks flat because its loss is flat, wherever it sits.  Hence float64, the training loss on the
same rows beside every value (``hessian_loss``), and the task loss apart from the total one.

**What rescaling does.**  In a bias-free ReLU network, W_1 -> a W_1, W_2 -> W_2 / a changes no prediction.  Under it
neither the trace, nor lambda_max, nor the two measures normalised by the whole |theta|^2 are invariant; the sum by
layers is, exactly (its estimate up to the probes' error).  Where the loss itself is scale-free, L(c theta) = L(theta),
the measures normalised by the whole |theta|^2 are invariant to c.  Permuting neurons changes none.

Sources: arXiv 2606.32000, appendix (Hutchinson, 100 probes; its normaliser is unstated, these are ours); Hutchinson
and Lanczos as in PyHessian (1912.07145); rescaling: 1703.04933.  Cost: `probes` + `starts` * `lanczos` Hessian-vector
products, each about five forward passes, and twice that with a penalty.  Measured, without a penalty, 72 products on
1,024 rows in float64 on 2 busy CPU cores: 1.9 s for a MLP 200-200 with two embeddings (133,000 parameters), 8 s and
160 MB for track B's Transformer, 28 s and 500 MB for track A's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from anglewise.lab.protocols.fields import COUNT, Bound
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.reading import Of, Reading, Snapshot, named_parameters
from anglewise.lab.readings.hessian import density, hessian, largest, ritz, trace

PROBES, STARTS = 0, 1
"""What keys are drawn for."""


@dataclasses.dataclass(frozen=True)
class Curvature(Reading):
    """Hessian of the loss: trace with its standard error, top eigenvalues, spectral density, normalised sharpness.

    Args:
        every: Measurements between two of its values.
        rows: Training examples that the loss is a mean over; 0 is all.
        probes: Hutchinson's random vectors.
        lanczos: Steps of each Lanczos run.
        starts: Lanczos runs.
        top: Eigenvalues kept.
        points: Points of the density's grid.
    """

    every: Annotated[int, COUNT] = 4
    precision: ClassVar[Literal["as trained", "float64"]] = "float64"
    rows: Annotated[int, Bound(0)] = 1024
    probes: Annotated[int, Bound(1, 100_000)] = 32
    lanczos: Annotated[int, Bound(2, 1000)] = 20
    starts: Annotated[int, Bound(1, 1000)] = 2
    top: Annotated[int, COUNT] = 8
    points: Annotated[int, Bound(2, 1_000_000)] = 256

    @property
    def copies(self) -> int:
        """Lanczos keeps all of its vectors, in float64."""
        return 4 + 2 * self.lanczos

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """By loss (``_total`` appended for the total one).

        For the network: ``hessian_loss``, ``hessian_trace`` and ``hessian_trace_se``, ``hessian_top`` and
        ``hessian_top_error`` (an eigenvalue lies that near), ``hessian_second``, ``hessian_least`` (the most negative
        Ritz value), ``hessian_eigenvalues`` [top], ``hessian_density`` [2, points], ``normalised_sharpness``,
        ``normalised_trace``, ``layerwise_normalised_trace``.  For each parameter: ``hessian_trace``,
        ``normalised_trace``.
        """
        values: dict[tuple[str, str], Array] = {}
        for of, suffix in objectives(snapshot):
            values.update({(site, name + suffix): value for (site, name), value in self._measure(snapshot, of).items()})
        return values

    def _measure(self, snapshot: Snapshot, of: Of) -> Mapping[tuple[str, str], Array]:
        params, (inputs, labels) = snapshot.params, snapshot.rows("train", self.rows)

        def loss(params: Params) -> Array:
            return snapshot.objective(params, inputs, labels, of)

        product = hessian(loss, params)
        traces = trace(product, params, snapshot.draw(PROBES), probes=self.probes)
        spectrum = ritz(product, params, snapshot.draw(STARTS), steps=self.lanczos, starts=self.starts)
        tops, error = largest(spectrum)
        squares, total = named_parameters(jax.tree.map(square, params)), square(params)
        size = sum(leaf.size for leaf in jax.tree.leaves(params))
        values: dict[tuple[str, str], Array] = {
            ("", "hessian_loss"): loss(params),
            ("", "hessian_trace"): jnp.mean(traces.whole),
            ("", "hessian_trace_se"): standard_error(traces.whole),
            ("", "hessian_top"): tops[0],
            ("", "hessian_top_error"): error,
            ("", "hessian_second"): tops[1],
            ("", "hessian_least"): jnp.min(spectrum.values),
            ("", "hessian_eigenvalues"): tops[: self.top],
            ("", "hessian_density"): density(spectrum, points=self.points),
            ("", "normalised_sharpness"): tops[0] * total,
            ("", "normalised_trace"): jnp.mean(traces.whole) * total / size,
        }
        sizes = {name: leaf.size for name, leaf in named_parameters(params).items()}
        for name, block in named_parameters(traces.blocks).items():
            values[name, "hessian_trace"] = jnp.mean(block)
            values[name, "normalised_trace"] = jnp.mean(block) * squares[name] / sizes[name]
        values["", "layerwise_normalised_trace"] = jnp.asarray(sum(values[name, "normalised_trace"] for name in sizes))
        return values


def objectives(snapshot: Snapshot) -> tuple[tuple[Of, str], ...]:
    """The losses whose curvature is read, each with the suffix of its names."""
    return (("task", ""),) if snapshot.penalty is None else (("task", ""), ("total", "_total"))


def square(params: Params) -> Float[Array, ""]:
    """Squared norm of all parameters."""
    return jnp.asarray(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(params)))


def standard_error(draws: Float[Array, " n"]) -> Float[Array, ""]:
    """Standard error of the mean of independent draws; NaN for a single one."""
    return jnp.std(draws, ddof=1) / jnp.sqrt(len(draws)) if len(draws) > 1 else jnp.full((), jnp.nan, draws.dtype)
