"""A store, examined: everything in it that is not as it was written, and what can be put right without training.

Nothing is taken on trust.  Checksums are computed anew, ids are compared with the specifications that they are hashes
of, rows are counted, and outcomes are computed again from the curves.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from anglewise.errors import StoreError
from anglewise.files import BESIDE
from anglewise.lab.outcome import Outcome, outcome_under
from anglewise.lab.protocols.arrays import unpack
from anglewise.lab.spec import Manifest, content_hash
from anglewise.lab.store.finding import AGAIN, Finding, differences
from anglewise.lab.store.kept import kept_of
from anglewise.lab.store.layout import (
    FORMAT,
    KINDS,
    MARKER,
    NAME,
    STATE,
    WEIGHTS,
    gap,
    is_itself,
    put_json,
    read_bytes,
    read_json,
    run_folders,
    segments,
)
from anglewise.lab.store.packs import Packs
from anglewise.lab.store.packs_examined import examined_packs
from anglewise.lab.store.reader import Reader
from anglewise.lab.store.rows import counted, from_tail


def examine(root: Path) -> list[Finding]:
    """Everything that is wrong with a store, in the order in which it is mended.

    Args:
        root: Its folder; nobody may be writing to it.

    Raises:
        StoreError: If it is no folder with the shape of a store.
    """
    marker = root / MARKER
    if not (root / "runs").is_dir() or not (root / "experiments").is_dir():
        raise StoreError(f"{root} has no folders runs and experiments: it is not a store")
    findings = []
    if (read_json(marker) or {}).get("format") != FORMAT:
        text = "the marker of the store is damaged or missing"
        findings.append(Finding(marker, text, "written anew", lambda: put_json(marker, {"format": FORMAT})))
    if (root / "lock").is_symlink():
        findings.append(
            Finding(root / "lock", "is a symbolic link, expected a file", "removed", (root / "lock").unlink)
        )
    left = {path for path in root.rglob(f"*{BESIDE}") if not any(up.suffix == BESIDE for up in path.parents)}
    for path in sorted(left):
        findings.append(Finding(path, "was left behind by an interrupted write", "removed", partial(_remove, path)))
    findings += _manifests(root)
    findings += _strangers(root)
    swapped = list(_misnamed(root))
    findings += swapped
    wrong = {finding.path for finding in swapped}
    for run in run_folders(root):
        if run not in wrong:
            findings += _run(root, run)
    findings += examined_packs(root)
    for folder in sorted((root / "populations").glob("*")):
        findings += _file(folder / STATE, "checkpoint")
    return findings


def _manifests(root: Path) -> Iterator[Finding]:
    for path in sorted((root / "experiments").iterdir()):
        if path.suffix == BESIDE:
            continue
        if path.suffix != ".json" or not NAME.fullmatch(path.stem):
            yield Finding(path, "is no manifest, and is not read", "yours to move away")
        elif (values := read_json(path)) is None:
            yield Finding(path, "is damaged", "run the experiment again, which writes it anew, or delete it")
        elif Manifest.from_json(values) is None:
            yield Finding(path, "is no manifest, and is not read", "yours to move away")


def _strangers(root: Path) -> Iterator[Finding]:
    for path in sorted((root / "runs").iterdir()):
        if path.suffix != BESIDE and (not NAME.fullmatch(path.name) or not path.is_dir()):
            yield Finding(path, "is no run, and is not read", "yours to move away")


def _misnamed(root: Path) -> Iterator[Finding]:
    """Runs in folders of other names: given their own, where that is free or its owner moves away too."""
    away: dict[Path, Path] = {}
    for run in run_folders(root):
        spec = read_json(run / "spec.json")
        if spec and not is_itself(run.name, spec):
            away[run] = root / "runs" / content_hash(spec)
    pending = dict(away)

    def move() -> None:
        """All at once, through names that nobody has."""
        if not pending:
            return
        free = {old: new for old, new in pending.items() if not new.exists() or new in pending}
        pending.clear()
        for old in free:
            os.rename(old, old.with_name(f"moving-{old.name}"))
        for old, new in free.items():
            os.rename(old.with_name(f"moving-{old.name}"), new)

    for run, name in away.items():
        text = f"holds the run {name.name}"
        if name.exists() and name not in away:
            yield Finding(run, f"{text}, of which {name} is there too: a copy", "yours to delete")
        else:
            yield Finding(run, text, f"renamed to {name.name}", move)


def _run(root: Path, run: Path) -> Iterator[Finding]:
    spec_file, outcome_file = run / "spec.json", run / "outcome.json"
    if not spec_file.exists() and not any(run.iterdir()):
        return
    if read_json(spec_file) is None:
        yield Finding(spec_file, "is damaged or missing", f"move {run.name} away, then {AGAIN}")
        return
    if (run / "provenance.json").exists() and read_json(run / "provenance.json") is None:
        yield Finding(run / "provenance.json", "is damaged", f"what the run was trained with is lost; or {AGAIN}")
    broken = False
    for kind, parts in segments(run).items():
        for segment in parts:
            if segment.data() is None:
                broken = True
                yield Finding(segment.path, "is damaged", AGAIN)
        if (hole := gap(parts)) is not None:
            broken = True
            yield Finding(run, f"has no {kind} from step {hole} on, but later ones", AGAIN)
    tail = read_bytes(run / "tail.jsonl") or b""
    if from_tail(tail)[1] < len(tail):
        yield Finding(run / "tail.jsonl", "ends in a torn line", "cut when the run goes on; its rows are made again")
    for name in (WEIGHTS, STATE):
        yield from _file(run / name, "file of weights" if name == WEIGHTS else "kept state")
    if outcome_file.exists() and not broken:
        yield from _ended(root, run)


def _ended(root: Path, run: Path) -> Iterator[Finding]:
    """Whether a run's outcome is what its rows say."""
    path = run / "outcome.json"
    values = read_json(path)
    outcome = None if values is None else Outcome.from_json(values)
    if values is None or outcome is None:
        known = kept_of(read_bytes(run / WEIGHTS), read_bytes(run / STATE)) is not None
        advice = "run the experiment again, which works it out from the rows" if known else AGAIN
        yield Finding(path, "is damaged", advice)
        return
    names = {segment.path.name for kind in segments(run).values() for segment in kind}
    lost = sorted(set(outcome.segments or ()) - names)
    if lost:
        yield Finding(run / "v1" / lost[0], "is missing", AGAIN)
        return
    rows = counted(run)
    if outcome.rows is not None and outcome.rows != rows:
        differ = [f"{rows[kind]} of {kind}, expected {outcome.rows[kind]}" for kind in KINDS]
        yield Finding(run, f"has rows {'; '.join(differ)}", AGAIN)
        return
    if outcome.rule is None:
        return
    ending = outcome_under(outcome.rule, Reader.unchecked(root).curves(run.name))
    if ending is None:
        yield Finding(path, "says that the run ended, and its rows do not reach that", AGAIN)
        return
    if differ := differences(outcome, ending):
        mended = {**values, **vars(ending)}
        yield Finding(path, "; ".join(differ), "worked out from the rows", lambda: put_json(path, mended))


def _remove(path: Path) -> None:
    """Delete a file, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _file(path: Path, what: str) -> Iterator[Finding]:
    data = read_bytes(path)
    if data is None:
        return
    try:
        unpack(data)
    except ValueError:
        yield Finding(path, f"this {what} is damaged", "removed; what it was for is trained again", path.unlink)


def report(root: Path, findings: list[Finding], *, mended: bool) -> dict[str, Any]:
    """The findings as JSON values."""
    return {
        "store": str(root),
        "runs": len({*(path.name for path in run_folders(root)), *Packs(root).run_ids()}),
        "findings": [
            {"path": str(f.path), "text": f.text, "advice": f.advice, "mended": mended and f.mend is not None}
            for f in findings
        ],
    }
