r"""Tuning: the same search, the same budget, for every candidate of a track.

A search goes by rounds.  Round 0 draws its trials from the whole space of the candidate (a Latin hypercube; trial 0 is
the setting that the candidate starts from).  Later rounds draw around the best so far, ever closer, and from the third
on around the mean of those that survived the last round: an evolution strategy.

Within a round, trials are halved by budget: all of them train for half the steps on one seed, the best third for all
steps on every tuning seed.  A trial's score is

.. math:: \operatorname{mean}_s \begin{cases} T_s & \text{if seed } s \text{ reached the threshold within } B \\
          B\,(2 - a_s) & \text{otherwise, with } a_s \text{ its last accuracy (0 if it diverged)} \end{cases}

so lower is better, and what never got there is ranked by how near it came; T is interpolated between evaluations.  It
is read on a validation part cut off the *training* examples (:class:`HeldOut`); test examples are not seen, and tuning
seeds are never reported.  Every trial is a run in a store, so a search that was killed goes on where it was, and can be
looked at.
"""

from __future__ import annotations

import dataclasses
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
from scipy.stats import qmc

from anglewise.lab.engine.programs import Programs
from anglewise.lab.execution.estimate import Limits, admit, cost, memory, within
from anglewise.lab.protocols.fields import COUNT, INSIDE, SEEDS, bounded
from anglewise.lab.protocols.schedule import Schedule
from anglewise.lab.readings.sets import AT_EVALUATIONS
from anglewise.lab.report.progress import Silent
from anglewise.lab.runner import train
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.store import Provenance, Reader, Store
from anglewise.lab.tasks.held_out import HeldOut
from anglewise.lab.tuning.space import Candidate

FIRST_SEED = 10_000
"""Tuning seeds start here; reported seeds lie below."""
KEEP, SHORT = 3, 2
"""One trial in KEEP survives the first rung, whose budget is SHORT times smaller."""
SPREAD, CLOSER = 0.3, 0.25
"""How far round 1 looks from its centre, as a length in the unit cube, and what the last round's share of that is."""


@dataclasses.dataclass(frozen=True)
@bounded
class Search:
    """How much is searched: the same for every candidate of a track.

    Args:
        trials: Settings tried per round; by default as many as a third of them have runs on the second rung, so that
            both rungs are one program on an accelerator.
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
    """Where the candidate's own setting lies, moved onto the cube where it lies outside."""
    return tuple(axis.place(_get(candidate.arm.methods[axis.method], axis.field.split("."))) for axis in candidate.axes)


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

    Returns:
        The best trial of all rounds (on the second rung), and every trial in the order tried.

    Raises:
        SpecError: For a search with a wrong value.
        Interrupted: When `stop` said so; the same call goes on from there.
    """
    rng = np.random.default_rng([rules.seed, zlib.crc32(candidate.arm.name.encode())])
    programs = Programs(AT_EVALUATIONS) if programs is None else programs
    tried: list[Trial] = []
    best: Trial | None = None
    around: np.ndarray | None = None
    began = time.monotonic()
    for turn in range(rules.rounds):
        points = _points(candidate, rules, turn, around, rng)
        trials = [
            Trial(f"{turn}.{i:02}", tuple(map(float, p)), placed(candidate, p, f"{turn}.{i:02}"), 0, np.inf)
            for i, p in enumerate(points)
        ]
        for rung in (0, 1):
            if rung:
                trials = survivors = trials[: max(1, -(-len(trials) // KEEP))]
            budget = experiment.training.budget if rung else max(1, experiment.training.budget // SHORT)
            seeds = rules.seeds if rung else 1
            scores = _scores(experiment, candidate, rules, trials, budget, seeds, store, provenance, stop, programs)
            done = [trial._replace(rung=rung, score=score) for trial, score in zip(trials, scores, strict=True)]
            trials = sorted(done, key=lambda trial: trial.score)
            tried = [one for one in tried if one.name not in {t.name for t in trials}] + trials
            shares = (turn + (rung + 1) / 2) / rules.rounds
            left = (time.monotonic() - began) * (1 - shares) / shares
            setting = _shown(candidate, trials[0])
            say(
                f"{candidate.arm.name}: round {turn + 1} of {rules.rounds}, {len(trials)} trials x {seeds} seeds x "
                f"{budget} steps at most: best {trials[0].score:.1f} ({setting}); about {left:.0f} s left"
            )
            survivors = trials
        if best is None or survivors[0].score < best.score:
            best = survivors[0]
        around = np.mean([trial.point for trial in survivors], axis=0) if turn else np.array(best.point)
    assert best is not None
    return best, sorted(tried, key=lambda trial: trial.name)


def admit_search(
    candidate: Candidate, experiment: Experiment, rules: Search, candidates: int = 1, *, large: bool = False
) -> None:
    """Check that a search does not ask for too much, before it starts.

    Args:
        candidate: What is searched.
        experiment: The track.
        rules: How much is searched.
        candidates: How many candidates are searched alike.
        large: Whether limits are lifted.

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
    training: Training = dataclasses.replace(
        experiment.training, budget=budget, every=min(experiment.training.every, budget), sustain=1, further=0,
        measure_every=0,
    )  # fmt: skip
    return Experiment(
        name=f"tune {experiment.name} {candidate.arm.name}"[:80],
        task=HeldOut(experiment.task, rules.validation),
        model=experiment.model,
        arms=tuple(arms),
        training=training,
        seeds=seeds,
        first_seed=FIRST_SEED,
    )


def _scores(
    experiment: Experiment, candidate: Candidate, rules: Search, trials: Sequence[Trial], budget: int, seeds: int,
    store: Store, provenance: Provenance, stop: Callable[[], bool], programs: Programs,
) -> list[float]:  # fmt: skip
    rung = tuning_experiment(experiment, candidate, rules, [trial.arm for trial in trials], budget, seeds)
    train(rung, store, Silent(), provenance=provenance, stop=stop, readings=(), programs=programs)
    reader, here = Reader(store.root), f"experiment_id = '{rung.experiment_id}'"
    curves: dict[tuple[str, int], list[tuple[int, float]]] = {}
    query = f"SELECT arm, seed, step, test_accuracy FROM curves WHERE {here} ORDER BY arm, seed, step"
    for row in reader.query(query).to_pylist():
        curves.setdefault((row["arm"], row["seed"]), []).append((row["step"], row["test_accuracy"]))
    ended = reader.query(f"SELECT arm, seed FROM runs WHERE {here} AND outcome = 'diverged'").to_pylist()
    diverged = {(row["arm"], row["seed"]) for row in ended}
    scores: dict[str, list[float]] = {trial.name: [] for trial in trials}
    for run in rung.runs():
        key = run.arm.name, run.seed
        steps, accuracy = (np.array(x, float) for x in zip(*curves[key], strict=True))
        scores[run.arm.name].append(
            2.0 * budget if key in diverged else score(steps, accuracy, rung.training.threshold, budget)
        )
    return [float(np.mean(scores[trial.name])) for trial in trials]


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


def _get(value: Any, path: Sequence[str]) -> float:
    for name in path:
        value = getattr(value, name)
    return float(_plateau(value)) if isinstance(value, Schedule) else float(value)


def _set(value: Any, path: Sequence[str], number: float) -> Any:
    """`value` with the field at `path` set; a schedule is scaled as a whole."""
    old = getattr(value, path[0])
    if len(path) > 1:
        new = _set(old, path[1:], number)
    elif isinstance(old, Schedule):
        new = _scaled(old, number)
    else:
        new = number
    return dataclasses.replace(value, **{path[0]: new})


def _plateau(schedule: Any) -> float:
    """The size of a schedule: its plateau, or where it starts."""
    return float(getattr(schedule, "value", getattr(schedule, "start", np.nan)))


def _scaled(schedule: Any, number: float) -> Any:
    factor = number / _plateau(schedule)
    names = ("value", "after", "start", "end")
    changes = {name: getattr(schedule, name) * factor for name in names if hasattr(schedule, name)}
    return dataclasses.replace(schedule, **changes)


def _shown(candidate: Candidate, trial: Trial) -> str:
    return ", ".join(
        f"{axis.field} {axis.value(x):.3g}" for axis, x in zip(candidate.axes, trial.point, strict=True)
    )  # fmt: skip
