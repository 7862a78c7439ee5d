"""A network that computes as an arm's methods make it: with taps at its sites, with weights that differ.

.. math:: z = f\\bigl(x; w(\\theta)\\bigr), \\qquad h_s \\leftarrow t_n(\\dots t_1(h_s))

with w the composition of the methods' ``weights`` and t_i their ``tap`` at site s, in the arm's order.  Whoever taps
from outside (a reading that nudges activations) comes last.  Where no method acts here, it is the network itself.
"""

from __future__ import annotations

import zlib
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Int, PRNGKeyArray

from anglewise.lab.protocols.method import Method, TapAt
from anglewise.lab.protocols.model import Activations, Network, Params, Tap


def with_methods(params: Params, static: Any, chain: tuple[Method, ...]) -> Network:
    """The network of `params`, as the methods of `chain` make it compute."""
    taps = [method.tap for method in chain if method.tap is not None]
    trained = params
    for method in chain:
        params = method.weights(params) if method.weights is not None else params
    network: Network = eqx.combine(params, static)
    return WithMethods(network, trained, taps) if taps else network


class WithMethods:
    """A network with taps; everything else about it is the network's."""

    def __init__(self, network: Network, params: Params, taps: list[TapAt]):
        """Taps are given `params`, the weights as they are trained."""
        self._network, self._params, self._taps = network, params, taps

    def __call__(
        self, inputs: Int[Array, "n length"], *, tap: Tap | None = None, key: PRNGKeyArray | None = None
    ) -> tuple[Array, Activations]:
        """Logits and activations by site, as they are after the taps."""

        def through(site: str, h: Array) -> Array:
            here = None if key is None else jax.random.fold_in(key, zlib.crc32(site.encode()))
            for index, tap_at in enumerate(self._taps):
                noise = None if here is None else jax.random.fold_in(here, index)
                h = tap_at(self._params, site, h, noise)
            return h if tap is None else tap(site, h)

        return self._network(inputs, tap=through)

    def __getattr__(self, name: str) -> Any:
        """The network's own."""
        return getattr(self._network, name)
