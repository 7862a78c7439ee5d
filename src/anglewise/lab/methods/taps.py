"""Which sites of a network can be tapped, and how wide they are: for methods that act in the forward pass."""

from __future__ import annotations

from typing import Any

import equinox as eqx

from anglewise.errors import SpecError, unknown

HIDDEN = (".pre", ".post")
BLOCK = (".attention.out", ".stream", ".mlp.pre", ".mlp.out", ".out")


def widths(network: Any) -> dict[str, int]:
    """Width of every site that the network lets be tapped, in the order of the forward pass."""
    if not hasattr(network, "blocks"):
        layers = enumerate(network.layers)
        return {f"hidden.{k}{part}": layer.weight.shape[1] for k, layer in layers for part in HIDDEN}
    found = {"embedded": network.position.shape[-1]}
    for k, block in enumerate(network.blocks):
        inner = {".mlp.pre": block.up.weight.shape[1]}
        found |= {f"block.{k}{part}": inner.get(part, found["embedded"]) for part in BLOCK}
    return found


def own_sites(network: Any, sites: tuple[str, ...]) -> tuple[str, ...]:
    """`sites`, or the model's own where there are none.

    Raises:
        SpecError: For a site that cannot be tapped.
    """
    known = widths(network)
    for site in sites:
        if site not in known:
            raise SpecError(unknown("site to act at", site, known))
    return sites or tuple(network.linear_maps)


def last_site(network: Any) -> str:
    """The site that the head reads: the last hidden activation, or the stream after the last block."""
    return list(widths(network))[-1]


def attach(network: Any, name: str, parts: dict[str, Any]) -> Any:
    """The network with parameters of a method's own under ``network.extra[name]``, added to those already there."""
    extra = {**network.extra, name: {**network.extra.get(name, {}), **parts}}
    return eqx.tree_at(lambda n: n.extra, network, extra, is_leaf=lambda x: isinstance(x, dict))
