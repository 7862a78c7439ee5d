"""The benchmark of stores measures what it says, on a few runs; its numbers are not tested here."""

from __future__ import annotations

from benchmarks import store
from benchmarks.cases import QUICK


def test_commands_are_timed_on_packs_and_on_folders():
    for packed in (True, False):
        with store.opened(6, 100, packed=packed) as opened:
            assert ("as packs" in opened.facts) == packed
            assert opened.facts["as folders"]["files"] > 6
            for name in ("query", "the plan of that"):
                assert opened.measures[name]()["clock"] > 0
        if packed:
            assert opened.facts["as packs"]["files"] < opened.facts["as folders"]["files"]


def test_rows_of_a_population_are_timed():
    with store.population(4) as opened:
        assert set(opened.measures["rows"]()) == {"begin", "segment", "checkpoint", "end"}


def test_the_room_has_its_cases():
    names = [case.name for case in store.cases(QUICK)]
    assert names == ["a store of 50 runs, as packs", "a store of 50 runs, as folders", "rows of 50 members"]
