"""Verdicts that are known without training: of the records, or of the copy that the package brings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from anglewise.files import put
from anglewise.lab.studies.claims.analysis import Verdict, from_json
from anglewise.lab.studies.claims.claim import Scale
from anglewise.lab.studies.claims.claims import CLAIMS
from anglewise.lab.studies.claims.record import read_json

FILE = Path(__file__).with_name("verdicts.json")
"""The package's copy, for those who installed it without the records."""
Verdicts: TypeAlias = Mapping[str, Mapping[Scale, Verdict]]
"""By claim, then by scale."""


def known(records: Path) -> Verdicts:
    """The verdicts of a folder of records where it is there, else the package's copy; claims without one are left out.

    A verdict by another rule than the claim's of today is left out: it needs new runs.
    """
    values = of_records(records) if records.is_dir() else read_json(FILE)
    found: dict[str, dict[Scale, Verdict]] = {}
    for name, claim in CLAIMS.items():
        scales = {scale: from_json(one) for scale, one in values.get(name, {}).items()}
        found[name] = {scale: one for scale, one in scales.items() if one.rule_id == claim.rule_id}
    return found


def of_records(records: Path) -> dict[str, Any]:
    """The verdicts that a folder of records holds, as JSON values.

    Raises:
        AnglewiseError: If one cannot be read.
    """
    folders = sorted(folder for folder in records.iterdir() if (folder / "verdict.json").exists())
    return {folder.name: read_json(folder / "verdict.json") for folder in folders}


def copy(records: Path) -> Path:
    """Write the package's copy from the records."""
    put(FILE, (json.dumps(of_records(records), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode())
    return FILE
