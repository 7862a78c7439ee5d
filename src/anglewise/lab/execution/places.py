"""Where runs train, by name: this machine's cores, a Ray cluster, SLURM."""

from __future__ import annotations

import dataclasses
import re

from anglewise.errors import SpecError, missing, shown, unknown
from anglewise.lab.execution.processes import local
from anglewise.lab.execution.workers import Workers

PLACES = ("ray", "ray://HOST:PORT", "slurm", "slurm:local")
"""``slurm:local`` starts its jobs on this machine, to try them."""
_ADDRESS = re.compile(r"ray://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
_WORD = re.compile(r"[A-Za-z0-9._,@:=+-]+")


@dataclasses.dataclass(frozen=True)
class Place:
    """A cluster, and what each task is given there.

    Args:
        name: ``"ray"`` for the Ray cluster that this machine belongs to (where there is none, for one of this machine
            alone), ``"ray://HOST:PORT"`` for one elsewhere, ``"slurm"``, or ``"slurm:local"``.
        cpus: Cores of each task: a run has as many threads.
        gpus: Accelerators of each task.
        memory_gib: Memory that a SLURM job asks for.
        minutes: Time that a SLURM job asks for; it is queued again where that is not enough.
        account: SLURM's account.
        partition: SLURM's partition.

    Raises:
        SpecError: For a name that is no place, or a value that cannot stand there.
    """

    name: str
    cpus: int = 1
    gpus: int = 0
    memory_gib: float | None = None
    minutes: int | None = None
    account: str | None = None
    partition: str | None = None

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.name.startswith("ray:"):
            if not _ADDRESS.fullmatch(self.name):
                raise SpecError(f"got the place {shown(self.name)}, expected ray://HOST:PORT such as ray://head:10001")
        elif self.name not in ("ray", "slurm", "slurm:local"):
            raise SpecError(unknown("place", self.name, PLACES))
        for field in ("memory_gib", "minutes", "account", "partition"):
            if getattr(self, field) is not None and not self.name.startswith("slurm"):
                raise SpecError(
                    f"{field} {shown(getattr(self, field))} is asked of SLURM, and the place is {self.name}"
                )
        for field, least in (("cpus", 1), ("gpus", 0), ("memory_gib", 1e-3), ("minutes", 1)):
            value = getattr(self, field)
            if value is not None and not least <= value <= 1e6:
                raise SpecError(f"{field} is {shown(value)}, expected a number from {least:g} on")
        for field in ("account", "partition"):
            value = getattr(self, field)
            if value is not None and not _WORD.fullmatch(value):
                raise SpecError(f"{field} is {shown(value)}, expected a name without spaces")

    def workers(self, jobs: int | None = None) -> Workers:
        """Connect to it.

        Args:
            jobs: Tasks at once, at most.

        Raises:
            MissingError: If its library is not installed.
            AnglewiseError: If there is no such cluster.
        """
        self.check_installed()
        if self.name.startswith("ray"):
            from anglewise.lab.execution.ray import Ray

            return Ray(None if self.name == "ray" else self.name, jobs=jobs, cpus=self.cpus, gpus=self.gpus)
        from anglewise.lab.execution.slurm import Slurm, Wanted

        wanted = Wanted(self.cpus, self.gpus, self.memory_gib, self.minutes or 60, self.account, self.partition)
        return Slurm(jobs=jobs, wanted=wanted, cluster="local" if self.name == "slurm:local" else "slurm")

    def check_installed(self) -> None:
        """Check that its library is installed.

        Raises:
            MissingError: If it is not.
        """
        if self.name.startswith("ray"):
            error = missing(f"--on {self.name}", "ray", ["ray", *(["grpc"] if self.name != "ray" else [])])
        else:
            error = missing(f"--on {self.name}", "slurm", ["submitit"])
        if error is not None:
            raise error


def workers_at(on: str | Place | None, runs: int, bytes_each: int, jobs: int | None = None) -> Workers | None:
    """The workers that train runs; None where this process is to train them itself.

    Args:
        on: A cluster; None for this machine.
        runs: How many there are, whether they are missing or not.
        bytes_each: Memory of a run.
        jobs: Tasks at once, at most; None for what suits the place.

    Raises:
        SpecError: For a place that there is not, or several jobs on an accelerator of this machine.
        MissingError: If a library is not installed.
        AnglewiseError: If there is no such cluster.
    """
    if on is None:
        return local(runs, bytes_each, jobs)
    return (Place(on) if isinstance(on, str) else on).workers(jobs)
