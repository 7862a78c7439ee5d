"""Public names that are imported when they are first used.

A package lists its public names once, in the stub beside it, ``__init__.pyi``.  Type checkers and editors read the
stub, and :func:`public_names` reads it at run time.  A line of it is one of

- ``from package.home import Name as Name``: the name and the module that it lives in;
- ``from package.home import *``: every name that the module `home` itself imports as ``Name as Name``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def public_names(stub: Path) -> dict[str, str]:
    """Read a stub.

    Args:
        stub: Path of an ``__init__.pyi``; a module's ``.py`` is read alike.

    Returns:
        For each public name, the module that it lives in.

    Example:
        >>> public_names(Path(__file__).with_name("__init__.pyi"))["radius"]
        'anglewise.geometry'
    """
    return dict(_imports(stub))


def _imports(path: Path) -> Iterator[tuple[str, str]]:
    for line in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(line, ast.ImportFrom) or line.module is None:
            continue
        for name in line.names:
            if name.name == "*":
                spec = find_spec(line.module)
                assert spec is not None and spec.origin is not None, f"{path} imports from {line.module}"
                yield from _imports(Path(spec.origin))
            elif name.asname == name.name:
                yield name.name, line.module


def attach(namespace: dict[str, Any]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make the functions by which a package imports its public names when they are first used (PEP 562).

    Args:
        namespace: The ``globals()`` of the package.

    Returns:
        Its ``__getattr__``, ``__dir__`` and ``__all__``.
    """
    package = str(namespace["__name__"])
    homes = public_names(Path(namespace["__file__"]).with_suffix(".pyi"))

    def load(name: str) -> Any:
        if name not in homes:
            import difflib

            near = difflib.get_close_matches(name, homes, n=1, cutoff=0.5)
            hint = f": did you mean {near[0]!r}?" if near else f": see dir({package})"
            raise AttributeError(f"module {package!r} has no attribute {name!r}{hint}", name=name, obj=None)
        namespace[name] = value = getattr(import_module(homes[name]), name)
        return value

    return load, lambda: sorted({*homes, *(name for name in namespace if name.startswith("__"))}), sorted(homes)
