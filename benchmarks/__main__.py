"""The one runner: ``python -m benchmarks [--only engine,dropin] [--quick] [--out FILE] [--history]``."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SHARED = ("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
"""On a GPU, JAX otherwise takes three quarters of the memory, and the peers' processes have none."""


def main(words: Sequence[str] | None = None) -> int:
    """Run rooms, print tables, write JSON; 1 if a room failed."""
    from benchmarks import cases as casing

    os.environ.setdefault(*SHARED)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    there = casing.rooms()
    parser.add_argument("--only", default=",".join(there), metavar="A,B", help=f"rooms: {', '.join(there)}")
    parser.add_argument("--match", default="", metavar="TEXT", help="only cases whose name holds TEXT")
    parser.add_argument("--quick", action="store_true", help="the smallest cases, few rounds: under three minutes")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each case at most")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"), metavar="FILE", help="where to write")
    parser.add_argument("--history", action="store_true", help="also keep the result in benchmarks/history/")
    arguments = parser.parse_args(words)
    wanted = [name for name in arguments.only.split(",") if name]
    for name in wanted:
        if name not in there:
            parser.error(f"got room {name!r}, expected some of {', '.join(there)}")
    speed = casing.QUICK if arguments.quick else casing.FULL
    if arguments.rounds is not None:
        if arguments.rounds < 1:
            parser.error(f"got --rounds {arguments.rounds}, expected at least 1")
        speed = dataclasses.replace(speed, rounds=arguments.rounds)
    return _run(wanted, arguments.match, speed, arguments.out, history=arguments.history)


def _run(wanted: Sequence[str], match: str, speed: Any, out: Path, *, history: bool) -> int:
    """Measure case by case; what has been measured is on disk before the next case begins."""
    from benchmarks import cases as casing
    from benchmarks import results, show

    machine, rows, failed = results.Machine(), list[dict[str, Any]](), False
    for room in wanted:
        for case in casing.cases(room, speed):
            if match not in case.name:
                continue
            begun = time.monotonic()
            try:
                row = casing.measured(room, case, speed)
            except Exception as error:  # one that fails does not take the others' numbers with it
                failed = True
                print(f"{room}: {case.name}: {type(error).__name__}: {error}", file=sys.stderr)
                continue
            rows.append(row | {"seconds": round(time.monotonic() - begun, 1)})
            print(show.row(rows[-1]), flush=True)
            results.write(results.whole(machine, rows, quick=speed.quick), out)
    result = results.whole(machine, rows, quick=speed.quick)
    print(show.head(result))
    print(f"written: {results.write(result, out)}")
    if history:
        print(f"kept: {results.write(result, results.history_path(result))}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
