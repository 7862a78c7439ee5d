"""Importing the drop-in costs next to nothing beyond PyTorch."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys, torch
before = set(sys.modules)
import anglewise.torch
print(*sorted({m.partition(".")[0] for m in set(sys.modules) - before}), "torch._dynamo" in sys.modules)
"""


def test_importing_pulls_in_nothing_but_itself():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["anglewise", "False"]
