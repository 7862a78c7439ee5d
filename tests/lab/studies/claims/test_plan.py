"""Plans: which experiments a claim asks for, and where they are stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from anglewise.errors import SpecError
from anglewise.lab.studies.claims.claims import CLAIMS
from anglewise.lab.studies.claims.plan import folder_of, gather, parts, worlds
from anglewise.lab.studies.claims.systems import SYSTEMS
from anglewise.lab.studies.claims.worlds import LIKELY, grid


def test_every_system_scale_and_world_has_a_folder_of_its_own():
    found = [
        folder_of(Path("runs"), system, scale, world)
        for system in SYSTEMS.values()
        for scale in system.scales
        for world in (grid(system.choices) if system.choices else [system.world()])
    ]
    assert len({str(folder).lower() for folder in found}) == len(found) > 100
    assert all(set(folder.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-") for folder in found)
    assert all(len(folder.name) < 200 for folder in found)


def test_every_world_but_one_choice_away_has_a_folder_of_its_own():
    system = SYSTEMS["mlp"]
    names = [LIKELY, *(f"{choice.name}={choice.options[1].name}" for choice in system.choices)]
    assert len({folder_of(Path(), system, "desk", system.world(name)) for name in names}) == 9


def test_worlds_are_the_likely_one_a_named_one_or_the_grid():
    claim, system = CLAIMS["C02"], SYSTEMS["mlp"]
    assert [world.name for world in worlds(claim, system)] == [LIKELY]
    assert [world.name for world in worlds(claim, system, "batch=full")] == ["batch=full"]
    assert worlds(claim, system, "grid") == list(grid(system.choices))


def test_a_claim_without_a_grid_or_scale_says_so():
    with pytest.raises(SpecError, match="C03 is decided in the likely world alone: leave the grid out"):
        list(parts(CLAIMS["C03"], "desk", "grid"))
    with pytest.raises(SpecError, match="C05 has no paper scale: expected one of desk"):
        list(parts(CLAIMS["C05"], "paper"))
    with pytest.raises(SpecError, match="unknown choice 'batsch': did you mean 'batch'"):
        list(parts(CLAIMS["C02"], "desk", "batsch=full"))


def test_the_likely_world_has_more_seeds_than_the_others():
    found = list(parts(CLAIMS["C02"], "desk", "grid", Path("x")))
    assert [part.experiment.seeds for part in found] == [10] + [3] * 15
    assert found[0].folder == Path("x/mlp/desk/likely") and found[0].scale == "desk"
    assert [arm.name for arm in found[0].experiment.arms] == ["decay .1", "decay .001 + penalty"]
    (one,) = parts(CLAIMS["C02"], "desk", "batch=full")
    assert one.experiment.seeds == 3 and one.experiment.training.batch == 0


def test_claims_of_one_system_share_their_runs():
    """A run is trained once for all claims that look at its arm."""
    runs = {}
    for name in ("C02", "K04"):
        (part,) = parts(CLAIMS[name], "desk")
        runs[name] = {run.run_id for run in part.experiment.runs() if run.arm.name == "decay .1"}
    assert runs["C02"] == runs["K04"] and len(runs["C02"]) == 10


def test_a_claim_that_another_record_decides_trains_nothing():
    assert list(parts(CLAIMS["R06"], "desk")) == []


def test_without_stores_all_runs_are_missing(tmp_path):
    record = gather(CLAIMS["C02"], "desk", "grid", tmp_path)
    assert (record.runs, record.values) == ((), ()) and len(record.worlds["desk"]) == 16
    verdict = record.verdict(CLAIMS["C02"], "desk")
    assert verdict.word == "inconclusive" and verdict.needs == "the missing runs: decay .1, seed 0 and 19 more"
    assert not list(tmp_path.iterdir())
