"""Where a run ended, as two files: its last weights, and all else that going on from there needs.

The weights stand apart because people want them: they are named as in the network.  Both files carry the step, so that
two of different steps, which an interrupted write leaves, are noticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from anglewise.errors import StoreError
from anglewise.lab.protocols.arrays import pack, unpack
from anglewise.lab.spec import Json
from anglewise.lab.store.layout import STATE, WEIGHTS


class Kept(NamedTuple):
    """A run's last state.

    Attributes:
        weights: By name as in the network.
        rest: All other arrays that going on needs, by path.
        step: The state's.
        trained: Step up to which the run was trained.
        trained_seconds: Training seconds in all.
        every: Steps between the evaluations that are stored.
        readings: What was measured, as JSON values.
        rows: How many rows of each kind the run had.
    """

    weights: Mapping[str, np.ndarray]
    rest: Mapping[str, np.ndarray]
    step: int
    trained: int
    trained_seconds: float
    every: int
    readings: tuple[Json, ...]
    rows: Mapping[str, int]

    def to_files(self) -> dict[str, bytes]:
        """Bytes by file name."""
        note = {name: value for name, value in self._asdict().items() if name not in ("weights", "rest")}
        return {WEIGHTS: pack(self.weights, {"step": self.step}), STATE: pack(self.rest, note)}


def kept_of(weights: bytes | None, state: bytes | None) -> Kept | None:
    """The state in the bytes of the two files; None if one is missing, is damaged, or they do not belong together."""
    if weights is None or state is None:
        return None
    try:
        arrays, beside = unpack(weights)
        rest, note = unpack(state)
    except ValueError:
        return None
    if beside.get("step") != note.get("step") or not set(Kept._fields[2:]) <= note.keys():
        return None
    known = {name: note[name] for name in Kept._fields[2:]} | {"readings": tuple(note["readings"])}
    return Kept(arrays, rest, **known)


def weights_of(run_id: str, data: bytes | None, path: Path) -> dict[str, np.ndarray]:
    """The last weights of a run, by name as in the network.

    Args:
        run_id: Its identity.
        data: The bytes of the file; None where there is none.
        path: The file, for messages.

    Raises:
        StoreError: If none were kept, or they are damaged.
    """
    if data is None:
        raise StoreError(f"run {run_id} has kept no weights: it has not ended, or was trained without keeping them")
    try:
        return unpack(data)[0]
    except ValueError as error:
        raise StoreError(f"{path} is damaged: delete it and run the experiment again") from error
