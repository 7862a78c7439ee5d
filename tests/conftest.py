"""What all tests share."""

from __future__ import annotations

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
