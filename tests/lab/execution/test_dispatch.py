"""Units handed to workers: each comes to its end once, whatever happens to the workers."""

from __future__ import annotations

import threading

import pytest

from anglewise.errors import StoreError
from anglewise.lab.engine.compiling import seconds_compiling
from anglewise.lab.execution import worker
from anglewise.lab.execution.dispatch import LostWorkers, wait_for_others
from anglewise.lab.execution.unit import Care, units
from anglewise.lab.report.progress import Silent
from anglewise.lab.runner import Interrupted, train
from anglewise.lab.store import Reader, Store
from anglewise.lab.store.working import hold
from tests.support.training import FEW, ONE, PROGRAMS, TINY, changed, everything, nothing_trained, trained
from tests.support.workers import Threads


@pytest.fixture(autouse=True)
def _same_programs(monkeypatch):
    monkeypatch.setattr(worker, "programs", lambda: PROGRAMS)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Trained by one process."""
    folder = tmp_path_factory.mktemp("alone") / "store"
    trained(TINY, folder)
    return everything(folder, TINY)


class Heard(Silent):
    """Counts the steps that it is told, and the ends."""

    def __init__(self):
        super().__init__(compiled=seconds_compiling)
        self.steps, self.ends, self.states = {}, [], set()

    def update(self, rows, steps):
        super().update(rows, steps)
        self.steps[rows.run.run_id] = self.steps.get(rows.run.run_id, 0) + steps

    def doing(self, state, runs):
        self.states.add(state)

    def finish(self, run, outcome):
        super().finish(run, outcome)
        self.ends.append(run.run_id)


def by(workers, experiment, folder, progress=None, **kwargs):
    kwargs = {"readings": FEW, "programs": PROGRAMS, "provenance": {}} | kwargs
    with Store.open(folder) as store, workers:
        return train(experiment, store, progress or Heard(), workers=workers, **kwargs)


def test_workers_train_what_one_process_trains(tmp_path, alone):
    workers, progress = Threads(2), Heard()
    by(workers, TINY, tmp_path / "store", progress)
    assert everything(tmp_path / "store", TINY) == alone
    assert len(workers.sent) == 9 and len(set(progress.ends)) == len(progress.ends) == 9
    assert set(progress.steps.values()) == {60}, "every step is told once"
    assert progress.tally.done and progress.states, "states are told now and then: which ones, time decides"
    assert not list((tmp_path / "store" / "populations").iterdir())
    assert nothing_trained(TINY, tmp_path / "store")


def test_seeds_come_first(tmp_path):
    workers = Threads(1)
    by(workers, TINY, tmp_path / "store")
    assert [unit.runs[0].seed for unit in workers.sent] == sorted(unit.runs[0].seed for unit in workers.sent)


@pytest.mark.parametrize("lose", [1, 2])
def test_a_unit_that_lost_its_worker_is_given_to_another(tmp_path, alone, lose):
    workers = Threads(2, lose=lose)
    by(workers, TINY, tmp_path / "store")
    assert len(workers.sent) == 9 * (lose + 1)
    assert everything(tmp_path / "store", TINY) == alone


def test_a_unit_that_loses_every_worker_is_given_up(tmp_path):
    with pytest.raises(LostWorkers, match=r"3 workers ended before plain seed 0 did \(a process in the pool was"):
        by(Threads(1, lose=3), ONE, tmp_path / "store")


def test_an_error_of_a_worker_ends_it_all(tmp_path):
    with pytest.raises(StoreError, match="disk full"):
        by(Threads(2, error=StoreError("disk full")), ONE, tmp_path / "store")


def test_when_asked_to_stop_all_workers_save_and_the_same_call_goes_on(tmp_path):
    longer = changed(TINY, budget=6000, measure_every=2000)
    with pytest.raises(Interrupted, match="run the same command again to go on from here"):
        progress = Heard()
        by(Threads(2), longer, tmp_path / "store", progress, stop=lambda: bool(progress.steps))
    saved = list((tmp_path / "store" / "populations").glob("*/state.safetensors"))
    assert len(saved) == 2
    assert not list((tmp_path / "store" / "populations").glob("*.*")), "no lock, no news, no order to stop is left"
    steps = {run.name: Reader(tmp_path / "store").curves(run.name)["step"][-1] for run in saved_runs(tmp_path)}
    assert all(0 < step < 6000 for step in steps.values())
    progress = Heard()
    by(Threads(2), changed(TINY, budget=6000, measure_every=2000), tmp_path / "store", progress)
    for run_id, step in steps.items():
        assert progress.steps[run_id] == 6000 - step, "it went on from its checkpoint"


def saved_runs(tmp_path):
    return [run for run in (tmp_path / "store" / "runs").iterdir() if not (run / "outcome.json").exists()]


def test_a_second_interrupt_kills_the_workers(tmp_path):
    def stop():
        raise KeyboardInterrupt

    workers = Threads(1)
    with pytest.raises(KeyboardInterrupt):
        by(workers, ONE, tmp_path / "store", stop=stop)
    assert workers.killed


def test_a_worker_that_its_machine_stops_is_followed_by_another(tmp_path, alone):
    stopped = []

    def work(root, unit, session):
        if unit.unit_id not in stopped:
            stopped.append(unit.unit_id)
            return False
        return worker.work(root, unit, session)

    by(Threads(2, work=work), TINY, tmp_path / "store")
    assert everything(tmp_path / "store", TINY) == alone and len(stopped) == 9


def test_runs_that_an_earlier_worker_still_writes_are_waited_for(tmp_path, alone, capsys):
    Store.open(tmp_path / "store").close()
    run = next(iter(TINY.runs())).run_id
    lock = hold(tmp_path / "store", "earlier", [run], lambda: False)
    threading.Timer(1.0, lock.close).start()
    workers = Threads(2)
    by(workers, TINY, tmp_path / "store")
    assert workers.sent[0].ids != (run,), "others came first"
    assert "a run is still trained by workers of an earlier command: waiting until they end" in capsys.readouterr().err
    assert everything(tmp_path / "store", TINY) == alone


def test_one_process_waits_for_earlier_workers_too(tmp_path, capsys):
    Store.open(tmp_path / "store").close()
    runs = [run.run_id for run in ONE.runs()]
    lock = hold(tmp_path / "store", "earlier", runs, lambda: False)
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(Interrupted, match="interrupted: nothing was begun"):
        trained(ONE, tmp_path / "store", stop=stop)
    assert "3 runs are still trained by workers of an earlier command" in capsys.readouterr().err
    lock.close()
    wait_for_others(tmp_path / "store", runs, lambda: True)


def test_units_keep_together_what_shares_a_checkpoint(tmp_path):
    class Two:
        def populations(self):
            return [tmp_path]

    from anglewise.lab.engine import checkpoint
    from anglewise.lab.execution.planning import plan
    from anglewise.lab.store.layout import STATE

    jobs = plan(TINY).jobs
    ids = [job.run.run_id for job in jobs]
    checkpoint.write(tmp_path / STATE, {}, {"runs": [ids[5], ids[2], "another"]})
    cut = [unit.ids for unit in units(jobs, FEW, Care({}), Two())]
    assert cut[0] == (ids[5], ids[2])
    assert [one for unit in cut[1:] for one in unit] == [one for one in ids if one not in cut[0]]
    (tmp_path / STATE).write_bytes(b"damaged")
    assert len(list(units(jobs, FEW, Care({}), Two()))) == 9
    several = [unit.ids for unit in units(jobs, FEW, Care({}), Two(), members=2)]
    assert sorted(map(len, several)) == [1, 2, 2, 2, 2] and sorted(sum(several, ())) == sorted(ids)
