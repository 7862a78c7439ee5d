"""Programs that run a few times: compiled fast rather than well."""

from __future__ import annotations

import functools

import jax

quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
