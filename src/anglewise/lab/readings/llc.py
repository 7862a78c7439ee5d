r"""The local learning coefficient: how fast the volume of almost-as-good weights around these weights shrinks.

.. math:: \hat\lambda = n \beta \left( \mathbb E_{w} [L_n(w)] - L_n(w^*) \right), \quad \beta = 1 / \ln n, \qquad
    w \sim \exp\left(-n \beta L_n(w) - \tfrac{\gamma}{2} |w - w^*|^2 \right)

w* are the weights now, L_n the mean loss over n training examples.  A regular minimum in k parameters has k/2; a
degenerate one less.  The expectation is over chains of stochastic-gradient Langevin dynamics that start at w*:

.. math:: w \leftarrow w - \tfrac{\epsilon}{2} \left( n \beta \nabla L_m(w) + \gamma (w - w^*) \right)
    + \sqrt\epsilon \, \xi, \qquad \xi \sim N(0, I)

with a fresh minibatch at every step.  L(w) - L(w*) is taken on one and the same minibatch, which costs a forward pass
and removes most of its noise.  For a quadratic loss with eigenvalues h_i, all is known: with
:math:`a_i = n \beta h_i + \gamma`, the chains settle at

.. math:: \tfrac12 \sum_i \frac{n \beta h_i}{a_i (1 - \epsilon a_i / 4)}

which tends to k/2 as gamma and epsilon go to 0, while a direction takes a few times 1 / (epsilon a_i) steps to settle.

**When not to trust it.**  ``llc_virial`` is the mean of <w - w*, force> over the number of parameters, which is 1 for
chains that sample what they should: below 1 they have not spread yet, above 1 the steps are too large.
``llc_drift`` is what the estimate still grew by between the halves of the kept draws.  ``llc_negative`` is the share
of draws with a lower loss than w*: away from 0, w* is no minimum, and the coefficient is not defined (it then comes
out too small, or negative).  Estimates of two networks compare at equal epsilon, gamma and number of steps.

The default eps and gamma were chosen on a MLP 200-200 that had learned a + b mod 113 (5,107 examples): 2 chains of 200
steps, 100 kept, gave 67.8 +- 1.1, virial 1.025 (1.026 is what eps * gamma / 4 foretells) and drift 1.3.  A weaker pull
takes more steps than are cheap: at gamma 100 the same chains gave 313, virial 0.77 and drift 44.  n counts all training
examples, whatever the minibatch.  Cost: chains * steps gradients and as many forward passes on a minibatch; there
480 of both, 3 s on 2 CPU cores that did other work too.

Sources: Lau et al., arXiv 2308.12108 (definition, algorithm); Watanabe 2013 (beta); the virial check is the
equipartition theorem.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Annotated, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.lab.protocols.fields import COUNT, NOT_NEGATIVE, POSITIVE, Bound
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.reading import Reading, Snapshot
from anglewise.lab.readings.curvature import standard_error

Loss: TypeAlias = Callable[[Params, PRNGKeyArray], Array]
"""Mean loss on the minibatch that a key draws."""
CHAINS = 4
"""What a key is drawn for."""


class Coefficient(NamedTuple):
    """A local learning coefficient, and whether to believe it.

    Attributes:
        value: The mean over chains and kept draws.
        error: Its standard error over chains; NaN for a single one.
        drift: Mean over the second half of the kept draws less that over the first.
        negative: Share of kept draws with a lower loss than at the start.
        virial: Mean over kept draws of <w - w*, force> per parameter; 1 where the chains sample what they should.
        path: n beta (L(w) - L(w*)) after every step, mean over chains.
    """

    value: Float[Array, ""]
    error: Float[Array, ""]
    drift: Float[Array, ""]
    negative: Float[Array, ""]
    virial: Float[Array, ""]
    path: Float[Array, " steps"]


def learning_coefficient(
    loss: Loss,
    params: Params,
    key: PRNGKeyArray,
    *,
    n: int,
    eps: float | Array,
    gamma: float,
    chains: int,
    steps: int,
    burn: int,
) -> Coefficient:
    """Estimate the local learning coefficient of `loss` at `params`.

    Args:
        loss: ``(params, key) -> mean loss`` on a minibatch that the key draws (or on everything).
        params: w*.
        key: Draws minibatches and noise.
        n: Examples that the full loss is a mean over; at least 2.
        eps: Step of the dynamics.
        gamma: Pull back to w*, per squared unit of weight.
        chains: Independent chains.
        steps: Steps of each, counting burn-in.
        burn: Steps that are not kept; at most ``steps - 2``.
    """
    start, unravel = ravel_pytree(params)
    heat = n / math.log(n)
    gradient = jax.value_and_grad(lambda w, key: loss(unravel(w), key))

    def step(w: Array, key: PRNGKeyArray) -> tuple[Array, tuple[Array, Array]]:
        batch, noise = jax.random.split(key)
        value, slope = gradient(w, batch)
        force = heat * slope + gamma * (w - start)
        seen = heat * (value - loss(params, batch)), jnp.vdot(w - start, force) / start.size
        w = w - eps / 2 * force + jnp.sqrt(eps) * jax.random.normal(noise, w.shape, w.dtype)
        return w.astype(start.dtype), seen

    def chain(key: PRNGKeyArray) -> tuple[Array, Array]:
        return jax.lax.scan(step, start, jax.random.split(key, steps))[1]

    excess, virial = jax.vmap(chain)(jax.random.split(key, chains))
    kept = excess[:, burn:]
    half = (steps - burn) // 2
    return Coefficient(
        value=jnp.mean(kept),
        error=standard_error(jnp.mean(kept, axis=1)),
        drift=jnp.mean(kept[:, half:]) - jnp.mean(kept[:, :half]),
        negative=jnp.mean(kept < 0, dtype=kept.dtype),
        virial=jnp.mean(virial[:, burn:]),
        path=jnp.mean(excess, axis=0),
    )


@dataclasses.dataclass(frozen=True)
class LearningCoefficient(Reading):
    """Local learning coefficient of the task loss on the training examples, by SGLD, with its own diagnostics.

    Args:
        every: Measurements between two of its values.
        batch: Examples in a minibatch, drawn with replacement; 0 is all training examples, each once.
        eps: Step of the dynamics.
        gamma: Pull back to the weights now, per squared unit of weight; a flat direction spreads to 1 / sqrt(gamma).
        chains: Independent chains.
        steps: Steps of each, counting burn-in.
        burn: Steps that are not kept.

    Raises:
        SpecError: If fewer than two steps of at least one chain are kept.
    """

    every: Annotated[int, COUNT] = 4
    batch: Annotated[int, Bound(0)] = 512
    eps: Annotated[float, POSITIVE] = 1e-4
    gamma: Annotated[float, NOT_NEGATIVE] = 1000.0
    chains: Annotated[int, Bound(1, 10_000)] = 4
    steps: Annotated[int, Bound(2, 10_000_000)] = 120
    burn: Annotated[int, Bound(0)] = 60

    @property
    def copies(self) -> int:
        """Chains go side by side, each with weights, gradient and noise in two precisions."""
        return 4 + 6 * self.chains

    def __post_init__(self) -> None:
        """Check that steps are left to average."""
        if self.burn > self.steps - 2:
            raise SpecError(f"llc needs burn of at most steps - 2, got burn={self.burn}, steps={self.steps}")

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """``llc``, ``llc_se``, ``llc_drift``, ``llc_negative``, ``llc_virial``, and ``llc_path`` [steps]."""
        inputs, labels = snapshot.rows("train", 0)
        n = labels.shape[0]

        def loss(params: Params, key: PRNGKeyArray) -> Array:
            if not self.batch:
                return snapshot.objective(params, inputs, labels)
            rows = jax.random.randint(key, (self.batch,), 0, n)
            return snapshot.objective(params, inputs[rows], labels[rows])

        estimate = learning_coefficient(
            loss,
            snapshot.params,
            snapshot.draw(CHAINS),
            n=n,
            eps=self.eps,
            gamma=self.gamma,
            chains=self.chains,
            steps=self.steps,
            burn=self.burn,
        )
        return {
            ("", "llc"): estimate.value,
            ("", "llc_se"): estimate.error,
            ("", "llc_drift"): estimate.drift,
            ("", "llc_negative"): estimate.negative,
            ("", "llc_virial"): estimate.virial,
            ("", "llc_path"): estimate.path,
        }
