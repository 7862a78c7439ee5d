"""What the engine knows of tasks, models, methods and readings, and all that it knows.

Each of the four is a frozen dataclass: its fields are its specification (they are hashed into a run's id and
printed in the report), its methods are its mathematics.  The engine calls what stands here and never asks for
a concrete type or a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

Params: TypeAlias = Any
"""A pytree of floating-point arrays: the trainable part of a network."""

Activations: TypeAlias = Mapping[str, Float[Array, "*batch d"]]
"""Activations by site."""

Tap: TypeAlias = Callable[[str, Float[Array, "*batch d"]], Float[Array, "*batch d"]]
"""Called by a network with (site, activation); what it returns is what the network goes on with."""


class Data(NamedTuple):
    """One task's examples, split once into train and test; inputs are token indices."""

    train_inputs: Int[Array, "n length"]
    train_labels: Int[Array, " n"]
    test_inputs: Int[Array, "m length"]
    test_labels: Int[Array, " m"]


class Task(Protocol):
    """What is learned."""

    def __hash__(self) -> int:
        """Equal specifications share one program."""

    @property
    def tokens(self) -> int:
        """Size of the input vocabulary."""

    @property
    def length(self) -> int:
        """Number of tokens in one input."""

    @property
    def fixed(self) -> tuple[int | None, ...]:
        """The token at each position that is the same in every input; None where it differs."""

    @property
    def classes(self) -> int:
        """Number of classes."""

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of training and of test examples."""

    def split(self, key: PRNGKeyArray) -> Data:
        """The examples, divided into train and test by `key` alone."""


class Network(Protocol):
    """A model with weights: an Equinox module, called on a batch."""

    def __call__(
        self, inputs: Int[Array, "n length"], *, tap: Tap | None = None, key: PRNGKeyArray | None = None
    ) -> tuple[Float[Array, "n classes"], Activations]:
        """Logits and activations by site.  `key` is there only for methods that need noise in the forward pass."""


class Model(Protocol):
    """What learns: an architecture, without weights."""

    def __hash__(self) -> int:
        """Equal specifications share one program."""

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites whose radius is penalised and shown when nobody says otherwise."""

    def init(self, task: Task, key: PRNGKeyArray) -> Network:
        """A network with freshly drawn weights."""


class Method:
    """Anything that could make learning generalise sooner.

    A method is a frozen dataclass that fills in only the places it acts on and leaves the others None.  A float
    field may be an array with one value for each member of a population, or a schedule over steps; inside the
    places it is always a number.  Arms chain methods: penalties add up, transforms follow each other in the
    listed order, and at most one method may bring a loss.

    Attributes:
        loss: ``(logits [n, c], labels [n]) -> per-example loss [n]``.
        penalty: ``(activations, params) -> scalar``, a mean over the rows of the batch (or a function of params
            alone), so that a batch may be worked off in blocks.
        transform: ``() -> optax.GradientTransformation``.  With ``"gradient"`` in `needs` its update is called with
            ``gradient=``, a function from params to the gradient of the total loss on the current batch; with
            ``"parts"``, ``parts=``, from params to (task gradient, penalty gradient); with ``"noise"``, ``key=``.
        project: ``(params) -> params``, after the step.
        reshape: ``(network) -> network``, before training; acts on the architecture.
        init: ``(params, key) -> params``, acts on the first weights.
        needs: What the method asks of the engine beyond a plain step: ``"gradient"``, ``"parts"``, ``"noise"``
            (a key for the transform), ``"forward-noise"`` (a key for the network), ``"whole-batch"`` (its penalty
            is no mean over rows, so the batch must not be cut).
        sites: The sites it reads; empty for the model's own.
    """

    loss: ClassVar[Any] = None
    penalty: ClassVar[Any] = None
    transform: ClassVar[Callable[..., optax.GradientTransformation] | None] = None
    project: ClassVar[Any] = None
    reshape: ClassVar[Any] = None
    init: ClassVar[Any] = None
    needs: ClassVar[frozenset[str]] = frozenset()


class Instrument(Protocol):
    """Reads activations that an evaluation has at hand anyway, so it may be read at every one."""

    def read(self, activations: Activations) -> Mapping[tuple[str, str], Array]:
        """Scalars by (site, name)."""


class Reading(Protocol):
    """A costlier instrument, with passes of its own, at its own cadence."""

    def measure(
        self, network: Network, sites: tuple[str, ...], inputs: Array, labels: Array
    ) -> Mapping[tuple[str, str], Array]:
        """Scalars by (site, name), from the network on training examples."""
