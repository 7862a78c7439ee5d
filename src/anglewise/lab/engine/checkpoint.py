"""Training states on disk: named arrays with a checksum, written beside and renamed, so that one is whole or absent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np

from anglewise.errors import StoreError
from anglewise.files import put
from anglewise.lab.protocols.arrays import header_of, pack, unpack
from anglewise.lab.spec import Json

Tree: TypeAlias = Any
"""A pytree: arrays, or their shapes, in any structure that JAX knows."""


HEAD = 2**26
"""Bytes that the header of a checkpoint has at most."""


def named(tree: Tree) -> dict[str, np.ndarray]:
    """Leaves of a pytree by path, as NumPy arrays."""
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def write(path: Path, state: Tree, note: Json) -> None:
    """Write a state and a JSON note so that a crash at any moment leaves the old file or the new one.

    Raises:
        StoreError: If the disk does not take it.
    """
    try:
        path.parent.mkdir(exist_ok=True)  # its parents are the store's: where that was moved away, nothing is made
        put(path, pack(named(state), note))
    except OSError as error:
        raise StoreError(
            f"cannot write the checkpoint {path}: {error.strerror}. Free space and run the same command again: "
            "it goes on from the last checkpoint"
        ) from error


def note_of(path: Path) -> Json | None:
    """The note of a checkpoint, or None if the file is absent or damaged anywhere."""
    try:
        data = path.read_bytes()
        unpack(data)
        return dict(json.loads(header_of(data)["note"]))
    except (OSError, KeyError, ValueError, TypeError):
        return None


def members_in(path: Path) -> list[str]:
    """The runs that a checkpoint says it holds, by its first bytes alone, which are not checked; empty without any."""
    try:
        with path.open("rb") as file:
            size = file.read(8)
            head = size + file.read(min(int.from_bytes(size, "little"), HEAD))
        return [str(run_id) for run_id in json.loads(header_of(head)["note"])["runs"]]
    except (OSError, KeyError, ValueError, TypeError):
        return []


def read(path: Path, like: Tree) -> Tree:
    """A state shaped like `like` (arrays or shapes), from a checkpoint whose note was readable.

    Raises:
        StoreError: If the file holds other arrays than expected, or is damaged.
    """
    try:
        arrays, _ = unpack(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read the checkpoint {path}: {error}. Delete it and run again") from error
    return shaped(arrays, like, f"the checkpoint {path}")


def shaped(arrays: Mapping[str, np.ndarray], like: Tree, what: str) -> Tree:
    """Arrays by path, in the structure of `like` (arrays or shapes).

    Raises:
        StoreError: If one is missing, or has another shape or type than expected.
    """

    def take(key_path: jax.tree_util.KeyPath, leaf: jax.Array | jax.ShapeDtypeStruct) -> np.ndarray:
        name = jax.tree_util.keystr(key_path)
        value = arrays.get(name)
        if value is None or value.shape != leaf.shape or value.dtype != leaf.dtype:
            got = "nothing" if value is None else f"{value.dtype}{list(value.shape)}"
            raise StoreError(
                f"{what} holds {got} for {name}, expected {leaf.dtype}{list(leaf.shape)}: delete it and run again"
            )
        return value

    return jax.tree_util.tree_map_with_path(take, like)
