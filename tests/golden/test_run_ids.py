"""The identity of every named run, as text: moving and renaming code must not change what a run is called.

A line is: where the experiment is defined, its id, an arm, the id of the arm's first run, and a digest of the ids of
all its runs.  After a meant change of a specification, write the list anew with ``python tests/golden/test_run_ids.py``
and say so in the changelog.
"""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.studies.leaderboard.leaderboards import LEADERBOARDS
from anglewise.lab.studies.leaderboard.plan import assemble

FILE = Path(__file__).with_name("run_ids.txt")


def lines(where, experiment):
    experiment_id = experiment.experiment_id  # a hash of all arms, made once
    for arm, runs in itertools.groupby(experiment.runs(), key=lambda run: run.arm.name):
        ids = [run.run_id for run in runs]
        digest = hashlib.sha256(" ".join(ids).encode()).hexdigest()[:12]
        yield f"{where} {experiment_id} | {arm} | {ids[0]} {digest}"


def listed():
    for named in EXPERIMENTS.values():
        yield from lines("experiment", named)
    for track in LEADERBOARDS:
        yield from lines("leaderboard", assemble(track).experiment)


def test_every_named_run_has_the_identity_that_it_had():
    assert list(listed()) == FILE.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    FILE.write_text("".join(f"{line}\n" for line in listed()), encoding="utf-8")
