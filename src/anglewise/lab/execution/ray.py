"""Workers on a Ray cluster: one task of Ray Core for each unit.

Ray decides where a task runs and notices when a machine is gone; the dispatcher then sends the unit again, so Ray is
told never to retry by itself.  Where every machine sees the store's folder, and its locks, workers write to it as
processes on this machine do.  Elsewhere they train in folders of their own, and hand in their files through an actor
that lives on the driver's machine (see away.py).
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayError, RayTaskError, TaskCancelledError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from anglewise.errors import AnglewiseError, SpecError, StoreError
from anglewise.lab.execution.away import here, work_away
from anglewise.lab.execution.machines import differences, machine, probing
from anglewise.lab.execution.parcels import packed, unpack
from anglewise.lab.execution.unit import Unit
from anglewise.lab.execution.worker import work
from anglewise.lab.execution.workers import Lost, environment
from anglewise.lab.store.working import STOP, path_of

POLL = 0.1
"""Seconds between two looks at what has ended."""
PATIENCE = 60.0
"""Seconds in which each machine is to answer what it has."""
AGAIN = 60
"""Times that a worker asks a driver that does not answer, a second apart."""
TOGETHER = 64
"""Runs of one structure that a task with an accelerator is given."""


class ClusterError(AnglewiseError):
    """A cluster that does not answer, or on whose machines something is missing."""


class Ray:
    """Workers on a Ray cluster.

    Args:
        address: Of the cluster, such as ``ray://HOST:10001``; None for the one that this machine belongs to, or else
            for one of this machine alone, which ends with the block.
        jobs: Tasks at once, at most; None for as many as the cluster has cores or accelerators for.
        cpus: Cores of each task.
        gpus: Accelerators of each task.
        shared: Whether all machines see the store's folder; None to find out.

    Raises:
        ClusterError: If there is no cluster at that address, or its machines lack what is needed.
        SpecError: If no machine has as many cores or accelerators as a task is to have.
    """

    def __init__(
        self, address: str | None = None, *, jobs: int | None = None, cpus: int = 1, gpus: int = 0,
        shared: bool | None = None,
    ):  # fmt: skip
        """Connect, and ask each machine what it has."""
        self.threads, self.shared = cpus, shared
        self.members = TOGETHER if gpus else 1
        self._close_with = contextlib.ExitStack()
        self._close_with.enter_context(connected(address))
        try:
            self.slots = min(_slots(cpus, gpus), jobs or 1024)
            self.ahead = self.slots if jobs else 2 * self.slots + 2
            self.place = f"Ray, {self.slots} tasks at once"
            self._options = {
                "num_cpus": cpus,
                "num_gpus": gpus,
                "max_retries": 0,
                "runtime_env": {"env_vars": environment(cpus, gpus)},
            }
            if lines := differences(machines(), machine()):
                raise ClusterError("; ".join(lines[:3]) + ". See all: anglewise doctor --on ray")
        except BaseException:
            self._close_with.close()
            raise
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._given: dict[Any, _Given] = {}
        self._post: Any = None
        self._told: set[str] = set()
        self._had = 0
        self._thread = threading.Thread(target=self._attend, daemon=True, name="anglewise-ray")
        self._thread.start()

    def send(self, root: Path, unit: Unit, session: str) -> Future[bool]:
        """Give a unit to the cluster, which decides where and when it is worked on."""
        if self.shared is None:
            self.shared = is_shared(root / "populations")
        future: Future[bool] = Future()
        if self.shared:
            ref = _remote(**self._options)(_work).remote(str(root), unit, session)
        else:
            if self._post is None:
                self._post = _posted()
            token = os.urandom(8).hex()
            task = _remote(**self._options)(_work_away)
            ref = task.remote(unit, session, packed(root, unit), self._post, token)
        with self._lock:
            self._given[ref] = _Given(future, root, unit, session, "" if self.shared else token)
        return future

    def kill(self) -> None:
        """End all workers at once."""
        with self._lock:
            refs = list(self._given)
        for ref in refs:
            with contextlib.suppress(RayError):
                ray.cancel(ref, force=True)

    def close(self) -> None:
        """Leave the cluster; one that was begun for this driver ends."""
        self._closing.set()
        self._thread.join()
        self._close_with.close()

    def __enter__(self) -> Self:
        """Enter a block at whose end it is closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _attend(self) -> None:
        """Until it is closed: write what workers hand in, tell them to stop, and say what has ended."""
        while not self._closing.wait(0 if self._given else POLL):
            with self._lock:
                given = dict(self._given)
            if not given:
                continue
            try:
                ended = ray.wait(list(given), num_returns=1, timeout=POLL)[0]
                if ended:  # and all others that have ended meanwhile
                    ended = ray.wait(list(given), num_returns=len(given), timeout=0)[0]
                if self._post is not None:
                    with contextlib.suppress(ActorUnavailableError):  # for a moment: it is asked again
                        self._receive({one.token: (ref, one) for ref, one in given.items()})
                        self._tell({one.session: one.root for one in given.values()})
            except ActorDiedError as error:  # what was handed in and not taken yet is lost: units are sent again
                self._post, self._had = None, 0
                self._fail(given, Lost(_line(error)))
                continue
            except (RayError, ConnectionError) as error:
                self._fail(given, ClusterError(f"the Ray cluster is gone: {_line(error)}. Run the same command again"))
                continue
            except Exception as error:  # whatever it is, nobody is to wait in vain
                self._fail(given, error)
                continue
            for ref in ended:
                self._settle(ref, given[ref])

    def _receive(self, given: dict[str, tuple[Any, _Given]]) -> None:
        """Write what workers have handed in; what a worker that was given up hands in is left."""
        for number, token, parcel in ray.get(self._post.take.remote(self._had)):
            self._had = number
            ref, one = given.get(token, (None, None))
            if one is None or one.future.done():
                continue
            try:
                unpack(one.root, parcel, one.unit)
            except (StoreError, OSError) as error:
                self._fail({ref: one}, error)

    def _tell(self, sessions: dict[str, Path]) -> None:
        """Tell workers of what sessions are to stop."""
        for session, root in sessions.items():
            if session not in self._told and path_of(root, session, STOP).exists():
                ray.get(self._post.stop.remote(session))
                self._told.add(session)

    def _settle(self, ref: Any, one: _Given) -> None:
        """A task has ended: say how."""
        with self._lock:
            self._given.pop(ref, None)
        if one.future.done():
            return
        try:
            result = ray.get(ref)
            if one.token:
                result, parcel = result
                unpack(one.root, parcel, one.unit)
        except RayTaskError as error:  # the task itself raised
            one.future.set_exception(error.cause if isinstance(error.cause, Exception) else error)
        except TaskCancelledError as error:
            one.future.set_exception(Lost(f"cancelled: {_line(error)}"))
        except RayError as error:
            one.future.set_exception(Lost(_line(error)))
        except Exception as error:  # of the store, of the disk; whatever it is, nobody is to wait in vain
            one.future.set_exception(error)
        else:
            one.future.set_result(bool(result))

    def _fail(self, given: dict[Any, _Given], error: Exception) -> None:
        with self._lock:
            for ref in given:
                self._given.pop(ref, None)
        for one in given.values():
            if not one.future.done():
                one.future.set_exception(error)


class _Given(NamedTuple):
    """A unit that the cluster has."""

    future: Future[bool]
    root: Path
    unit: Unit
    session: str
    token: str


class Post:
    """An actor: takes what workers hand in, and tells them to stop."""

    def __init__(self) -> None:
        """Nothing has come."""
        self.waiting: deque[tuple[int, str, bytes]] = deque()
        self.stopped: set[str] = set()
        self.come = 0

    def hand_in(self, token: str, session: str, parcel: bytes | None) -> bool:
        """Take a parcel, or None; says whether its session is to stop."""
        if parcel is not None:
            self.come += 1
            self.waiting.append((self.come, token, parcel))
        return session in self.stopped

    def take(self, had: int) -> list[tuple[int, str, bytes]]:
        """What has come after parcel number `had`; what came before is forgotten, since it has arrived.

        So an answer that was lost on its way is simply asked for again.
        """
        while self.waiting and self.waiting[0][0] <= had:
            self.waiting.popleft()
        return list(self.waiting)

    def stop(self, session: str) -> None:
        """Have the workers of a session stop."""
        self.stopped.add(session)


def _work(root: str, unit: Unit, session: str) -> bool:
    """A task: works on a unit in a folder that this machine sees."""
    return work(Path(root), here(unit), session)


def _work_away(unit: Unit, session: str, image: bytes, post: Any, token: str) -> tuple[bool, bytes]:
    """A task: works on a unit in a folder of this machine."""

    def hand_in(parcel: bytes | None) -> bool:
        for _ in range(AGAIN):
            with contextlib.suppress(ActorUnavailableError):  # for a moment; to hand in twice changes nothing
                # a future, since Ray gives the cores of a task that waits in ray.get to another one
                return bool(post.hand_in.remote(token, session, parcel).future().result())
            time.sleep(1.0)
        raise Lost(f"the driver's machine did not answer in {AGAIN} s")

    return work_away(here(unit), session, image, hand_in)


_remote: Any = ray.remote
"""Its types speak of functions whose arguments are known."""


def _posted() -> Any:
    """The actor, on the driver's machine and on no other: it is lost only where the driver is lost too."""
    node = ray.get_runtime_context().get_node_id()
    place = NodeAffinitySchedulingStrategy(node, soft=False)
    return _remote(num_cpus=0, max_restarts=0, scheduling_strategy=place)(Post).remote()


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Be connected to a cluster while the block lasts; a connection that is there already is used, and stays.

    Raises:
        ClusterError: If there is none at that address.
    """
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    handlers = _handlers()
    try:
        own: dict[str, Any] = {} if address or os.environ.get("RAY_ADDRESS") else {"include_dashboard": False}
        with warnings.catch_warnings():  # it forks, which JAX warns of: what is forked only starts another program
            warnings.simplefilter("ignore", RuntimeWarning)
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **own)
    except (ConnectionError, RayError, RuntimeError, ValueError, ImportError) as error:
        where = address or os.environ.get("RAY_ADDRESS") or "this machine"
        raise ClusterError(
            f"no Ray cluster answers at {where} ({_line(error)}): start one with ray start --head, and give "
            "ray://HOST:10001"
        ) from error
    finally:
        for number, handler in handlers.items():  # Ray takes SIGTERM for itself
            signal.signal(number, handler)
    try:
        yield
    finally:
        ray.shutdown()


def _handlers() -> dict[int, Any]:
    """Who handles signals; none where this is not the main thread, to which Python gives them."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}


def machines(probe: Path | None = None, attempts: int = 5) -> list[dict[str, Any]]:
    """What each machine of the connected cluster says of itself; ``"error"`` where it does not answer.

    Args:
        probe: A locked file to look for.
        attempts: A machine that has just come or gone cannot be asked for a moment: how often all are asked.
    """
    told = _asked(probe)
    if attempts > 1 and any(one.get("error", "").startswith(UNSCHEDULABLE) for one in told):
        time.sleep(1.0)
        return machines(probe, attempts - 1)
    return told


UNSCHEDULABLE = "The task is not schedulable"


def _asked(probe: Path | None) -> list[dict[str, Any]]:
    asked = {}
    for node in (node for node in ray.nodes() if node["Alive"]):
        place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = _remote(num_cpus=0, max_retries=0, scheduling_strategy=place)(machine)
        asked[task.remote(None if probe is None else str(probe))] = node
    ray.wait(list(asked), num_returns=len(asked), timeout=PATIENCE)
    told = []
    for ref, node in asked.items():
        has = {"address": node["NodeManagerAddress"], "cpus": int(node["Resources"].get("CPU", 0)),
               "gpus": int(node["Resources"].get("GPU", 0))}  # fmt: skip
        try:
            told.append(ray.get(ref, timeout=0) | has)
        except RayError as error:
            cause = getattr(error, "cause", None) or error
            known = "No module named 'anglewise" in str(cause)
            text = "anglewise is not installed there: install it there" if known else _line(cause)
            told.append({"host": node["NodeManagerAddress"], "error": text} | has)
    return told


def is_shared(folder: Path) -> bool:
    """Whether all machines of the connected cluster see a folder, and each other's locks in it."""
    with probing(folder) as probe:
        return all(one.get("sees") and one.get("locks") for one in machines(probe))


def _slots(cpus: int, gpus: int) -> int:
    """Tasks that the cluster has room for at once.

    Raises:
        SpecError: If no machine has room for one.
    """
    has = [(node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0)) for node in ray.nodes() if node["Alive"]]
    rooms = [int(min(c // cpus if cpus else 1024, g // gpus if gpus else 1024)) for c, g in has]
    if not sum(rooms):
        most = f"{int(max(c for c, _ in has))} cores and {int(max(g for _, g in has))} accelerators"
        raise SpecError(f"a task is to have {cpus} cores and {gpus} accelerators, the largest machine has {most}")
    return sum(rooms)


def _line(error: BaseException) -> str:
    """An error in one line."""
    return " ".join(str(error).split())[:300]
