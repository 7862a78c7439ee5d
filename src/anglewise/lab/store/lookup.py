"""Where each run of a store lies: in a folder of its own, or in a pack; both are read the same way."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from anglewise.errors import StoreError
from anglewise.lab.outcome import Outcome
from anglewise.lab.spec import Json, canonical
from anglewise.lab.store.layout import KINDS, NAME, VERSION, gap, is_itself, read_json
from anglewise.lab.store.packs import PackedRun, Packs
from anglewise.lab.store.rows import contents, damaged, read, to_table

if TYPE_CHECKING:
    import pyarrow as pa


class FolderRun:
    """A run in a folder of its own, which may not be there; of its JSON files, each is read once.

    Args:
        root: Folder of the store.
        run_id: Identity of the run.
    """

    def __init__(self, root: Path, run_id: str):
        """Read nothing yet."""
        self.root, self.run_id, self.path = root, run_id, root / "runs" / run_id

    @cached_property
    def spec(self) -> Json:
        """Its specification; empty if it was never begun."""
        return read_json(self.path / "spec.json") or {}

    @property
    def spec_text(self) -> str:
        """Its specification as canonical JSON; empty if it was never begun."""
        return canonical(self.spec) if self.spec else ""

    @property
    def is_itself(self) -> bool:
        """Whether its identity is the hash of its specification."""
        return is_itself(self.run_id, self.spec_text)

    @cached_property
    def provenance(self) -> Json:
        """What it was trained with; empty if it was never begun."""
        return read_json(self.path / "provenance.json") or {}

    @cached_property
    def outcome_values(self) -> Json:
        """How it ended, as JSON values; empty if it has not, or was never begun."""
        return read_json(self.path / "outcome.json") or {}

    @cached_property
    def outcome(self) -> Outcome | None:
        """The same; None if it has not, or was never begun."""
        return Outcome.from_json(self.outcome_values)

    @property
    def begun(self) -> bool:
        """Whether there may be rows."""
        return (self.path / VERSION).exists()

    @property
    def last(self) -> int | None:
        """Its last recorded step; None where nothing was recorded."""
        sealed, tail = contents(self.path)
        steps = [segment.last for kind in KINDS for segment in sealed[kind]]
        return max([*steps, *(line[0] for kind in KINDS for line in tail[kind])], default=None)

    def rows(self, kind: str) -> pa.Table:
        """All its rows of a kind; of a run that ended, those that it ended with, and nothing else.

        Raises:
            StoreError: If a segment is damaged or missing, or the run is another than it is named after.
        """
        import pyarrow as pa

        if not self.is_itself:
            raise StoreError(f"{self.path} holds another run than it is named after: see anglewise doctor {self.root}")
        outcome = self.outcome
        by_kind, tail = contents(self.path)
        sealed, unsealed = by_kind[kind], tail[kind]
        if outcome is not None:
            names = {name for name in outcome.segments or () if name.startswith(kind)}
            lost = names - {segment.path.name for segment in sealed}
            if lost:
                raise StoreError(damaged(self.path / VERSION / min(lost)))
            sealed, unsealed = [segment for segment in sealed if segment.path.name in names], []
        hole = gap(sealed)
        if hole is not None:
            raise StoreError(damaged(self.path / f"{kind} from step {hole} on"))
        whole = pa.concat_tables([*map(read, sealed), to_table(kind, unsealed)])
        expected = ((outcome and outcome.rows) or {}).get(kind, len(whole))
        if len(whole) != expected:
            raise StoreError(
                f"{self.path} has {len(whole)} rows of {kind}, expected {expected}: run the experiment again"
            )
        return whole

    def file(self, name: str) -> bytes | None:
        """The bytes of one of its files of weights and state; None where it is not there."""
        try:
            return (self.path / name).read_bytes()
        except OSError:
            return None


StoredRun: TypeAlias = FolderRun | PackedRun


class Lookup:
    """A store's runs as they lie at one moment.

    A writer may move a run from its folder to a pack or back meanwhile.  Whoever has read asks :meth:`holds`, and reads
    again from a new look-up where it does not.

    Args:
        root: Folder of the store.
        packs: Its packs.
        few: Whether few runs are asked for, so that their folders are looked for one by one.
    """

    def __init__(self, root: Path, packs: Packs, *, few: bool = False):
        """List what is there."""
        self.root, self.packs = root, packs
        packs.all()
        self._names = packs.names()
        self._folders = None if few else _folders(root)
        self._runs: dict[str, StoredRun] = {}

    def run(self, run_id: str) -> StoredRun:
        """A run, wherever it lies; in a folder that is not there if nowhere."""
        if run_id not in self._runs:
            folders = self._folders
            there = (self.root / "runs" / run_id).is_dir() if folders is None else run_id in folders
            packed = None if there else self.packs.at(run_id)
            self._runs[run_id] = packed or FolderRun(self.root, run_id)
        return self._runs[run_id]

    def again(self, run_id: str) -> StoredRun:
        """The same run, of whose folder what was read is forgotten."""
        self._runs.pop(run_id, None)
        return self.run(run_id)

    def run_ids(self) -> list[str]:
        """All runs of the store, in order."""
        folders = _folders(self.root) if self._folders is None else self._folders
        return sorted({*folders, *self.packs.run_ids()})

    def holds(self) -> bool:
        """Whether every run that was asked for still lies where it lay, and no pack came or went."""
        if self.packs.names() != self._names:
            return False
        read = [run for run in self._runs.values() if isinstance(run, FolderRun)]
        if self._folders is None:
            return all(run.path.is_dir() or self.packs.at(run.run_id) is None for run in read)
        now = _folders(self.root)
        return all(run.run_id in now or run.run_id not in self._folders for run in read)


def _folders(root: Path) -> set[str]:
    """Names of the folders of runs."""
    try:
        with os.scandir(root / "runs") as entries:
            return {entry.name for entry in entries if NAME.fullmatch(entry.name) and entry.is_dir()}
    except FileNotFoundError:
        return set()
