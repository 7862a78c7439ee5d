"""What decoders share: how one with a residual stream declares its sites, its maps and its sub-layers.

Every block has the parts ``qkv`` (queries, keys and values side by side), ``out``, ``up`` and ``down``.  Sites:
``block.k.attention.out`` and ``block.k.mlp.out`` are the sub-layers' outputs before the residual add (the default),
``block.k.stream`` and ``block.k.out`` the stream between the sub-layers and behind the block, ``block.k.mlp.pre`` the
MLP's neurons.  ``block.k.attention.mixed`` and ``block.k.mlp.post`` are what the two output maps are applied to, and
``block.k.attention.weights`` the softmax weights ``[positions, n, heads * input length]``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from anglewise.lab.protocols.model import LinearMap, Site, SubLayer


def default_sites(layers: int) -> tuple[str, ...]:
    """Every sub-layer's output before the residual add."""
    return tuple(f"block.{k}.{part}.out" for k in range(layers) for part in ("attention", "mlp"))


def block_sites(k: int, d: int, hidden: int, attended: int, positions: int, *, taps: bool = False) -> dict[str, Site]:
    """The sites of one block.

    Args:
        k: Number of the block, from 0.
        d: Width of the stream.
        hidden: Neurons of the MLP.
        attended: Heads times the length of the input.
        positions: Number of positions at which the block's sites are computed.
        taps: Whether the network lets a tap act on the softmax weights, which then come before the mixed values.
    """
    mixed, weights = Site(d, "mixed", positions, tapped=False), Site(attended, "attention", positions, tapped=taps)
    first = {"weights": weights, "mixed": mixed} if taps else {"mixed": mixed, "weights": weights}
    return {
        **{f"block.{k}.attention.{part}": site for part, site in first.items()},
        f"block.{k}.attention.out": Site(d, "output", positions),
        f"block.{k}.stream": Site(d, "stream", positions),
        f"block.{k}.mlp.pre": Site(hidden, "pre", positions),
        f"block.{k}.mlp.post": Site(hidden, "post", positions, tapped=False),
        f"block.{k}.mlp.out": Site(d, "output", positions),
        f"block.{k}.out": Site(d, "block", positions),
    }


def output_maps(blocks: Sequence[Any]) -> Mapping[str, LinearMap]:
    """The output projection of each sub-layer."""
    maps = {}
    for k in range(len(blocks)):
        maps[f"block.{k}.attention.out"] = LinearMap(f"block.{k}.attention.mixed", _layer(k, "out"))
        maps[f"block.{k}.mlp.out"] = LinearMap(f"block.{k}.mlp.post", _layer(k, "down"))
    return maps


def residual_layers(blocks: Sequence[Any]) -> tuple[SubLayer, ...]:
    """Attention and MLP of each block."""
    layers = []
    for k in range(len(blocks)):
        name, qkv, out, up, down = f"block.{k}", *(_layer(k, part) for part in ("qkv", "out", "up", "down"))
        layers += [
            SubLayer(k, "attention", "", f"{name}.attention.out", f"{name}.stream", qkv, out),
            SubLayer(k, "mlp", f"{name}.mlp.pre", f"{name}.mlp.out", f"{name}.out", up, down),
        ]
    return tuple(layers)


def stacked_matrices(network: Any) -> Any:
    """How many matrices lie side by side in each parameter: queries, keys and values in one weight."""

    def count(path: Any, _: Any) -> int:
        return 3 if jax.tree_util.keystr(path, simple=True, separator=".").endswith("qkv.weight") else 1

    return jax.tree_util.tree_map_with_path(count, network)


def _layer(k: int, part: str) -> Callable[[Any], Any]:
    return lambda network: getattr(network.blocks[k], part)
