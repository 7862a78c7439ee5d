"""SLURM's path: by submitit's local and debug executors, and by commands that stand in for SLURM's own."""

from __future__ import annotations

import gc
import os
import signal
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from anglewise.errors import StoreError
from anglewise.lab.execution import slurm, worker
from anglewise.lab.execution.dispatch import LostWorkers
from anglewise.lab.execution.slurm import Queue, Slurm, SlurmError, Task, Wanted, over, partitions, private, soon_over
from anglewise.lab.execution.unit import Care, Unit
from anglewise.lab.report.progress import Silent
from anglewise.lab.runner import Interrupted, train
from anglewise.lab.store import Store
from tests.support.training import FEW, ONE, PROGRAMS, changed, everything, trained

LEAKS = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
"""submitit's executor of this process leaves its logs open."""


def by(workers, experiment, folder, progress=None, **kwargs):
    with workers, Store.open(folder) as store:
        train(experiment, store, progress or Silent(), provenance={}, readings=FEW, workers=workers, **kwargs)


@LEAKS
def test_jobs_in_this_process_train_what_one_process_trains(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "programs", lambda: PROGRAMS)
    by(Slurm(tmp_path / "jobs", cluster="debug"), ONE, tmp_path / "store")
    trained(ONE, tmp_path / "alone")
    assert everything(tmp_path / "store", ONE) == everything(tmp_path / "alone", ONE)
    assert stat.S_IMODE((tmp_path / "jobs").stat().st_mode) == 0o700
    gc.collect()


class Ending(Silent):
    """Tells the first job that shows something that its time is nearly over."""

    def __init__(self, workers):
        super().__init__()
        self.workers, self.told = workers, []

    def update(self, rows, steps):
        super().update(rows, steps)
        if not self.told:
            (job, _), *_ = [(job, one) for job, one in self.workers._given if rows.run in one.unit.runs]
            self.told = [int(pid) for pid in children(job._process.pid)]
            for pid in self.told:
                os.kill(pid, over())


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.slow
def test_a_job_whose_time_is_over_saves_and_is_queued_again(tmp_path):
    longer = changed(ONE, budget=6000, measure_every=2000)
    workers = Slurm(cluster="local", jobs=2)
    progress = Ending(workers)
    by(workers, longer, tmp_path / "store", progress, checkpoint_seconds=1000.0)
    trained(longer, tmp_path / "alone")
    assert everything(tmp_path / "store", longer) == everything(tmp_path / "alone", longer)
    logs = "".join(path.read_text() for path in (tmp_path / "store-jobs").glob("*_log.*"))
    assert progress.told and logs.count("Requeued job") == 1
    assert not list((tmp_path / "store" / "populations").iterdir())


@LEAKS
def test_an_error_of_a_job_comes_back_as_it_is(tmp_path, monkeypatch):
    def full(*arguments, **kwargs):
        raise StoreError("disk full")

    monkeypatch.setattr(slurm, "work", full)
    with pytest.raises(StoreError, match="disk full"):
        by(Slurm(cluster="debug"), ONE, tmp_path / "store")
    gc.collect()


def test_what_stops_a_session_stops_jobs_that_begin_later(tmp_path):
    (tmp_path / "s.stopped").touch()
    assert Task()("nowhere", Unit((), (), Care({})), "s", str(tmp_path / "s.stopped")) == (False, None)
    ended, error = Task()(str(tmp_path), Unit((), (), Care({})), "s", str(tmp_path / "t.stopped"))
    assert not ended and "is not a store" in str(error)


def test_a_job_goes_on_as_it_was():
    again = Task().checkpoint("root", "unit", "session", "stopped")
    assert again.args == ("root", "unit", "session", "stopped") and isinstance(again.function, Task)


def test_the_signal_is_heard_in_the_block_alone():
    before = signal.signal(over(), signal.SIG_IGN)
    try:
        with soon_over() as asked:
            signal.raise_signal(over())
            assert asked.is_set()
        assert signal.getsignal(over()) is signal.SIG_IGN
    finally:
        signal.signal(over(), before)
    seen = []

    def elsewhere():
        with soon_over():
            seen.append(signal.getsignal(over()))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]


def test_flags_become_what_slurm_is_asked_for():
    asked = Wanted(cpus=4, gpus=1, memory_gib=8.0, minutes=30, account="a", partition="p").parameters(7)
    assert asked["slurm_account"] == "a" and asked["slurm_partition"] == "p" and asked["slurm_array_parallelism"] == 7
    assert asked["cpus_per_task"] == 4 and asked["gpus_per_node"] == 1 and asked["timeout_min"] == 30
    assert set(Wanted().parameters(1)) == {"name", "timeout_min", "cpus_per_task", "slurm_array_parallelism"}


def test_the_folder_of_jobs_is_the_users_alone(tmp_path):
    private(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(SlurmError, match="can be written to by others, expected a folder that is yours alone"):
        private(tmp_path / "open")


def test_without_slurm_that_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SlurmError, match="srun is not found: run it on a machine of the cluster"):
        Slurm()
    with pytest.raises(SlurmError, match="sinfo does not answer"):
        partitions()


def commands(folder, **texts):
    """Programs of these names that run these lines."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_partitions_are_those_that_sinfo_names(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", commands(tmp_path / "bin", sinfo="echo 'gpu|4|64|512000|gpu:a100:8'"))
    assert partitions() == [
        {"partition": "gpu", "machines": "4", "cpus": "64", "memory_mib": "512000", "accelerators": "gpu:a100:8"}
    ]


def test_a_job_that_slurm_twice_does_not_know_is_lost(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", commands(tmp_path / "bin", squeue="echo 7_0 8; echo 7_1 9"))
    now = [0.0]
    queue = Queue(lambda: now[0])
    assert not queue.lost("7_2"), "it was not asked yet"
    now[0] = 20.0
    assert not queue.lost("7_2") and not queue.lost("7_1")
    now[0] = 40.0
    assert queue.lost("7_2") and not queue.lost("7_1")
    monkeypatch.setenv("PATH", commands(tmp_path / "bin", squeue="exit 1"))
    now[0] = 60.0
    assert not queue.lost("7_2"), "no answer is no news"


SBATCH = """
file=$(readlink -f "$1")
count=$(sed -n 's/#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$file")
echo "$count" >> {folder}/arrays
export SLURM_JOB_ID=77 SLURM_PROCID=0 SLURM_NODEID=0 SLURM_LOCALID=0
number=$(wc -l < {folder}/arrays)
for task in $(seq 0 "${{count:-0}}"); do
  if [ -n "$count" ]; then export SLURM_ARRAY_JOB_ID=$number SLURM_ARRAY_TASK_ID=$task; fi
  SLURM_JOB_ID=$number sh "$file" > /dev/null 2>&1 &
done
echo "Submitted batch job $number"
"""


@pytest.mark.slow
def test_units_come_together_in_an_array(tmp_path, monkeypatch):
    """SLURM's own commands, played by scripts that start the jobs at once."""
    skip = 'while [ "$1" != env ]; do shift; done; exec "$@"'
    path = commands(tmp_path / "bin", sbatch=SBATCH.format(folder=tmp_path), srun=skip, squeue="exit 1", sacct="exit 1")
    monkeypatch.setenv("PATH", path)
    workers = Slurm(jobs=3)
    workers.members = 1
    by(workers, ONE, tmp_path / "store")
    trained(ONE, tmp_path / "alone")
    assert everything(tmp_path / "store", ONE) == everything(tmp_path / "alone", ONE)
    assert (tmp_path / "arrays").read_text().split() == ["2"], "one array of three jobs, numbered from 0"


def test_what_slurm_does_not_take_is_said(tmp_path, monkeypatch):
    path = commands(tmp_path / "bin", sbatch="echo 'invalid account' >&2; exit 1", srun="exit 1")
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(slurm, "GATHER", 0.0)
    with pytest.raises(SlurmError, match="SLURM did not take a job"):
        by(Slurm(jobs=1), ONE, tmp_path / "store")


def test_jobs_that_vanish_are_lost_and_given_up_after_three(tmp_path, monkeypatch):
    path = commands(tmp_path / "bin", sbatch="echo Submitted batch job 5", srun="exit 1", squeue="true")
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(slurm, "GATHER", 0.0)
    monkeypatch.setattr(slurm, "LOOK", 0.1)
    with pytest.raises(LostWorkers, match="SLURM no longer knows job 5"):
        by(Slurm(jobs=1), ONE, tmp_path / "store")


def test_jobs_that_still_wait_are_cancelled_when_asked_to_stop(tmp_path, monkeypatch):
    log = tmp_path / "cancelled"
    path = commands(
        tmp_path / "bin",
        sbatch="echo Submitted batch job 6",
        srun="exit 1",
        squeue="echo 6 6",
        scancel=f"echo $1 >> {log}",
    )
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(slurm, "GATHER", 0.0)
    begun = time.monotonic()
    with pytest.raises(Interrupted):
        by(Slurm(jobs=1), ONE, tmp_path / "store", stop=lambda: time.monotonic() - begun > 2)
    assert {"6_0", "6_1"} <= set(log.read_text().split()) <= {"6", "6_0", "6_1", "6_2"}
    assert len(list((tmp_path / "store-jobs").glob("*.stopped"))) == 1
    assert subprocess.run(["squeue"], capture_output=True, text=True).stdout == "6 6\n"
