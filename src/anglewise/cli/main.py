"""The command line: its parser, which verb runs, and the exit status.

A file of this folder with a function ``add``, named in :data:`VERBS`, adds one verb or several that are alike.  Heavy
imports wait inside a verb's function, so that ``anglewise --help`` is immediate.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from anglewise.cli import animate, claims, compact, doctor, listing, query, report, run, studies, tune, watch
from anglewise.errors import AnglewiseError, SpecError, install, printable, shown

VERBS = (run, watch, report, animate, tune, studies, claims, listing, query, compact, doctor)
"""In the order of the help."""
LONG = 300
"""Characters of one word of a message, such as a path, that are shown."""
EXAMPLES = """\
examples:
  anglewise run quickstart                       train, compare, write a report
  anglewise run quickstart --seeds 2 --budget 100 --dry-run
  anglewise run my-experiment.toml --task.p 97 --arms.adamw-tuned.adamw.wd 1.0
  anglewise watch                                follow what trains in the browser
  anglewise report runs/quickstart               draw the report again
  anglewise animate runs/plateau --to circle.gif one run as it learns
  anglewise tune track-c2 --arm lion             search a method's best setting
  anglewise leaderboard track-c2 --seeds 8       train every method of a track, and rank them
  anglewise verify C02                           train what a claim of the paper lacks, and decide it
  anglewise query "SELECT experiment_id, arm, median(t_capped) FROM runs GROUP BY ALL" runs/quickstart
"""


def main(argv: Sequence[str] | None = None, verbs: Iterable[Any] = VERBS) -> int:
    """Run one verb; whatever the user can mend is one line on stderr and exit status 2.

    Args:
        argv: Words after the program's name; None takes the process's own.
        verbs: Modules of the verbs.

    Returns:
        The exit status: 0 done, 1 interrupted with everything saved, 2 an error, 130 ended by Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):  # a file's name may be no text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parser = parser_of(verbs)
    arguments, fields = parser.parse_known_args(words)
    debug = getattr(arguments, "debug", False)  # before the verb or after it
    if getattr(arguments, "verb", None) is None:
        parser.print_help()
        return 0
    try:
        if fields and not getattr(arguments, "takes_fields", False):
            raise SpecError(f"unknown flag {fields[0]!r} for this verb: see anglewise {words[0]} --help")
        arguments.fields = fields
        return int(arguments.verb(arguments) or 0)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (AnglewiseError, OSError, MemoryError) as error:  # of the system: a name too long, a full disk
        if debug:
            raise
        return _print_error(error, 1 if type(error).__name__ == "Interrupted" else 2)
    except ModuleNotFoundError as error:
        if debug or (error.name or "").startswith("anglewise"):
            raise
        print(f"anglewise: {error.name} is not installed: {install('lab')}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("anglewise: interrupted", file=sys.stderr)
        return 130


def parser_of(verbs: Iterable[Any] = VERBS) -> argparse.ArgumentParser:
    """The parser of the whole command line; `verbs` are the verbs' modules."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show a traceback on an error")
    parser = argparse.ArgumentParser(
        prog="anglewise", description="Networks that learn by angle, not by radius: a laboratory.",
        epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, parents=[common],
    )  # fmt: skip
    parser.add_argument("--version", action="store_const", dest="verb", const=_version, help="print the version")
    subparsers = parser.add_subparsers(metavar="VERB")

    def add(name: str, function: Callable[[argparse.Namespace], int | None], text: str, **options: Any) -> Any:
        options |= {"help": text, "description": text, "parents": [common], "allow_abbrev": False}
        verb = subparsers.add_parser(name, **options)
        verb.set_defaults(verb=function)
        return verb

    for module in verbs:
        module.add(add)
    return parser


def _print_error(error: BaseException, status: int) -> int:
    """Print one line on stderr, whatever the message holds, and give the exit status."""
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{shown(os.fsdecode(error.filename))}: {error.strerror}"
    else:
        text = f"out of memory: {error}" if isinstance(error, MemoryError) else str(error)
    words = (word if len(word) <= LONG else f"{word[:LONG]}..." for word in text.split())
    print(f"anglewise: {printable(' '.join(words))}", file=sys.stderr)
    return status


def _version(arguments: argparse.Namespace) -> None:
    from anglewise import __version__

    print(__version__)


if __name__ == "__main__":
    sys.exit(main())
