"""While it trains, the store says what is done; afterwards it says nothing."""

import dataclasses

import pytest

from anglewise.lab.experiments.announce import EVERY, Announced
from anglewise.lab.report.progress import Silent
from anglewise.lab.runner import Interrupted, train
from anglewise.lab.store import Store
from anglewise.lab.store.status import STATUS, read_status
from tests.support import training
from tests.support.training import FEW, PROGRAMS

ONE = dataclasses.replace(training.ONE, arms=training.ONE.arms[:1])


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Noting(Announced):
    """Notes what others read after each write."""

    def __init__(self, root, shown):
        super().__init__(root, shown)
        self.seen = []

    def _write(self):
        super()._write()
        self.seen.append(read_status(self.root))


def train_once(folder, experiment, **options):
    with Store.open(folder) as store:
        noting = Noting(folder, Silent())
        options = {"provenance": {}, "readings": FEW, "programs": PROGRAMS} | options
        try:
            train(experiment, store, noting, **options)
        finally:
            noting.left = (folder / STATUS).exists()
    return noting


def test_others_read_what_is_done_in_its_order(tmp_path):
    noting = train_once(tmp_path, ONE)
    states = [status.state for status in noting.seen]
    assert states[:2] == ["starting", "compiling"] and {"training", "measuring"} <= set(states) and not noting.left
    assert {status.experiment_id for status in noting.seen} == {ONE.experiment_id}
    trained = {run for status in noting.seen for run in status.runs}
    assert trained == {run.run_id for run in ONE.runs()}
    assert noting.seen[-1].steps_per_second > 0 and noting.seen[-1].most is not None
    assert noting.shown.tally.done


def test_nothing_is_left_after_an_interruption(tmp_path):
    with pytest.raises(Interrupted):
        train_once(tmp_path, ONE, stop=lambda: True)
    assert not (tmp_path / STATUS).exists()


def test_the_same_state_is_written_seldom_and_another_at_once(tmp_path):
    clock = Clock()
    announced = Announced(tmp_path, Silent(), clock)

    def told(state):
        announced.doing(state, ())
        return read_status(tmp_path).state, read_status(tmp_path).heard

    assert told("training") == ("training", 0.0)
    clock.now = EVERY / 2
    assert told("writing") == ("training", 0.0)  # too soon, and over at once
    assert told("training") == ("training", 0.0)
    assert told("measuring") == ("measuring", EVERY / 2)
    clock.now = 2 * EVERY
    assert told("measuring") == ("measuring", 2 * EVERY)
