"""Types and shapes of the laboratory's functions, checked at every call that a test makes (jaxtyping and beartype).

JAX rebuilds dataclasses with whatever stands for a number, so what a dataclass generates is not checked.
"""

from __future__ import annotations

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

ROOMS = tuple(f"anglewise.lab.{room}" for room in ("methods", "models", "tasks", "readings", "protocols", "stats"))
CONF = BeartypeConf(is_pep484_tower=True)
"""A whole number serves where a float is asked for."""


def checked(function):
    """The function, with its arguments and its value checked."""
    generated = function.__code__.co_filename == "<string>"
    return function if generated else beartype(function, conf=CONF)


def install():
    """Check all modules of :data:`ROOMS` that are imported from now on."""
    return install_import_hook(ROOMS, "tests.support.typecheck.checked")
