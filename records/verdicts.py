"""Verdicts of the claims for the templates: counts in a sentence, and tables with a link to each claim's record."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from anglewise.lab.report.format import Estimate, number
from anglewise.lab.report.table import Cell, Column, Table, markdown
from anglewise.lab.studies.claims import page, record
from anglewise.lab.studies.claims.claim import Claim, Scale
from anglewise.lab.studies.claims.claims import CLAIMS
from anglewise.lab.studies.claims.parts import telling
from anglewise.lab.studies.claims.show import counts, word_at
from anglewise.lab.studies.claims.verdicts import Verdicts, copy, known
from anglewise.lab.studies.claims.words import VERDICTS

CLAIM_RECORDS = Path(__file__).parent / "claims"
SCALES: tuple[Scale, ...] = ("desk", "paper")


class Overview:
    """What is known of all claims.

    Args:
        verdicts: By claim and scale.
    """

    def __init__(self, verdicts: Verdicts):
        self.verdicts = verdicts

    def counts(self, letters: str = "C", scale: Scale = "desk") -> str:
        """How many claims have which verdict, in one sentence; claims begin with one of the letters.

        Example:
            >>> Overview({}).counts("K")
            'None of 4 claims is decided yet'
        """
        ids = [name for name in CLAIMS if name[0] in letters]
        found = Counter(self.verdicts[name][scale].word for name in ids if scale in self.verdicts.get(name, {}))
        parts = [_is_are(found[word], word) for word in VERDICTS if found[word]]
        if left := len(ids) - found.total():
            parts.append(_is_are(left, "not decided yet"))
        if left == len(ids):
            return f"None of {len(ids)} claims is decided yet"
        *others, last = parts
        return f"Of {len(ids)} claims, " + (f"{', '.join(others)} and {last}" if others else last)

    def table(self, letters: str, to_records: str) -> str:
        """Claims in Markdown.

        Args:
            letters: First letters of their ids.
            to_records: Folder of the claims' records, as a link from the page.
        """
        rows = [self._row(claim, to_records) for name, claim in CLAIMS.items() if name[0] in letters]
        heads = ["claim", Column("what is claimed", True), Column("the paper's number", True),
                 Column("our number [95 %]", True), Column("what it counts", True), "n",
                 Column("desk scale", True), Column("paper scale", True)]  # fmt: skip
        return markdown(Table(heads, rows))

    def _row(self, claim: Claim, to_records: str) -> list[Cell]:
        scales = self.verdicts.get(claim.id, {})
        leaf = next((telling(claim, scales[scale]) for scale in SCALES if scale in scales), None)
        link = f"[{claim.id}]({to_records}/{claim.id}/README.md)" if scales else claim.id
        numbers: list[Cell] = ["", "", ""]
        if leaf is not None:
            numbers = [
                str(Estimate(leaf.decision.estimate, mark=leaf.decision.bound)),
                counts(leaf),
                number(leaf.decision.n),
            ]
        words = [word_at(claim, scales.get(scale), scale, parts=True) for scale in SCALES]
        return [link, claim.title, claim.paper, *numbers, *words]


def _is_are(count: int, word: str) -> str:
    if word == "depends":
        return f"{count} depend{'s' * (count == 1)} on the reading or the task"
    return f"{count} {'is' if count == 1 else 'are'} {word}"


def write_pages() -> Iterator[Path]:
    """Write the page and the pictures of every claim's record again, and the package's copy of the verdicts."""
    for folder in sorted(CLAIM_RECORDS.iterdir()):
        if folder.name in CLAIMS and record.exists(folder):
            yield page.write(folder, CLAIMS[folder.name], record.read(folder))
    yield copy(CLAIM_RECORDS)


@functools.cache
def overview() -> Overview:
    """Of the records of this repository."""
    return Overview(known(CLAIM_RECORDS))
