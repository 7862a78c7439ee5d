"""Processes on this machine: as many as suit it, each replaced when it is lost, none that is not needed."""

from __future__ import annotations

import dataclasses
import os
import signal

import pytest

from anglewise.errors import SpecError
from anglewise.lab.engine import placement
from anglewise.lab.execution import processes
from anglewise.lab.execution.processes import (
    OWN,
    SWITCH,
    Processes,
    checked_jobs,
    default_jobs,
    local,
    threads_of,
)
from anglewise.lab.report.progress import Silent
from anglewise.lab.runner import train
from anglewise.lab.store import Store
from tests.support.training import FEW, TINY, changed, everything, trained


@pytest.fixture
def eight(monkeypatch):
    monkeypatch.delenv(SWITCH)
    monkeypatch.setattr(processes, "cores", lambda: 8)


def test_every_worker_has_two_runs_at_least_and_a_core(eight):
    assert [default_jobs(runs) for runs in (0, 1, 2, 3, 4, 15, 16, 1000)] == [1, 1, 1, 1, 2, 7, 8, 8]


@pytest.mark.parametrize("few", [1, 2])
def test_on_two_cores_one_process_trains_unless_asked(eight, monkeypatch, few):
    monkeypatch.setattr(processes, "cores", lambda: few)
    assert default_jobs(1000) == 1 and local(1000, 0) is None
    with local(1000, 0, 2) as workers:
        assert (workers.slots, workers.threads) == (2, 1)


def test_workers_fit_into_memory(eight, monkeypatch):
    pages = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 16 * OWN}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    assert default_jobs(100) == 8
    assert default_jobs(100, OWN) == 4
    assert default_jobs(100, 100 * OWN) == 1


def test_the_environment_may_say_how_many(eight, monkeypatch):
    monkeypatch.setenv(SWITCH, "3")
    assert default_jobs(1) == 3
    monkeypatch.setenv(SWITCH, "many")
    with pytest.raises(
        SpecError, match="ANGLEWISE_JOBS is 'many', expected a whole number of processes from 1 to 1024"
    ):
        default_jobs(1)


@pytest.mark.parametrize("text", ["0", "-1", "1025", "1.5", "²", ""])
def test_a_number_of_processes_is_from_1_to_1024(text):
    with pytest.raises(SpecError, match="expected a whole number of processes"):
        checked_jobs(text, "jobs")


def test_one_job_is_this_process_and_more_share_the_cores(eight):
    assert local(100, 0, 1) is None and threads_of(None) == 8
    with local(100, 0, 4) as workers:
        assert (workers.slots, workers.threads) == (4, 2)
    with local(100, 0) as workers:
        assert (workers.slots, threads_of(workers)) == (8, 1)
    with local(100, 0, 16) as workers:
        assert workers.threads == 1


def test_on_an_accelerator_one_process_trains(monkeypatch):
    class Accelerator:
        platform, device_kind = "gpu", "Some GPU"

    monkeypatch.setattr(processes, "first_device", Accelerator)
    assert local(100, 0) is None
    with pytest.raises(SpecError, match="got 2 jobs on Some GPU, expected 1"):
        local(100, 0, 2)
    assert placement.first_device is not Accelerator


SIX = dataclasses.replace(TINY, seeds=2)


class Killing(Silent):
    """Kills the workers that train when the first run has shown something."""

    def __init__(self, workers):
        super().__init__()
        self.workers, self.killed = workers, []

    def update(self, rows, steps):
        super().update(rows, steps)
        if not self.killed:
            self.killed = [pid for one in self.workers._processes for pid in one._processes]
            for pid in self.killed:
                os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_processes_train_what_one_process_trains_also_when_they_are_killed(tmp_path):
    longer = changed(SIX, budget=1200, measure_every=400)
    trained(longer, tmp_path / "alone")
    for name, progress in (("undisturbed", lambda workers: Silent()), ("killed", Killing)):
        with Processes(2) as workers, Store.open(tmp_path / name) as store:
            shown = progress(workers)
            train(longer, store, shown, provenance={"threads": 1}, readings=FEW, workers=workers)
        assert everything(tmp_path / name, longer) == everything(tmp_path / "alone", longer), name
    assert len(shown.killed) >= 1
