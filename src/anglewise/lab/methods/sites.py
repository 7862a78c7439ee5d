"""Which activations a penalty reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anglewise.errors import SpecError, unknown
from anglewise.lab.protocols.model import Activations


def pick(activations: Activations, sites: tuple[str, ...]) -> Mapping[str, Any]:
    """The activations at `sites`; an unknown site is an error that names the nearest."""
    for site in sites:
        if site not in activations:
            raise SpecError(unknown("site", site, activations))
    return {site: activations[site] for site in sites}
