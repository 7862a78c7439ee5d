"""What is run, as data: Run, Arm, Experiment, Manifest; canonical JSON and content hash.

A run is a pure function of what is trained: task, model, methods, the fields of :data:`TRAINED`, the seed.  The hash of
these is its identity, so the same command finds what is already there.  How long a run is watched, how often it is
evaluated, when it counts as generalised, and what arms and experiments are called changes no number of the training.
None of it is part of the identity.  A run that is there serves every experiment that asks for it, and one that is asked
for further goes on from where it stands.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeAlias, get_type_hints

from anglewise.errors import SpecError, unknown
from anglewise.lab.outcome import Rule
from anglewise.lab.protocols.fields import COUNT, SEED, SEEDS, SHARE, Bound, bounded
from anglewise.lab.protocols.source import source_of

if TYPE_CHECKING:
    from anglewise.lab.protocols.method import Method
    from anglewise.lab.protocols.model import Model
    from anglewise.lab.protocols.task import Task
else:  # their types are JAX's, which reading results does without
    Method = Model = Task = Any

Json: TypeAlias = Mapping[str, Any]
"""A JSON object."""
PROTOCOL = 3
"""Version of the numerics; part of every run's identity.  A change that moves a golden curve raises it."""

TRAINED = ("batch", "order", "split_seed", "precision", "block", "measure_every")
"""Fields of :class:`Training` that are part of a run's identity.  The others say how a run is watched."""

SHOWN = ("title", "baseline", "contrasts")
"""Fields of :class:`Experiment` that change only how its runs are shown; no part of its identity."""


@dataclasses.dataclass(frozen=True)
@functools.partial(bounded, prefix="training.")
class Training:
    """How every arm of an experiment trains and is evaluated.

    Args:
        budget: Optimiser steps at most, the same for all arms.
        every: Evaluate after every so many steps (and before the first).
        batch: Examples per step; 0 is the whole training set.
        order: ``"epochs"``: a new permutation for each pass, the last batch of a pass may be smaller;
            ``"replacement"``: each batch is drawn anew.
        threshold: Test accuracy at or above which a run counts as generalised.  0 sets none: a run trains to its
            budget, and what counts is its test loss.
        sustain: Evaluations in a row at or above it that make a crossing sustained.
        further: Steps to train on once sustained, and then to the next measurement; -1 trains every run to the
            budget.
        split_seed: Seed of the train/test split; -1 gives each seed a split of its own.
        precision: Of parameters and arithmetic.
        block: Rows whose gradient is taken at once; 0 is the whole batch, -1 what is faster on the device.
            It changes rounding, hence it stands here.
        measure_every: Steps between measurements, at which readings are taken (each at its own multiple of them,
            and all of them where a run ends); 0 is never.
    """

    budget: Annotated[int, COUNT] = 1000
    every: Annotated[int, COUNT] = 10
    batch: Annotated[int, Bound(0)] = 0
    order: Literal["epochs", "replacement"] = "epochs"
    threshold: Annotated[float, SHARE] = 0.95
    sustain: Annotated[int, COUNT] = 5
    further: Annotated[int, Bound(-1)] = -1
    split_seed: Annotated[int, Bound(-1, SEED)] = -1
    precision: Literal["float32", "float64"] = "float32"
    block: Annotated[int, Bound(-1)] = -1
    measure_every: Annotated[int, Bound(0)] = 0

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.every > self.budget:
            raise SpecError(
                f"training.every must not exceed the budget of {self.budget} steps, got {self.every}: "
                "nothing would be evaluated"
            )
        if self.measure_every % self.every:
            raise SpecError(
                f"training.measure_every must be 0 or a multiple of training.every ({self.every}), "
                f"got {self.measure_every}"
            )

    @property
    def rule(self) -> Rule:
        """How a run is watched, and when it ends."""
        return Rule(self.budget, self.every, self.threshold, self.sustain, self.further, self.measure_every)


@dataclasses.dataclass(frozen=True)
@bounded
class Arm:
    """A chain of methods with their hyper-parameters, under a name of its own.

    Args:
        name: Shown everywhere; letters, digits and most punctuation, at most 80 characters.
        methods: In the order in which their transforms act; frozen dataclasses.
        label: What reports call it, in words that a newcomer knows; empty for the name.
    """

    name: str
    methods: tuple[Method, ...]
    label: str = ""

    def __post_init__(self) -> None:
        """Check the fields."""
        if not re.fullmatch(r"[^\x00-\x1f\x7f]{1,80}", self.name):
            raise SpecError(f"an arm's name needs 1 to 80 printable characters, got {self.name!r}")
        if not re.fullmatch(r"[^\x00-\x1f\x7f]{0,80}", self.label):
            raise SpecError(f"an arm's label takes at most 80 printable characters, got {self.label!r}")
        if not self.methods:
            raise SpecError(f"arm {self.name!r} has no methods: give at least an optimiser")


@dataclasses.dataclass(frozen=True)
@bounded
class Contrast:
    """Two arms that differ in one change: the question that an experiment asks, and that its report answers.

    Args:
        arm: Name of the arm with the change.
        without: Name of the arm without it.
        question: What is asked, in words; empty for one made of the names.
    """

    arm: str
    without: str
    question: str = ""

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.arm == self.without:
            raise SpecError(f"a contrast needs two arms, got {self.arm!r} twice")


@dataclasses.dataclass(frozen=True)
@bounded
class Run:
    """One arm on one task, model and seed.

    Args:
        experiment: Name of the experiment that it is trained for.
        task: What is learned.
        model: What learns.
        arm: By which methods.
        training: How it trains and is evaluated.
        seed: Of everything that is drawn.
    """

    experiment: str
    task: Task
    model: Model
    arm: Arm
    training: Training
    seed: Annotated[int, SEEDS]

    @property
    def spec(self) -> dict[str, Any]:
        """Everything that its numbers depend on, as JSON values; ``"source"`` where a class is the user's own."""
        before, after = self._fixed
        return {**before, "seed": to_json(self.seed), **after}

    @functools.cached_property
    def _fixed(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What stands before the seed in :attr:`spec`, and behind it: the same for all seeds of an arm."""
        before = {
            "protocol": PROTOCOL,
            "task": to_json(self.task),
            "model": to_json(self.model),
            "methods": to_json(self.arm.methods),
            "training": to_json({name: getattr(self.training, name) for name in TRAINED}),
        }
        source = source_of((self.task, self.model, self.arm.methods))
        return before, {"source": source} if source else {}

    @functools.cached_property
    def run_id(self) -> str:
        """Content hash of :attr:`spec`: 20 hexadecimal digits."""
        return text_hash(canonical(self.spec))


@dataclasses.dataclass(frozen=True)
@functools.partial(bounded, prefix="")
class Experiment:
    """Arms x seeds on a task and model, with a budget.

    Args:
        name: Shown everywhere; made harmless, it names a folder.
        task: What is learned.
        model: What learns.
        arms: What is compared; names are unique.
        training: How, the same for all arms.
        baseline: Name of the arm that ratios refer to; empty for the first.
        seeds: Number of paired seeds.
        first_seed: The first of them; the others follow.
        title: One line for the report.
        contrasts: The questions asked, each about two arms; empty for all pairs of arms that differ in one change.
            One about an arm that is not there is not answered, so that the arms can be replaced.
    """

    name: str
    task: Task
    model: Model
    arms: tuple[Arm, ...]
    training: Training = Training()
    baseline: str = ""
    seeds: Annotated[int, Bound(1, SEED + 1)] = 8
    first_seed: Annotated[int, SEEDS] = 0
    title: str = ""
    contrasts: tuple[Contrast, ...] = ()

    def __post_init__(self) -> None:
        """Check the fields."""
        names = [arm.name for arm in self.arms]
        if not names:
            raise SpecError(f"experiment {self.name!r} has no arms: give at least one")
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SpecError(f"experiment {self.name!r} has two arms named {twice!r}: arm names are unique")
        if self.baseline and self.baseline not in names:
            raise SpecError(unknown("arm", self.baseline, names) + " (baseline)")
        if self.first_seed + self.seeds - 1 > SEED:
            raise SpecError(
                f"the last seed must be at most {SEED:,}, got {self.first_seed + self.seeds - 1:,}: a random key has "
                "32 bits, and a larger seed would be an earlier one again"
            )
        if not re.fullmatch(r"[^\x00-\x1f\x7f]{1,80}", self.name):
            raise SpecError(f"an experiment's name needs 1 to 80 printable characters, got {self.name!r}")

    @property
    def reference(self) -> str:
        """Name of the arm that ratios refer to."""
        return self.baseline or self.arms[0].name

    @property
    def experiment_id(self) -> str:
        """Readable and unique: the name, made harmless for a file system, and a content hash.

        Title, baseline, contrasts and the arms' labels are left out: they change how the same runs are shown.
        """
        slug = re.sub(r"[^A-Za-z0-9]+", "-", self.name).strip("-").lower()[:40] or "experiment"
        whole = {key: value for key, value in to_json(self).items() if key not in SHOWN}
        whole["arms"] = [{key: value for key, value in arm.items() if key != "label"} for arm in whole["arms"]]
        source = source_of(self)
        return f"{slug}-{content_hash({'protocol': PROTOCOL, **whole, 'source': source})[:8]}"

    def runs(self) -> Iterator[Run]:
        """All runs, arm by arm, seeds in order."""
        yield from self._runs

    @functools.cached_property
    def _runs(self) -> tuple[Run, ...]:
        runs: list[Run] = []
        for arm in self.arms:
            first = Run(self.name, self.task, self.model, arm, self.training, self.first_seed)
            for seed in range(self.first_seed, self.first_seed + self.seeds):
                run = dataclasses.replace(first, seed=seed)
                vars(run)["_fixed"] = first._fixed  # of thousands of seeds, computed once
                runs.append(run)
        return tuple(runs)


class Planned(NamedTuple):
    """A run of an experiment, and what the experiment calls it.  Each field is a column of every view of a store."""

    run_id: str
    arm: str
    seed: int


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What an experiment consists of: what a store keeps of it, beside its runs.

    Args:
        experiment_id: Its identity.
        name: The experiment's.
        runs: All that are planned, arm by arm.
        title: The experiment's.
        spec: The whole experiment as JSON values.
        baseline: Name of the arm that ratios refer to.
        arms: Names of all arms.
        command: The line that reproduces it.
        created: When it was first run, in ISO 8601; empty for a store of before that.
        updated: When it was last run.
    """

    experiment_id: str
    name: str
    runs: tuple[Planned, ...]
    title: str = ""
    spec: Json = dataclasses.field(default_factory=dict)
    baseline: str = ""
    arms: tuple[str, ...] = ()
    command: str = ""
    created: str = ""
    updated: str = ""

    @classmethod
    def of(cls, experiment: Experiment, command: str = "") -> Manifest:
        """The manifest of an experiment that `command` reproduces."""
        return cls(
            experiment_id=experiment.experiment_id,
            name=experiment.name,
            runs=tuple(Planned(run.run_id, run.arm.name, run.seed) for run in experiment.runs()),
            title=experiment.title,
            spec=to_json(experiment),
            baseline=experiment.reference,
            arms=tuple(arm.name for arm in experiment.arms),
            command=command,
        )

    @property
    def training(self) -> Json:
        """How its runs train and are watched, as JSON values."""
        training: Json = self.spec.get("training") or {}
        return training

    def to_json(self) -> dict[str, Any]:
        """JSON values for a file."""
        runs = [planned._asdict() for planned in self.runs]
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)} | {
            "runs": runs,
            "arms": list(self.arms),
        }

    @classmethod
    def from_json(cls, values: Json) -> Manifest | None:
        """The manifest in a file's JSON values; None if it is somebody's own file, with no experiment or no runs."""
        if not isinstance(values.get("runs"), list) or not {"experiment_id", "name"} <= values.keys():
            return None
        known = {field.name: values[field.name] for field in dataclasses.fields(cls) if values.get(field.name)}
        arms = (arm if isinstance(arm, str) else arm["name"] for arm in values.get("arms", ()))
        command = values.get("command") or ""
        return cls(
            **known
            | {
                "runs": tuple(Planned(run["run_id"], run["arm"], int(run["seed"])) for run in values["runs"]),
                "arms": tuple(arms),
                "command": command if isinstance(command, str) else shlex.join(command),
            }
        )


def to_json(value: Any) -> Any:
    """A specification as plain JSON values; a dataclass becomes an object with its class under ``"is"``.

    Raises:
        SpecError: For a value that JSON cannot hold exactly.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"is": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SpecError(f"a specification holds finite numbers only, got {value}")
        return value
    raise SpecError(f"a specification holds numbers, texts and dataclasses only, got {type(value).__name__}")


def content_hash(value: Any) -> str:
    """First 20 hexadecimal digits of the SHA-256 of the canonical JSON (sorted keys, no spaces)."""
    return text_hash(canonical(to_json(value)))


def canonical(value: Any) -> str:
    """JSON values as the one text that is hashed: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def text_hash(text: str) -> str:
    """First 20 hexadecimal digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def field_types(cls: type) -> dict[str, Any]:
    """Resolved type of every field of a dataclass."""
    hints = get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}
