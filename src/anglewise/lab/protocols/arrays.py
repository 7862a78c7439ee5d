"""Named arrays as bytes: a safetensors file whose note and checksum stand in its header.

The checksum is over names, types, shapes, values and the note, so that one flipped bit anywhere is noticed.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save


def pack(arrays: Mapping[str, np.ndarray], note: Mapping[str, Any]) -> bytes:
    """A file's bytes.

    Args:
        arrays: By name.
        note: JSON values.
    """
    ordered = {name: np.array(x, order="C") for name, x in arrays.items()}
    text = json.dumps(note)
    return bytes(save(ordered, metadata={"note": text, "crc": _checksum(ordered, text)}))


def unpack(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the note of :func:`pack`.

    Raises:
        ValueError: If these are not the bytes that were packed.

    Example:
        >>> unpack(pack({"x": np.arange(2)}, {"step": 3}))
        ({'x': array([0, 1])}, {'step': 3})
    """
    try:
        arrays, header = load(data), header_of(data)
        if _checksum(arrays, header["note"]) == header["crc"]:
            return arrays, dict(json.loads(header["note"]))
    except (SafetensorError, KeyError, ValueError, TypeError):
        pass
    raise ValueError("these bytes are not those that were written")


def header_of(data: bytes) -> dict[str, str]:
    """The metadata in the first bytes of a file, not yet compared with the checksum.

    Raises:
        ValueError: If there is no readable header.
    """
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    return dict(header["__metadata__"]) if isinstance(header, dict) and "__metadata__" in header else {}


def _checksum(arrays: Mapping[str, np.ndarray], note: str) -> str:
    crc = zlib.crc32(note.encode())
    for name in sorted(arrays):
        x = arrays[name]
        crc = zlib.crc32(f"{name} {x.dtype.str} {list(x.shape)} ".encode(), crc)
        crc = zlib.crc32(np.ascontiguousarray(x).tobytes(), crc)
    return f"{crc:08x}"
