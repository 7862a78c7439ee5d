"""A real Ray cluster of several raylets: any of them, or the driver, may be lost, and no number changes.

Workers write into the store where all see its folder, and hand in their files where one does not.
"""

from __future__ import annotations

import dataclasses
import threading
import time

import pytest

from anglewise.errors import SpecError
from anglewise.lab.execution.ray import ClusterError, Ray, connected, is_shared, machines
from anglewise.lab.report.progress import Silent
from anglewise.lab.runner import Interrupted, train
from anglewise.lab.store import Reader, Store
from tests.support import clusters, lives
from tests.support.training import FEW, ONE, changed, everything, trained

EXPERIMENT = changed(ONE, budget=2400, measure_every=800)
LONG = dataclasses.replace(changed(ONE, budget=30_000, every=20, measure_every=10_000), arms=ONE.arms[:1])
"""Cannot end before it is asked to stop."""
RUNS = len(list(EXPERIMENT.runs()))


@pytest.fixture(scope="module")
def made():
    with clusters.cluster() as one:
        yield one


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Trained by one process."""
    folder = tmp_path_factory.mktemp("alone") / "store"
    trained(EXPERIMENT, folder)
    return everything(folder, EXPERIMENT)


class Watching(Silent):
    """Does something once, when two runs have shown something."""

    def __init__(self, what):
        super().__init__()
        self.what, self.runs, self.steps = what, set(), {}

    def update(self, rows, steps):
        super().update(rows, steps)
        self.runs.add(rows.run.run_id)
        self.steps[rows.run.run_id] = self.steps.get(rows.run.run_id, 0) + steps
        if len(self.runs) == 2 and self.what:
            what, self.what = self.what, None
            what()


def by(workers, folder, progress, experiment=EXPERIMENT, **kwargs):
    watchdog = threading.Timer(240, workers.kill)  # a test that waits in vain is to fail
    watchdog.daemon = True
    watchdog.start()
    with workers, Store.open(folder) as store:
        kwargs |= {"readings": FEW, "checkpoint_seconds": 0.1}
        train(experiment, store, progress, provenance={}, workers=workers, **kwargs)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [None, False], ids=["shared", "handed in"])
def test_a_machine_that_is_lost_changes_no_number(made, tmp_path, alone, shared):
    with clusters.another(made) as node:
        workers = Ray(shared=shared)
        assert workers.slots == 2
        sent, send = [], workers.send
        workers.send = lambda root, unit, session: sent.append(unit.unit_id) or send(root, unit, session)
        by(workers, tmp_path / "store", Watching(lambda: clusters.lose(made, node)))
    assert workers.shared is (shared is None)
    assert len(sent) > len(set(sent)) == RUNS, "what was lost was sent again"
    assert everything(tmp_path / "store", EXPERIMENT) == alone
    assert not list((tmp_path / "store" / "populations").iterdir())


@pytest.mark.slow
def test_a_driver_that_is_killed_and_begun_again_trains_nothing_twice(made, tmp_path, alone):
    store = tmp_path / "store"
    arguments = (made.address, EXPERIMENT, store, False, FEW)
    process = lives.START.Process(target=clusters.drive, args=arguments)
    process.start()
    end = time.monotonic() + 200
    while not (ended := list(store.glob("runs/*/outcome.json"))):
        assert process.is_alive() and time.monotonic() < end
        time.sleep(0.05)
    process.kill()
    process.join()
    before = {path: path.stat().st_mtime_ns for path in ended}
    progress = Watching(None)
    by(Ray(shared=False), store, progress)
    assert everything(store, EXPERIMENT) == alone
    assert {path: path.stat().st_mtime_ns for path in ended} == before
    assert not {path.parent.name for path in ended} & set(progress.steps)


@pytest.mark.slow
def test_when_asked_to_stop_workers_that_hand_in_their_files_save_too(made, tmp_path):
    store, progress = tmp_path / "store", Watching(None)
    with pytest.raises(Interrupted, match="run the same command again to go on from here"):
        by(Ray(shared=False), store, progress, LONG, stop=lambda: bool(progress.steps))
    (saved,) = store.glob("populations/*/state.safetensors")
    assert not list(store.glob("populations/*.*"))
    (run,) = [run for run in (store / "runs").iterdir() if not (run / "outcome.json").exists()]
    step = int(Reader(store).curves(run.name)["step"][-1])
    again = Watching(None)
    by(Ray(shared=False), store, again, LONG)
    assert again.steps[run.name] == LONG.training.budget - step and not saved.exists()


@pytest.mark.slow
def test_a_cluster_says_what_it_has_and_what_it_has_no_room_for(made, tmp_path, monkeypatch):
    (one,) = machines()
    assert one["cpus"] == 1 and one["libraries"]["jax"] and "error" not in one
    assert is_shared(tmp_path) and not list(tmp_path.iterdir())
    with pytest.raises(SpecError, match="a task is to have 8 cores and 0 accelerators, the largest machine has 1"):
        Ray(cpus=8)
    monkeypatch.setattr("anglewise.lab.execution.ray.differences", lambda *told: ["far: jax is 0.1 there"])
    with pytest.raises(ClusterError, match="far: jax is 0.1 there. See all: anglewise doctor --on ray"):
        Ray()
    with connected(None):
        pass
    assert machines(), "a connection that was there stays"


@pytest.mark.slow
@pytest.mark.skipif(not clusters.may_be_apart(), reason="this process may not make network namespaces")
def test_a_host_with_a_network_and_folders_of_its_own_trains_along(made, tmp_path, alone):
    folder = tmp_path / "here"
    folder.mkdir()
    with clusters.apart(made, folder) as elsewhere:
        workers, hosts = Ray(), {one["address"] for one in machines()}
        by(workers, folder / "store", Watching(None))
    assert len(hosts) == 2 and workers.slots == 2 and workers.shared is False
    assert everything(folder / "store", EXPERIMENT) == alone
    assert not list(elsewhere.iterdir())
