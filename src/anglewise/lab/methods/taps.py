"""What methods ask of a network: its sites, its own head, room for parameters of the method's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax

from anglewise.errors import SpecError, unknown
from anglewise.lab.protocols.model import LinearMap, Network, Site, called


def taps(network: Network) -> Mapping[str, Site]:
    """Every site that the network lets be tapped, in the order of the forward pass."""
    return {name: site for name, site in network.all_sites.items() if site.tapped}


def own_sites(network: Network, sites: tuple[str, ...]) -> tuple[str, ...]:
    """`sites`, or the model's own where there are none.

    Raises:
        SpecError: For a site that cannot be tapped.
    """
    known = taps(network)
    for site in sites:
        if site not in known:
            raise SpecError(unknown("site to act at", site, known))
    return sites or tuple(network.linear_maps)


def outputs(network: Network) -> tuple[str, ...]:
    """The sites that hold what a layer hands on: post-activations, or what sub-layers add to a residual stream."""
    return tuple(name for name, site in taps(network).items() if site.kind in ("post", "output"))


def states(network: Network) -> tuple[str, ...]:
    """The sites that hold the network's state: its residual stream, or post-activations where it has no stream."""
    streams = tuple(name for name, site in taps(network).items() if site.kind in ("stream", "block"))
    return streams or outputs(network)


def inputs(network: Network) -> list[LinearMap]:
    """The linear maps that read the embedded input, all positions side by side."""
    return [each for each in network.linear_maps.values() if network.all_sites[each.source].kind == "input"]


def last_site(network: Network) -> str:
    """The site that the head reads."""
    return list(network.all_sites)[-1]


def own_head(network: Network, method: str) -> Any:
    """The network's head.

    Raises:
        SpecError: If the head is the token table, with the name of the method that cannot take it.
    """
    if network.head is None:
        raise SpecError(
            f"{method} got a {called(network)} with a tied head, expected a head of its own: set tied to false"
        )
    return network.head


def attach(network: Any, name: str, parts: dict[str, Any]) -> Any:
    """The network with parameters of a method's own under ``network.extra[name]``, added to those already there."""
    extra = {**network.extra, name: {**network.extra.get(name, {}), **parts}}
    return eqx.tree_at(lambda n: n.extra, network, extra, is_leaf=lambda x: isinstance(x, dict))


def within(tree: Any, *parts: Any) -> Any:
    """For each parameter of `tree`, whether it is one of these `parts` of the very same tree."""
    chosen = {id(leaf) for leaf in jax.tree.leaves(parts)}
    return jax.tree.map(lambda leaf: id(leaf) in chosen, tree)
