"""Verbs that decide the paper's claims: ``claims``, ``verify``, ``multiverse`` and ``paper``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from anglewise.cli.flags import AddVerb, add_jobs, add_json, add_large, check_ending, place_of
from anglewise.cli.output import print_json
from anglewise.cli.training import provenance

if TYPE_CHECKING:
    from anglewise.lab.studies.claims.claim import Claim, Scale
    from anglewise.lab.studies.claims.record import Record

RECORDS = Path("records") / "claims"
RULES = "A claim's rule was fixed before its runs. anglewise verify trains what is missing, and decides again."


def add(verb: AddVerb) -> None:
    """Add the verbs."""
    every = verb("claims", claims, "what the paper claims, and the verdict on each claim", epilog=RULES)
    one = verb("verify", verify, "train what a claim lacks, and decide it", epilog=RULES)
    many = verb("multiverse", multiverse, "decide a claim in every reading of what the paper leaves open", epilog=RULES)
    tables = verb("paper", paper, "the paper's tables, theirs beside ours, cell by cell")
    for parser in (one, many):
        parser.add_argument("claim", metavar="CLAIM", help="such as C02: see anglewise claims")
        parser.add_argument("--scale", choices=("desk", "paper"), default="desk", help="size (default: desk)")
        parser.add_argument("--out", metavar="DIR", type=Path, help="folder of the stores (default: runs/claims)")
        parser.add_argument("--no-train", action="store_true", help="train nothing, decide by what the stores have")
        parser.add_argument("--recorded", action="store_true", help="train nothing, decide by the rows of the record")
        parser.add_argument("--quiet", action="store_true", help="no progress, only the verdict")
        parser.add_argument("--save", metavar="DIR", type=Path, help="write rows, verdict and page into DIR/CLAIM")
        add_jobs(parser)
        add_large(parser)
    one.add_argument("--world", metavar="NAME", help="a reading of the paper, such as batch=full (default: likely)")
    many.add_argument("--to", metavar="FILE", type=Path, help="a .svg, .pdf, .png, .csv or .md")
    tables.add_argument("--to", metavar="FILE", type=Path, help="a .md, .csv or .html")
    for parser in (every, one, many, tables):
        folder = f"folder of the records (default: {RECORDS})"
        parser.add_argument("--records", metavar="DIR", type=Path, default=RECORDS, help=folder)
        add_json(parser)


def claims(arguments: argparse.Namespace) -> None:
    """Print every claim with its verdicts."""
    from anglewise.lab.report.table import printed
    from anglewise.lab.studies.claims import show
    from anglewise.lab.studies.claims.verdicts import known

    verdicts = known(arguments.records)
    if arguments.json:
        print_json("claims", claims=show.facts(verdicts))
    else:
        print(printed(show.claims_table(verdicts)))


def verify(arguments: argparse.Namespace) -> None:
    """Decide one claim in one world."""
    from anglewise.lab.studies.claims import show
    from anglewise.lab.studies.claims.claims import claim_of

    claim = claim_of(arguments.claim)
    record = _record(arguments, claim, arguments.world)
    if arguments.json:
        print_json("verify", **show.verdict_facts(claim, record, arguments.scale))
    else:
        print(show.told(claim, record, arguments.scale))


def multiverse(arguments: argparse.Namespace) -> None:
    """Decide one claim in all worlds of its grid."""
    from anglewise.lab.studies.claims import show
    from anglewise.lab.studies.claims.claims import claim_of

    check_ending(arguments.to, show.ENDINGS)
    claim = claim_of(arguments.claim)
    record = _record(arguments, claim, "grid")
    text = "" if arguments.json else show.multiverse(claim, record, arguments.scale)
    path = None
    if arguments.to is not None:
        path = show.write(claim, record, arguments.scale, arguments.to).resolve()
    if arguments.json:
        facts = show.multiverse_facts(claim, record, arguments.scale)
        print_json("multiverse", claim=claim.id, scale=arguments.scale, systems=facts, written=path)
    else:
        print("\n".join([text, *([] if path is None else [f"multiverse: {path}"])]))


def paper(arguments: argparse.Namespace) -> None:
    """Print the paper's tables beside ours."""
    from anglewise.lab.studies.claims.paper import show
    from anglewise.lab.studies.claims.paper.tables import HEAD

    check_ending(arguments.to, show.ENDINGS)
    path = None if arguments.to is None else show.write(arguments.records, arguments.to).resolve()
    if arguments.json:
        print_json("paper", head=HEAD, tables=show.to_json(show.known(arguments.records)), written=path)
        return
    print(show.terminal(arguments.records))
    if path is not None:
        print(f"paper: {path}")


def _record(arguments: argparse.Namespace, claim: Claim, world: str | None) -> Record:
    """The rows to decide by: of the record, or of the stores after training what they lack."""
    from anglewise.lab.studies.claims import record

    if arguments.recorded:
        return record.read(arguments.records / claim.id)
    found = _gathered(arguments, claim, world)
    if arguments.save is not None:
        from anglewise.lab.studies.claims import page

        folder = arguments.save / claim.id
        whole = record.merged([found, record.read(folder)]) if record.exists(folder) else found
        record.write(folder, claim, whole)
        told = f"record: {page.write(folder, claim, whole).resolve()}"
        print(told, file=sys.stderr if arguments.json else sys.stdout)
    return found


def _gathered(arguments: argparse.Namespace, claim: Claim, world: str | None) -> Record:
    """The rows of a claim from its stores, after training what they lack; or from the record that decides it."""
    from anglewise.lab.studies.claims import plan, recorded

    if claim.recorded:
        return recorded.gather(claim, arguments.records.parent)
    root, scale = arguments.out or plan.ROOT, _scale(arguments.scale)
    for part in plan.parts(claim, scale, world, root):
        if not arguments.no_train:
            on = place_of(arguments)
            origin = provenance(part.experiment.training.precision)
            plan.train(part, origin, quiet=arguments.quiet, large=arguments.large, jobs=arguments.jobs, on=on)
    return plan.gather(claim, scale, world, root)


def _scale(text: str) -> Scale:
    return "paper" if text == "paper" else "desk"
