"""From an experiment to a store: trains the runs that are missing, loses nothing.

What is missing is planned, cut into units, and trained: in this process, or by workers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from anglewise.errors import SpecError
from anglewise.lab.engine.programs import Programs
from anglewise.lab.execution.dispatch import dispatch, wait_for_others
from anglewise.lab.execution.drive import Interrupted, Listening, Progress, State
from anglewise.lab.execution.planning import Plan, plan, unmeasured
from anglewise.lab.execution.unit import Care, train_jobs, units
from anglewise.lab.execution.workers import Workers
from anglewise.lab.protocols.reading import Reading
from anglewise.lab.readings.sets import AT_EVALUATIONS, DEFAULT
from anglewise.lab.spec import Experiment, Manifest
from anglewise.lab.store import Provenance, Reader, Store
from anglewise.lab.store.working import sweep

__all__ = ["Interrupted", "Listening", "Progress", "State", "train"]


def train(
    experiment: Experiment,
    store: Store,
    progress: Progress,
    *,
    provenance: Provenance,
    command: str = "",
    stop: Callable[[], bool] = lambda: False,
    checkpoint_seconds: float = 20.0,
    append_seconds: float = 1.0,
    readings: Sequence[Reading] | None = None,
    keep: bool = True,
    programs: Programs | None = None,
    workers: Workers | None = None,
) -> Plan:
    """Train what is missing of an experiment.

    Args:
        experiment: What to train.
        store: Open for writing.
        progress: Receives progress events.
        provenance: Written beside every run before it trains.
        command: The line that reproduces it.
        stop: Asked after every segment; True saves and ends.
        checkpoint_seconds: Seconds of training between checkpoints.
        append_seconds: Seconds of training between writes of rows.
        readings: What is measured at every ``training.measure_every`` steps; a run that had ended without one of them
            is trained again.  None for the default ones.
        keep: Whether each run's last weights and state stay in the store.  Without them a longer budget trains the
            run again from its beginning.
        programs: Compiled programs to train with, shared by experiments that train one after the other.  None for
            programs of this call alone.
        workers: Processes that train, here or elsewhere.  None to train in this process.

    Returns:
        The plan as it was before training.

    Raises:
        SpecError: If readings are asked for and nothing is measured.
        StoreError: If the store does not take what it is given.
        Interrupted: After a checkpoint, when `stop` returned True.
    """
    if readings and not experiment.training.measure_every:
        raise SpecError(unmeasured(experiment))
    readings = tuple(DEFAULT.values()) if readings is None else tuple(readings)
    store.manifest(Manifest.of(experiment, command))
    sweep(store.root)
    todo = plan(experiment, Reader(store.root), store.finished(), readings)
    care = Care(provenance, keep, checkpoint_seconds, append_seconds)
    try:
        progress.start(todo)
        if workers is not None:
            dispatch(units(todo.jobs, readings, care, store, workers.members), workers, store.root, progress, stop)
        else:
            wait_for_others(store.root, [job.run.run_id for job in todo.jobs], stop)
            train_jobs(todo.jobs, care, store, progress, programs or Programs(AT_EVALUATIONS), stop)
    finally:
        progress.close()
    return todo
