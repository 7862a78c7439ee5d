"""All claims by their ids, in the order in which they are shown."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from anglewise.errors import SpecError, unknown
from anglewise.lab.studies.claims import ledger
from anglewise.lab.studies.claims.claim import Claim


def _found() -> dict[str, Claim]:
    modules = sorted(name for _, name, _ in pkgutil.iter_modules(ledger.__path__))
    order = sorted(modules, key=lambda name: ("crk".index(name[0]), name))
    claims = [importlib.import_module(f"{ledger.__name__}.{name}").CLAIM for name in order]
    return {claim.id: claim for claim in claims}


CLAIMS: Mapping[str, Claim] = _found()
"""The paper's, the referees', the controls of the machinery."""


def claim_of(name: str) -> Claim:
    """The claim of an id, in upper or lower case.

    Raises:
        SpecError: If there is none.

    Example:
        >>> claim_of("c02").id
        'C02'
    """
    if name.upper() not in CLAIMS:
        raise SpecError(unknown("claim", name, CLAIMS))
    return CLAIMS[name.upper()]
