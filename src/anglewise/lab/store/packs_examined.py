"""The packs of a store, examined: files, runs, weights, and whether outcomes are what the rows say."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from anglewise.errors import StoreError
from anglewise.files import BESIDE
from anglewise.lab.outcome import outcome_under
from anglewise.lab.protocols.arrays import unpack
from anglewise.lab.store.finding import AGAIN, Finding, differences
from anglewise.lab.store.layout import KINDS
from anglewise.lab.store.packs import FILES, KEPT, RUNS, Pack, PackedRun, Packs
from anglewise.lab.store.reader import columns_of_curves


def examined_packs(root: Path) -> Iterator[Finding]:
    """Everything that is wrong with the packs of the store in `root`."""
    packs = Packs(root)
    known = {pack.path for pack in packs.all()}
    for path in sorted(packs.folder.glob("*")):
        if path not in known and path.suffix != BESIDE:
            yield Finding(path, "is no pack, and is not read", "yours to move away")
    for pack in packs.all():
        yield from _pack(packs, pack)


def _pack(packs: Packs, pack: Pack) -> Iterator[Finding]:
    if pack.index is None:
        advice = "removed; run the experiment again, which trains its runs anew"
        yield Finding(pack.path / RUNS, "is damaged or missing", advice, partial(shutil.rmtree, pack.path))
        return
    spoiled = [path for kind in KINDS if (path := pack.spoiled(kind)) is not None]
    for path in spoiled:
        yield Finding(
            path, f"is damaged or missing: rows of {len(pack.run_ids)} runs", f"{AGAIN}, and the others of it"
        )
    for place in range(len(pack.run_ids)):
        run = PackedRun(packs, pack, place)
        if not run.is_itself:
            yield Finding(pack.path, f"names a run {run.run_id}, which is another", AGAIN)
            continue
        for file in FILES.values():
            data = run.file(file)
            try:
                unpack(b"" if data is None else data)
            except ValueError:
                if data is not None:
                    yield Finding(
                        pack.path / KEPT,
                        f"{file} of the run {run.run_id} is damaged",
                        "a longer budget trains that run from its beginning",
                    )
        if not spoiled:
            yield from _outcome(run)


def _outcome(run: PackedRun) -> Iterator[Finding]:
    """Whether a run's outcome is what its rows say."""
    outcome = run.outcome
    if outcome is None or outcome.rule is None:
        return
    try:
        ending = outcome_under(outcome.rule, columns_of_curves(run.rows("curves")))
    except StoreError as error:
        yield Finding(run.path, str(error), AGAIN)
        return
    differ = ["its rows do not reach its end"] if ending is None else differences(outcome, ending)
    if differ:
        yield Finding(run.path, f"run {run.run_id}: {'; '.join(differ)}", AGAIN)
