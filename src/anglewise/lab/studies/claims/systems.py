"""What is trained for the claims: a task, a model and arms, for every scale and world.

A *system* makes an :class:`~anglewise.lab.spec.Experiment` from a scale, a world, and names of arms.  ``desk`` scale
runs on two processor cores, ``paper`` scale is the paper's size.  Times are told in epochs, as the paper does; an epoch
is one pass over the training examples.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from anglewise.errors import SpecError, unknown
from anglewise.lab.experiments import addition, causal, quickstart
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols.reading import Reading
from anglewise.lab.readings.antagonism import Antagonism
from anglewise.lab.readings.coupling import Coupling
from anglewise.lab.readings.curvature import Curvature
from anglewise.lab.readings.energy import RadialEnergy
from anglewise.lab.readings.fourier import EmbeddingFourier, NeuronFourier
from anglewise.lab.readings.logits import Logits
from anglewise.lab.readings.motion import Updates
from anglewise.lab.readings.radii import RadiusQuantiles
from anglewise.lab.readings.regularisation import PenaltyGradient
from anglewise.lab.readings.spectrum import Spectrum
from anglewise.lab.readings.theory import Theory
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.studies.claims import arms as named
from anglewise.lab.studies.claims.claim import Scale
from anglewise.lab.studies.claims.worlds import LIKELY, MLP_CHOICES, TRANSFORMER_CHOICES, Choice, World
from anglewise.lab.tasks.held_out import HeldOut
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.parity import Parity
from anglewise.lab.tasks.permutation import Permutations
from anglewise.lab.tasks.random_labels import RandomLabels
from anglewise.lab.tasks.text import Text

READ: tuple[Reading, ...] = (
    RadiusQuantiles(), RadialEnergy(), Updates(every=3), Coupling(every=3), Theory(), PenaltyGradient(every=3),
    Antagonism(every=3), Spectrum(), EmbeddingFourier(), NeuronFourier(every=1), Logits(),
    Curvature(rows=512, probes=16, starts=1),
)  # fmt: skip
"""What is read of the paper's MLP."""
THRESHOLD = 0.9
"""The paper counts sustained test accuracy above 90 %."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A task, a model, and how it is trained.

    Args:
        task, model, training: As in an :class:`~anglewise.lab.spec.Experiment`.
        epoch: Steps of one epoch.
    """

    task: Any
    model: Any
    training: Training
    epoch: int


Placing: TypeAlias = Callable[[Scale, World], Place]
"""From scale and world to task, model and training."""


@dataclasses.dataclass(frozen=True)
class System:
    """Something that is trained.

    Args:
        name: Short.
        says: What it is, in one plain sentence.
        place: From scale and world to task, model and training.
        methods: From an arm's name and a world to its methods.
        choices: What may differ between worlds.
        readings: What is read of the networks while they train.
        scales: Those that it has.
    """

    name: str
    says: str
    place: Placing
    methods: Callable[[str, World], tuple[Any, ...]]
    choices: tuple[Choice, ...] = ()
    readings: tuple[Reading, ...] = ()
    scales: tuple[Scale, ...] = ("desk", "paper")

    def world(self, name: str = LIKELY) -> World:
        """A world of this system by its name.

        Raises:
            SpecError: If the system has no such choice or option.
        """
        return World.named(name, self.choices)

    def experiment(
        self, scale: Scale, world: World, arms: Sequence[str], seeds: int, first_seed: int = 0
    ) -> Experiment:
        """The experiment of some arms.

        Raises:
            SpecError: If the system has no such scale, or an arm's name means nothing.
        """
        if scale not in self.scales:
            raise SpecError(unknown(f"scale of {self.name}", scale, self.scales))
        place = self.place(scale, world)
        chains = tuple(Arm(name, self.methods(name, world)) for name in arms)
        return Experiment(
            name=f"claims, {self.name}, {scale}, {world.name}"[:80], task=place.task, model=place.model, arms=chains,
            training=place.training, seeds=seeds, first_seed=first_seed, title=f"{self.says} ({scale}, {world.name})",
        )  # fmt: skip


EPOCHS: Mapping[tuple[Scale, str], int] = {
    ("desk", "256"): 3_000, ("desk", "full"): 4_000, ("paper", "256"): 1_500, ("paper", "full"): 20_000,
}  # fmt: skip
"""Budget of the MLP by scale and batch: what two cores carry with ten seeds.  Decay .1 generalises well within it."""
READ_EPOCHS = 1_500
"""Budget of the runs that are read while they train."""


def _mlp(p: int, share: float, width: int, epochs: int, world: World, *, read: bool = False, op: str = "+") -> Place:
    """The paper's MLP in a world."""
    task = Modular(p=p, operation=op, train=share, b_from=int(op == "/"))
    embedding = width // 2 if world["encoding"] == "embedding" else 0
    model = MLP(hidden=(width, width), embedding=embedding, bias=world["bias"] == "on")
    batch = 256 if world["batch"] == "256" else 0
    epoch = -(-task.sizes[0] // batch) if batch else 1
    every = 10 * epoch if batch else 20
    budget = epochs * epoch
    training = Training(
        budget=budget, every=every, batch=batch, threshold=THRESHOLD, sustain=5,
        further=-1 if read else 0, measure_every=max(budget // 15 // every, 1) * every if read else 0,
    )  # fmt: skip
    return Place(task, model, training, epoch)


def mlp(desk: tuple[int, float], paper: tuple[int, float], *, read: bool = False, op: str = "+") -> Placing:
    """The paper's MLP at (modulus, training share) of both scales."""

    def place(scale: Scale, world: World) -> Place:
        (p, share), width = (desk, 128) if scale == "desk" else (paper, 512)
        epochs = READ_EPOCHS if read else EPOCHS[scale, world["batch"]]
        return _mlp(p, share, width, epochs, world, read=read, op=op)

    return place


def transformer(scale: Scale, world: World) -> Place:
    """The paper's small Transformer on the tokens a, b, =."""
    p, share, width = (59, 0.7, 64) if scale == "desk" else (97, 0.5, 128)
    task = Modular(p=p, operation="+", train=share, form="a b =")
    model = Transformer(layers=2, width=width, heads=4, norm="pre", affine=world["norm"] == "affine")
    epoch = -(-task.sizes[0] // 256)
    training = Training(budget=1500 * epoch, every=2 * epoch, batch=256, threshold=THRESHOLD, sustain=5, further=0)
    return Place(task, model, training, epoch)


def _fast(task: Any, budget: int, *, read: bool) -> Placing:
    """The quickstart's network and batch on a task: a fast set-up, in which a plain run takes about 140 steps."""
    training = dataclasses.replace(
        quickstart.EXPERIMENT.training, budget=budget, further=8 if not read else -1, measure_every=20 if read else 0,
    )  # fmt: skip

    def place(scale: Scale, world: World) -> Place:
        return Place(task, quickstart.MODEL, training, 1)

    return place


FAST = quickstart.TASK
OTHER_TASKS: Mapping[str, Any] = {
    "a * b": Modular(p=113, operation="*", train=0.4, b_from=1),
    "x^2+xy+y^2": Modular(p=113, operation="x^2+xy+y^2", train=0.6),
    "S5": Permutations(n=5, train=0.5),
}
"""Structured tasks beside a + b, on the fast set-up's network."""
PARITY = Parity(bits=30, secret=3, train=1000)
"""Sparse parity: the sign of three of thirty bits."""


def _parity(scale: Scale, world: World) -> Place:
    training = Training(budget=3000, every=20, batch=32, order="replacement", threshold=THRESHOLD, sustain=5, further=0)
    return Place(PARITY, MLP(hidden=(200, 200), bias=True), training, 32)


def _gpt(scale: Scale, world: World) -> Place:
    """3-digit addition: 0.2 million weights and 10,000 sums at desk scale, 10.6 million at the paper's."""
    base = addition.SMALL if scale == "desk" else addition.LARGE
    batch, task = base.training.batch, base.task
    training = dataclasses.replace(
        base.training, budget=2000 if scale == "desk" else base.training.budget, every=50, threshold=THRESHOLD,
        sustain=5, further=0,
    )  # fmt: skip
    return Place(task, base.model, training, -(-task.sizes[0] // batch))


TEXT = "tinyshakespeare.txt"
"""Where the text of Tiny Shakespeare is expected: in the folder that the command runs in."""


def _text(scale: Scale, world: World) -> Place:
    """Characters of Tiny Shakespeare, by the GPT of 3-digit addition on windows of 64."""
    if not Path(TEXT).is_file():
        raise SpecError(
            f"the control on text needs Tiny Shakespeare as {TEXT} in this folder: download it from "
            "github.com/karpathy/char-rnn (data/tinyshakespeare/input.txt)"
        )
    task = Text(path=TEXT, context=64, stride=8, evaluated_test=400)
    training = Training(budget=600, every=100, batch=32, order="replacement", threshold=0.0)
    return Place(task, addition.SMALL.model, training, -(-task.sizes[0] // 32))


def _gpt_arm(name: str, world: World) -> tuple[Any, ...]:
    """Methods of an arm of the GPT at desk scale: ``AdamW`` is the experiment's."""
    return named.behind({"AdamW": addition.DESK}, name, {"strength": 0.01})


def _random(scale: Scale, world: World) -> Place:
    place = mlp((59, 0.7), (97, 0.5))(scale, world)
    task = RandomLabels(p=place.task.p, train=place.task.train)
    return dataclasses.replace(place, task=task, training=dataclasses.replace(place.training, budget=300 * place.epoch))


_ALL = (
    System("mlp", "The paper's MLP on a + b", mlp((59, 0.7), (97, 0.5)), named.mlp, MLP_CHOICES),
    System(
        "mlp, read", "The paper's MLP on a + b, measured while it trains", mlp((59, 0.7), (97, 0.5), read=True),
        named.mlp, MLP_CHOICES, readings=READ,
    ),
    System(
        "mlp, few examples", "The paper's MLP on a + b with few examples", mlp((59, 0.5), (97, 0.3)), named.mlp,
        MLP_CHOICES,
    ),
    System("transformer", "The paper's small Transformer", transformer, named.transformer, TRANSFORMER_CHOICES),
    System("fast", "A fast MLP on a + b mod 113", _fast(FAST, 300, read=False), named.fast, scales=("desk",)),
    System(
        "fast, read", "A fast MLP on a + b mod 113, its radius read while it trains", _fast(FAST, 160, read=True),
        named.fast, readings=(RadiusQuantiles(),), scales=("desk",),
    ),
    System(
        "fast, held out", "A fast MLP on a + b mod 113, judged on held-out training pairs",
        _fast(HeldOut(FAST, 0.1), 300, read=False), named.fast, scales=("desk",),
    ),
    *(
        System(f"fast, {name}", f"A fast MLP on {name}", _fast(task, 300, read=False), named.fast, scales=("desk",))
        for name, task in OTHER_TASKS.items()
    ),
    System("parity", "An MLP on sparse parity", _parity, named.plain, scales=("desk",)),
    System("gpt", "A GPT on 3-digit addition", _gpt, _gpt_arm, scales=("desk",)),
    System("text", "A GPT on the characters of Tiny Shakespeare", _text, _gpt_arm, scales=("desk",)),
    System("random labels", "The paper's MLP on labels that mean nothing", _random, named.mlp, MLP_CHOICES),
)  # fmt: skip
SYSTEMS: Mapping[str, System] = {system.name: system for system in _ALL}
"""By name."""
assert causal.EXPERIMENT.task == FAST, "the causal study and the fast set-up have one task"


def system_of(name: str) -> System:
    """The system of a name.

    Raises:
        SpecError: If there is none.
    """
    if name not in SYSTEMS:
        raise SpecError(unknown("system", name, SYSTEMS))
    return SYSTEMS[name]
