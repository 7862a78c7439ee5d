"""Figures that look into networks show one per arm, the first seed that was measured: an illustration, and named so."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from anglewise.lab.report.plots.paper import short
from anglewise.lab.report.results import Key, Results


def networks(results: Results, measured: Container[Key]) -> list[Key]:
    """The first measured seed of each arm."""
    keys = [[(arm, seed) for seed in results.seeds(arm) if (arm, seed) in measured] for arm in results.arms]
    return [of_arm[0] for of_arm in keys if of_arm]


def network_name(key: Key) -> str:
    """What a paper's figure calls a network."""
    return f"{short(key[0], 24)}\nseed {key[1]}"


def scale(colours: Sequence[tuple[float, str]]) -> Any:
    """A scale of colours for matplotlib."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("anglewise", list(colours))
