"""What all tests share."""

from __future__ import annotations

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# many small programs, each run for a few steps: compile fast rather than well (the golden curves do otherwise)
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
