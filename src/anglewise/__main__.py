"""The command's first lines: Ctrl-C is answered in one line, also before anything else has been imported."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; 130 where Ctrl-C ended it."""
    try:
        from anglewise.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("anglewise: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
