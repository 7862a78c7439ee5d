"""A worker that does not see the store: what it hands in, put together, is what a worker there would have written."""

from __future__ import annotations

import itertools
import socket

import pytest

from anglewise.lab.execution import worker
from anglewise.lab.execution.away import here, work_away
from anglewise.lab.execution.parcels import packed, unpack
from anglewise.lab.execution.unit import Care, Unit
from anglewise.lab.spec import Manifest
from anglewise.lab.store import Reader, Store
from tests.support.training import FEW, ONE, PROGRAMS, changed, everything, nothing_trained, trained

LONGER = changed(ONE, budget=400, measure_every=100)


@pytest.fixture(autouse=True)
def _same_programs(monkeypatch):
    monkeypatch.setattr(worker, "programs", lambda: PROGRAMS)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "store") as opened:
        opened.manifest(Manifest.of(LONGER, ""))
    return tmp_path / "store"


def unit(**care):
    return Unit(tuple(LONGER.runs()), FEW, Care({}, **care))


def taken(store, work, handed=None):
    """Writes into a store what is handed in."""

    def hand_in(parcel):
        if handed is not None:
            handed.append(parcel)
        if parcel is not None:
            unpack(store, parcel, work)
        return False

    return hand_in


def test_what_is_handed_in_is_what_one_process_writes(store, tmp_path):
    trained(LONGER, tmp_path / "alone")
    work, handed = unit(checkpoint_seconds=0.0), []
    clock = itertools.count(0, 10).__next__
    ended, last = work_away(work, "session", packed(store, work), taken(store, work, handed), clock)
    unpack(store, last, work)
    assert ended and len(handed) > 10
    assert everything(store, LONGER) == everything(tmp_path / "alone", LONGER)
    assert [path.name for path in (store / "populations").iterdir()] == [f"{work.unit_id}.news"]
    assert nothing_trained(LONGER, store)


def test_when_told_to_stop_it_hands_in_its_checkpoint_and_another_goes_on(store, tmp_path):
    trained(LONGER, tmp_path / "alone")
    work, asked = unit(), itertools.count()
    clock = itertools.count(0, 10).__next__
    ended, last = work_away(work, "s", packed(store, work), lambda parcel: next(asked) > 5, clock)
    unpack(store, last, work)
    assert not ended
    (saved,) = (store / "populations").glob("*/state.safetensors")
    steps = [int(Reader(store).curves(run.name)["step"][-1]) for run in (store / "runs").iterdir()]
    assert 0 < steps[0] < 400
    ended, last = work_away(work, "s", packed(store, work), taken(store, work), clock)
    unpack(store, last, work)
    assert ended and not saved.exists()
    assert everything(store, LONGER) == everything(tmp_path / "alone", LONGER)


def test_words_are_exchanged_now_and_then(store):
    asked = []
    work_away(unit(), "s", packed(store, unit()), lambda parcel: bool(asked.append(parcel)), lambda: 7.0)
    assert len(asked) == 1


def test_the_machine_that_trains_says_what_it_is():
    told = {"host": "driver", "device": "its device", "command": "anglewise run", "cores": 1000, "precision": "float32"}
    there = here(Unit((), (), Care(told))).care.provenance
    assert there["host"] == socket.gethostname() and there["cores"] != 1000 and there["device"] != "its device"
    assert there["command"] == "anglewise run" and set(there) == set(told)
    assert here(Unit((), (), Care({"host": None}))).care.provenance == {"host": None}, "it was left out on purpose"
