"""What the engine knows of a model: an architecture that makes networks, and what a network declares of itself.

A model is a frozen dataclass: its fields are its specification, which is hashed into a run's id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

from jaxtyping import Array, Float, Int, PRNGKeyArray

from anglewise.lab.protocols.task import Task

Params: TypeAlias = Any
"""A pytree of floating-point arrays: the trainable part of a network."""

Activations: TypeAlias = Mapping[str, Float[Array, "*batch d"]]
"""Activations by site."""

Tap: TypeAlias = Callable[[str, Float[Array, "*batch d"]], Float[Array, "*batch d"]]
"""Called by a network with (site, activation); what it returns is what the network goes on with."""


class LinearMap(NamedTuple):
    """The linear map behind a site: h = x @ weight (+ bias), with x the activation at `source`."""

    source: str
    weight: Callable[[Any], Float[Array, "i d"]]
    """Picks the weight from a network (or from anything of its structure)."""


class Network(Protocol):
    """A model with weights: an Equinox module, called on a batch."""

    def __call__(
        self, inputs: Int[Array, "n length"], *, tap: Tap | None = None, key: PRNGKeyArray | None = None
    ) -> tuple[Float[Array, "n classes"], Activations]:
        """Logits and activations by site.  `key` is there only for methods that need noise in the forward pass."""

    @property
    def linear_maps(self) -> Mapping[str, LinearMap]:
        """For each default site, the linear map that makes it."""

    @property
    def roles(self) -> Any:
        """What each parameter is, in the structure of the parameters: ``"embedding"`` (tables; a token's vector is the
        last axis), ``"hidden"`` and ``"head"`` (matrices ``[in, out]``), ``"vector"`` (biases, gains), ``"extra"``
        (what a method attached)."""


class Model(Protocol):
    """What learns: an architecture, without weights.

    A model may also say what it costs before it is made: ``parameters(task)``, the number of its weights,
    ``activations(task)``, the numbers that one example's forward pass keeps, and ``pieces(task)``, the parts
    of its program that are compiled one by one.
    """

    def __hash__(self) -> int:
        """Equal specifications share one program."""

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites whose radius is penalised and shown when nobody says otherwise."""

    def init(self, task: Task, key: PRNGKeyArray) -> Network:
        """A network with freshly drawn weights."""
