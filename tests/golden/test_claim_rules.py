"""The rule of every claim, and what it has trained, as text: neither may change after the runs that it judges.

A line is: the claim, the hash of its rule, a scale, and a digest of the runs of all its systems and worlds there.  A
changed rule is a new claim with a new id, and the old one stays.  Add lines for new claims with
``python tests/golden/test_claim_rules.py``, before their runs are trained.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from anglewise.lab.studies.claims.claims import CLAIMS
from anglewise.lab.studies.claims.plan import parts

FILE = Path(__file__).with_name("claim_rules.txt")


def listed():
    for claim in CLAIMS.values():
        for scale in claim.scales:
            if claim.systems == ("text",):  # its runs need a file that the user brings
                yield f"{claim.id} {claim.rule_id} {scale}"
                continue
            wanted = "grid" if claim.grid_seeds else None
            ids = [run.run_id for part in parts(claim, scale, wanted) for run in part.experiment.runs()]
            yield f"{claim.id} {claim.rule_id} {scale} {hashlib.sha256(' '.join(ids).encode()).hexdigest()[:12]}"


def test_every_claim_has_the_rule_and_the_runs_that_it_had():
    assert list(listed()) == FILE.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    FILE.write_text("".join(f"{line}\n" for line in listed()), encoding="utf-8")
