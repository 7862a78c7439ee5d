"""What is public: names and signatures, as they stand in ``surface.txt``, and each with its documentation.

A change of the public surface changes that file in the same commit: ``python tests/public/test_surface.py`` writes it.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

MODULES = ("anglewise", "anglewise.lab", "anglewise.torch")
FILE = Path(__file__).with_name("surface.txt")


class Words(str):
    """A text that stands in a signature without quotes."""

    def __repr__(self) -> str:
        return str(self)


def public() -> dict[str, Any]:
    """Every public name with what it names, module by module."""
    modules = {name: import_module(name) for name in MODULES}
    return {f"{name}.{key}": getattr(module, key) for name, module in modules.items() for key in module.__all__}


PUBLIC = public()
CLASSES = {path: value for path, value in PUBLIC.items() if inspect.isclass(value)}


def is_ours(member: Any) -> bool:
    """Whether a class or a function is defined in the package."""
    return str(getattr(member, "__module__", "")).startswith("anglewise")


def bases(cls: type) -> list[type]:
    """The class, and those that it inherits from that are ours and not public themselves."""
    return [base for base in cls.__mro__ if base is cls or (is_ours(base) and base not in CLASSES.values())]


def members(cls: type) -> Iterator[tuple[str, str, Any]]:
    """Public methods and properties of a class, without those that a public base declares: name, kind, function."""
    declared = {name for base in cls.__mro__ if base not in bases(cls) for name in vars(base)}
    for name in sorted({name for base in bases(cls) for name in vars(base)} - declared):
        member = inspect.getattr_static(cls, name)
        if name.startswith("_") and name != "__call__":
            continue
        if isinstance(member, property):
            yield name, "property ", member.fget
        elif isinstance(member, (classmethod, staticmethod)):
            yield name, f"{type(member).__name__} ", member.__func__
        elif inspect.isfunction(member) and is_ours(member):
            yield name, "", member


def attributes(cls: type) -> list[str]:
    """Attributes that a class declares, such as the places of a method."""
    declared = {name: text for base in bases(cls) for name, text in inspect.get_annotations(base).items()}
    fields = inspect.signature(cls).parameters if has_signature(cls) else ()
    return [f"{name}: {text}" for name, text in sorted(declared.items()) if name[0] != "_" and name not in fields]


def has_signature(cls: type) -> bool:
    """Whether the package says how one is made: of a protocol nothing is made, and errors take a text."""
    return not getattr(cls, "_is_protocol", False) and not issubclass(cls, Exception)


def signature(function: Any) -> str:
    """A signature as it is written; a default without a short text of its own is three dots."""
    whole = inspect.signature(function)
    parameters = [
        parameter.replace(
            annotation=_plain(parameter.annotation),
            default=Words("...") if repr(parameter.default).startswith("<") else parameter.default,
        )
        if parameter.default is not parameter.empty
        else parameter.replace(annotation=_plain(parameter.annotation))
        for parameter in whole.parameters.values()
    ]
    made = inspect.isclass(function)
    result = whole.empty if made else _plain(whole.return_annotation)
    return str(whole.replace(parameters=parameters, return_annotation=result))


def _plain(annotation: Any) -> Any:
    annotation = getattr(annotation, "__forward_arg__", annotation)
    return Words(annotation) if isinstance(annotation, str) else annotation


def surface() -> list[str]:
    """One line for each name, and for each attribute and method of a class."""
    lines = []
    for path, value in PUBLIC.items():
        if inspect.isclass(value):
            parents = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
            made = signature(value) if has_signature(value) else ""
            lines.append(f"class {path}{made}" + (f" is {parents}" if parents else ""))
            lines += [f"    {line}" for line in attributes(value)]
            lines += [f"    {kind}{name}{signature(function)}" for name, kind, function in members(value)]
        elif callable(value):
            lines.append(f"def {path}{signature(value)}")
        else:
            lines.append(f"{path}: {type(value).__name__}")
    return lines


def test_the_public_surface_is_as_it_is_written_down():
    changes = list(difflib.unified_diff(FILE.read_text(encoding="utf-8").splitlines(), surface(), lineterm="", n=0))
    told = "\n".join(changes[2:])
    assert not changes, f"{told}\nif this is meant: python tests/public/test_surface.py writes {FILE.name}, commit it"


def undocumented(function: Any, doc: str | None) -> list[str]:
    """Parameters that a text does not name; ``"docstring"`` where there is no text."""
    if not doc:
        return ["docstring"]
    passed_on = ("self", "cls", "args", "kwargs")
    names = [name for name in inspect.signature(function).parameters if name not in passed_on and name[0] != "_"]
    return [name for name in names if not re.search(rf"\b{name}\b", doc)]


CALLABLES = {
    path: (value, "\n".join(str(base.__doc__) for base in (bases(value) if inspect.isclass(value) else [value])))
    for path, value in PUBLIC.items()
    if inspect.isfunction(value) or (inspect.isclass(value) and has_signature(value))
} | {
    f"{path}.{name}": (function, function.__doc__)
    for path, cls in CLASSES.items()
    for name, _, function in members(cls)
}  # fmt: skip


@pytest.mark.parametrize("path", CALLABLES)
def test_every_parameter_is_named_in_the_documentation(path):
    assert undocumented(*CALLABLES[path]) == []


@pytest.mark.parametrize("path", [path for path, value in PUBLIC.items() if inspect.isfunction(value)])
def test_a_function_says_what_it_takes_and_gives(path):
    doc, whole = inspect.getdoc(PUBLIC[path]) or "", inspect.signature(PUBLIC[path])
    assert "Args:\n" in doc
    assert ("Returns:\n" in doc) == (whole.return_annotation != "None")


@pytest.mark.parametrize("path", [path for path, value in PUBLIC.items() if inspect.isclass(value)])
def test_a_class_has_a_documentation_of_its_own(path):
    assert (vars(PUBLIC[path]).get("__doc__") or "").strip()


def test_control_a_parameter_without_documentation_is_seen():
    def f(a, b=1, *, c): ...

    assert undocumented(f, "Takes `a` and c.") == ["b"]
    assert undocumented(f, None) == ["docstring"]


if __name__ == "__main__":
    FILE.write_text("\n".join(surface()) + "\n", encoding="utf-8")
