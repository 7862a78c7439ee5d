"""Render the pages that state results from the rows of the records: ``python -m records.render`` in the root.

A page is a Jinja template beside its rows.  Numbers and comparing words stand in expressions, which call the functions
of :mod:`records.rows`; what a template states without rows (seeds, budgets, published numbers) is declared in the
``record.toml`` beside it.  The tests render every page again, and refuse a number that is typed in.

========================================  ======================================
template                                  page
========================================  ======================================
``records/NAME/README.template.md``       ``records/NAME/README.md``
``records/NAME/docs.PAGE.template.md``    ``docs/PAGE.md``; a dot in PAGE is a folder
``records/NAME/part-PART.template.md``    the part of ``README.md`` or of a page in ``docs/`` that names it
========================================  ======================================
"""

from __future__ import annotations

import csv
import functools
import io
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from anglewise.lab.report.format import number
from anglewise.lab.report.labels import spoken
from anglewise.lab.report.runs import collected, read_runs
from anglewise.lab.studies.claims.paper.show import section
from anglewise.lab.studies.claims.paper.tables import NOTE, tables
from anglewise.lab.studies.claims.words import VERDICTS
from anglewise.lab.studies.leaderboard.published import PUBLISHED, PublishedTime
from records.figures import draw_figures
from records.hero import hero, read
from records.reproductions import Reproductions
from records.rows import Rows, by_word, fitted, joined
from records.seeds import contrasts, unsure
from records.values import Values
from records.verdicts import overview, write_pages

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "records"
PICTURES = ROOT / "docs" / "pictures"
END = "<!-- end of results -->\n"


class Record:
    """A record's folder: its declarations, and its rows by the name that ``record.toml`` gives them."""

    def __init__(self, name: str):
        self.folder = RECORDS / name
        self.declared: dict[str, Any] = tomllib.loads((self.folder / "record.toml").read_text(encoding="utf-8"))
        for key, given in self.declared.get("rows", {}).items():
            setattr(self, key, self._rows(**given))
        if "reproductions" in self.declared:
            text = (self.folder / self.declared["reproductions"]["file"]).read_text(encoding="utf-8")
            self.ours = Reproductions.read(text, self.declared["untraced"])
        for key, file in self.declared.get("tables", {}).items():
            setattr(self, key, list(csv.DictReader(io.StringIO((self.folder / file).read_text(encoding="utf-8")))))
        for key, file in self.declared.get("values", {}).items():
            setattr(self, key, Values.read((self.folder / file).read_text(encoding="utf-8")))

    def _rows(
        self, file: str | list[str], samples: float = float("nan"), arms: Sequence[str] = (), **rule: Any
    ) -> Rows:
        files = [file] if isinstance(file, str) else file
        finished = {
            (run.arm, run.seed): run
            for name in reversed(files)  # of a run that stands in several files, the row of the first counts
            for run in read_runs((self.folder / name).read_text(encoding="utf-8"))
            if not arms or run.arm in arms
        }
        if isinstance(rule.get("planned"), int):
            rule["planned"] = {arm: rule["planned"] for arm, _ in finished}
        kept = {key: self.declared.get(key, {}) for key in ("names", "notes")}
        with_penalty = self.declared.get("with_penalty", {}).get("arms", ())
        return Rows(collected(finished.values(), **rule), **kept, with_penalty=with_penalty, samples=samples)


@functools.cache
def record(name: str) -> Record:
    """The record of a name."""
    return Record(name)


@functools.cache
def _tuned(track: str, arm: str) -> dict[str, Any]:
    path = ROOT / "src/anglewise/lab/studies/leaderboard/tuned" / track / f"{arm}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def winner(track: str, arm: str) -> dict[str, Any]:
    """How an entry of a leaderboard was searched, from its winner's file."""
    return _tuned(track, arm)["search"]


def penalty_of(track: str, arm: str) -> str:
    """Strength and target of the radial penalty in a winner's file."""
    (own,) = [method for method in _tuned(track, arm)["arms"][arm]["methods"] if method["is"] == "radial"]
    return f"strength {number(own['strength'], 2)} and target {number(own['target'], 2)}"


def published(track: str, arm: str) -> PublishedTime:
    """What others reported on a track."""
    return next(one for one in PUBLISHED[track] if one.arm == arm)


def paper_sections() -> dict[str, str]:
    """The paper's tables beside ours, as sections in Markdown by their ids, and under ``about`` what they mean."""
    found = {table.title.partition(".")[0]: section(table) for table in tables(RECORDS / "claims")}
    return found | {"about": NOTE}


class Page(NamedTuple):
    """A template, and what it makes: a file, or the part of a file between two marks."""

    template: Path
    target: Path
    part: str = ""

    @property
    def begin(self) -> str:
        """The line that a part follows."""
        return f"<!-- results: {self.part}, rendered by records/render.py -->\n"


def pages(root: Path = ROOT) -> list[Page]:
    """Every page there is, found by the names of its template.

    Args:
        root: The folder of ``README.md`` and ``docs``.

    Raises:
        ValueError: If no file has the place of a part, or several have.
    """
    whole = [Page(path, path.parent / "README.md") for path in sorted(RECORDS.glob("*/README.template.md"))]
    docs = sorted([*RECORDS.glob("*/docs.*"), *RECORDS.glob("claims/*/docs.*")])
    whole += [Page(path, root / f"{_name(path).replace('.', '/')}.md") for path in docs]
    return whole + [_part(path, root) for path in sorted(RECORDS.glob("*/part-*"))]


def _part(template: Path, root: Path) -> Page:
    page = Page(template, template, _name(template).removeprefix("part-"))
    files = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    places = [file for file in files if page.begin in file.read_text(encoding="utf-8")]
    if len(places) != 1:
        raise ValueError(f"expected the line {page.begin.strip()!r} in one file, got it in {len(places)}")
    return page._replace(target=places[0])


def _name(template: Path) -> str:
    return template.name.removesuffix(".template.md")


def environment() -> Environment:
    """What templates are read with: an unknown name is an error."""
    made = Environment(
        loader=FileSystemLoader(RECORDS), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    made.globals.update(
        record=record, winner=winner, penalty_of=penalty_of, published=published, joined=joined, number=number,
        by_word=by_word, overview=overview, meanings=VERDICTS, paper=paper_sections, fitted=fitted, spoken=spoken,
        unsure=unsure,
    )  # fmt: skip
    return made


def rendered(page: Page) -> str:
    """A page's text; for a part, the whole file with the part replaced.

    Raises:
        ValueError: If a part does not end.
    """
    own = record(str(page.template.parent.relative_to(RECORDS)))
    text = environment().get_template(str(page.template.relative_to(RECORDS))).render(own=own, **vars(own))
    if not page.part:
        return text
    before, rest = page.target.read_text(encoding="utf-8").split(page.begin)
    if END not in rest:
        raise ValueError(f"expected a line {END.strip()!r} after the part {page.part!r} in {page.target.name}")
    return before + page.begin + text + END + rest.split(END, 1)[1]


def main(arguments: Sequence[str] = ()) -> int:
    """Write all pages, or those whose template's folder is named, and the README's pictures; says which changed."""
    if not arguments or "claims" in arguments:
        for path in write_pages():
            print(f"written: {path.relative_to(ROOT)}")
    for page in pages():
        if not arguments or page.template.parent.name in arguments:
            _write(page.target, rendered(page))
    for name, text in pictures().items():
        _write(PICTURES / name, text)
    for path in draw_figures(RECORDS, record, arguments):
        print(f"drawn: {path.relative_to(ROOT)}")
    return 0


def pictures() -> dict[str, str]:
    """The pictures of the README, by the names of their files."""
    return {
        "hero.svg": hero(record("plateau").runs, read("curves.csv"), read("circles.csv")),
        "contrasts.svg": contrasts(record("quickstart").runs),
    }


def _write(path: Path, text: str) -> None:
    changed = not path.exists() or path.read_text(encoding="utf-8") != text
    if changed:
        path.write_text(text, encoding="utf-8")
    print(f"{'written' if changed else 'as it was'}: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
