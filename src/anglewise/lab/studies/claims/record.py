"""A claim's record: its rows, its rule, its provenance and its verdict, in one folder.

==================  ==================================================
file                holds
==================  ==================================================
``runs.parquet``    one row a run
``values.parquet``  one row a number that was read; only where the rule reads
``rule.json``       the claim as data, with the hash of its rule
``provenance.json`` code, libraries, machine and command of the runs
``verdict.json``    the verdict at every scale, computed from the rows
``README.md``       the page, and its pictures beside it
==================  ==================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from anglewise.errors import AnglewiseError
from anglewise.files import put
from anglewise.lab.studies.claims import rows
from anglewise.lab.studies.claims.analysis import Verdict, to_json, verdict
from anglewise.lab.studies.claims.claim import Claim, Scale
from anglewise.lab.studies.claims.rows import Ran, Value


class Record(NamedTuple):
    """What a record holds.

    Attributes:
        runs: Rows of all scales.
        values: What was read.
        provenance: Of the runs.
        worlds: Names of the worlds that were trained, by scale.
    """

    runs: tuple[Ran, ...]
    values: tuple[Value, ...]
    provenance: Mapping[str, Any]
    worlds: Mapping[Scale, tuple[str, ...]]

    def verdict(self, claim: Claim, scale: Scale) -> Verdict:
        """The verdict, computed from the rows."""
        return verdict(claim, scale, self.runs, self.values, self.worlds[scale])


def write(folder: Path, claim: Claim, record: Record) -> None:
    """Write rows, rule, provenance and verdicts.

    Raises:
        AnglewiseError: If there are no rows.
        OSError: If the disk does not take it.
    """
    tables: dict[str, Sequence[Ran] | Sequence[Value]] = {
        "runs.parquet": record.runs,
        "values.parquet": record.values,
    }
    if not any(tables.values()):
        raise AnglewiseError(f"the record of {claim.id} would hold no rows: train the claim's runs first")
    folder.mkdir(parents=True, exist_ok=True)
    for name, found in tables.items():
        if found:
            rows.write(folder / name, found)
        else:
            (folder / name).unlink(missing_ok=True)
    _json(folder / "rule.json", claim.spec | {"rule_id": claim.rule_id})
    _json(
        folder / "provenance.json", dict(record.provenance) | {"worlds": {k: list(v) for k, v in record.worlds.items()}}
    )
    _json(folder / "verdict.json", {scale: to_json(record.verdict(claim, scale)) for scale in record.worlds})


def read(folder: Path) -> Record:
    """A record: the inverse of :func:`write`, verdicts aside.

    Raises:
        AnglewiseError: If a file is missing or damaged.
    """
    provenance = read_json(folder / "provenance.json")
    if "worlds" not in provenance:
        raise AnglewiseError(f"{folder / 'provenance.json'} lacks the worlds that were trained; write the record again")
    values = folder / "values.parquet"
    runs = folder / "runs.parquet"
    return Record(
        tuple(rows.read_runs(runs)) if runs.exists() or not values.exists() else (),
        tuple(rows.read_values(values)) if values.exists() else (),
        {name: value for name, value in provenance.items() if name != "worlds"},
        {scale: tuple(names) for scale, names in provenance["worlds"].items()},
    )


def exists(folder: Path) -> bool:
    """Whether there is a record."""
    return (folder / "verdict.json").exists()


def _json(path: Path, values: Any) -> None:
    put(path, (json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """What a file of a record holds.

    Raises:
        AnglewiseError: If it cannot be read as JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AnglewiseError(f"{path} cannot be read: {error}; write the record again") from error


def merged(parts: Sequence[Record]) -> Record:
    """Several records of one claim as one; of a row that is there twice the first counts."""
    runs = {run[:5]: run for part in reversed(parts) for run in part.runs}
    values = {value[:8]: value for part in reversed(parts) for value in part.values}
    worlds: dict[Scale, tuple[str, ...]] = {}
    for part in parts:
        for scale, names in part.worlds.items():
            worlds[scale] = tuple(dict.fromkeys((*worlds.get(scale, ()), *names)))
    return Record(tuple(runs.values()), tuple(values.values()), parts[0].provenance, worlds)
