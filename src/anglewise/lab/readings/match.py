r"""Whether a control matches what it is to match: what was wanted, beside what there is.

A control that has, say, the radius or the gradient's size of another arm says nothing unless it really has them.  Each
method that matches something gives both numbers (its ``check``); arms without such a method have no such reading.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array

from anglewise.lab.protocols.fields import COUNT, Bound
from anglewise.lab.protocols.reading import ROWS, Reading, Snapshot


@dataclasses.dataclass(frozen=True)
class Match(Reading):
    """What controls were to match, and what they have.

    Args:
        every: Measurements between two values.
        rows: Training examples looked at.
    """

    every: Annotated[int, COUNT] = 1
    rows: Annotated[int, Bound(0)] = ROWS

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """``match_NAME_wanted`` and ``match_NAME_got`` for every manipulation check of the arm."""
        if snapshot.checks is None:
            return {}
        values: dict[tuple[str, str], Array] = {}
        for name, pair in snapshot.checks(snapshot.forward("train", self.rows).activations).items():
            for what, value in zip(("wanted", "got"), pair, strict=True):
                values["", f"match_{name}_{what}"] = jnp.asarray(value)
        return values
