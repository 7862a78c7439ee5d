"""Whether a network has what an arm's methods name: a site with a typo would silently be a method that does nothing."""

from __future__ import annotations

from collections.abc import Iterable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from anglewise.errors import SpecError, shown, unknown
from anglewise.lab.protocols.fields import named
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Network
from anglewise.lab.protocols.reading import Reading, named_parameters
from anglewise.lab.protocols.task import Task


def check_names(methods: Iterable[Method | Reading], network: Network, task: Task) -> None:
    """Look up all that the methods' fields name; see :class:`anglewise.lab.protocols.fields.Names`.

    Args:
        methods: An arm's, or readings.
        network: The network that they have reshaped, or its shapes.
        task: Gives the shape of its inputs.

    Raises:
        SpecError: For the first name that the network has not.
    """
    asked = [(method, *fields) for method in methods for fields in named(method) if any(fields[2])]
    if not asked:
        return
    params = eqx.filter(network, lambda x: hasattr(x, "dtype"))
    roles = named_parameters(params.roles)
    sites, taps = _sites(network, task) if any(of in ("site", "tap") for _, _, of, _ in asked) else ([], [])
    known = {"site": sites, "tap": taps, "parameter": list(named_parameters(params))}
    for method, path, of, texts in asked:
        if of == "role":
            if not set(texts) & set(roles.values()):
                raise SpecError(
                    f"{path}: no parameter is {' or '.join(texts)}, the roles are {_list(map(str, roles.values()))}"
                )
        elif of == "part":
            able = [name for name, role in roles.items() if role in getattr(method, "roles", (role,))]
            for text in texts:
                if not any(text in name for name in able):
                    raise SpecError(f"{path}: no parameter to act on has {shown(text)} in its name: {_list(able)}")
        else:
            for text in texts:
                if text not in known[of]:
                    raise SpecError(f"{path}: " + unknown("site to act at" if of == "tap" else of, text, known[of]))


def _list(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _sites(network: Network, task: Task) -> tuple[list[str], list[str]]:
    """Sites that can be read, and those among them that can be acted at."""
    taps: list[str] = []

    def tap(site: str, h: Array) -> Array:
        taps.append(site)
        return h

    inputs = jax.ShapeDtypeStruct((2, task.length), jnp.int32)
    shapes = eqx.filter_eval_shape(lambda network, inputs: network(inputs, tap=tap)[1], network, inputs)
    return list(shapes), taps
