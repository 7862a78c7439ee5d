"""Where things lie in a store, and how a file gets there whole.

::

    anglewise-store.json               the marker: {"format": 1}
    lock                               held by the one writing process
    status.json                        what that process does now (see status.py); gone when it ends
    experiments/<experiment_id>.json   manifest: what an experiment consists of
    runs/<run_id>/spec.json            what the run is
    runs/<run_id>/provenance.json      what it was trained with, written before training
    runs/<run_id>/v1/<kind>-<first>-<last>-<crc32>.parquet
    runs/<run_id>/tail.jsonl           rows that are in no segment yet
    runs/<run_id>/weights.safetensors  the last weights, named as in the network
    runs/<run_id>/state.safetensors    what else going on from there needs
    runs/<run_id>/outcome.json         how it ended; there if and only if it ended
    packs/<number>-<crc32>/            finished runs, many to a file: see packs.py
    populations/<population_id>/       belongs to the engine's checkpoints
    populations/<unit>.lock            held by a worker, with its news beside it: see working.py

A *segment* is an immutable Parquet file that holds every row of its kind with first <= step <= last.  The
segments of a kind follow each other without a gap from step 0, and each carries the checksum of its bytes
in its name, so a missing, truncated or altered one is noticed wherever it is read.  A *tail* row counts if
its step lies beyond the last segment of its kind: a kill between writing a segment and emptying the tail
counts nothing twice.  Every JSON file carries a checksum, weights and states carry one in their header, and the id of
a run is the hash of its spec: what was edited, damaged, swapped or copied is noticed.
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
from anglewise.files import put
from anglewise.lab.spec import Json, canonical, content_hash, text_hash

FORMAT = 1
MARKER = "anglewise-store.json"
CHECKSUM = "checksum"
"""Key of a JSON file under which the CRC-32 of all else in it stands."""
VERSION = "v1"
"""Version of the row schemas; a folder of its own, so that one version is read with one schema."""
WEIGHTS, STATE = "weights.safetensors", "state.safetensors"
KINDS = ("curves", "readings", "arrays")
NAME = re.compile(r"[0-9a-z-]+")
"""Of a run, an experiment, a population: it cannot leave the folder in which it names a place."""
_SEGMENT = re.compile(r"(curves|readings|arrays)-(\d{12,})-(\d{12,})-([0-9a-f]{8})\.parquet")


class Segment(NamedTuple):
    """One immutable file of rows; its name says all of this."""

    kind: str
    first: int
    last: int
    crc: str
    path: Path

    def data(self) -> bytes | None:
        """Its bytes, or None if they are not those that were written, or are gone."""
        data = read_bytes(self.path)
        return data if data is not None and f"{zlib.crc32(data):08x}" == self.crc else None


def read_bytes(path: Path) -> bytes | None:
    """A file's bytes; None where there is none.

    Raises:
        StoreError: If it is there and cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"cannot read {path}: {error.strerror}. Make it readable, or see: anglewise doctor STORE"
        ) from error


def segment_name(kind: str, first: int, last: int, data: bytes) -> str:
    """File name of a segment that covers the steps `first` to `last`."""
    return f"{kind}-{first:012d}-{last:012d}-{zlib.crc32(data):08x}.parquet"


def segments(run: Path) -> dict[str, list[Segment]]:
    """Segments of a run by kind, in order of steps; other files are ignored."""
    by_kind: dict[str, list[Segment]] = {kind: [] for kind in KINDS}
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(run / VERSION)):
            if match := _SEGMENT.fullmatch(name):
                kind, first, last, crc = match.groups()
                by_kind[kind].append(Segment(kind, int(first), int(last), crc, run / VERSION / name))
    return by_kind


def gap(ordered: list[Segment]) -> int | None:
    """First step that a kind's segments, in order, do not cover exactly once although they cover later ones."""
    expected = 0
    for segment in ordered:
        if segment.first != expected:
            return min(segment.first, expected)
        expected = segment.last + 1
    return None


def is_whole(run: Path, outcome: Json | None) -> bool:
    """Whether a run ended and every segment that it ended with is there, byte for byte."""
    if outcome is None or "segments" not in outcome:
        return False
    there = {segment.path.name: segment for kind in segments(run).values() for segment in kind}
    return all(name in there and there[name].data() is not None for name in outcome["segments"])


def is_itself(run_id: str, spec: Json | str | None) -> bool:
    """Whether a run's id is the hash of its specification; True where there is nothing that could be hashed.

    Args:
        run_id: Identity of the run.
        spec: Its specification, or that as canonical JSON.
    """
    text = spec if isinstance(spec, str) else canonical(spec) if spec else ""
    if text_hash(text) == run_id:
        return True
    values = json.loads(text or "{}")
    if "protocol" in values:
        return False
    if values.get("is") == "Run":  # before PROTOCOL 3
        return any(content_hash({"protocol": protocol, **values}) == run_id for protocol in (1, 2))
    return True


def run_folders(root: Path) -> list[Path]:
    """Folders of runs, in order; what a file browser or a person has laid beside them is none."""
    return sorted(path for path in (root / "runs").glob("*") if NAME.fullmatch(path.name) and path.is_dir())


def manifest_files(root: Path) -> list[Path]:
    """Files of manifests, in order."""
    return sorted(path for path in (root / "experiments").glob("*.json") if NAME.fullmatch(path.stem))


def checked(what: str, name: str) -> str:
    """`name`, if it cannot leave the folder that it names a place in.

    Raises:
        StoreError: If it could.
    """
    if not NAME.fullmatch(name):
        raise StoreError(f"{what} {name!r} cannot name a folder: use lower-case letters, digits and '-' only")
    return name


def check_marker(root: Path) -> bool:
    """Whether `root` is a store.

    Raises:
        StoreError: If it is one of another format, or its marker is damaged.
    """
    marker = root / MARKER
    try:
        if not marker.is_file():
            return False
    except OSError as error:
        raise StoreError(f"cannot read {root}: {error.strerror}. Give the folder of a store") from error
    content = read_json(marker)
    if content is None or "format" not in content:
        raise StoreError(
            f'{marker} is damaged, expected {{"format": {FORMAT}}}: anglewise doctor {root} --mend writes it anew'
        )
    if content["format"] != FORMAT:
        raise StoreError(
            f"{marker} says format {content['format']}, expected {FORMAT}: "
            "use the version of anglewise that wrote it, or another folder"
        )
    return True


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if it is absent, or is not what was written.

    A file of an older version has no checksum, and is taken as it is.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    checksum = content.pop(CHECKSUM, None)
    return content if checksum is None or checksum == _checksum(content) else None


def put_json(path: Path, value: Mapping[str, object]) -> None:
    """Write JSON with a checksum so that a crash at any moment leaves the old file or the new one."""
    put(path, json_bytes(value))


def json_bytes(value: Mapping[str, object]) -> bytes:
    """The bytes of a JSON file with its checksum."""
    whole = {**value, CHECKSUM: _checksum(value)}
    return (json.dumps(whole, indent=1, allow_nan=False) + "\n").encode()


def _checksum(value: Mapping[str, object]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{zlib.crc32(text.encode()):08x}"


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
