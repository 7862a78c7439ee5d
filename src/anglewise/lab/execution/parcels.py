"""Files of a unit as one piece of bytes: how a store reaches a machine that does not see its folder, and comes back.

A parcel is a ZIP archive of files by their paths in the store, and a list of those that are gone.  It comes from
another machine, so only files of the unit's own runs, its checkpoints and its news are taken out of it, never a path
that leads elsewhere.  They are written in the order in which a worker writes them: rows, then the outcome, then the
checkpoint that refers to them.  So a kill between two of them leaves what a kill of a worker leaves.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from anglewise.errors import StoreError
from anglewise.files import BESIDE, put
from anglewise.lab.engine import checkpoint
from anglewise.lab.execution.unit import Unit
from anglewise.lab.store import packing
from anglewise.lab.store.layout import NAME, STATE, VERSION, WEIGHTS, writing
from anglewise.lab.store.packs import Packs
from anglewise.lab.store.working import NEWS

GONE = ".gone"
"""Entry of a parcel: paths that are no longer there."""
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
OUTCOME, TAIL = "outcome.json", "tail.jsonl"


class Outbox:
    """Packs what has changed since it last packed.

    Args:
        root: The store.
        unit: Whose files.
    """

    def __init__(self, root: Path, unit: Unit):
        """What is there now has been sent."""
        self.root, self.unit = root, unit
        self.known = self._seen()

    def pack(self) -> bytes:
        """A parcel of the files that are new, changed or gone."""
        seen = self._seen()
        changed = [name for name in seen if self.known.get(name) != seen[name]]
        gone = [name for name in self.known if name not in seen]
        self.known = seen
        return _zipped({name: (self.root / name).read_bytes() for name in changed}, gone)

    def news(self) -> bytes | None:
        """A parcel of what the worker shows, without its files; None if that is what was sent last."""
        name = f"populations/{self.unit.unit_id}{NEWS}"
        sign = _sign(self.root / name)
        if sign is None or self.known.get(name) == sign:
            return None
        self.known[name] = sign
        return _zipped({name: (self.root / name).read_bytes()}, ())

    def saved(self) -> object:
        """Changes when a checkpoint was written, or a run has ended."""
        ends = [_sign(self.root / "runs" / run_id / OUTCOME) for run_id in self.unit.ids]
        return ends, [_sign(folder / STATE) for folder in _checkpoints(self.root, self.unit)]

    def _seen(self) -> dict[str, tuple[int, ...]]:
        signs = ((name, _sign(self.root / name)) for name in _names(self.root, self.unit))
        return {name: sign for name, sign in signs if sign is not None}


def packed(root: Path, unit: Unit) -> bytes:
    """All that a store has of a unit, with the rows of runs that have ended and share its checkpoint.

    What is in a pack gets its folder back, so the caller holds the store's lock.
    """
    shared = {one for folder in _checkpoints(root, unit) for one in checkpoint.members_in(folder / STATE)}
    packs = Packs(root)
    for run_id in shared.union(unit.ids):
        if not (root / "runs" / run_id).is_dir() and (found := packs.find(run_id)) is not None:
            packing.unpack(found, root / "runs" / run_id)
    files = {name: (root / name).read_bytes() for name in _names(root, unit)}
    for run_id in shared.difference(unit.ids):
        names = [name for name in _files(root, run_id) if _rank(name) not in (3, 4)]
        files |= {name: (root / name).read_bytes() for name in names}
    return _zipped(files, ())


def unpack(root: Path, parcel: bytes, unit: Unit, *, others: bool = False) -> None:
    """Write a parcel's files into a store.

    Args:
        root: The store; nobody else writes runs of the unit there.
        parcel: From whoever worked on the unit, or from the driver.
        unit: Whose files may be written.
        others: Whether other runs may be written too.

    Raises:
        StoreError: If it is no parcel, holds a path that is none of the unit's, or the disk does not take it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(parcel)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        gone = json.loads(files.pop(GONE))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise StoreError(f"a worker handed in {len(parcel):,} bytes that are no parcel: {error}") from error
    for name in (*files, *gone):
        _check(name, unit, others)
    for name in sorted(gone, key=_rank):
        if _rank(name) < _LAST:
            _remove(root / name)
    for name in sorted(files, key=_rank):
        path = root / name
        with writing(path):
            for folder in reversed(path.relative_to(root).parents[:-1]):
                (root / folder).mkdir(exist_ok=True)
            put(path, files[name])
    for name in gone:
        if _rank(name) == _LAST:
            _remove(root / name)
            _remove_empty(root, name)


_LAST = 6


def _rank(name: str) -> int:
    """When a file is written: whatever refers to others comes after them."""
    path = PurePosixPath(name)
    if path.parts[0] == "populations":
        return _LAST
    order = {VERSION: 1, TAIL: 2, WEIGHTS: 3, STATE: 4, OUTCOME: 5}
    return order.get(path.parts[2], 0)


def _check(name: object, unit: Unit, others: bool) -> None:
    """Check that a path is one of a unit's files.

    Raises:
        StoreError: If it is not.
    """
    parts = name.split("/") if isinstance(name, str) else []
    safe = all(_FILE.fullmatch(part) for part in parts) and not any(part.endswith(BESIDE) for part in parts)
    match parts:
        case ["runs", run_id, _] | ["runs", run_id, "v1", _] if safe and (run_id in unit.ids or others):
            return
        case ["populations", folder, file] if safe and NAME.fullmatch(folder) and file == STATE:
            return
        case ["populations", file] if file == f"{unit.unit_id}{NEWS}":
            return
    raise StoreError(f"a worker handed in {name!r}, expected files of its runs: is it another version of anglewise?")


def _names(root: Path, unit: Unit) -> Iterator[str]:
    """Paths of a unit's files in a store."""
    for run_id in unit.ids:
        yield from _files(root, run_id)
    for folder in _checkpoints(root, unit):
        yield (folder / STATE).relative_to(root).as_posix()
    if (root / "populations" / f"{unit.unit_id}{NEWS}").exists():
        yield f"populations/{unit.unit_id}{NEWS}"


def _files(root: Path, run_id: str) -> Iterator[str]:
    """Paths of a run's files in a store."""
    for path in sorted((root / "runs" / run_id).rglob("*")):
        if path.is_file() and not path.name.endswith(BESIDE):
            yield path.relative_to(root).as_posix()


def _checkpoints(root: Path, unit: Unit) -> list[Path]:
    """Folders of checkpoints that hold a run of a unit."""
    ids = set(unit.ids)
    folders = (path for path in (root / "populations").iterdir() if NAME.fullmatch(path.name))
    return sorted(folder for folder in folders if ids.intersection(checkpoint.members_in(folder / STATE)))


def _sign(path: Path) -> tuple[int, ...] | None:
    """Differs between two contents of a file; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _zipped(files: Mapping[str, bytes], gone: Iterable[str]) -> bytes:
    """A parcel; rows and weights are compressed already, or do not compress."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(GONE, json.dumps(list(gone)))
        for name, data in files.items():
            archive.writestr(name, data)
    return whole.getvalue()


def _remove(path: Path) -> None:
    with writing(path):
        path.unlink(missing_ok=True)


def _remove_empty(root: Path, name: str) -> None:
    folder = (root / name).parent
    if folder.parent == root / "populations":
        with contextlib.suppress(OSError):
            os.rmdir(folder)
