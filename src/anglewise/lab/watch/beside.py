"""A server in a process of its own beside training (``anglewise run --watch``), which ends when training does.

The process says its address in one line, and ends when its input does.  So it never outlives the process that started
it, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path

from anglewise.lab.watch.security import private_file


@contextlib.contextmanager
def served(place: Path) -> Iterator[str]:
    """The address of a page that shows the stores at a place, as long as the block lasts; empty if none could start."""
    command = [sys.executable, "-m", "anglewise.lab.watch.beside", str(place)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,  # Ctrl-C is for who trains
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()
        process.stdout.close()


def open_browser(address: str) -> bool:
    """Open a browser at an address, which other users of this machine do not get to see in the list of processes.

    Returns:
        Whether a browser was found.
    """
    page = private_file("open.html", f'<meta http-equiv="refresh" content="0; url={address}">'.encode())
    return webbrowser.open(page.as_uri() if page is not None else address)


def main() -> None:
    """Serve until the input ends."""
    from anglewise.lab.watch.server import Server

    server = Server((Path(sys.argv[1]),))

    def until_the_end() -> None:
        while sys.stdin.read(4096):
            pass
        server.server.should_exit = True

    threading.Thread(target=until_the_end, daemon=True).start()
    server.run(lambda: print(server.address, flush=True))
    os._exit(0)  # whoever still reads a store in a thread is not waited for


if __name__ == "__main__":
    main()
