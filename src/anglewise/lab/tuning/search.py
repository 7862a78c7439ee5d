r"""Tuning: the same search, with the same budget, for every candidate of a track.

A search has rounds.  Round 0 draws its trials from the candidate's whole space, as a Latin hypercube.  Trial 0 is the
setting that the candidate starts from.  Round 1 draws around the best trial, and later rounds around the mean of the
last round's survivors.  Each round looks less far than the one before: an evolution strategy.

A round has two rungs.  All trials train on one seed for half of the steps.  The best third of them train on every
tuning seed for all steps.  The score of a trial is

.. math:: \operatorname{mean}_s \begin{cases} T_s & \text{if seed } s \text{ reached the threshold within } B \\
          B\,(2 - a_s) & \text{otherwise, with } a_s \text{ its last accuracy (0 if it diverged)} \end{cases}

Lower is better.  T is interpolated between evaluations.  Accuracy is that on a validation part of the *training*
examples (:class:`HeldOut`).  A search never sees test examples, and tuning seeds are never reported.  Every trial is a
run in a store, so a search that was killed goes on where it was.
"""

from __future__ import annotations

import dataclasses
import time
import zlib
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

import numpy as np
from scipy.stats import qmc

from anglewise.errors import SpecError
from anglewise.lab.engine.programs import Programs
from anglewise.lab.execution.estimate import Limits, admit, cost, memory, within
from anglewise.lab.execution.workers import Workers
from anglewise.lab.protocols.fields import COUNT, INSIDE, SEEDS, bounded
from anglewise.lab.protocols.schedule import Schedule
from anglewise.lab.readings.sets import AT_EVALUATIONS
from anglewise.lab.report.progress import Silent
from anglewise.lab.runner import train
from anglewise.lab.spec import Arm, Experiment
from anglewise.lab.store import Provenance, Reader, Store
from anglewise.lab.tasks.held_out import HeldOut
from anglewise.lab.tuning.space import Candidate

FIRST_SEED = 10_000
"""Tuning seeds start here; reported seeds lie below."""
KEEP, SHORT = 3, 2
"""One trial in KEEP survives the first rung.  The first rung's budget is SHORT times smaller."""
SPREAD, CLOSER = 0.3, 0.25
"""Round 1 looks SPREAD far from its centre, a length in the unit cube.  The last round looks CLOSER times as far."""


@dataclasses.dataclass(frozen=True)
@bounded
class Search:
    """How much is searched: the same for every candidate of a track.

    Args:
        trials: Settings tried per round.  The default gives both rungs nine runs: one program on an accelerator.
        rounds: Rounds; the first is drawn from the whole space.
        seeds: Tuning seeds of the second rung.
        validation: Share of the training examples that is kept for choosing.
        seed: Of the drawing.
    """

    trials: Annotated[int, COUNT] = 9
    rounds: Annotated[int, COUNT] = 3
    seeds: Annotated[int, COUNT] = 3
    validation: Annotated[float, INSIDE] = 0.05
    seed: Annotated[int, SEEDS] = 0


class Trial(NamedTuple):
    """One setting that was tried.

    Args:
        name: Of its arm in the store.
        point: Where it lies in the unit cube.
        arm: With this setting.
        rung: The last rung that it reached.
        score: Its score there; lower is better.
    """

    name: str
    point: tuple[float, ...]
    arm: Arm
    rung: int
    score: float


def placed(candidate: Candidate, point: Sequence[float], name: str) -> Arm:
    """The candidate's arm at a point of the unit cube, one coordinate per axis."""
    methods = list(candidate.arm.methods)
    for axis, x in zip(candidate.axes, point, strict=True):
        methods[axis.method] = _set(methods[axis.method], axis.field.split("."), axis.value(float(x)))
    return Arm(name, tuple(methods))


def centre(candidate: Candidate) -> tuple[float, ...]:
    """The point of the candidate's own setting, or the nearest one in the cube."""
    methods = candidate.arm.methods
    return tuple(axis.place(_size(attrgetter(axis.field)(methods[axis.method]))) for axis in candidate.axes)


def search(
    candidate: Candidate,
    experiment: Experiment,
    rules: Search,
    store: Store,
    *,
    provenance: Provenance,
    say: Callable[[str], None] = lambda text: None,
    stop: Callable[[], bool] = lambda: False,
    programs: Programs | None = None,
    workers: Workers | None = None,
) -> tuple[Trial, list[Trial]]:
    """Find a candidate's best setting.

    Args:
        candidate: A template and its space.
        experiment: The track: its task, model and training.
        rules: How much is searched.
        store: Where every trial is kept; open for writing.
        provenance: Written beside every run.
        say: Receives one line per rung.
        stop: Asked after every segment of training; True saves and ends.
        programs: Compiled programs to train all rungs with; None for those of this search alone.
        workers: Processes that train; None to train in this one.

    Returns:
        The best trial of all rounds (on the second rung), and every trial in the order tried.

    Raises:
        SpecError: For a search with a wrong value, or on an experiment without a threshold.
        Interrupted: When `stop` said so; the same call goes on from there.
    """
    if not experiment.training.threshold:
        raise SpecError(
            f"a search needs a threshold to reach, {experiment.name} has none: set training.threshold above 0"
        )
    rng = np.random.default_rng([rules.seed, zlib.crc32(candidate.arm.name.encode())])
    programs = Programs(AT_EVALUATIONS) if programs is None else programs
    tried: dict[str, Trial] = {}
    around: np.ndarray | None = None
    whole, began = experiment.training.budget, time.monotonic()
    for turn in range(rules.rounds):
        trials = []
        for i, point in enumerate(_points(candidate, rules, turn, around, rng)):
            name = f"{turn}.{i:02}"
            trials.append(Trial(name, tuple(map(float, point)), placed(candidate, point, name), 0, np.inf))
        for rung, seeds, budget in ((0, 1, max(1, whole // SHORT)), (1, rules.seeds, whole)):
            trials = trials[: -(-len(trials) // KEEP)] if rung else trials
            part = tuning_experiment(experiment, candidate, rules, [trial.arm for trial in trials], budget, seeds)
            train(
                part, store, Silent(), provenance=provenance, stop=stop, readings=(), programs=programs, workers=workers
            )
            scores = _scores(Reader(store.root), part)
            trials = sorted((trial._replace(rung=rung, score=scores[trial.name]) for trial in trials), key=_score_of)
            tried |= {trial.name: trial for trial in trials}
            share = (turn + (rung + 1) / 2) / rules.rounds
            left = (time.monotonic() - began) * (1 - share) / share
            say(
                f"{candidate.arm.name}: round {turn + 1} of {rules.rounds}, {len(trials)} trials x {seeds} seeds x "
                f"{budget} steps at most: best {trials[0].score:.1f} ({_shown(candidate, trials[0])}); "
                f"about {left:.0f} s left"
            )
        best = min((trial for trial in tried.values() if trial.rung), key=_score_of)
        around = np.mean([trial.point for trial in trials], axis=0) if turn else np.array(best.point)
    return best, [tried[name] for name in sorted(tried)]


def admit_search(
    candidate: Candidate, experiment: Experiment, rules: Search, candidates: int = 1, *, large: bool = False
) -> None:
    """Check that a search of `candidates` such candidates does not ask for too much; `large` lifts the limits.

    Raises:
        SpecError: In one line, with the estimate and the limit, or with what is wrong with the candidate's arm.
    """
    rung = tuning_experiment(experiment, candidate, rules, [candidate.arm], experiment.training.budget, 1)
    half, whole = rules.trials, -(-rules.trials // KEEP) * rules.seeds
    runs = candidates * rules.rounds * (half + whole)
    steps = candidates * rules.rounds * (half // SHORT + whole) * experiment.training.budget
    if not large:
        within(f"the search of {experiment.name}", cost(rung)._replace(runs=runs, steps=steps), Limits(bytes=memory()))
    admit(rung, large=True)


def _points(
    candidate: Candidate, rules: Search, turn: int, around: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    """Points of the unit cube for one round."""
    axes = len(candidate.axes)
    if around is None:
        spread = qmc.LatinHypercube(axes, rng=rng).random(rules.trials - 1) if axes else np.zeros((0, 0))
        return np.concatenate([np.array([centre(candidate)]), spread])
    sigma = SPREAD * CLOSER ** ((turn - 1) / max(rules.rounds - 2, 1)) / np.sqrt(max(axes, 1))
    return np.clip(around + sigma * rng.standard_normal((rules.trials, axes)), 0, 1)


def tuning_experiment(
    experiment: Experiment, candidate: Candidate, rules: Search, arms: Sequence[Arm], budget: int, seeds: int
) -> Experiment:
    """One rung as an experiment: on the training examples alone, each run to its first crossing."""
    every = min(experiment.training.every, budget)
    training = dataclasses.replace(
        experiment.training, budget=budget, every=every, sustain=1, further=0, measure_every=0
    )  # fmt: skip
    return Experiment(
        f"tune {experiment.name} {candidate.arm.name}"[:80], HeldOut(experiment.task, rules.validation),
        experiment.model, tuple(arms), training, seeds=seeds, first_seed=FIRST_SEED,
    )  # fmt: skip


def _scores(reader: Reader, rung: Experiment) -> dict[str, float]:
    """The score of each trial of a rung, by its name."""
    scores: dict[str, list[float]] = {}
    for row in reader.query(
        "SELECT runs.arm, outcome, list(step ORDER BY step) AS steps, list(test_accuracy ORDER BY step) AS accuracy "
        "FROM curves JOIN runs USING (experiment_id, arm, seed) "
        f"WHERE experiment_id = '{rung.experiment_id}' GROUP BY runs.arm, seed, outcome ORDER BY seed"
    ).to_pylist():
        steps, accuracy = np.array(row["steps"], float), np.array(row["accuracy"], float)
        accuracy = np.zeros(1) if row["outcome"] == "diverged" else accuracy
        part = score(steps, accuracy, rung.training.threshold, rung.training.budget)
        scores.setdefault(row["arm"], []).append(part)
    return {name: float(np.mean(parts)) for name, parts in scores.items()}


def score(steps: np.ndarray, accuracy: np.ndarray, threshold: float, budget: int) -> float:
    """One seed's part of a trial's score, in steps: its first crossing, or how near it came.

    Example:
        >>> round(score(np.array([0, 10, 20]), np.array([0.0, 0.9, 1.0]), 0.95, 100), 6)
        15.0
        >>> score(np.array([0, 10, 20]), np.array([0.0, 0.1, 0.25]), 0.95, 100)
        175.0
    """
    accuracy = np.nan_to_num(accuracy)
    hits = np.flatnonzero(accuracy >= threshold)
    if not hits.size:
        return budget * (2.0 - float(accuracy[-1]))
    k = int(hits[0])
    if k == 0:
        return float(steps[0])
    share = (threshold - accuracy[k - 1]) / (accuracy[k] - accuracy[k - 1])
    return float(steps[k - 1] + share * (steps[k] - steps[k - 1]))


def _score_of(trial: Trial) -> float:
    return trial.score


def _size(value: Any) -> float:
    """A number, or the size of a schedule: its plateau, or where it starts."""
    return float(getattr(value, "value", getattr(value, "start", np.nan)) if isinstance(value, Schedule) else value)


def _set(value: Any, path: Sequence[str], number: float) -> Any:
    """`value` with the field at `path` set; a schedule is scaled as a whole."""
    name, *rest = path
    old = getattr(value, name)
    if rest:
        new = _set(old, rest, number)
    elif isinstance(old, Schedule):
        heights = [field for field in ("value", "after", "start", "end") if hasattr(old, field)]
        factor = number / _size(old)
        new = dataclasses.replace(old, **{field: getattr(old, field) * factor for field in heights})  # type: ignore[type-var]
    else:
        new = number
    return dataclasses.replace(value, **{name: new})


def _shown(candidate: Candidate, trial: Trial) -> str:
    settings = zip(candidate.axes, trial.point, strict=True)
    return ", ".join(f"{axis.field} {axis.value(x):.3g}" for axis, x in settings)
