"""What the engine knows of a method: the places of a training step that it may act on.

A method is a frozen dataclass: its fields are its specification, which is hashed into a run's id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple

import optax
from jaxtyping import Array

from anglewise.lab.protocols.model import Params


class Edge(NamedTuple):
    """Where an optimiser stops being stable: at curvature `threshold`, measured after dividing by `preconditioner`."""

    threshold: Array
    preconditioner: Params | None


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
        radial_terms: ``() -> {site: (strength, target)}``, for a method whose penalty is the radial one: what readings
            compare with theory.
        edge: ``(opt_state) -> Edge``, for an optimiser whose edge of stability is known; with its transform's state.
        check: ``(opt_state, params, activations) -> {name: (wanted, got)}``, for a control that matches something: what
            it was to match, and what it has.  `opt_state` is its transform's, () where it has none.
        needs: What the method asks of the engine beyond a plain step: ``"gradient"``, ``"parts"``, ``"noise"``
            (a key for the transform), ``"forward-noise"`` (a key for the network), ``"whole-batch"`` (its penalty
            is no mean over rows, so the batch must not be cut), ``"outer"`` (the transform is called with ``outer=``,
            a function from params to the task loss on a fiftieth of the training examples, which are then not
            trained on), ``"data"``.
        position: Where its transform must stand among the arm's: ``"first"``, since it puts a gradient of its own in
            the place of what comes in; ``"last"``, since it acts on the finished step; ``"any"`` for anywhere.
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
    radial_terms: ClassVar[Any] = None
    edge: ClassVar[Any] = None
    check: ClassVar[Any] = None
    needs: ClassVar[frozenset[str]] = frozenset()
    position: ClassVar[Literal["first", "last", "any"]] = "any"
    downhill: ClassVar[bool | None] = None

    @property
    def copies(self) -> int:
        """Two where it has a transform: Adam's moments; a method that needs more says so."""
        return 0 if self.transform is None else 2
