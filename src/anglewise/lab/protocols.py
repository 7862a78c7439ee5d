"""What the engine knows of tasks, models and methods, and all that it knows (of readings: see ``look.py``).

Each of the three is a frozen dataclass: its fields are its specification (they are hashed into a run's id and
printed in the report), its methods are its mathematics.  The engine calls what stands here and never asks for
a concrete type or a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias

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


class Cycle(NamedTuple):
    """How a task's operation turns a cyclic group: ``order[i] o order[j] = order[(i + sign * j) % n]``.

    Addition mod p has the tokens 0, 1, ..., p - 1 in this order and sign 1; multiplication mod a prime has the
    powers of a primitive root (0 is no member of the group); subtraction and division have sign -1.
    """

    order: tuple[int, ...]
    sign: int
    a: int
    b: int
    """Positions of the two operands in an input."""


class Task(Protocol):
    """What is learned.

    A task may also offer ``table() -> (inputs [rows, length], labels [rows])``, every input with its answer, and
    ``cycle``, a :class:`Cycle` or None, ``secret_positions``, the input positions that its labels depend on; readings
    that need one of them are left out where it is not offered.
    """

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


class Feed(NamedTuple):
    """The linear map behind a site: h = x @ weight (+ bias), with x the activation at `source`."""

    source: str
    weight: Callable[[Any], Float[Array, "i d"]]
    """Picks the weight from a network (or from anything of its structure)."""


class Edge(NamedTuple):
    """Where an optimiser stops being stable: at curvature `threshold`, measured after dividing by `preconditioner`."""

    threshold: Array
    preconditioner: Params | None


class Network(Protocol):
    """A model with weights: an Equinox module, called on a batch."""

    def __call__(
        self, inputs: Int[Array, "n length"], *, tap: Tap | None = None, key: PRNGKeyArray | None = None
    ) -> tuple[Float[Array, "n classes"], Activations]:
        """Logits and activations by site.  `key` is there only for methods that need noise in the forward pass."""

    @property
    def feeds(self) -> Mapping[str, Feed]:
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
        tap: ``(params, site, h, key) -> h``, in the forward pass, at every site that the network lets be tapped; `key`
            is one for this site with ``"forward-noise"`` in `needs`, and None there in evaluations.
        weights: ``(params) -> params``, in the forward pass: the weights that the network computes with.
        reshape: ``(network) -> network``, before training; acts on the architecture, or attaches parameters of the
            method's own under its name in ``network.extra``.
        init: ``(params, key) -> params``, acts on the first weights (and draws what `reshape` attached); with
            ``"data"`` in `needs` it is also called with ``data=``, the run's examples.
        springs: ``() -> {site: (strength, target)}``, for a method whose penalty is the radial one: what readings
            compare with theory.
        edge: ``(memory) -> Edge``, for an optimiser whose edge of stability is known; `memory` is its transform's.
        proof: ``(memory, params, activations) -> {name: (wanted, got)}``, for a control that matches something: what
            it was to match, and what it has.  `memory` is its transform's, () where it has none.
        needs: What the method asks of the engine beyond a plain step: ``"gradient"``, ``"parts"``, ``"noise"``
            (a key for the transform), ``"forward-noise"`` (a key for the network), ``"whole-batch"`` (its penalty
            is no mean over rows, so the batch must not be cut), ``"outer"`` (the transform is called with ``outer=``,
            a function from params to the task loss on a fiftieth of the training examples, which are then not
            trained on), ``"data"``.
        stands: Where its transform must stand among the arm's: ``"first"``, since it puts a gradient of its own in
            the place of what comes in; ``"last"``, since it acts on the finished step; ``""`` for anywhere.
        downhill: Whether its transform is an optimiser, whose updates step downhill, of which an arm has exactly one;
            False for a filter of gradients or updates; None where nobody says.
        copies: Copies of all parameters that it keeps or makes beside them, for the estimate of memory.
        sites: The sites it reads; empty for the model's own.
    """

    loss: ClassVar[Any] = None
    penalty: ClassVar[Any] = None
    transform: ClassVar[Callable[..., optax.GradientTransformation] | None] = None
    project: ClassVar[Any] = None
    tap: ClassVar[Any] = None
    weights: ClassVar[Any] = None
    reshape: ClassVar[Any] = None
    init: ClassVar[Any] = None
    springs: ClassVar[Any] = None
    edge: ClassVar[Any] = None
    proof: ClassVar[Any] = None
    needs: ClassVar[frozenset[str]] = frozenset()
    stands: ClassVar[Literal["first", "last", ""]] = ""
    downhill: ClassVar[bool | None] = None

    @property
    def copies(self) -> int:
        """Two where it has a transform: Adam's moments; a method that needs more says so."""
        return 0 if self.transform is None else 2


class Instrument(Protocol):
    """Reads activations that an evaluation has at hand anyway, so it may be read at every one."""

    def read(self, activations: Activations) -> Mapping[tuple[str, str], Array]:
        """Scalars by (site, name)."""
