"""Which experiments there are: in stores, and in folders of stores; found again every few seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from anglewise.errors import AnglewiseError, StoreError
from anglewise.lab.report.format import plain
from anglewise.lab.spec import Manifest
from anglewise.lab.store import Reader
from anglewise.lab.store.layout import MARKER
from anglewise.lab.store.status import read_status


class Found(NamedTuple):
    """An experiment of a store.

    Attributes:
        key: What the page calls it: the same as long as the store stays where it is.
        root: The store.
        manifest: Of the experiment.
    """

    key: str
    root: Path
    manifest: Manifest


def check_places(places: Sequence[Path]) -> None:
    """Check that every place is a store, a folder that holds stores, or a folder where one may come.

    Raises:
        StoreError: If one is no folder.
    """
    for place in places:
        if not place.is_dir():
            raise StoreError(
                f"{place} is no folder: give a store, or a folder of stores such as runs/ (anglewise run makes one)"
            )


def stores(places: Sequence[Path]) -> Iterator[Path]:
    """Stores among some places and in them."""
    for place in places:
        if (place / MARKER).is_file():
            yield place
        else:
            yield from sorted(marker.parent for marker in place.glob(f"*/{MARKER}"))


def experiments(places: Sequence[Path]) -> list[Found]:
    """Experiments of all stores, the one that ran last first; a store that cannot be read has none."""
    found = []
    for root in stores(places):
        place = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]
        try:
            manifests = Reader(root).experiments()
        except AnglewiseError:
            continue
        found += [Found(f"{place}-{m.experiment_id}", root, m) for m in manifests if m.runs and m.arms]
    return sorted(found, key=lambda one: one.manifest.updated or one.manifest.created, reverse=True)


def listed(found: Sequence[Found]) -> list[dict[str, Any]]:
    """Experiments as the page lists them."""
    training = {root: read_status(root) for root in {one.root for one in found}}
    rows = []
    for key, root, manifest in found:
        status = training[root]
        rows.append({
            "key": key, "name": plain(manifest.name), "title": plain(manifest.title), "store": plain(root),
            "runs": len(manifest.runs), "updated": manifest.updated or manifest.created,
            "training": status is not None and status.experiment_id == manifest.experiment_id,
        })  # fmt: skip
    return rows
