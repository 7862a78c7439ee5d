"""What ``--json`` writes: one object on standard output, and nothing else.

Its first keys are ``anglewise`` (the version) and ``verb``.  Names within are those that ``anglewise explain`` knows:
``first`` is always the first crossing, ``t_capped`` always the capped time.  An interval is an object with ``value``,
``low``, ``high`` and ``method``.  A number that does not exist, or is infinite, is null.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Set
from typing import Any


def print_json(verb: str, **values: Any) -> None:
    """Print the result of a verb as one JSON object.

    Args:
        verb: Its name.
        **values: What it found.
    """
    from anglewise import __version__

    result = {"anglewise": __version__, "verb": verb, **values}
    print(json.dumps(json_of(result), indent=2, allow_nan=False))


def json_of(value: Any) -> Any:
    """Any value as JSON has it: fields by name, paths and other objects as text.

    Example:
        >>> from anglewise.lab.stats import Interval
        >>> json_of({"ratio": Interval(1.5, 1.2, float("inf"), "t"), "runs": (1, 2)})
        {'ratio': {'value': 1.5, 'low': 1.2, 'high': None, 'method': 't'}, 'runs': [1, 2]}
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: json_of(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return json_of(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): json_of(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_of(item) for item in value]
    if isinstance(value, Set):
        return sorted(map(json_of, value), key=str)
    if hasattr(value, "tolist"):  # an array, or a number of NumPy's
        return json_of(value.tolist())
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
