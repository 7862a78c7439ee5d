"""The next program is compiled while another one trains, and nothing else changes."""

from __future__ import annotations

import threading

import jax
import pytest

from anglewise.lab.engine.compiling import AHEAD, seconds_compiling
from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.population import Population, shapes
from anglewise.lab.engine.programs import Compiled, Programs
from anglewise.lab.execution.ahead import compiled_ahead
from anglewise.lab.execution.groups import groups
from anglewise.lab.execution.planning import plan
from anglewise.lab.store import Store
from tests.lab.execution.test_groups import SMALL

BATCHED = Placement(True, 0, 8)


@pytest.fixture(params=[Placement(False, 0, 8), BATCHED], ids=["one by one", "batched"])
def programs(request, programs_of_their_own):
    return Programs(place=lambda task, training, platform: request.param)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == AHEAD]


def test_the_program_of_the_next_group_is_there_when_it_comes_up(tmp_path, programs):
    with Store.open(tmp_path / "store") as store:
        coming = compiled_ahead(groups(plan(SMALL).jobs, store, programs), programs)
        ready = []
        for group in coming:
            compiled = programs.of(group.runs[0], group.readings)
            ready.append(len(compiled._ready))
            population = group.population(programs, store)
            before = dict(compiled._ready)
            population.advance()
            assert not before or compiled._ready == before, "what was compiled ahead is what trains"
        assert ready[0] == 0 and set(ready[1:]) == {1}
    assert not threads()


def test_what_is_compiled_ahead_counts_as_waiting_for_nobody(tmp_path, programs):
    with Store.open(tmp_path / "store") as store:
        coming = compiled_ahead(groups(plan(SMALL).jobs, store, programs), programs)
        next(coming)
        before = seconds_compiling()
        for thread in threads():
            thread.join()
        assert seconds_compiling() == before
        coming.close()
    assert not threads()


def test_a_program_that_cannot_be_compiled_is_left_to_whoever_trains_it(tmp_path, programs, monkeypatch):
    def fail(self, member, state):
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(Compiled, "prepare", fail)
    with Store.open(tmp_path / "store") as store:
        found = list(compiled_ahead(groups(plan(SMALL).jobs, store, programs), programs))
        assert len(found) == len(list(groups(plan(SMALL).jobs, store, programs)))
        with pytest.raises(RuntimeError, match="no such instruction"):
            found[-1].population(programs).advance()


def test_shapes_are_those_of_members_that_have_begun(programs):
    runs = [job.run for job in plan(SMALL).jobs if job.run.arm.name == "slow"]
    compiled = programs.of(runs[0])
    runs = runs if compiled.placement.batched else runs[:1]
    population = Population(runs, compiled)
    population.begin()
    there = jax.eval_shape(lambda: (population.member, population.state))
    ahead = shapes(runs[0], len(runs), compiled)
    assert jax.tree.structure(ahead) == jax.tree.structure(there)
    assert [(x.shape, x.dtype) for x in jax.tree.leaves(ahead)] == [(x.shape, x.dtype) for x in jax.tree.leaves(there)]
