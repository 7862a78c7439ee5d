"""Training from the command line: the line that was typed is written beside every run."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anglewise.lab.execution.planning import Plan
    from anglewise.lab.spec import Experiment
    from anglewise.lab.store import Provenance


def command() -> str:
    """The line that was typed, as text that any file can hold."""
    return ("anglewise " + shlex.join(sys.argv[1:])).encode(errors="backslashreplace").decode()


def provenance(precision: str, *, anonymous: bool = False) -> Provenance:
    """What is written beside every run: code, libraries, machine and the line that was typed."""
    import jax

    from anglewise.lab.store import collect

    device = str(jax.devices()[0].device_kind)
    return collect(["anglewise", *sys.argv[1:]], device, precision, anonymous=anonymous)


def train_missing(experiment: Experiment, out: Path, *, anonymous: bool = False, **options: Any) -> Plan:
    """Train what a store lacks of an experiment, and give the plan as it was before training.

    Args:
        experiment: What is trained.
        out: The store; it is made where there is none.
        anonymous: Whether the host's name and the folders of paths are left out of what is written.
        **options: Further arguments of :func:`anglewise.lab.experiments.run.train_missing`.
    """
    from anglewise.lab.experiments import run

    origin = provenance(experiment.training.precision, anonymous=anonymous)
    return run.train_missing(experiment, out, provenance=origin, **options)


def register(experiment: Experiment, out: Path) -> None:
    """Write an experiment into a store and train nothing.

    The experiment then consists of the runs that the store has, whoever trained them: calls for other arms, or stores
    whose runs were copied into this one.
    """
    from anglewise.lab.spec import Manifest
    from anglewise.lab.store import Reader, Store

    if experiment.experiment_id not in {known.experiment_id for known in Reader(out).experiments()}:
        with Store.open(out) as store:
            store.manifest(Manifest.of(experiment, command()))
