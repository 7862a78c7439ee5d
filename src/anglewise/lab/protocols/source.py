"""The source of a user's own classes, as part of what a run is.

A method, task or model of this package is named by its class and its fields: what the class does is fixed by the
package's `PROTOCOL`.  A class of the user's own has no such number, so its source stands in its place: the class, the
classes that it inherits from, and the functions and constants of the user's that its code names, as far as they can be
followed.  Comments, docstrings and layout do not count.  Code of libraries does not count either.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import hashlib
import inspect
import sys
import sysconfig
import textwrap
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PACKAGE = __name__.partition(".")[0]
_PATHS = sysconfig.get_paths()
_LIBRARIES = tuple({str(Path(_PATHS[key]).resolve()) for key in ("stdlib", "platstdlib", "purelib", "platlib")})


def source_of(value: Any) -> str:
    """Digest of the user's own code in a specification; empty where all classes are the package's.

    Args:
        value: Frozen dataclasses, nested in tuples and mappings at will: a task, a model, methods.

    Returns:
        16 hexadecimal digits, the same in every process that has the same source.
    """
    followed = _Followed()
    for cls in _classes(value):
        followed.follow(cls)
    if not followed.parts:
        return ""
    return hashlib.sha256("\n".join(sorted(followed.parts)).encode()).hexdigest()[:16]


def _classes(value: Any) -> Iterator[type]:
    """Classes of all dataclasses in a value."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        for field in dataclasses.fields(value):
            yield from _classes(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _classes(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _classes(item)


class _Followed:
    """Code of the user's that was reached so far, each piece once."""

    def __init__(self) -> None:
        self.parts: set[str] = set()
        self._seen: set[int] = set()

    def follow(self, thing: Any) -> None:
        """Add the code of a class or function of the user's, and of what it names."""
        if id(thing) in self._seen or not _is_users(thing):
            return
        self._seen.add(id(thing))
        functions = _functions_of(thing)
        self.parts.add(f"{thing.__qualname__}\n{_code(thing, functions)}")
        for base in thing.__mro__[1:] if isinstance(thing, type) else ():
            self.follow(base)
        for function in functions:
            names = {name for code in _codes(function.__code__) for name in code.co_names}
            cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            closed = {name: cell.cell_contents for name, cell in cells if name != "__class__"}
            known = {name: function.__globals__[name] for name in names if name in function.__globals__}
            for name, used in {**known, **closed}.items():
                self._use(f"{function.__qualname__}: {name}", used, names)

    def _use(self, where: str, used: Any, names: set[str]) -> None:
        """Add what a function names: code is followed, plain values are written down."""
        if isinstance(used, (type, types.FunctionType)):
            self.follow(used)
        elif isinstance(used, types.ModuleType):
            if _is_users_module(used.__name__):
                for name in names & vars(used).keys():
                    self._use(f"{used.__name__}.{name}", vars(used)[name], names)
        elif used is None or isinstance(used, (bool, int, float, complex, str, bytes)):
            self.parts.add(f"{where} = {used!r}")
        elif isinstance(used, (tuple, list)):
            for i, item in enumerate(used):
                self._use(f"{where}[{i}]", item, names)
        elif isinstance(used, Mapping):
            for key, item in used.items():
                self._use(f"{where}[{key!r}]", item, names)
        elif dataclasses.is_dataclass(used):
            self.follow(type(used))
            self.parts.add(f"{where} = {used!r}")
        elif callable(getattr(used, "__wrapped__", None)):  # a function that a decorator has changed, such as jax.jit
            self.follow(inspect.unwrap(used))
        elif hasattr(used, "__array__"):
            self.parts.add(f"{where} = {hashlib.sha256(used.__array__().tobytes()).hexdigest()}")


def _is_users(thing: Any) -> bool:
    module = getattr(thing, "__module__", None) or ""
    if module == "builtins":  # where code that was executed without a module says that it comes from
        return vars(builtins).get(thing.__qualname__) is not thing
    return _is_users_module(module)


def _is_users_module(name: str) -> bool:
    """Whether a module is neither this package's nor a library's."""
    if name != "__main__" and name.partition(".")[0] in {PACKAGE, *sys.stdlib_module_names}:
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or not str(Path(file).resolve()).startswith(_LIBRARIES)


def _functions_of(thing: Any) -> list[types.FunctionType]:
    """A function, or the functions that a class defines; what a dataclass generates is not among them."""
    if not isinstance(thing, type):
        return list(_functions(thing))
    members = (vars(thing)[name] for name in sorted(vars(thing)))
    return [f for member in members for f in _functions(member) if not _generated(thing, f)]


def _functions(member: Any) -> Iterator[types.FunctionType]:
    """Functions behind a member of a class, whatever it is wrapped in."""
    if isinstance(member, property):
        for part in (member.fget, member.fset):
            yield from _functions(part)
        return
    inner = getattr(member, "__func__", getattr(member, "func", member))  # class methods, cached properties
    inner = inspect.unwrap(inner) if callable(inner) else inner
    if isinstance(inner, types.FunctionType):
        yield inner


def _generated(cls: type, function: types.FunctionType) -> bool:
    special = function.__name__.startswith("__") and function.__code__.co_filename == "<string>"
    return special and dataclasses.is_dataclass(cls)


def _code(thing: Any, functions: list[types.FunctionType]) -> str:
    """Source without comments, docstrings and layout; the compiled code where there is no source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):
        return "\n".join(_compiled(function.__code__) for function in functions)
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _compiled(code: types.CodeType) -> str:
    """Instructions and constants of a function and of the functions inside it."""
    return "\n".join(
        f"{one.co_name} {one.co_code.hex()} {one.co_names} "
        f"{[c for c in one.co_consts if not isinstance(c, types.CodeType)]}"
        for one in _codes(code)
    )
