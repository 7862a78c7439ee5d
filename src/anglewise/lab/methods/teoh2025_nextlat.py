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
from anglewise.lab.protocols.model import Activations, Params
from anglewise.lab.protocols.schedule import Schedule

NAME = "next-latent"
LAYERS = 3


def smooth_l1(x: Array) -> Array:
    """Half the square up to 1, then linear: PyTorch's with beta 1."""
    size = jnp.abs(x)
    return jnp.where(size < 1, 0.5 * x * x, size - 0.5)


def predict(own: Any, h: Float[Array, "*batch d"], x: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
    """The next latent, from a latent and the next embedding."""
    y = jnp.concatenate([h, x], axis=-1)
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    y = y * jax.lax.rsqrt(jnp.mean(y * y, axis=-1, keepdims=True) + 1e-5) * own["gain"] + own["shift"]
    for k in range(LAYERS):
        y = (y if k == 0 else jax.nn.gelu(y, approximate=False)) @ own[f"weight.{k}"] + own[f"bias.{k}"]
    return h + y


@method
class NextLatent(Method):
    """NextLat: predict the next position's latent from this one and the next token (loss term; arXiv 2511.05963).

    Args:
        lambda_h: Coefficient of the distance of latents.
        lambda_kl: Coefficient of the divergence of the predictions that they give.
    """

    lambda_h: Annotated[float | Schedule, NOT_NEGATIVE] = 1.0
    lambda_kl: Annotated[float | Schedule, NOT_NEGATIVE] = 1.0

    def reshape(self, network: Any) -> Any:
        """Attach the predictor.

        Raises:
            SpecError: If the network has not every position's latent.
        """
        if not hasattr(network, "blocks"):
            raise SpecError("next-latent got a network without positions: take a Transformer")
        if network.model.positions != "all":
            raise SpecError(
                f'next-latent got positions={network.model.positions!r}, expected "all": it needs every latent'
            )
        d = network.position.shape[-1]
        parts = {"gain": jnp.ones(2 * d), "shift": jnp.zeros(2 * d)}
        for k in range(LAYERS):
            parts |= {f"weight.{k}": jnp.zeros((d if k else 2 * d, d)), f"bias.{k}": jnp.zeros(d)}
        return attach(network, NAME, parts)

    def init(self, params: Params, key: PRNGKeyArray) -> Params:
        """Draw its layers."""
        own = dict(params.extra[NAME])
        for k, key_k in enumerate(jax.random.split(key, LAYERS)):
            bound = 1 / math.sqrt(own[f"weight.{k}"].shape[0])
            for name, key_n in zip((f"weight.{k}", f"bias.{k}"), jax.random.split(key_k), strict=True):
                own[name] = jax.random.uniform(key_n, own[name].shape, jnp.float32, -bound, bound)
        return eqx.tree_at(lambda p: p.extra[NAME], params, own)

    def penalty(self, activations: Activations, params: Params) -> Any:
        """Both terms."""
        h, fixed = activations[last_site(params)], jax.lax.stop_gradient(params)
        latent = h if params.norm is None else params.norm(h)
        target = jax.lax.stop_gradient(latent[1:])
        predicted = predict(params.extra[NAME], latent[:-1], activations["embedded"][1:])
        want, got = (jax.nn.log_softmax(self._logits(x, fixed)) for x in (target, predicted))
        divergence = jnp.sum(jnp.exp(want) * (want - got), axis=-1)
        lambda_h: Any = self.lambda_h
        lambda_kl: Any = self.lambda_kl
        return lambda_h * jnp.mean(smooth_l1(predicted - target)) + lambda_kl * jnp.mean(divergence)

    @staticmethod
    def _logits(h: Float[Array, "*batch d"], params: Params) -> Float[Array, "*batch c"]:
        if params.head is not None:
            return params.head(h)
        return h @ (params.embedding if params.lift is None else params.embedding @ params.lift).T
