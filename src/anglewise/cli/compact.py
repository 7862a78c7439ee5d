"""``anglewise compact``: finished runs of a store, many to a file, so that it is small and quickly read."""

from __future__ import annotations

import argparse
from pathlib import Path

from anglewise.cli.flags import AddVerb, add_json
from anglewise.cli.output import print_json


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb("compact", compact, "move the finished runs of a store to packs, many to a file; nothing is lost")
    parser.add_argument("dir", type=Path, metavar="DIR", help="the store")
    add_json(parser)


def compact(arguments: argparse.Namespace) -> None:
    """Compact a store, and say what that did."""
    from anglewise.lab.store import Reader, Store

    root = arguments.dir
    Reader(root)  # a folder that is no store is not made one
    before = _size(root)
    with Store.open(root) as store:
        done = store.compact()
    after = _size(root)
    if arguments.json:
        print_json("compact", store=root, runs=done.runs, packs=done.packs, bytes_before=before, bytes_after=after)
        return
    print(f"{done.runs:,} runs moved to packs, {done.packs:,} packs written")
    print(f"the store takes {after / 1e6:,.1f} MB of disk, before {before / 1e6:,.1f} MB")


def _size(root: Path) -> int:
    """Bytes that the disk gives to a store."""
    return sum(512 * path.lstat().st_blocks for path in root.rglob("*") if path.is_file())
