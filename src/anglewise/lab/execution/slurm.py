"""Workers that SLURM starts, through submitit: one job of an array for each unit, on a folder that all machines share.

A job is told by SIGTERM (preemption, scancel) or SIGUSR2 (its time is nearly over) to save and end.  After SIGUSR2 it
has SLURM queue it again, whether or not its driver lives; after SIGTERM the driver sends its unit again, and SLURM
queues it again itself where it is set up so.  Jobs outlive their driver: one that is started again waits for those
that train, and one that finds nothing left to do ends at once.

submitit hands work over as pickled files, so the folder of the jobs must be the user's own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import submitit
from submitit.core.job_environment import JobEnvironment
from submitit.core.utils import FailedJobError, UncompletedJobError

from anglewise.errors import AnglewiseError
from anglewise.lab.execution.away import here
from anglewise.lab.execution.unit import Unit
from anglewise.lab.execution.worker import work
from anglewise.lab.execution.workers import Lost, environment
from anglewise.lab.store.layout import writing
from anglewise.lab.store.working import LOCK, STOP, path_of

POLL = 0.2
"""Seconds between two looks at what has ended."""
ARRAY = 1000
"""Jobs of an array at most: SLURM's own limit is 1001 where nobody changed it."""
TOGETHER = {"cpu": 8, "gpu": 64}
"""Runs of one structure in a unit: a job takes seconds to begin."""
GATHER = 2.0
"""Seconds in which units come together for one array."""
LOOK = 15.0
"""Seconds between two questions to SLURM; a job that it does not know twice, and that left no result, is lost."""
STOPPED = ".stopped"
"""Ending of a file beside the jobs: those of this session that begin later end at once."""


class SlurmError(AnglewiseError):
    """SLURM is not there, or does not take a job."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What each job asks SLURM for.

    Args:
        cpus: Cores.
        gpus: Accelerators.
        memory_gib: Memory; None for the partition's default.
        minutes: Time, after which it is queued again.
        account: Who pays; None for the user's default.
        partition: Where it is queued; None for the cluster's default.
    """

    cpus: int = 1
    gpus: int = 0
    memory_gib: float | None = None
    minutes: int = 60
    account: str | None = None
    partition: str | None = None

    def parameters(self, jobs: int) -> dict[str, Any]:
        """As submitit calls them; those of SLURM alone say so."""
        asked = {
            "name": "anglewise",
            "timeout_min": self.minutes,
            "cpus_per_task": self.cpus,
            "gpus_per_node": self.gpus or None,
            "mem_gb": self.memory_gib,
            "slurm_account": self.account,
            "slurm_partition": self.partition,
            "slurm_array_parallelism": jobs,
        }
        return {key: value for key, value in asked.items() if value is not None}


class Slurm:
    """Workers that SLURM starts.

    Args:
        folder: Of the jobs, on a file system that all machines share; None for one beside the store.
        jobs: Jobs at once, at most.
        wanted: What each job asks for.
        cluster: ``"slurm"``; ``"local"`` starts processes on this machine instead, ``"debug"`` works in this one.

    Raises:
        SlurmError: If this machine has no SLURM.
    """

    def __init__(
        self, folder: Path | None = None, *, jobs: int | None = None, wanted: Wanted = Wanted(),
        cluster: Literal["slurm", "local", "debug"] = "slurm",
    ):  # fmt: skip
        """Submit nothing yet."""
        if cluster == "slurm" and shutil.which("srun") is None:
            raise SlurmError("srun is not found: run it on a machine of the cluster from which jobs are submitted")
        self.folder, self.wanted, self.cluster = folder, wanted, cluster
        self.slots = jobs or {"slurm": 64, "local": max(1, (os.cpu_count() or 1) // wanted.cpus), "debug": 1}[cluster]
        self.ahead = min(ARRAY, 16 * self.slots) if cluster == "slurm" else self.slots
        self.members = TOGETHER["gpu" if wanted.gpus else "cpu"] if cluster == "slurm" else 1
        self.threads = wanted.cpus
        self.place = f"SLURM, {self.slots} jobs at once" if cluster == "slurm" else f"{self.slots} local jobs"
        self._executor: submitit.Executor | None = None
        self._queue = Queue()
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._waiting: list[_Given] = []
        self._given: list[tuple[submitit.Job[Any], _Given]] = []
        self._thread = threading.Thread(target=self._attend, daemon=True, name="anglewise-slurm")
        self._thread.start()

    def send(self, root: Path, unit: Unit, session: str) -> Future[bool]:
        """Have a unit submitted, with others as one array."""
        future: Future[bool] = Future()
        with self._lock:
            self._waiting.append(_Given(future, root, unit, session, time.monotonic()))
        return future

    def kill(self) -> None:
        """Cancel all jobs."""
        with self._lock:
            given, self._waiting = list(self._given), []
        for job, _ in given:
            _cancel(job)

    def close(self) -> None:
        """Submit no more; jobs that train are not ended."""
        self._closing.set()
        self._thread.join()

    def __enter__(self) -> Self:
        """Enter a block at whose end it is closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; what is still queued goes."""
        if kind is not None:
            self.kill()
        self.close()

    def _attend(self) -> None:
        """Until it is closed: submit what has come together, cancel what is not to begin, say what has ended."""
        while not self._closing.wait(POLL):
            with self._lock:
                ready = bool(self._waiting) and self._due()
                batch, self._waiting = (self._waiting, []) if ready else ([], self._waiting)
            try:
                self._submit(batch)
            except Exception as error:
                _fail(batch, error)
            try:
                for job, one in list(self._given):
                    self._look_at(job, one)
                self._drop_stopped()
            except Exception as error:  # whatever it is, nobody is to wait in vain
                with self._lock:
                    given, self._given = self._given, []
                _fail([one for _, one in given if not one.future.done()], error)

    def _due(self) -> bool:
        gather = GATHER if self.cluster == "slurm" else 0.0
        return time.monotonic() - self._waiting[0].since >= gather or len(self._waiting) >= self.ahead

    def _submit(self, batch: list[_Given]) -> None:
        """Submit units as one array."""
        if not batch:
            return
        if self._executor is None:
            self._executor = self._executor_beside(batch[0].root)
        with self._executor.batch():
            jobs = [
                self._executor.submit(Task(), str(one.root), one.unit, one.session, str(self._stopped(one)))
                for one in batch
            ]
        with self._lock:
            self._given += zip(jobs, batch, strict=True)

    def _folder(self, root: Path) -> Path:
        return (self.folder or root.with_name(root.name + "-jobs")).resolve()

    def _stopped(self, one: _Given) -> Path:
        return self._folder(one.root) / f"{one.session}{STOPPED}"

    def _executor_beside(self, root: Path) -> submitit.Executor:
        folder = self._folder(root)
        private(folder)
        logging.getLogger("submitit").setLevel(logging.ERROR)
        python = shlex.join(["env", *(f"{k}={v}" for k, v in environment(self.wanted.cpus, self.wanted.gpus).items())])
        python += " " + shlex.quote(sys.executable)
        more = {} if self.cluster == "debug" else {f"{self.cluster}_python": python}
        executor = submitit.AutoExecutor(folder, cluster=self.cluster, **more)
        executor.update_parameters(**self.wanted.parameters(self.slots))
        return executor

    def _look_at(self, job: submitit.Job[Any], one: _Given) -> None:
        """Say how a job has ended, if it has."""
        try:
            if not (job.paths.result_pickle.exists() if self.cluster == "slurm" else job.done()):
                if self.cluster != "slurm" or not self._queue.lost(job.job_id):
                    return
                if not job.paths.result_pickle.exists():
                    raise UncompletedJobError(f"SLURM no longer knows job {job.job_id}: {(job.stderr() or '')[-200:]}")
            ended, error = job.result()
        except UncompletedJobError as lost:
            ended, error = False, Lost(_line(lost))
        except FailedJobError as failed:
            ended, error = (
                False,
                SlurmError(f"a job failed: {str(failed).strip()[-300:]}. See {job.paths.folder}"),
            )
        except Exception as raised:  # of submitit: a result that cannot be read
            ended, error = False, Lost(_line(raised))
        with self._lock:
            self._given.remove((job, one))
        if one.future.done():
            return
        if error is not None:
            one.future.set_exception(error)
        else:
            one.future.set_result(ended)

    def _drop_stopped(self) -> None:
        """Cancel jobs that have not begun and whose session is to stop: they may be queued for hours."""
        with self._lock:
            waiting = list(self._waiting)
            stopped = [one for one in waiting if path_of(one.root, one.session, STOP).exists()]
            self._waiting = [one for one in waiting if one not in stopped]
        for one in stopped:
            one.future.set_result(False)
        for job, one in list(self._given):
            if self.cluster != "slurm" or not path_of(one.root, one.session, STOP).exists():
                continue
            self._stopped(one).touch()
            if not path_of(one.root, one.unit.unit_id, LOCK).exists():
                _cancel(job)
                with self._lock:
                    self._given.remove((job, one))
                one.future.set_result(False)


class _Given(NamedTuple):
    """A unit to be worked on."""

    future: Future[bool]
    root: Path
    unit: Unit
    session: str
    since: float


class Task:
    """What a job does; submitit pickles it."""

    def __call__(self, root: str, unit: Unit, session: str, stopped: str) -> tuple[bool, AnglewiseError | None]:
        """Work on a unit; an error that the user can mend comes back as it is."""
        if Path(stopped).exists():
            return False, None
        with soon_over() as asked:
            try:
                ended = work(Path(root), here(unit), session, stop=asked.is_set)
            except AnglewiseError as error:
                return False, error
        if asked.is_set() and not ended:
            signal.raise_signal(over())  # submitit's handler now: queues this job again, and ends it
        return ended, None

    def checkpoint(self, *arguments: Any) -> submitit.helpers.DelayedSubmission:
        """The same again: what is saved lies in the store."""
        return submitit.helpers.DelayedSubmission(self, *arguments)


class Queue:
    """What SLURM knows of this user's jobs, asked for now and then.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        """Nothing is known yet."""
        self.clock, self.asked = clock, clock()
        self.known: set[str] | None = None
        self.missed: dict[str, float] = {}

    def lost(self, job_id: str) -> bool:
        """Whether two answers, some time apart, did not have a job."""
        if self.clock() - self.asked >= LOOK:
            self.known, self.asked = _queued(), self.clock()
        if self.known is None or job_id in self.known:
            self.missed.pop(job_id, None)
            return False
        return self.asked - self.missed.setdefault(job_id, self.asked) >= LOOK


def partitions() -> list[dict[str, Any]]:
    """SLURM's partitions and what their machines have.

    Raises:
        SlurmError: If SLURM does not answer.
    """
    words = ["sinfo", "--noheader", "--format=%R|%D|%c|%m|%G"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmError(
            f"sinfo does not answer ({_line(error)}): run it on a machine from which jobs are submitted"
        ) from error
    keys = ("partition", "machines", "cpus", "memory_mib", "accelerators")
    return [dict(zip(keys, line.split("|"), strict=True)) for line in done.stdout.splitlines() if line.count("|") == 4]


def _queued() -> set[str] | None:
    """Jobs of this user that wait or run, those of arrays one by one; None if SLURM does not answer."""
    words = ["squeue", "--noheader", "--array", "--me", "--format=%F_%K %A"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return set(done.stdout.split()) if done.returncode == 0 else None


def over() -> int:
    """The signal by which a job is told that its time is nearly over."""
    return int(getattr(signal, f"SIG{JobEnvironment.USR_SIG}"))


@contextlib.contextmanager
def soon_over() -> Iterator[threading.Event]:
    """Set when the job's time is nearly over; outside the main thread nothing is caught."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(over(), lambda number, frame: asked.set())
    try:
        yield asked
    finally:
        signal.signal(over(), before)


def private(folder: Path) -> None:
    """Make a folder that is the user's alone: whoever writes into it decides what the user's jobs do.

    Raises:
        SlurmError: If others own it or may write to it.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stat = folder.stat()
    if stat.st_uid != os.getuid() or stat.st_mode & 0o022:
        raise SlurmError(f"{folder} can be written to by others, expected a folder that is yours alone: chmod 700")


def _cancel(job: submitit.Job[Any]) -> None:
    with contextlib.suppress(Exception):  # it has ended meanwhile
        if isinstance(job, submitit.SlurmJob):
            subprocess.run(["scancel", job.job_id], capture_output=True, timeout=60)
        else:
            job.cancel(check=False)


def _fail(batch: list[_Given], error: Exception) -> None:
    mendable = isinstance(error, (AnglewiseError, OSError))
    for one in batch:
        one.future.set_exception(error if mendable else SlurmError(f"SLURM did not take a job: {_line(error)}"))


def _line(error: BaseException) -> str:
    """An error in one line."""
    return " ".join(str(error).split())[:300]
