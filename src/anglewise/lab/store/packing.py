"""Compaction: finished runs move from folders of their own to packs, and back where they are to go on.

A run's folder hides the run in every pack (see :mod:`~anglewise.lab.store.packs`).  So the order is: a pack is written
beside, synced and renamed; then each folder that it replaces is renamed away in one move, and deleted.  Whenever the
process is killed, each run is read once, from its folder or from the pack.  Back it goes the same way: a folder is
written beside and renamed, and from then on it counts.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from anglewise.files import BESIDE, settle, sync
from anglewise.lab.spec import Manifest
from anglewise.lab.store.layout import (
    KINDS,
    NAME,
    VERSION,
    json_bytes,
    manifest_files,
    read_json,
    segment_name,
)
from anglewise.lab.store.lookup import FolderRun, StoredRun
from anglewise.lab.store.packs import FILES, KEPT, NOTE, PACKS, RUNS, Pack, PackedRun, Packs
from anglewise.lab.store.rows import COLUMNS, from_table, to_parquet

if TYPE_CHECKING:
    import pyarrow as pa

TEXTS = ("run_id", "spec", "provenance", "outcome", "readings_taken")
"""Columns of the index that are texts; what was measured stands apart, since it is the same for many runs."""
RUNS_EACH = 250
"""Runs of a pack at most: so many are trained anew where one bit flips in its rows."""
BYTES_EACH = 2**28
"""Bytes of weights and states in a pack, from which on it takes no further run."""


THREADS = 16
"""That delete folders."""


class Compacted(NamedTuple):
    """What compaction did.

    Attributes:
        runs: Runs that moved to packs.
        packs: Packs that were written.
    """

    runs: int
    packs: int


def compact(root: Path, packs: Packs, finished: set[str]) -> Compacted:
    """Move finished runs to packs, and write anew those packs of which runs were hidden or that are small.

    Args:
        root: Folder of the store; its lock is held.
        packs: Its packs.
        finished: Runs that ended and are whole, wherever they lie.
    """
    clear_leftovers(root)
    folders = {path.name for path in (root / "runs").iterdir() if NAME.fullmatch(path.name) and path.is_dir()}
    moving = {run_id for run_id in folders & finished if not (root / "runs" / run_id).is_symlink()}
    old = _worn(packs, folders, any_moves=bool(moving))
    runs: dict[str, StoredRun] = {run_id: FolderRun(root, run_id) for run_id in moving}
    for pack in old:
        found = [packs.at(run_id) for run_id in pack.run_ids if run_id not in folders]
        runs |= {run.run_id: run for run in found if run is not None and run.pack is pack}
    written = 0
    for part in _parts([runs[run_id] for run_id in _in_order(root, runs)]):
        _write(packs.folder, part)
        written += 1
        _remove_all([run.path for run in part if isinstance(run, FolderRun)])
        sync(root / "runs")
    _remove_all([pack.path for pack in old])
    for run_id in folders - moving:
        path = root / "runs" / run_id
        if packs.find(run_id) is None and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()  # it hid a run in a pack that is gone
    return Compacted(len(moving), written)


def _worn(packs: Packs, folders: set[str], *, any_moves: bool) -> list[Pack]:
    """Packs that are written anew: whole ones with hidden runs, small ones, and those of which no run counts."""
    worn, small = [], []
    for pack in packs.all():
        counting = [
            run_id for run_id in pack.run_ids
            if run_id not in folders and (run := packs.at(run_id)) is not None and run.pack is pack
        ]  # fmt: skip
        if pack.index is None or (counting and not pack.is_whole):
            continue  # damaged: left for a person to see
        if len(counting) < len(pack.run_ids):
            worn.append(pack)
        elif len(counting) < RUNS_EACH and _kept_bytes(pack) < BYTES_EACH:
            small.append(pack)
    return worn + (small if worn or any_moves or len(small) > 1 else [])


def _kept_bytes(pack: Pack) -> int:
    path = pack.path / KEPT
    return path.stat().st_size if path.exists() else 0


def _in_order(root: Path, runs: dict[str, StoredRun]) -> list[str]:
    """Runs as the manifests name them, so that arms lie together; then the others."""
    manifests = [Manifest.from_json(read_json(path) or {}) for path in manifest_files(root)]
    named = [planned.run_id for manifest in manifests if manifest is not None for planned in manifest.runs]
    return [run_id for run_id in dict.fromkeys([*named, *sorted(runs)]) if run_id in runs]


def _parts(runs: Sequence[StoredRun]) -> Iterator[list[StoredRun]]:
    """Runs of one pack after the other."""
    part: list[StoredRun] = []
    size = 0
    for run in runs:
        part.append(run)
        size += sum(len(run.file(file) or b"") for file in FILES.values())
        if len(part) == RUNS_EACH or size >= BYTES_EACH:
            yield part
            part, size = [], 0
    if part:
        yield part


def _write(folder: Path, runs: Sequence[StoredRun]) -> None:
    """Write a pack, whole or not at all."""
    folder.mkdir(exist_ok=True)
    beside = folder / f"writing{BESIDE}"
    beside.mkdir()
    columns: dict[str, list[Any]] = {name: [] for name in (*TEXTS, *KINDS)}
    columns |= {f"{name}_{what}": [] for name in FILES for what in ("at", "bytes")}
    tables: dict[str, list[pa.Table]] = {kind: [] for kind in KINDS}
    with (beside / KEPT).open("wb") as kept:
        for run in runs:
            columns["run_id"].append(run.run_id)
            columns["spec"].append(run.spec_text)
            columns["provenance"].append(json.dumps(run.provenance))
            values = {**run.outcome_values}
            columns["readings_taken"].append(json.dumps(values.pop("readings", [])))
            columns["outcome"].append(
                json.dumps({key: x for key, x in values.items() if key not in ("segments", "rows")})
            )
            for kind in KINDS:
                rows = run.rows(kind)
                tables[kind].append(rows)
                columns[kind].append(len(rows))
            for name, file in FILES.items():
                data = run.file(file)
                columns[f"{name}_at"].append(None if data is None else kept.tell())
                columns[f"{name}_bytes"].append(None if data is None else kept.write(data))
    names = {}
    for kind in KINDS:
        if any(columns[kind]):
            data = _rows_file(kind, tables[kind], columns["run_id"])
            names[kind] = f"{kind}-{zlib.crc32(data):08x}.parquet"
            (beside / names[kind]).write_bytes(data)
    index = _index_file(columns, names)
    (beside / RUNS).write_bytes(index)
    settle([*beside.iterdir(), beside])
    number = 1 + max((int(name.partition("-")[0]) for name in Packs(folder.parent).names()), default=0)
    os.rename(beside, folder / f"{number:06d}-{zlib.crc32(index):08x}")
    settle([folder, folder.parent])


def _index_file(columns: dict[str, list[Any]], names: dict[str, str]) -> bytes:
    import pyarrow as pa

    arrays = {name: pa.array(x, pa.string() if name in TEXTS else pa.int64()) for name, x in columns.items()}
    return _bytes(pa.table(arrays).replace_schema_metadata({NOTE: json.dumps(names)}), ["provenance", "readings_taken"])


def _rows_file(kind: str, tables: Sequence[pa.Table], run_ids: Sequence[str]) -> bytes:
    """The rows of many runs, each with its run's id, which others who read the file need."""
    import pyarrow as pa

    rows = pa.concat_tables(tables).combine_chunks()
    counts = [len(table) for table in tables]
    owner = pa.array([i for i, n in enumerate(counts) for _ in range(n)], pa.int32())
    names = pa.DictionaryArray.from_arrays(owner, pa.array(run_ids, pa.string())).cast(pa.string())
    texts = [name for name, of in COLUMNS[kind].items() if of is str]
    return _bytes(rows.add_column(0, "run_id", names), ["run_id", *texts])


def _bytes(table: pa.Table, dictionaries: Sequence[str]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, use_dictionary=list(dictionaries), compression="zstd")
    return bytes(sink.getvalue())


def unpack(run: PackedRun, path: Path) -> None:
    """Give a run in a pack its folder back, whole or not at all; from then on the folder counts.

    Args:
        run: The run.
        path: The folder, which is not there.

    Raises:
        StoreError: If its rows are damaged.
    """
    beside = path.with_name(path.name + BESIDE)
    if beside.exists():  # of an attempt that failed
        shutil.rmtree(beside)
    (beside / VERSION).mkdir(parents=True)
    tables = {kind: run.rows(kind) for kind in KINDS} if run.pack.is_whole else {}
    names = []
    for kind, table in tables.items():
        if len(table):
            rows = from_table(table)
            data = to_parquet(kind, rows)
            names.append(segment_name(kind, 0, max(row[0] for row in rows), data))
            (beside / VERSION / names[-1]).write_bytes(data)
    files = {"spec.json": json_bytes(run.spec), "provenance.json": json_bytes(run.provenance)}
    if tables:
        files["outcome.json"] = json_bytes({**run.outcome_values, "segments": names})
    for file in FILES.values():
        if (kept := run.file(file)) is not None:
            files[file] = kept
    for name, data in files.items():
        (beside / name).write_bytes(data)
    settle([*beside.rglob("*"), beside])
    os.rename(beside, path)
    sync(path.parent)


def clear_leftovers(root: Path) -> None:
    """Delete what an interrupted compaction left behind: packs and folders that were not yet or no longer in place."""
    for folder in (root / PACKS, root / "runs"):
        for left in folder.glob(f"*{BESIDE}"):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)


def _remove_all(folders: Sequence[Path]) -> None:
    """Delete folders; some file systems take milliseconds for each file, and many at once."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(_remove, folders))


def _remove(folder: Path) -> None:
    """Take a folder out of its place in one move, then delete it."""
    away = folder.with_name(folder.name + BESIDE)
    os.rename(folder, away)
    shutil.rmtree(away)
