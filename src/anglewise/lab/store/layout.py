"""Where things lie in a store, and how a file gets there whole.

::

    anglewise-store.json               the marker: {"format": 1}
    lock                               held by the one writing process
    experiments/<experiment_id>.json   manifest: what an experiment consists of
    runs/<run_id>/spec.json            what the run is
    runs/<run_id>/provenance.json      what it was trained with, written before training
    runs/<run_id>/v1/<kind>-<first>-<last>-<crc32>.parquet
    runs/<run_id>/tail.jsonl           rows that are in no segment yet
    runs/<run_id>/weights.safetensors  the last weights, named as in the network
    runs/<run_id>/state.safetensors    what else going on from there needs
    runs/<run_id>/outcome.json         how it ended; there if and only if it ended
    populations/<population_id>/       belongs to the engine's checkpoints

A *segment* is an immutable Parquet file that holds every row of its kind with first <= step <= last.  The
segments of a kind follow each other without a gap from step 0, and each carries the checksum of its bytes
in its name, so a missing, truncated or altered one is noticed wherever it is read.  A *tail* row counts if
its step lies beyond the last segment of its kind: a kill between writing a segment and emptying the tail
counts nothing twice.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from anglewise.errors import StoreError

FORMAT = 1
MARKER = "anglewise-store.json"
VERSION = "v1"
"""Version of the row schemas; a folder of its own, so that one version is read with one schema."""
WEIGHTS, STATE = "weights.safetensors", "state.safetensors"
KINDS = ("curves", "readings", "arrays")
_SEGMENT = re.compile(r"(curves|readings|arrays)-(\d{12,})-(\d{12,})-([0-9a-f]{8})\.parquet")


class Segment(NamedTuple):
    """One immutable file of rows; its name says all of this."""

    kind: str
    first: int
    last: int
    crc: str
    path: Path

    def data(self) -> bytes | None:
        """Its bytes, or None if they are not those that were written."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        return data if f"{zlib.crc32(data):08x}" == self.crc else None


def segment_name(kind: str, first: int, last: int, data: bytes) -> str:
    """File name of a segment that covers the steps `first` to `last`."""
    return f"{kind}-{first:012d}-{last:012d}-{zlib.crc32(data):08x}.parquet"


def segments(run: Path) -> dict[str, list[Segment]]:
    """Segments of a run by kind, in order of steps; other files are ignored."""
    found: dict[str, list[Segment]] = {kind: [] for kind in KINDS}
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(run / VERSION)):
            if match := _SEGMENT.fullmatch(name):
                kind, first, last, crc = match.groups()
                found[kind].append(Segment(kind, int(first), int(last), crc, run / VERSION / name))
    return found


def gap(found: list[Segment]) -> int | None:
    """First step that segments of one kind fail to cover exactly once, although later ones are covered."""
    expected = 0
    for segment in found:
        if segment.first != expected:
            return min(segment.first, expected)
        expected = segment.last + 1
    return None


def is_whole(run: Path, outcome: Mapping[str, Any] | None) -> bool:
    """Whether a run ended and every segment that it ended with is there, byte for byte."""
    if outcome is None or "segments" not in outcome:
        return False
    found = {segment.path.name: segment for kind in segments(run).values() for segment in kind}
    return all(name in found and found[name].data() is not None for name in outcome["segments"])


def checked(what: str, name: str) -> str:
    """`name`, if it cannot leave the folder that it names a place in.

    Raises:
        StoreError: If it could.
    """
    if not re.fullmatch(r"[0-9a-z-]+", name):
        raise StoreError(f"{what} {name!r} cannot name a folder: use lower-case letters, digits and '-' only")
    return name


def check_marker(root: Path) -> bool:
    """Whether `root` is a store.

    Raises:
        StoreError: If it is one of another format.
    """
    marker = root / MARKER
    if not marker.is_file():
        return False
    found = (read_json(marker) or {}).get("format")
    if found != FORMAT:
        raise StoreError(
            f"{marker} says format {found}, expected {FORMAT}: "
            "use the version of anglewise that wrote it, or another folder"
        )
    return True


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if it is absent or damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def put_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON so that a crash at any moment leaves the old file or the new one."""
    put(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def put(path: Path, data: bytes) -> None:
    """Write beside, sync, rename, sync the folder: a crash leaves the old file or the new one."""
    beside = path.with_name(path.name + ".tmp")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make names that were added to a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def writing(where: Path) -> Iterator[None]:
    """Turn what the operating system refuses into one line that says what to do.

    Raises:
        StoreError: In place of every OSError inside.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"disk full: cannot write {where}. Free space and run the same command again: "
                "it goes on from what is saved"
            ) from error
        raise StoreError(f"cannot write {where}: {error.strerror}. Choose a folder that can be written to") from error
