"""Shapes in the signatures of the laboratory's functions, checked at every call that a test makes.

jaxtyping and beartype do it, by an import hook.  They check each ``Float[Array, "n d"]``, also inside a tuple, a
mapping or a union with None: its shape, its kind of number, and that equal names are equal sizes.  NumPy arrays and
shapes without numbers serve as arrays.  Other types are checked by mypy.  Constructors are not checked, since JAX
rebuilds dataclasses with whatever stands for a number.  ``JAXTYPING_DISABLE=1`` turns it off.
"""

from __future__ import annotations

import functools
import operator
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, Union

from beartype import beartype
from jaxtyping import AbstractArray, install_import_hook

ROOMS = tuple(f"anglewise.lab.{room}" for room in ("methods", "models", "tasks", "readings", "protocols", "stats"))


def install():
    """Check all modules of :data:`ROOMS` that are imported from now on."""
    return install_import_hook(ROOMS, "tests.support.typecheck.checked")


def checked(function):
    """The function, with the shapes of its arguments and of its value checked; what names mean is looked up late."""
    known = []

    def check(*args, **kwargs):
        if not known:
            known.append(_with_shapes_only(function))
        return known[0](*args, **kwargs)

    return function if function.__name__ == "__init__" else check


def _with_shapes_only(function):
    try:
        names = vars(sys.modules[function.__module__])
        hints = typing.get_type_hints(function, names, include_extras=True)
    except NameError:  # a name of a function's own
        return function
    shapes = {name: _shape(hint) for name, hint in hints.items()}
    function.__annotations__ = {name: hint for name, hint in shapes.items() if hint is not Any}
    return beartype(function) if function.__annotations__ else function


def _shape(hint):
    """The hint, with Any for all that is no array."""
    origin, items = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return hint.dtype[Any, hint.dim_str]
    if origin in (Union, types.UnionType):
        parts = [item if item is types.NoneType else _shape(item) for item in items]
        return Any if Any in parts else functools.reduce(operator.or_, parts)
    if origin is tuple and items and items[-1] is not Ellipsis:
        parts = tuple(_shape(item) for item in items)
        return Any if set(parts) == {Any} else tuple[parts]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return Any if _shape(items[1]) is Any else Mapping[Any, _shape(items[1])]
    return Any
