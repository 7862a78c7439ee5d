"""``anglewise watch``: a live page in the browser, which follows experiments while other processes train."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from anglewise.cli.flags import AddVerb
from anglewise.errors import missing

LIBRARIES = ("starlette", "uvicorn", "sse_starlette")


def add(verb: AddVerb) -> None:
    """Add the verb."""
    parser = verb(
        "watch", watch, "a live page in the browser, which follows experiments while other processes train",
        epilog="The page is served to this machine alone, and its address holds a secret.  It reads stores and writes "
        "nothing.  From another machine: ssh -L PORT:localhost:PORT HOST, then open the same address.",
    )  # fmt: skip
    where = "stores, or folders that hold stores (default: runs)"
    parser.add_argument("dir", nargs="*", type=Path, metavar="DIR", help=where)
    port = "port to listen on (default: 8765, or a free one where that is taken)"
    parser.add_argument("--port", type=number, metavar="PORT", help=port)
    parser.add_argument("--no-browser", action="store_true", help="print the address, open no browser")
    play = "add the playground: a small network that trains while its sliders are moved"
    parser.add_argument("--play", action="store_true", help=play)


def watch(arguments: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C."""
    check_installed("anglewise watch")
    from anglewise.lab.watch.beside import open_browser
    from anglewise.lab.watch.server import Server
    from anglewise.lab.watch.stores import check_places, stores

    check_places(arguments.dir)
    places = tuple(arguments.dir) or (Path("runs"),)  # which may come later
    server = Server(places, port=arguments.port, play=arguments.play)
    start = server.address + ("play/" if arguments.play and not any(stores(places)) else "")

    def ready() -> None:
        print(f"live page: {start}\nCtrl-C ends it; training goes on.", flush=True)
        if not arguments.no_browser and not open_browser(start):
            print("no browser was found: open the address above", file=sys.stderr)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # Ctrl-C is how it ends, and no failure
    server.run(ready)


def check_installed(what: str) -> None:
    """Check that the libraries of the live page are there.

    Raises:
        MissingError: If one is not; it says how to install them.
    """
    error = missing(what, "watch", LIBRARIES)
    if error is not None:
        raise error


def number(text: str) -> int:
    """A port for a flag.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    if not text.isdigit() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text[:20]!r}")
    return int(text)
