"""What the figures need beyond rows: accuracy curves, powers and maps of some networks, as one small Parquet file.

An *array* belongs to a run, and to a name, a site and a step.  Accuracy curves have the name ``test_accuracy``, the
step 0 and shape ``[2, n]``: epochs, and test accuracy.  Numbers are kept to four digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from anglewise.errors import AnglewiseError
from anglewise.files import put

ACCURACY = "test_accuracy"


class Kept(NamedTuple):
    """One array of one run; `shape` as text, such as ``2,80``."""

    system: str
    scale: str
    arm: str
    seed: int
    name: str
    site: str
    step: int
    shape: str
    values: Sequence[float]

    @property
    def array(self) -> np.ndarray:
        """The numbers in their shape."""
        return np.array(self.values, float).reshape([int(n) for n in self.shape.split(",")])


def kept(run: tuple[str, str, str, int], name: str, site: str, step: int, values: np.ndarray) -> Kept:
    """An array of a run (system, scale, arm, seed), rounded."""
    rounded = [float(f"{x:.4g}") for x in np.asarray(values, float).ravel()]
    return Kept(*run, name, site, step, ",".join(map(str, values.shape)), rounded)


def write(path: Path, arrays: Iterable[Kept]) -> Path:
    """Write arrays as Parquet, sorted, so that equal arrays are equal files.

    Raises:
        AnglewiseError: If there are none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    ordered = sorted(arrays, key=lambda one: one[:7])
    if not ordered:
        raise AnglewiseError(f"{path.name} would hold no arrays: train the paper's runs first")
    types = {"seed": pa.int64(), "step": pa.int64(), "values": pa.list_(pa.float32())}
    columns = {
        name: pa.array([getattr(one, name) for one in ordered], types.get(name, pa.string())) for name in Kept._fields
    }
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    put(path, buffer.getvalue().to_pybytes())
    return path


def read(path: Path) -> list[Kept]:
    """Arrays from Parquet: the inverse of :func:`write`.

    Raises:
        AnglewiseError: If the file is missing or damaged.
    """
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except (OSError, ValueError) as error:
        raise AnglewiseError(f"{path} cannot be read as Parquet: {error}; gather the paper's rows again") from error
    return [Kept(**row) for row in rows]
