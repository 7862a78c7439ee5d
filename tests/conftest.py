"""What all tests share."""

from __future__ import annotations

import os
from importlib.metadata import version

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# many small programs, each run for a few steps: compile fast rather than well (the golden curves do otherwise)
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if version("jaxlib").startswith("0.10."):
    # the older code generator takes half the time; XLA stops at a flag that it does not know, hence the version
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_use_fusion_emitters=false".strip()
