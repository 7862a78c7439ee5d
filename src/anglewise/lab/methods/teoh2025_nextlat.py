r"""Next-latent prediction: from a latent and the next token, predict the next latent.

.. math:: \hat h_{t+1} = h_t + \mathrm{MLP}\bigl(\mathrm{LN}[h_t; x_{t+1}]\bigr), \qquad
   \lambda_h \operatorname{mean} \mathrm{smooth}_{L1}(\hat h_{t+1} - \bar h_{t+1})
   + \lambda_{kl} \operatorname{mean} \mathrm{KL}\bigl(p(\cdot | \bar h_{t+1}) \,\|\, \bar p(\cdot | \hat h_{t+1})\bigr)

A bar stops gradients: targets are the network's own latents, held fixed, and in the second term the head is frozen.
h is what the head reads, after the final layer norm if there is one; x is the embedding.  Three layers with GELU, of
the stream's width.

Source: arXiv 2511.05963 (repository JaydenTeoh/NextLat, not read; the form of the MLP and its residual are a
re-implementation's account of the paper's appendix C).  Unstated, and so ours: both weights 1, one step ahead, layers
drawn as PyTorch draws them, the embedding with its position added and not held fixed.  The head is taken as it is
trained, without what other methods do to weights.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.lab.methods.taps import attach, last_site
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Activations, Network, Params, called, product
from anglewise.lab.protocols.schedule import Number

NAME = "next-latent"
LAYERS = 3


def smooth_l1(x: Array) -> Array:
    """Half the square up to 1, then linear: PyTorch's with beta 1."""
    size = jnp.abs(x)
    return jnp.where(size < 1, 0.5 * x * x, size - 0.5)


def predict(layers: Any, h: Float[Array, "*batch d"], x: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
    """The next latent, from a latent and the next embedding."""
    y = jnp.concatenate([h, x], axis=-1)
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    y = y * jax.lax.rsqrt(jnp.mean(y * y, axis=-1, keepdims=True) + 1e-5) * layers["gain"] + layers["shift"]
    for k in range(LAYERS):
        y = (y if k == 0 else jax.nn.gelu(y, approximate=False)) @ layers[f"weight.{k}"] + layers[f"bias.{k}"]
    return h + y


@method
class NextLatent(Method):
    """NextLat: predict the next position's latent from this one and the next token (loss term; arXiv 2511.05963).

    Args:
        lambda_h: Coefficient of the distance of latents.
        lambda_kl: Coefficient of the divergence of the predictions that they give.
    """

    lambda_h: Annotated[Number, NOT_NEGATIVE] = 1.0
    lambda_kl: Annotated[Number, NOT_NEGATIVE] = 1.0

    def reshape(self, network: Network) -> Network:
        """Attach the predictor.

        Raises:
            SpecError: If the network has not every position's latent.
        """
        first, *_, last = network.all_sites.values()
        if first.kind != "stream" or last.kind != "block" or not first.positions:
            raise SpecError(
                f"next-latent got a {called(network)}, which has no latent per position: take a Transformer"
            )
        if last.positions != first.positions:
            raise SpecError(
                f"next-latent got a {called(network)} with {last.positions} latent for {first.positions} positions, "
                'expected one for each: set positions to "all"'
            )
        d = first.width
        parts = {"gain": jnp.ones(2 * d), "shift": jnp.zeros(2 * d)}
        for k in range(LAYERS):
            parts |= {f"weight.{k}": jnp.zeros((d if k else 2 * d, d)), f"bias.{k}": jnp.zeros(d)}
        return attach(network, NAME, parts)

    def init(self, params: Params, key: PRNGKeyArray) -> Params:
        """Draw its layers."""
        layers = dict(params.extra[NAME])
        for k, key_k in enumerate(jax.random.split(key, LAYERS)):
            bound = 1 / math.sqrt(layers[f"weight.{k}"].shape[0])
            for name, key_n in zip((f"weight.{k}", f"bias.{k}"), jax.random.split(key_k), strict=True):
                layers[name] = jax.random.uniform(key_n, layers[name].shape, jnp.float32, -bound, bound)
        return eqx.tree_at(lambda p: p.extra[NAME], params, layers)

    def penalty(self, activations: Activations, params: Params) -> Any:
        """Both terms."""
        h, fixed = activations[last_site(params)], jax.lax.stop_gradient(params)
        latent = h if params.norm is None else params.norm(h)
        target = jax.lax.stop_gradient(latent[1:])
        predicted = predict(params.extra[NAME], latent[:-1], activations[next(iter(params.all_sites))][1:])
        want, got = (jax.nn.log_softmax(self._logits(x, fixed)) for x in (target, predicted))
        divergence = jnp.sum(jnp.exp(want) * (want - got), axis=-1)
        return self.lambda_h * jnp.mean(smooth_l1(predicted - target)) + self.lambda_kl * jnp.mean(divergence)

    @staticmethod
    def _logits(h: Float[Array, "*batch d"], params: Params) -> Float[Array, "*batch c"]:
        return h @ product(params.tables).T if params.head is None else params.head(h)
