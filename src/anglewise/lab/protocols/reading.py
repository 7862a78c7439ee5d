r"""What a reading is, and what it sees: a network at one step of one run, its data, and where it came from.

Everything costly is computed once however many readings ask for it: activations on a sample of the training or
test examples, on the whole table, gradients with respect to activations.  The two losses are

.. math:: L_{\text{task}} = \operatorname{mean}_i \ell(z_i, y_i), \qquad
    L_{\text{total}} = L_{\text{task}} + \sum_{\text{methods}} \text{penalty}(h, \theta)

and gradients with respect to activations are per sample: of the *sum* over rows of the per-example loss, and of
n times the penalty, so that their scale does not depend on how many rows are looked at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from anglewise.lab.protocols.fields import bounded
from anglewise.lab.protocols.method import Edge
from anglewise.lab.protocols.model import Activations, Model, Network, Params
from anglewise.lab.protocols.task import Data, Task, cycle_of

Part: TypeAlias = Literal["train", "test"]
Of: TypeAlias = Literal["task", "penalty", "total"]
ROWS = 512
"""Examples that readings look at unless they say otherwise: the same ones for all, so that passes are shared."""


class Pass(NamedTuple):
    """One forward pass; `labels` and `logits` have a row for each label, an example's ones next to each other."""

    inputs: Int[Array, "n length"]
    labels: Int[Array, " rows"]
    logits: Float[Array, "rows classes"]
    activations: Activations


class PastWeights(NamedTuple):
    """The weights at an earlier measurement; step -1 where there was none (the weights are then today's)."""

    params: Params
    step: Int[Array, ""]


@dataclasses.dataclass(frozen=True, eq=False)
class Snapshot:
    """One network at one step.

    Args:
        task: What it learns.
        model: Its architecture.
        params: Its weights.
        static: The network without weights.
        data: Its examples; in random order, so that the first rows are a random sample.
        step: Updates made so far.
        key: For readings that draw (probes, chains); depends on the run's seed and the step, and on nothing that
            training draws.
        loss: ``(logits, labels) -> loss``, the arm's own: per example for labels ``[n, k]``, else per label.
        penalty: ``(activations, params) -> scalar``, the sum of the arm's penalties; None where there is none.
        radial_terms: For each site that a radial penalty pulls at, its (strength, target).
        edge: Where the arm's optimiser stops being stable; None where nobody knows.
        earlier: The weights at the last measurement, and at the one before it.
        after: Gives the weights after the next update.
        build: ``(params) -> network``, with what the arm's methods do in the forward pass; None for nothing.
        checks: ``(activations) -> {name: (wanted, got)}``, of the arm's controls.
    """

    task: Task
    model: Model
    params: Params
    static: Any
    data: Data
    step: Int[Array, ""]
    key: PRNGKeyArray
    loss: Callable[[Array, Array], Array]
    penalty: Callable[[Activations, Params], Array] | None
    radial_terms: Mapping[str, tuple[Array, Array]]
    edge: Edge | None
    earlier: tuple[PastWeights, PastWeights]
    after: Callable[[], Params]
    build: Callable[[Params], Network] | None = None
    checks: Callable[[Activations], Mapping[str, tuple[Any, Any]]] | None = None
    _known: dict[Any, Any] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def sites(self) -> tuple[str, ...]:
        """The model's own sites."""
        return self.model.sites

    @property
    def network(self) -> Network:
        """The network now."""
        return self.at(self.params)

    def at(self, params: Params) -> Network:
        """The network with other weights, `params`."""
        return self.build(params) if self.build else eqx.combine(params, self.static)

    def rows(self, part: Part = "train", most: int = ROWS) -> tuple[Array, Array]:
        """The first inputs and labels of one part; all of them for `most` 0."""
        inputs, labels = (getattr(self.data, f"{part}_{what}") for what in ("inputs", "labels"))
        return (inputs[:most], labels[:most]) if most else (inputs, labels)

    def forward(self, part: Part = "train", most: int = ROWS) -> Pass:
        """Logits and activations on the first `most` rows of one `part`."""
        return self._once(("forward", part, most), lambda: self._pass(*self.rows(part, most)))

    def table(self) -> Pass:
        """Logits and activations on every pair (i, j) of the task's cycle, n * n rows with j the faster.

        Raises:
            TypeError: If the task has no cycle: ask ``cycle_of`` first.
        """
        return self._once("table", lambda: self._pass(*pairs(self.task)))

    def gradients(self, of: Of = "task", part: Part = "train", most: int = ROWS) -> Mapping[str, Array]:
        """Per-sample gradients of one loss with respect to the activations at every site, shaped like these.

        Args:
            of: Which loss.
            part: Whose rows.
            most: How many of them; 0 for all.
        """
        return self._once(("gradients", of, part, most), lambda: self._gradients(of, *self.rows(part, most)))

    def objective(self, params: Params, inputs: Array, labels: Array, of: Of = "task") -> Array:
        """A loss as a function of the weights.

        Args:
            params: The weights.
            inputs: Token indices.
            labels: Their classes.
            of: Mean task loss, penalty, or their sum.
        """
        logits, activations = self.at(params)(inputs)
        return self._terms(of, logits, activations, labels, params)

    def draw(self, purpose: int) -> PRNGKeyArray:
        """A key for one purpose of one reading."""
        return jax.random.fold_in(self.key, purpose)

    def _once(self, name: Any, make: Callable[[], Any]) -> Any:
        if name not in self._known:
            self._known[name] = make()
        return self._known[name]

    def _pass(self, inputs: Any, labels: Any) -> Pass:
        return Pass(jnp.asarray(inputs), jnp.asarray(labels).reshape(-1), *self.network(inputs))

    def _terms(self, of: Of, logits: Array, activations: Activations, labels: Array, params: Params) -> Array:
        task = jnp.mean(self.loss(logits, labels)) if of != "penalty" else jnp.zeros((), logits.dtype)
        if of == "task" or self.penalty is None:
            return task
        return task + self.penalty(activations, params)

    def _gradients(self, of: Of, inputs: Array, labels: Array) -> Mapping[str, Array]:
        network, n = self.network, labels.shape[0]
        shapes = jax.eval_shape(lambda: network(inputs)[1])
        nudges = {site: jnp.zeros(shapes[site].shape, shapes[site].dtype) for site in self.sites}

        def objective(nudges: Mapping[str, Array]) -> Array:
            logits, activations = network(inputs, tap=lambda site, h: h + nudges[site] if site in nudges else h)
            return n * self._terms(of, logits, activations, labels, self.params)

        return jax.grad(objective)(nudges)


@runtime_checkable
class ActivationReading(Protocol):
    """Reads activations that an evaluation has at hand anyway, so it may be read at every one."""

    def read(self, activations: Activations) -> Mapping[tuple[str, str], Array]:
        """Scalars by (site, name)."""


class Reading:
    """A costlier instrument, with passes of its own, at its own cadence.

    A reading is a frozen dataclass.  It is compiled into a program of its own, apart from training, and is handed a
    :class:`Snapshot`; readings of one program share the passes that they take through it.

    Attributes:
        every: Measurements (see ``Training.measure_every``) between two of its values; 1 is each.
        precision: ``"as trained"``, or ``"float64"`` where float32 would lose what is measured.
    """

    every: int = 1
    precision: ClassVar[Literal["as trained", "float64"]] = "as trained"

    def __init_subclass__(cls) -> None:
        """What a field may hold stands beside it, and is checked when a reading is made."""
        bounded(cls)

    @property
    def copies(self) -> int:
        """Copies of all parameters that it makes, in float32, for the estimate of memory."""
        return 4

    def suits(self, task: Task, model: Model) -> bool:
        """Whether it means anything for this task and model; where it does not, it is left out."""
        return True

    def measure(self, snapshot: Snapshot) -> Mapping[tuple[str, str], Array]:
        """Values of a `snapshot` by (site, name): a scalar becomes a row of ``readings``, an array a row of ``arrays``.

        The site is ``""`` for what belongs to the whole network, or the name of a parameter for what belongs to one.
        """
        raise TypeError(f"{type(self).__name__} is no reading: define measure(snapshot)")


def pairs(task: Task) -> tuple[Int[np.ndarray, "n2 length"], Int[np.ndarray, " n2"]]:
    """Inputs and labels for every pair (i, j) of a cyclic task's group, j the faster."""
    cycle = cycle_of(task)
    if cycle is None:
        raise TypeError(f"{task} has no cycle: this reading does not suit it")
    order, n = np.asarray(cycle.order, np.int32), len(cycle.order)
    i, j = (x.ravel() for x in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
    inputs = np.tile(np.asarray([token or 0 for token in task.fixed], np.int32), (n * n, 1))
    inputs[:, cycle.a], inputs[:, cycle.b] = order[i], order[j]
    return inputs, order[(i + cycle.sign * j) % n]


def named_parameters(tree: Any) -> dict[str, Array]:
    """Parameters (or anything of their structure) by readable path: ``layers.0.weight``, ``blocks.1.qkv.bias``."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def named_matrices(tree: Any) -> dict[str, Float[Array, "i o"]]:
    """Every matrix among the parameters; a stack of tables gives one per table, ``embedding.0``, ``embedding.1``."""
    matrices: dict[str, Array] = {}
    for name, leaf in named_parameters(tree).items():
        if leaf.ndim == 2:
            matrices[name] = leaf
        elif leaf.ndim == 3:
            matrices.update({f"{name}.{k}": leaf[k] for k in range(leaf.shape[0])})
    return matrices
