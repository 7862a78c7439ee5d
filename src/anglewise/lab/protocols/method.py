"""What the engine knows of a method: the places of a training step that it may act on.

A method is a frozen dataclass: its fields are its specification, which is hashed into a run's id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias

import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from anglewise.lab.protocols.model import Activations, Network, Params
from anglewise.lab.protocols.schedule import Number
from anglewise.lab.protocols.task import Data

OptState: TypeAlias = Any
"""What a transform remembers from step to step; ``()`` where there is no transform."""


class Edge(NamedTuple):
    """Where an optimiser stops being stable: at curvature `threshold`, measured after dividing by `preconditioner`."""

    threshold: Array
    preconditioner: Params | None


class InitFromData(Protocol):
    """First weights from a run's examples, for a method with ``"data"`` in its `needs`."""

    def __call__(self, params: Params, key: PRNGKeyArray, /, *, data: Data) -> Params:
        """Weights to start from."""


Loss: TypeAlias = Callable[[Float[Array, "n c"], Int[Array, " n"]], Float[Array, " n"]]
"""``(logits, labels) -> loss per example``."""
Penalty: TypeAlias = Callable[[Activations, Params], Float[Array, ""]]
"""``(activations, params) -> term of the loss``."""
Transform: TypeAlias = Callable[[], optax.GradientTransformation]
"""``() -> transformation of the gradient, or of the update``."""
Project: TypeAlias = Callable[[Params], Params]
"""``(params) -> params``, after the step."""
TapAt: TypeAlias = Callable[[Params, str, Float[Array, "*batch d"], PRNGKeyArray | None], Float[Array, "*batch d"]]
"""``(params, site, h, key) -> h``, in the forward pass."""
Weights: TypeAlias = Callable[[Params], Params]
"""``(params) -> params``: the weights that the network computes with."""
Reshape: TypeAlias = Callable[[Any], Network]
"""``(network) -> network``, before training."""
Init: TypeAlias = Callable[[Params, PRNGKeyArray], Params] | InitFromData
"""``(params, key) -> params``: the first weights."""
RadialTerms: TypeAlias = Callable[[], Mapping[str, tuple[Number, Number]]]
"""``() -> {site: (strength, target)}``."""
EdgeOf: TypeAlias = Callable[[OptState], Edge]
"""``(opt_state) -> edge of stability``."""
Check: TypeAlias = Callable[[OptState, Params, Activations], Mapping[str, tuple[Any, Any]]]
"""``(opt_state, params, activations) -> {name: (wanted, got)}``."""
Need: TypeAlias = Literal["gradient", "parts", "noise", "forward-noise", "whole-batch", "outer", "data"]
"""What a method may ask of the engine, see :attr:`Method.needs`."""


class Method:
    """Anything that could make learning generalise sooner.

    A method is a frozen dataclass that fills in only the places it acts on and leaves the others None.  A float
    field may be an array with one value for each member of a population, or a schedule over steps.  Inside the
    places it is always a number.  An arm chains methods.  Penalties add up.  Transforms follow each other in the
    listed order.  At most one method of an arm may bring a loss.

    A field ``sites`` holds the sites that the method reads; the engine puts the model's own where it is empty.
    """

    loss: Loss | None = None
    """Replaces the cross-entropy."""
    penalty: Penalty | None = None
    """Is added to the loss.  It is a mean over the rows of the batch (or a function of the weights alone), so that a
    batch may be cut into blocks."""
    transform: Transform | None = None
    """Changes the gradient, or the update.  What it `needs` its update gets by keyword: ``gradient=``, ``parts=``,
    ``key=`` and ``outer=``."""
    project: Project | None = None
    """Changes the weights after each step."""
    tap: TapAt | None = None
    """Changes an activation at any site that the network lets be tapped.  The key is one for this site, with
    ``"forward-noise"`` in `needs`; it is None in evaluations."""
    weights: Weights | None = None
    """Changes the weights that the network computes with, not those that are trained."""
    reshape: Reshape | None = None
    """Changes the architecture before training, or attaches parameters under the method's name in ``network.extra``."""
    init: Init | None = None
    """Changes the first weights, and draws what `reshape` attached."""
    radial_terms: RadialTerms | None = None
    """Strength and target by site, of a method whose penalty is the radial one: readings compare them with theory."""
    edge: EdgeOf | None = None
    """Edge of stability of an optimiser for which it is known."""
    check: Check | None = None
    """What a control was to match, and what it has."""
    needs: ClassVar[frozenset[Need]] = frozenset()
    """What the method asks of the engine beyond a plain step.

    ``"gradient"``: a function from weights to the gradient of the total loss on the current batch.  ``"parts"``: one
    to the gradients of task and penalty.  ``"outer"``: one to the task loss on a fiftieth of the training examples,
    which are then not trained on.  ``"noise"``: a key for the transform.  ``"forward-noise"``: a key for the forward
    pass.  ``"whole-batch"``: the batch is never cut, since the method is no mean over rows.  ``"data"``: the run's
    examples, for `init`.
    """
    position: ClassVar[Literal["first", "last", "any"]] = "any"
    """Where the transform must stand among the arm's.  ``"first"``: it puts another gradient in the place of what
    comes in.  ``"last"``: it acts on the finished step."""
    downhill: ClassVar[bool | None] = None
    """Whether the transform is an optimiser, whose updates step downhill; an arm has exactly one.  False: it filters
    gradients or updates.  None: unknown."""

    @property
    def copies(self) -> int:
        """Copies of all parameters that the method keeps or makes, for the estimate of memory.

        Two where it has a transform: Adam's moments.  A method that needs more overrides this.
        """
        return 0 if self.transform is None else 2
