"""Training from the command line: into a store, with progress, and so that Ctrl-C loses nothing."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anglewise.lab.execution.planning import Plan
    from anglewise.lab.spec import Experiment


def command() -> str:
    """The line that was typed, as text that any file can hold."""
    return ("anglewise " + shlex.join(sys.argv[1:])).encode(errors="backslashreplace").decode()


def provenance(precision: str, *, anonymous: bool = False) -> dict[str, Any]:
    """What is written beside every run: code, libraries, machine and the line that was typed."""
    import jax

    from anglewise.lab.store import collect

    device = str(jax.devices()[0].device_kind)
    return collect(["anglewise", *sys.argv[1:]], device, precision, anonymous=anonymous)


def train_missing(
    experiment: Experiment, out: Path, *, quiet: bool, readings: Sequence[Any] = (), anonymous: bool = False,
    **options: Any,
) -> Plan:  # fmt: skip
    """Train what a store lacks of an experiment.

    Args:
        experiment: What is trained.
        out: The store; it is made where there is none.
        quiet: Whether progress is left out.
        readings: What is measured.
        anonymous: Whether the host's name and the folders of paths are left out of what is written.
        **options: Further arguments of :func:`~anglewise.lab.runner.train`.

    Returns:
        The plan as it was before training.
    """
    from anglewise.lab.report.live import progress_for
    from anglewise.lab.runner import train
    from anglewise.lab.store import Store

    origin = provenance(experiment.training.precision, anonymous=anonymous)
    with Store.open(out) as store, stoppable() as stop:
        return train(
            experiment, store, progress_for(experiment, quiet=quiet), provenance=origin, command=origin["command"],
            stop=stop.is_set, readings=readings, **options,
        )  # fmt: skip


def register(experiment: Experiment, out: Path) -> None:
    """Write an experiment into a store and train nothing.

    The experiment then consists of the runs that the store has, whoever trained them: calls for other arms, or stores
    whose runs were copied into this one.
    """
    from anglewise.lab.execution.planning import manifest
    from anglewise.lab.store import Reader, Store

    if experiment.experiment_id not in {known["experiment_id"] for known in Reader(out).experiments()}:
        with Store.open(out) as store:
            store.manifest(experiment.experiment_id, manifest(experiment, command()))


@contextlib.contextmanager
def stoppable() -> Iterator[threading.Event]:
    """First Ctrl-C (or SIGTERM): finish the segment and save.  Second: at once."""
    stop = threading.Event()

    def ask(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        print("\nanglewise: saving, then stopping (a few seconds). Ctrl-C again stops now", file=sys.stderr)

    old = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
