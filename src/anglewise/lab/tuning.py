r"""Tuning: the same search, the same budget, for every entry of a track.

A search goes by rounds.  Round 0 draws its trials from the entry's whole space (a Latin hypercube; the setting that
the entry starts from is trial 0), each later round around the best so far, ever closer.  Within a round, trials are
halved by budget: all of them for a third of the steps on one seed, the best third for all steps on every tuning seed.
A trial's score is

.. math:: \operatorname{mean}_s \begin{cases} T_s & \text{if seed } s \text{ reached the threshold within } B \\
          B\,(2 - a_s) & \text{otherwise, with } a_s \text{ its last accuracy (0 if it diverged)} \end{cases}

so lower is better, and what never got there is ranked by how near it came.  T is read on a validation part cut off the
*training* examples (:class:`HeldOut`); test examples are not seen, and tuning seeds are never reported.  Every trial is
a run in a store, so a search that was killed goes on where it was, and can be looked at.
"""

from __future__ import annotations

import dataclasses
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import qmc

from anglewise.errors import SpecError
from anglewise.lab.catalogue import METHODS, SCHEDULES
from anglewise.lab.experiments.space import Entry
from anglewise.lab.report.live import Progress
from anglewise.lab.runner import train
from anglewise.lab.schedules import Schedule
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.store import Reader, Store
from anglewise.lab.tasks.held_out import HeldOut

FIRST_SEED = 10_000
"""Tuning seeds start here; reported seeds lie below."""
KEEP = 3
"""One trial in so many survives the first rung, whose budget is as many times smaller."""
SPREAD, SHRINK = 0.3, 0.7
"""Distance of a later round's trials from the best, in the unit cube: in round 1 (so each axis gets it over the root of
their number as its standard deviation), and its factor per round."""


@dataclasses.dataclass(frozen=True)
class Search:
    """How much is searched: the same for every entry of a track.

    Args:
        trials: Settings tried per round.
        rounds: Rounds; the first is drawn from the whole space.
        seeds: Tuning seeds of the second rung.
        validation: Share of the training examples that is kept for choosing.
        seed: Of the drawing.
    """

    trials: int = 8
    rounds: int = 3
    seeds: int = 3
    validation: float = 0.05
    seed: int = 0


class Trial(NamedTuple):
    """One setting: where it lies in the unit cube, its arm, and its score on the last rung that it reached."""

    name: str
    point: tuple[float, ...]
    arm: Arm
    rung: int
    score: float


def placed(entry: Entry, point: Sequence[float], name: str) -> Arm:
    """The entry's arm at a point of the unit cube, one coordinate per axis."""
    methods = list(entry.arm.methods)
    for axis, x in zip(entry.axes, point, strict=True):
        methods[axis.method] = _set(methods[axis.method], axis.field.split("."), axis.value(float(x)))
    return Arm(name, tuple(methods))


def centre(entry: Entry) -> tuple[float, ...]:
    """Where the entry's own setting lies, moved onto the cube where it lies outside."""
    return tuple(axis.place(_get(entry.arm.methods[axis.method], axis.field.split("."))) for axis in entry.axes)


def search(
    entry: Entry,
    experiment: Experiment,
    rules: Search,
    store: Store,
    *,
    provenance: Mapping[str, Any],
    say: Callable[[str], None] = lambda text: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Trial, list[Trial]]:
    """Find an entry's best setting.

    Args:
        entry: A template and its space.
        experiment: The track: its task, model and training.
        rules: How much is searched.
        store: Where every trial is kept; open for writing.
        provenance: Written beside every run.
        say: Told one line per rung.
        stop: Asked after every segment of training; True saves and ends.

    Returns:
        The best trial of all rounds (on the second rung), and every trial in the order tried.

    Raises:
        Interrupted: When `stop` said so; the same call goes on from there.
    """
    rng = np.random.default_rng([rules.seed, zlib.crc32(entry.arm.name.encode())])
    tried: list[Trial] = []
    best: Trial | None = None
    began = time.monotonic()
    for turn in range(rules.rounds):
        points = _points(entry, rules, turn, best, rng)
        trials = [
            Trial(f"{turn}.{i:02}", tuple(map(float, p)), placed(entry, p, f"{turn}.{i:02}"), 0, np.inf)
            for i, p in enumerate(points)
        ]
        for rung in (0, 1):
            if rung:
                trials = trials[: max(1, -(-len(trials) // KEEP))]
            budget = experiment.training.budget if rung else max(1, experiment.training.budget // KEEP)
            seeds = rules.seeds if rung else 1
            scores = _scores(experiment, entry, rules, trials, budget, seeds, store, provenance, stop)
            done = [trial._replace(rung=rung, score=score) for trial, score in zip(trials, scores, strict=True)]
            trials = sorted(done, key=lambda trial: trial.score)
            tried = [one for one in tried if one.name not in {t.name for t in trials}] + trials
            shares = (turn + (rung + 1) / 2) / rules.rounds
            left = (time.monotonic() - began) * (1 - shares) / shares
            setting = _shown(entry, trials[0])
            say(
                f"{entry.arm.name}: round {turn + 1} of {rules.rounds}, {len(trials)} trials x {seeds} seeds x "
                f"{budget} steps at most: best {trials[0].score:.1f} ({setting}); about {left:.0f} s left"
            )
        if best is None or trials[0].score < best.score:
            best = trials[0]
    assert best is not None
    return best, sorted(tried, key=lambda trial: trial.name)


def _points(entry: Entry, rules: Search, turn: int, best: Trial | None, rng: np.random.Generator) -> np.ndarray:
    """Points of the unit cube for one round."""
    axes = len(entry.axes)
    if best is None:
        spread = qmc.LatinHypercube(axes, rng=rng).random(rules.trials - 1) if axes else np.zeros((0, 0))
        return np.concatenate([np.array([centre(entry)]), spread])
    sigma = SPREAD * SHRINK ** (turn - 1) / np.sqrt(max(axes, 1))
    return np.clip(np.array(best.point) + sigma * rng.standard_normal((rules.trials, axes)), 0, 1)


def tuning_experiment(
    experiment: Experiment, entry: Entry, rules: Search, arms: Sequence[Arm], budget: int, seeds: int
) -> Experiment:
    """One rung as an experiment: on the training examples alone, each run to its first crossing."""
    training: Training = dataclasses.replace(
        experiment.training, budget=budget, every=min(experiment.training.every, budget), sustain=1, further=0,
        measure_every=0,
    )  # fmt: skip
    return Experiment(
        name=f"tune {experiment.name} {entry.arm.name}"[:80],
        task=HeldOut(experiment.task, rules.validation),
        model=experiment.model,
        arms=tuple(arms),
        training=training,
        seeds=seeds,
        first_seed=FIRST_SEED,
    )


def _scores(
    experiment: Experiment, entry: Entry, rules: Search, trials: Sequence[Trial], budget: int, seeds: int,
    store: Store, provenance: Mapping[str, Any], stop: Callable[[], bool],
) -> list[float]:  # fmt: skip
    rung = tuning_experiment(experiment, entry, rules, [trial.arm for trial in trials], budget, seeds)
    train(rung, store, Progress(), provenance=provenance, stop=stop, readings=())
    reader, found = Reader(store.root), []
    rows = {row["run_id"]: row["accuracy"] for row in reader.query(
        "SELECT run_id, arg_max(test_accuracy, step) AS accuracy FROM curves GROUP BY run_id"
    ).to_pylist()}  # fmt: skip
    for trial in trials:
        runs = [run for run in rung.runs() if run.arm.name == trial.arm.name]
        ended = [reader.outcome(run.run_id) or {} for run in runs]
        found.append(
            float(
                np.mean(
                    [
                        score(how.get("outcome"), how.get("first"), rows.get(run.run_id), budget)
                        for run, how in zip(runs, ended, strict=True)
                    ]
                )
            )
        )
    return found


def score(outcome: str | None, first: int | None, accuracy: float | None, budget: int) -> float:
    """One seed's part of a trial's score, in steps.

    Example:
        >>> score("memorised", None, 0.25, 100), score("grokked", 40, 0.96, 100), score("diverged", 40, None, 100)
        (175.0, 40.0, 200.0)
    """
    if outcome == "diverged" or accuracy is None or not np.isfinite(accuracy):
        return 2.0 * budget
    return float(max(first, 1)) if first is not None else budget * (2.0 - accuracy)


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


def _shown(entry: Entry, trial: Trial) -> str:
    return ", ".join(
        f"{axis.field} {axis.value(x):.3g}" for axis, x in zip(entry.axes, trial.point, strict=True)
    )  # fmt: skip


def summary(entry: Entry, experiment: Experiment, rules: Search, best: Trial, tried: Sequence[Trial]) -> dict[str, Any]:
    """What a winner's file says about how it was found."""
    return {
        "track": experiment.name,
        "score": round(best.score, 2),
        "trial": best.name,
        "trials": len(tried),
        "rounds": rules.rounds,
        "tuning_seeds": rules.seeds,
        "first_tuning_seed": FIRST_SEED,
        "validation_share": rules.validation,
        "budget": experiment.training.budget,
        "space": [
            f"{type(entry.arm.methods[axis.method]).__name__}.{axis.field} in [{axis.low:g}, {axis.high:g}], "
            + ("log" if axis.log else "linear")
            for axis in entry.axes
        ],
        "at_the_border": [
            f"{type(entry.arm.methods[axis.method]).__name__}.{axis.field}"
            for axis, x in zip(entry.axes, best.point, strict=True)
            if x < 0.02 or x > 0.98
        ],
    }


def toml(arm: Arm, found: Mapping[str, Any], names: Mapping[type, str]) -> str:
    """A winner's file: an arm that any experiment can lay over itself, and how it was found."""
    lines = ["[search]", *(f"{key} = {_toml(value)}" for key, value in found.items()), ""]
    methods = ",\n".join(f"  {_table(method, names)}" for method in arm.methods)
    return "\n".join([*lines, f'[arms."{arm.name}"]', f"methods = [\n{methods},\n]", ""])


def _table(value: Any, names: Mapping[type, str]) -> str:
    defaults = {f.name: f.default for f in dataclasses.fields(value)}
    parts = [f'is = "{names[type(value)]}"']
    for name, default in defaults.items():
        own = getattr(value, name)
        if isinstance(own, Schedule):
            parts.append(f"{name} = {_table(own, names)}")
        elif own != default:
            parts.append(f"{name} = {_toml(own)}")
    return "{ " + ", ".join(parts) + " }"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value)


def tune(
    entry: Entry, experiment: Experiment, rules: Search, out: Path, to: Path, command: str,
    provenance: Mapping[str, Any], stop: Callable[[], bool],
) -> Path:  # fmt: skip
    """Search one entry's setting in a store of its own, and write its winner.

    Returns:
        The winner's file.

    Raises:
        SpecError: For a search that cannot be meant.
        Interrupted: When `stop` said so.
    """
    if rules.trials < 1 or rules.rounds < 1 or rules.seeds < 1:
        raise SpecError(
            f"trials, rounds and seeds must be at least 1, got {rules.trials}, {rules.rounds} and {rules.seeds}"
        )
    names = {cls: name for name, cls in (*METHODS.items(), *SCHEDULES.items())}
    with Store.open(out / entry.arm.name) as store:
        best, tried = search(
            entry, experiment, rules, store, provenance=provenance, say=lambda text: print(text, flush=True), stop=stop
        )
    found = {
        "command": command,
        "commit": str(provenance.get("git_commit") or "") + ("-dirty" if provenance.get("git_dirty") else ""),
        **summary(entry, experiment, rules, best, tried),
    }
    path = to / f"{entry.arm.name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(toml(Arm(entry.arm.name, best.arm.methods), found, names), encoding="utf-8")
    beside.replace(path)
    return path
