"""The command's first lines: Ctrl-C is answered in one line, also before anything else has been imported.

Where nothing needs saving, Ctrl-C ends the process at once: an exception would reach libraries that are being imported,
and they answer it in their own words.  Verbs that train take Ctrl-C over while they do (:mod:`anglewise.cli.training`).
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any


def _end(number: int, frame: Any) -> None:
    os.write(2, b"anglewise: interrupted\n")
    os._exit(130)


def main() -> int:
    """Run the command line; 130 where Ctrl-C ended it."""
    signal.signal(signal.SIGINT, _end)
    from anglewise.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
