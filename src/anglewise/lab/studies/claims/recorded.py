"""A claim that another record's numbers decide: from its table of scores to rows."""

from __future__ import annotations

import csv
from pathlib import Path

from anglewise.errors import AnglewiseError
from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.record import Record
from anglewise.lab.studies.claims.rows import Value
from anglewise.lab.studies.claims.worlds import LIKELY

ROW = {"horizon": "doubling", "split": "tasks"}
"""Which rows of the scores decide: will the run generalise by twice this step, on held-out tasks?"""


def gather(claim: Claim, records: Path) -> Record:
    """The rows of a claim from the scores of the record that it names.

    Args:
        claim: With a name in `recorded`.
        records: The folder of all records.

    Raises:
        AnglewiseError: If the record is not there, or lacks a column.
    """
    file = records / claim.recorded / "scores.csv"
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise AnglewiseError(f"{claim.id} is decided by {file}, which cannot be read: {error.strerror}") from error
    scores = csv.DictReader(lines)
    lacking = [name for name in ("predictor", *ROW, *claim.values) if name not in (scores.fieldnames or ())]
    if lacking:
        raise AnglewiseError(f"{claim.id} is decided by {file}, which lacks the columns {', '.join(lacking)}")
    values = [
        Value(claim.systems[0], "desk", LIKELY, row["predictor"], 0, name, "", 0, float(row[name]))
        for row in scores
        if all(row[key] == wanted for key, wanted in ROW.items()) and row["predictor"] in claim.arms
        for name in claim.values
    ]
    return Record((), tuple(values), {"command": f"python records/{claim.recorded}/make.py"}, {"desk": (LIKELY,)})
