"""The one writer of a store: rows go to a tail, tails become segments, and a run ends with its outcome.

Every change leaves the store readable at every moment, also when the process is killed in the middle of it;
what the interrupted change left behind is put right when its run is next touched.  The order that the
engine keeps: append after every segment of training, seal all runs of a population, only then write its
checkpoint; after a kill, rewind each run that goes on to the step of that checkpoint.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from anglewise.errors import StoreError
from anglewise.files import put, sync
from anglewise.lab.store.layout import (
    FORMAT,
    KINDS,
    MARKER,
    NAME,
    STATE,
    VERSION,
    WEIGHTS,
    check_marker,
    checked,
    gap,
    is_itself,
    is_whole,
    put_json,
    read_json,
    run_folders,
    segment_name,
    segments,
    writing,
)
from anglewise.lab.store.lock import is_lock, opened, take
from anglewise.lab.store.rows import contents, counted, from_table, from_tail, pack, read, to_line, to_parquet


class Store:
    """A store, open for writing by this process alone; a context manager.  Made by :meth:`open`."""

    def __init__(self, root: Path, lock: IO[str]):
        """Take over a folder whose lock is held."""
        self.root = root
        self._lock = lock
        self._last: dict[str, dict[str, int]] = {}
        self._finished: set[str] | None = None
        self._counts: dict[str, dict[str, int]] = {}

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open a store for writing; a folder that is new or empty becomes one.

        Args:
            path: Its folder.

        Returns:
            The store, locked until it is closed or the process ends.

        Raises:
            StoreError: If the folder cannot be written, is something else, or another process writes to it.
        """
        root = Path(path)
        with writing(root):
            root.mkdir(parents=True, exist_ok=True)
            foreign = {entry.name for entry in root.iterdir()} - {"lock", MARKER + ".tmp"}
            if not check_marker(root) and foreign:
                raise StoreError(f"{root} is not a store, and not empty: choose a new or an empty folder")
            lock = opened(root / "lock")
            try:
                take(lock, root)
                if not (root / MARKER).exists():
                    put_json(root / MARKER, {"format": FORMAT})
                for name in ("experiments", "runs", "populations"):
                    (root / name).mkdir(exist_ok=True)
                for left in root.glob("experiments/*.tmp"):
                    left.unlink()
            except BaseException:
                lock.close()
                raise
        return cls(root, lock)

    def close(self) -> None:
        """Let others write."""
        self._lock.close()

    def __enter__(self) -> Store:
        """Enter a block at whose end the store is closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def manifest(self, experiment_id: str, manifest: Mapping[str, Any]) -> None:
        """Write, or write anew, what an experiment consists of.

        Args:
            experiment_id: Names the file.
            manifest: JSON values; ``"created"`` is added and stays what it was at first, and ``"updated"``, the
                time of the last call.

        Raises:
            StoreError: If the disk does not take it, or the name is no name.
        """
        path = self.root / "experiments" / f"{checked('experiment_id', experiment_id)}.json"
        now = datetime.datetime.now(datetime.UTC).isoformat()
        created = (read_json(path) or {}).get("created") or now
        with writing(path):
            put_json(path, {"created": created, "updated": now, **manifest})

    def begin(self, run_id: str, spec: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
        """Write what a run is and what it is trained with, before it is trained; again when it goes on.

        Args:
            run_id: Its identity.
            spec: JSON values.
            provenance: JSON values.  The first one stays; what differs in a later one is added to its list
                ``"resumed"``.

        Raises:
            StoreError: If the run is there with another spec, or the disk does not take it.
        """
        with self._changing(run_id) as run:
            run.mkdir(exist_ok=True)  # its parent is there, or the store was moved away: then nothing is made
            (run / VERSION).mkdir(exist_ok=True)
            sync(run.parent)
            known = read_json(run / "spec.json")
            if known is None:
                put_json(run / "spec.json", spec)
            elif known != json.loads(json.dumps(spec)):
                raise StoreError(f"{run / 'spec.json'} is not the spec of this run: move {run} away and run again")
            first = read_json(run / "provenance.json")
            if first is None:
                put_json(run / "provenance.json", provenance)
            else:
                changed = {key: x for key, x in provenance.items() if first.get(key) != x}
                put_json(run / "provenance.json", {**first, "resumed": [*first.get("resumed", []), changed]})

    def append(
        self,
        run_id: str,
        curves: Sequence[Mapping[str, Any]],
        readings: Sequence[Mapping[str, Any]],
        arrays: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Add rows to a run that was begun: all of them or, after a kill, none.

        Args:
            run_id: Its identity.
            curves: Rows with the keys ``step``, ``train_accuracy``, ``test_accuracy``, ``train_loss`` and
                ``test_loss`` (each a float or None), steps beyond all that were appended before.
            readings: Rows with the keys ``step``, ``site``, ``name`` and ``value``, steps likewise.
            arrays: Rows with the keys ``step``, ``site``, ``name``, ``shape`` and ``values``, steps likewise.

        Raises:
            StoreError: If a step is not beyond the earlier ones, the run is finished, or the disk is full.
        """
        rows = {
            "curves": pack("curves", curves),
            "readings": pack("readings", readings),
            "arrays": pack("arrays", arrays),
        }
        with self._changing(run_id) as run:
            last = self._recovered(run_id, run)
            if (run / "outcome.json").exists():
                raise StoreError(f"run {run_id} is finished and takes no more rows: reset or rewind it first")
            for kind in KINDS:
                step = min((row[0] for row in rows[kind]), default=last[kind] + 1)
                if step <= last[kind]:
                    raise StoreError(
                        f"run {run_id} has {kind} up to step {last[kind]}, got step {step}: rewind it first"
                    )
            if not any(rows.values()):
                return
            with (run / "tail.jsonl").open("ab") as file:
                file.write(to_line(rows))
                file.flush()
                os.fsync(file.fileno())
            for kind in KINDS:
                last[kind] = max((row[0] for row in rows[kind]), default=last[kind])
                self._counts[run_id][kind] += len(rows[kind])

    def seal(self, run_id: str) -> None:
        """Turn a run's tail into one immutable segment of each kind.

        Raises:
            StoreError: If the disk does not take it; nothing is lost then.
        """
        with self._changing(run_id) as run:
            self._recovered(run_id, run)
            found, tail = contents(run)
            for kind in KINDS:
                if tail[kind]:
                    first = found[kind][-1].last + 1 if found[kind] else 0
                    data = to_parquet(kind, tail[kind])
                    put(
                        run / VERSION / segment_name(kind, first, max(row[0] for row in tail[kind]), data),
                        data,
                    )
            if (run / "tail.jsonl").exists():
                os.truncate(run / "tail.jsonl", 0)

    def rewind(self, run_id: str, step: int) -> int:
        """Forget every row beyond a step, and that the run ended; called before it goes on from a checkpoint.

        Rows at and after a damaged or missing segment are forgotten too.

        Args:
            run_id: Its identity; nothing happens where there is no such run.
            step: The last step to keep; -1 forgets all rows.

        Returns:
            Step of the last curve row that is left, -1 if none is.  Where that lies before the last
            evaluation at or before `step`, rows were lost, and the run must be reset and trained from its
            beginning.

        Raises:
            StoreError: If the disk does not take it.
        """
        with self._changing(run_id) as run:
            if not run.exists():
                return -1
            (run / "outcome.json").unlink(missing_ok=True)
            self._finished = None if self._finished is None else self._finished - {run_id}
            self._recovered(run_id, run)
            found, tail = contents(run)
            for kind in KINDS:
                breaks = [segment.first for segment in found[kind] if segment.first <= step and not segment.data()]
                hole = gap(found[kind])
                step = min(x for x in (step, *(x - 1 for x in breaks), hole - 1 if hole is not None else step))
            beyond = []
            for kind in KINDS:
                late = [segment for segment in found[kind] if segment.last > step]
                for segment in late:
                    if segment.first <= step:  # its rows to keep move back to the tail before it goes
                        tail[kind] = from_table(read(segment))
                tail[kind] = [row for row in tail[kind] if row[0] <= step]
                beyond += late
            put(run / "tail.jsonl", to_line(tail) if any(tail.values()) else b"")
            for segment in reversed(beyond):
                os.unlink(segment.path)
            self._forget(run_id)
            return self._recovered(run_id, run)["curves"]

    def counts(self, run_id: str) -> dict[str, int]:
        """How many rows of each kind a run has, as far as this process knows: what it found, and what it added."""
        with self._changing(run_id) as run:
            self._recovered(run_id, run)
        return dict(self._counts[run_id])

    def keep(self, run_id: str, files: Mapping[str, bytes]) -> None:
        """Keep a run's last weights and state, before it is finished; the old ones are replaced one by one.

        Args:
            run_id: Its identity.
            files: Bytes under the names :data:`~anglewise.lab.store.layout.WEIGHTS` and ``STATE``, or none of them.

        Raises:
            StoreError: If the disk does not take it.
        """
        with self._changing(run_id) as run:
            for name in (WEIGHTS, STATE):
                if name in files:
                    put(run / name, files[name])
                else:
                    (run / name).unlink(missing_ok=True)

    def finish(self, run_id: str, outcome: Mapping[str, Any]) -> None:
        """Seal a run and write how it ended; from then on it counts as finished.

        Args:
            run_id: Its identity.
            outcome: JSON values, shown in the view ``runs`` where it has a column of their name.  The names of the
                run's segments, which carry their checksums, are added.

        Raises:
            StoreError: If the disk does not take it, or rows have gone that were there.
        """
        self.seal(run_id)
        with self._changing(run_id) as run:
            rows, known = counted(run), self._counts[run_id]
            if rows != known:
                kind = next(kind for kind in KINDS if rows[kind] != known[kind])
                raise StoreError(
                    f"{run} has {rows[kind]} rows of {kind}, expected {known[kind]}: somebody removed or changed files "
                    "while it trained. Run the same command again, which trains that run anew"
                )
            names = [segment.path.name for kind in segments(run).values() for segment in kind]
            put_json(run / "outcome.json", {**outcome, "segments": names, "rows": rows})
        if self._finished is not None:
            self._finished.add(run_id)

    def finished(self) -> set[str]:
        """Runs that ended and are whole: every segment is checked byte for byte, once per opening."""
        if self._finished is None:
            self._finished = set()
            for run in run_folders(self.root):
                if not is_itself(run.name, read_json(run / "spec.json")):
                    raise StoreError(
                        f"{run} holds another run than it is named after: anglewise doctor {self.root} --mend gives it "
                        "its name back, or move it away"
                    )
                if is_whole(run, read_json(run / "outcome.json")):
                    self._finished.add(run.name)
        return set(self._finished)

    def outcome(self, run_id: str) -> dict[str, Any] | None:
        """How a run ended; None if it has not, or was never begun."""
        return read_json(self.root / "runs" / checked("run_id", run_id) / "outcome.json")

    def reset(self, run_id: str) -> None:
        """Delete a run, if it is there, so that it can be trained from its beginning.

        Raises:
            StoreError: If it cannot be deleted.
        """
        with self._changing(run_id) as run:
            self._finished = None if self._finished is None else self._finished - {run_id}
            if not run.is_symlink():
                (run / "outcome.json").unlink(missing_ok=True)
            _delete(run)
            self._forget(run_id)

    def population_dir(self, population_id: str) -> Path:
        """Folder for a population's checkpoints; not made here."""
        return self.root / "populations" / checked("population_id", population_id)

    def populations(self) -> list[Path]:
        """Folders of populations that are there, sorted."""
        return sorted(path for path in (self.root / "populations").iterdir() if NAME.fullmatch(path.name))

    def drop_population(self, population_id: str) -> None:
        """Delete a population's folder, if it is there.

        Raises:
            StoreError: If it cannot be deleted.
        """
        folder = self.population_dir(population_id)
        with writing(folder):
            _delete(folder)

    @contextlib.contextmanager
    def _changing(self, run_id: str) -> Iterator[Path]:
        """A run's folder; after a failure in the block, the run is put right when it is next touched."""
        run = self.root / "runs" / checked("run_id", run_id)
        self._still_ours()
        try:
            with writing(run):
                yield run
        except BaseException:
            self._forget(run_id)
            raise

    def _still_ours(self) -> None:
        """Refuse to write once somebody has removed the lock, or moved the store away.

        Raises:
            StoreError: If the file that is locked is no longer the store's.
        """
        if not is_lock(self._lock, self.root / "lock"):
            raise StoreError(
                f"{self.root} was moved, or its lock was removed, while this process writes to it: what was saved so "
                "far is whole. Put it back and run the same command again"
            )

    def _forget(self, run_id: str) -> None:
        """Look at a run's files again when it is next touched."""
        self._last.pop(run_id, None)
        self._counts.pop(run_id, None)

    def _recovered(self, run_id: str, run: Path) -> dict[str, int]:
        """Last step of each kind; on first touch, clears away what an interrupted write left."""
        if run_id not in self._last:
            for left in (*run.glob("*.tmp"), *run.glob(f"{VERSION}/*.tmp")):
                left.unlink()
            path = run / "tail.jsonl"
            if path.exists():
                good = from_tail(path.read_bytes())[1]
                if good < path.stat().st_size:
                    os.truncate(path, good)
            found, tail = contents(run)
            self._counts[run_id] = counted(run)
            self._last[run_id] = {
                kind: max([-1, *(segment.last for segment in found[kind]), *(row[0] for row in tail[kind])])
                for kind in KINDS
            }
        return self._last[run_id]


def _delete(folder: Path) -> None:
    """Delete a folder; of a link, only the link."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
