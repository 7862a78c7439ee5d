"""The one writer of a store: the lock, manifests, and each run through its :class:`RunFolder`.

Every change leaves the store readable at every moment, also when the process is killed in the middle of it.  What the
interrupted change left behind is put right when its run is next touched.  Whoever trains keeps this order: append
after every segment of training, secure all runs of a population, and only then write its checkpoint.  After a kill,
rewind each run that goes on to the step of that checkpoint.

Rows that were appended outlive the process at once, and a power cut once they are secured: what was not is made again
from the checkpoint.  So a segment of a thousand runs costs a thousand small writes and no sync.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from anglewise.errors import StoreError
from anglewise.files import BESIDE, put_all, settle
from anglewise.lab.outcome import Outcome
from anglewise.lab.spec import Json, Manifest
from anglewise.lab.store.kept import Kept
from anglewise.lab.store.layout import (
    FORMAT,
    MARKER,
    NAME,
    check_marker,
    checked,
    is_itself,
    is_whole,
    json_bytes,
    put_json,
    read_json,
    run_folders,
    writing,
)
from anglewise.lab.store.lock import is_lock, opened, take
from anglewise.lab.store.packing import Compacted, clear_leftovers, compact, unpack
from anglewise.lab.store.packs import PACKS, Packs
from anglewise.lab.store.provenance import Provenance
from anglewise.lab.store.run_folder import RunFolder, delete
from anglewise.lab.store.working import LOCK, hold, path_of

TAIL = 2**16
"""Bytes of rows of one run that may wait in its tail when a checkpoint is written."""
AT_ONCE = 250
"""Runs of which the last states are in memory at once as bytes."""


class Store:
    """A store, open for writing by this process alone; a context manager.  :meth:`open` makes it, and :meth:`join` lets
    a worker write the runs that were given to it.

    Args:
        root: Its folder.
        lock: The open file whose lock this process holds.
        path: Where that lies; None for the store's own lock."""

    def __init__(self, root: Path, lock: IO[str], path: Path | None = None):
        """Take over a folder whose lock is held."""
        self.root = root
        self._lock, self._path = lock, root / "lock" if path is None else path
        self.packs = Packs(root)
        self._runs: dict[str, RunFolder] = {}
        self._finished: set[str] | None = None

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
            foreign = {entry.name for entry in root.iterdir()} - {"lock", MARKER + BESIDE}
            if not check_marker(root) and foreign:
                raise StoreError(f"{root} is not a store, and not empty: choose a new or an empty folder")
            lock = opened(root / "lock")
            try:
                take(lock, root)
                if not (root / MARKER).exists():
                    put_json(root / MARKER, {"format": FORMAT})
                for name in ("experiments", "runs", "populations"):
                    (root / name).mkdir(exist_ok=True)
                for left in root.glob(f"experiments/*{BESIDE}"):
                    left.unlink()
                clear_leftovers(root)
            except BaseException:
                lock.close()
                raise
        return cls(root, lock)

    @classmethod
    def join(
        cls, path: str | Path, unit: str, runs: Collection[str], give_up: Callable[[], bool] = lambda: False
    ) -> Store | None:
        """Open a store for writing some runs, for a process that holds its lock.

        Args:
            path: Its folder.
            unit: A name for these runs.
            runs: Their ids; the only ones that may be written.
            give_up: Asked while another process still writes one of them; True ends the waiting.

        Returns:
            The store; None if the waiting was given up.

        Raises:
            StoreError: If there is no store, or it cannot be written.
        """
        root = Path(path)
        if not check_marker(root):
            raise StoreError(f"{root} is not a store: it was moved away, or this machine does not see that folder")
        lock = hold(root, unit, runs, give_up)
        return None if lock is None else cls(root, lock, path_of(root, unit, LOCK))

    def close(self) -> None:
        """Let others write."""
        if self._path.suffix == LOCK and is_lock(self._lock, self._path):
            self._path.unlink(missing_ok=True)
        self._lock.close()

    def __enter__(self) -> Store:
        """Enter a block at whose end the store is closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def manifest(self, manifest: Manifest) -> None:
        """Write, or write anew, what an experiment consists of.

        Args:
            manifest: Its ``created`` stays what it was at first, and ``updated`` becomes the time of this call.

        Raises:
            StoreError: If the disk does not take it, or the identity cannot name a file.
        """
        path = self.root / "experiments" / f"{checked('experiment_id', manifest.experiment_id)}.json"
        now = datetime.datetime.now(datetime.UTC).isoformat()
        created = (read_json(path) or {}).get("created") or now
        with writing(path):
            put_json(path, dataclasses.replace(manifest, created=created, updated=now).to_json())

    def begin(self, run_id: str, spec: Json, provenance: Provenance) -> None:
        """Write what a run is and what it is trained with, before it is trained; again when it goes on.

        Args:
            run_id: Its identity.
            spec: JSON values.
            provenance: The first one stays; what differs in a later one is added to its list ``"resumed"``.

        Raises:
            StoreError: If the run is there with another spec, or the disk does not take it.
        """
        with self._changing(run_id) as run:
            run.begin(spec, provenance)

    def append(
        self, run_id: str, curves: Sequence[Json], readings: Sequence[Json], arrays: Sequence[Json] = ()
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
        with self._changing(run_id) as run:
            run.append({"curves": curves, "readings": readings, "arrays": arrays})

    def secure(self, run_ids: Iterable[str], *, longest: int = TAIL) -> None:
        """Make all rows of runs survive a power cut; tails that have grown long become segments.

        Args:
            run_ids: Their identities.
            longest: Bytes that a tail may have.

        Raises:
            StoreError: If the disk does not take it; nothing is lost then.
        """
        with self._changing_all(run_ids) as runs:
            long = [run for run in runs if run.tail_bytes() > longest]
            _seal(long)
            self._settle(runs)

    def seal(self, run_id: str) -> None:
        """Turn the tail of the run `run_id` into one immutable segment of each kind.

        Raises:
            StoreError: If the disk does not take it; nothing is lost then.
        """
        self.secure([run_id], longest=0)

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
            if not run.path.exists():
                return -1
            self._finished = None if self._finished is None else self._finished - {run_id}
            return run.rewind(step)

    def counts(self, run_id: str) -> dict[str, int]:
        """Rows of each kind that the run `run_id` has, as this process knows them: what it found, and what it added."""
        with self._changing(run_id) as run:
            return dict(run.counts)

    def keep(self, run_id: str, kept: Kept | None) -> None:
        """Keep a run's last weights and state, before it is finished; the old ones are replaced file by file.

        Args:
            run_id: Its identity.
            kept: The state; None removes what was kept.

        Raises:
            StoreError: If the disk does not take it.
        """
        with self._changing(run_id) as run:
            _keep({run: kept})

    def finish(self, run_id: str, outcome: Outcome) -> None:
        """Seal a run and write how it ended; from then on it counts as finished.

        Args:
            run_id: Its identity.
            outcome: The run's segments and numbers of rows are filled in.

        Raises:
            StoreError: If the disk does not take it, or rows have gone that were there.
        """
        with self._changing(run_id) as run:
            self._finish({run: outcome})

    def finish_all(self, ends: Mapping[str, tuple[Outcome, Kept | None]]) -> None:
        """Seal, keep and finish many runs at once, with few syncs.

        Args:
            ends: By run, how it ended and its last state; None removes what was kept.

        Raises:
            StoreError: If the disk does not take it, or rows have gone that were there.
        """
        ids = list(ends)
        for first in range(0, len(ids), AT_ONCE):
            part = ids[first : first + AT_ONCE]
            with self._changing_all(part) as runs:
                _keep({run: ends[run_id][1] for run, run_id in zip(runs, part, strict=True)})
                self._finish({run: ends[run_id][0] for run, run_id in zip(runs, part, strict=True)})

    def _finish(self, outcomes: Mapping[RunFolder, Outcome]) -> None:
        """Seal runs; what they have is safe before anything says that they ended."""
        _seal(list(outcomes))
        self._settle(list(outcomes))
        ended = {run: run.ended(outcome) for run, outcome in outcomes.items()}
        put_all({run.path / "outcome.json": json_bytes(outcome.to_json()) for run, outcome in ended.items()})
        if self._finished is not None:
            self._finished |= {run.path.name for run in ended}

    def _settle(self, runs: Sequence[RunFolder]) -> None:
        """Sync what was written of runs and is not synced yet."""
        settle(set().union(*(run.unsynced for run in runs)))
        for run in runs:
            run.unsynced.clear()

    def finished(self) -> set[str]:
        """Runs that ended and are whole: every segment and every pack is checked byte for byte, once per opening."""
        if self._finished is None:
            folders = run_folders(self.root)
            packed = set(self.packs.run_ids()) - {run.name for run in folders}
            whole = {run.name for run in folders if self._whole(run)}
            self._finished = whole | {run_id for run_id in packed if self._whole_in_pack(run_id)}
        return set(self._finished)

    def finished_of(self, run_ids: Collection[str]) -> set[str]:
        """Those of the runs `run_ids` that ended and are whole, as they are now."""
        paths = [self.root / "runs" / checked("run_id", run_id) for run_id in run_ids]
        return {path.name for path in paths if (self._whole(path) if path.is_dir() else self._whole_in_pack(path.name))}

    def _whole(self, run: Path) -> bool:
        if not is_itself(run.name, read_json(run / "spec.json")):
            raise StoreError(
                f"{run} holds another run than it is named after: anglewise doctor {self.root} --mend gives it "
                "its name back, or move it away"
            )
        return is_whole(run, read_json(run / "outcome.json"))

    def _whole_in_pack(self, run_id: str) -> bool:
        found = self.packs.at(run_id)
        return found is not None and found.pack.is_whole and found.is_itself

    def compact(self, *, least: int = 0) -> Compacted:
        """Move finished runs from their folders to packs, many to a file; a kill at any moment loses nothing.

        Args:
            least: Folders of runs, finished or not, below which nothing is done.

        Returns:
            How many runs moved, and to how many packs.

        Raises:
            StoreError: If the disk does not take it.
        """
        self._still_ours()
        if len(run_folders(self.root)) < least:
            return Compacted(0, 0)
        finished = self.finished()
        with writing(self.root / PACKS):
            done = compact(self.root, self.packs, finished)
        self._runs.clear()
        return done

    def reset(self, run_id: str) -> None:
        """Delete the run `run_id`, if it is there, so that it can be trained from its beginning.

        Raises:
            StoreError: If it cannot be deleted.
        """
        path = self.root / "runs" / checked("run_id", run_id)
        self._still_ours()
        with writing(path):
            self._finished = None if self._finished is None else self._finished - {run_id}
            self._runs.pop(run_id, None)
            if not path.is_symlink():
                (path / "outcome.json").unlink(missing_ok=True)
            delete(path)
            if self.packs.find(run_id) is not None:
                path.mkdir()  # hides what the pack has

    def population_dir(self, population_id: str) -> Path:
        """Folder for the checkpoints of the population `population_id`; it is not made here."""
        return self.root / "populations" / checked("population_id", population_id)

    def populations(self) -> list[Path]:
        """Folders of populations that are there, sorted."""
        return sorted(path for path in (self.root / "populations").iterdir() if NAME.fullmatch(path.name))

    def drop_population(self, population_id: str) -> None:
        """Delete the folder of the population `population_id`, if it is there.

        Raises:
            StoreError: If it cannot be deleted.
        """
        folder = self.population_dir(population_id)
        with writing(folder):
            delete(folder)

    @contextlib.contextmanager
    def _changing(self, run_id: str) -> Iterator[RunFolder]:
        """A run's folder; after a failure in the block, the run is put right when it is next touched."""
        with self._changing_all([run_id]) as (run,):
            yield run

    @contextlib.contextmanager
    def _changing_all(self, run_ids: Iterable[str]) -> Iterator[list[RunFolder]]:
        """Folders of runs; one that is in a pack gets its folder back first."""
        paths = [self.root / "runs" / checked("run_id", run_id) for run_id in run_ids]
        self._still_ours()
        try:
            with writing(paths[0] if len(paths) == 1 else self.root / "runs"):
                yield [self._folder(path) for path in paths]
        except BaseException:
            for path in paths:
                self._runs.pop(path.name, None)
            raise

    def _folder(self, path: Path) -> RunFolder:
        run = self._runs.get(path.name)
        if run is None:
            packed = None if path.is_dir() else self.packs.find(path.name)
            if packed is not None:
                unpack(packed, path)
            run = self._runs[path.name] = RunFolder(path)
        return run

    def _still_ours(self) -> None:
        """Check that the lock is still held and the store still there.

        Raises:
            StoreError: If the file that is locked is no longer the store's.
        """
        if not is_lock(self._lock, self._path):
            raise StoreError(
                f"{self.root} was moved, or its lock was removed, while this process writes to it: what was saved so "
                "far is whole. Put it back and run the same command again"
            )


def _seal(runs: Sequence[RunFolder]) -> None:
    """Turn the tails of runs into segments, with two syncs for all."""
    files = {path: data for run in runs for path, data in run.segments_of_tail().items()}
    if files:
        put_all(files)
    for run in runs:
        run.empty_tail()


def _keep(states: Mapping[RunFolder, Kept | None]) -> None:
    """Write the last weights and states of runs, with two syncs for all."""
    files = {run: {} if kept is None else kept.to_files() for run, kept in states.items()}
    whole = {run.path / name: data for run, own in files.items() for name, data in own.items()}
    if whole:
        put_all(whole)
    for run, own in files.items():
        if not own:
            run.without_kept()
