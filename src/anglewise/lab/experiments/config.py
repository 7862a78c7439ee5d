"""Experiments from TOML files and flags: one typed overlay serves both.

A change is a nested table laid over frozen data.  Every key must name a field, and every value must have the field's
type.  Each error is one line: what was got, what was expected, and the nearest right name.

.. code-block:: toml

    base = "quickstart"            # optional: a named experiment to start from
    seeds = 4
    [task]
    p = 97
    [arms.adamw-tuned.adamw]       # arm, method, field
    wd = 1.0
    [arms.mine]                    # a new arm
    methods = [{ is = "adamw", lr = 0.01 }, { is = "radial", strength = 0.1 }]
    [[contrasts]]                  # a question: two arms that differ in one change
    with = "mine"
    without = "adamw-tuned"

A float field of a method also takes a schedule: ``lr = { is = "warmup", value = 0.05, steps = 3 }``.
"""

from __future__ import annotations

import dataclasses
import stat
import tomllib
import typing
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from anglewise.errors import SpecError, shown, unknown
from anglewise.lab import catalogue
from anglewise.lab.protocols.schedule import Schedule
from anglewise.lab.spec import Arm, Contrast, Experiment, field_types

LARGEST = 2**20
"""Largest file that is read, in bytes."""
KINDS: dict[str, Mapping[str, Any]] = {"task": catalogue.TASKS, "model": catalogue.MODELS}


def load(source: str, named: Mapping[str, Experiment]) -> Experiment:
    """An experiment by its name in `named`, or from a file that ends in ``.toml``.

    Raises:
        SpecError: If there is no such experiment or file, or the file has a mistake.
    """
    if not source.endswith(".toml"):
        if source not in named:
            raise SpecError(unknown("experiment", source, named) + " (or the path of a .toml file)")
        return named[source]
    table = table_of(Path(source))
    table.setdefault("name", name_of_file(source, named))
    if "base" in table:
        base = str(table.pop("base"))
        if base not in named:
            raise SpecError(unknown("experiment", base, named) + f" (base in {source})")
        return overlay(named[base], table, "")
    for key in ("task", "model", "arms"):
        if key not in table:
            raise SpecError(f"{source} lacks [{key}]: give it, or a base to start from")
    task, model = (_built(KINDS[key], table.pop(key), key) for key in ("task", "model"))
    arms = arms_of(table.pop("arms"))
    return overlay(Experiment(str(table.pop("name")), task, model, arms), table, "")


def table_of(path: Path) -> dict[str, Any]:
    """What a TOML file holds.

    Raises:
        SpecError: If it is no regular file (one may never end), is large, cannot be read, or is no TOML.
    """
    try:
        there = path.stat()
        if not stat.S_ISREG(there.st_mode):
            raise SpecError(f"cannot read {path}: expected a regular file, got a folder, a device or a pipe")
        if there.st_size > LARGEST:
            raise SpecError(f"cannot read {path}: expected at most {LARGEST:,} bytes, got {there.st_size:,}")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"cannot read {shown(str(path))[1:-1]}: {error.strerror}") from error
    except ValueError as error:  # bytes that are no UTF-8, or a path with a zero byte
        raise SpecError(f"{path} is no TOML file: {error}") from error
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of more digits than Python reads
        raise SpecError(f"{path} is no TOML file: {str(error).splitlines()[0]}") from error


def name_of_file(source: str, named: Collection[str]) -> str:
    """The name for an experiment whose file gives none: the file's, but not that of a named experiment.

    Example:
        >>> name_of_file("sweeps/wide.toml", ["quickstart"]), name_of_file("quickstart.toml", ["quickstart"])
        ('wide', 'quickstart-toml')
    """
    stem = Path(source).stem
    return f"{stem}-toml" if stem in named else stem


def flag_table(path: str, text: str) -> dict[str, Any]:
    """The change that one flag means: ``task.p`` and ``97`` give ``{"task": {"p": 97}}``."""
    try:
        return nested(path, tomllib.loads(f"value = {text}")["value"])
    except (ValueError, RecursionError):
        return nested(path, text)


def nested(path: str, value: Any) -> dict[str, Any]:
    """The change of one field.

    Example:
        >>> nested("task.p", 97)
        {'task': {'p': 97}}
    """
    for key in reversed(path.split(".")):
        value = {key: value}
    return typing.cast(dict[str, Any], value)


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both changes as one; `second` wins where both set a field.

    Example:
        >>> merged({"task": {"p": 97}, "seeds": 2}, {"task": {"train": 0.3}})
        {'task': {'p': 97, 'train': 0.3}, 'seeds': 2}
    """
    both = dict(first)
    for key, value in second.items():
        old = both.get(key)
        both[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return both


def overlay(value: Any, changes: Mapping[str, Any], path: str) -> Any:
    """The frozen dataclass `value` with other fields; `changes` may nest, and messages begin with `path`.

    Raises:
        SpecError: For an unknown field or a value of the wrong type.
    """
    types = known_fields(type(value), changes, path or "the experiment")
    new: dict[str, Any] = {}
    for key, change in changes.items():
        here = f"{path}.{key}" if path else key
        old = getattr(value, key)
        if key == "arms" and isinstance(value, Experiment):
            new[key] = arms_of(change, old, here)
        elif key == "contrasts" and isinstance(value, Experiment):
            new[key] = contrasts_of(change, here)
        elif isinstance(change, Mapping):
            kinds = _kinds(value, key, types[key])
            if dataclasses.is_dataclass(old) and not ("is" in change and kinds):
                new[key] = overlay(old, change, here)
            elif kinds:
                new[key] = _built(kinds, change, here)
            else:
                raise SpecError(f"{here}: expected {_named(types[key])}, got a table")
        else:
            new[key] = coerce(change, types[key], here)
    made = dataclasses.replace(value, **new)
    for contrast in new.get("contrasts", ()) if isinstance(made, Experiment) else ():
        for asked in (contrast.arm, contrast.without):
            if asked not in (names := [arm.name for arm in made.arms]):
                raise SpecError(f"{unknown('arm', asked, names)} (contrasts)")
    return made


def known_fields(cls: type, table: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The types of a class's fields by name.

    Raises:
        SpecError: If a key of `table` is no field.
    """
    types = field_types(cls)
    for key in table:
        if key not in types:
            raise SpecError(unknown(f"field of {what}", key, types))
    return types


def _kinds(value: Any, key: str, hint: Any) -> Mapping[str, Any]:
    """What a table with "is" can make for a field; empty where the field takes none."""
    if isinstance(value, Experiment):
        return KINDS.get(key, {})
    return catalogue.SCHEDULES if Schedule in typing.get_args(hint) else {}


def coerce(value: Any, hint: Any, path: str) -> Any:
    """`value` as the type of a field: a whole number as a float, text with commas as a tuple.

    Raises:
        SpecError: If it is of another type.
    """
    options = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        if value in options and isinstance(value, type(options[0])):
            return value
        raise SpecError(f"{path}: {unknown('value', str(value), [str(o) for o in options])}")
    if typing.get_origin(hint) is tuple:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, Sequence):
            items = [items]
        if options[0] in (int, float) and isinstance(value, str):
            items = [_read(item, options[0]) for item in items]
        return tuple(coerce(x, options[0], path) for x in items)
    if (hint is float or float in options) and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise SpecError(f"{path}: expected a number that a float can hold, got {shown(value)}") from error
    if hint in (int, bool, str) and type(value) is hint:
        return value
    raise SpecError(f"{path}: expected {_named(hint)}, got {shown(value)}")


def _read(text: str, number: type) -> Any:
    """A number that was written as text; the text itself where it is none."""
    try:
        return number(text)
    except ValueError:
        return text


def _built(kinds: Mapping[str, Any], table: Any, path: str) -> Any:
    """A new object of the kind named by "is"."""
    if not isinstance(table, Mapping) or "is" not in table:
        raise SpecError(f'{path}: expected a table with "is" = one of {", ".join(sorted(kinds))}, got {shown(table)}')
    rest = dict(table)
    name = str(rest.pop("is"))
    if name not in kinds:
        raise SpecError(f"{path}: {unknown('kind', name, kinds)}")
    kind = kinds[name]
    required = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING]
    if lacking := [field for field in required if field not in rest]:
        raise SpecError(f"{path}: {name} needs {', '.join(lacking)}")
    types = known_fields(kind, rest, path)
    nested = {k: v for k, v in rest.items() if isinstance(v, Mapping) and k not in required}
    start = {k: coerce(v, types[k], f"{path}.{k}") for k, v in rest.items() if k not in nested}
    return overlay(kind(**start), nested, path)


def arms_of(table: Any, old: Sequence[Arm] = (), path: str = "arms") -> tuple[Arm, ...]:
    """Change arms by name, method and field; ``methods`` makes an arm anew, as in a winner's file.

    Raises:
        SpecError: If the table has a mistake.
    """
    if not isinstance(table, Mapping):
        raise SpecError(f"{path}: expected tables such as [arms.NAME], got {shown(table)}")
    arms = {arm.name: arm for arm in old}
    for name, change in table.items():
        here = f"{path}.{name}"
        if isinstance(change, Mapping) and "methods" in change:
            methods = change["methods"]
            if not isinstance(methods, list) or not change.keys() <= {"methods", "label"}:
                raise SpecError(f'{here}: expected methods = [{{ is = "adamw", ... }}, ...], got {shown(change)}')
            built = (_built(catalogue.METHODS, m, f"{here}.methods[{i}]") for i, m in enumerate(methods))
            arms[name] = Arm(name, tuple(built), coerce(change.get("label", ""), str, f"{here}.label"))
        elif name not in arms:
            raise SpecError(unknown("arm", name, arms) + "; a new one needs methods = [...]")
        elif not isinstance(change, Mapping):
            raise SpecError(f"{here}: expected a method and a field, such as {here}.adamw.lr, got {shown(change)}")
        else:
            arms[name] = _changed(arms[name], change, here)
    return tuple(arms.values())


def contrasts_of(table: Any, path: str = "contrasts") -> tuple[Contrast, ...]:
    """Contrasts from tables with ``with``, ``without`` and, where wanted, ``question``.

    Raises:
        SpecError: If the table has a mistake.

    Example:
        >>> contrasts_of([{"with": "adamw+radial", "without": "adamw"}])
        (Contrast(arm='adamw+radial', without='adamw', question=''),)
    """
    if not isinstance(table, list):
        raise SpecError(f'{path}: expected [{{ with = "ARM", without = "ARM" }}, ...], got {shown(table)}')
    names = {"with": "arm", "without": "without", "question": "question"}
    contrasts = []
    for i, each in enumerate(table):
        here = f"{path}[{i}]"
        if not isinstance(each, Mapping) or not {"with", "without"} <= each.keys():
            raise SpecError(f'{here}: expected {{ with = "ARM", without = "ARM" }}, got {shown(each)}')
        for key in each:
            if key not in names:
                raise SpecError(unknown(f"key of {here}", key, names))
        contrasts.append(Contrast(**{names[key]: coerce(text, str, f"{here}.{key}") for key, text in each.items()}))
    return tuple(contrasts)


def _changed(arm: Arm, table: Mapping[str, Any], path: str) -> Arm:
    """An arm with other numbers in its methods, or another label."""
    names = {kind: name for name, kind in catalogue.METHODS.items()}
    known, methods = [names[type(method)] for method in arm.methods], list(arm.methods)
    label = coerce(table.get("label", arm.label), str, f"{path}.label")
    for name, change in table.items():
        if name == "label":
            continue
        if name not in known:
            raise SpecError(unknown(f"method of arm {arm.name!r}", name, known))
        if not isinstance(change, Mapping):
            raise SpecError(f"{path}.{name}: expected a field, such as {path}.{name}.lr, got {shown(change)}")
        at = known.index(name)
        methods[at] = overlay(methods[at], change, f"{path}.{name}")
    return Arm(arm.name, tuple(methods), label)


def _named(hint: Any) -> str:
    if hint is float or float in typing.get_args(hint):
        return "a number"
    if hint is Any or dataclasses.is_dataclass(hint):
        return "a table"
    return {int: "a whole number", bool: "true or false", str: "a text"}.get(hint, str(hint))
