"""Systems: every claim builds its experiments, at every scale and in every world."""

from __future__ import annotations

import dataclasses

import pytest

from anglewise.errors import SpecError
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.quantities import meaning
from anglewise.lab.studies.claims import systems
from anglewise.lab.studies.claims.claims import CLAIMS
from anglewise.lab.studies.claims.plan import parts
from anglewise.lab.studies.claims.systems import SYSTEMS, system_of
from anglewise.lab.studies.claims.worlds import LIKELY, World, grid
from anglewise.lab.tasks.modular import Modular


@pytest.fixture
def a_text(tmp_path, monkeypatch):
    """A folder with a text under the name of Tiny Shakespeare."""
    (tmp_path / systems.TEXT).write_text("To be, or not to be: that is the question. " * 3000)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", [name for name, claim in CLAIMS.items() if not claim.recorded])
def test_every_claim_builds_its_experiments_at_every_scale_and_world(name, a_text):
    claim = CLAIMS[name]
    for scale in claim.scales:
        found = list(parts(claim, scale, "grid" if claim.grid_seeds else None))
        assert [part.system.name for part in found if part.world.name == LIKELY] == list(claim.systems)
        for part in found:
            experiment = part.experiment
            assert [arm.name for arm in experiment.arms] == list(claim.arms)
            assert experiment.seeds == (claim.seeds if part.world.name == LIKELY else claim.grid_seeds)
            assert [arm.methods for arm in experiment.arms] == [
                part.system.methods(arm, part.world) for arm in claim.arms
            ]
            training, place = experiment.training, part.system.place(scale, part.world)
            assert training.budget % training.every == 0 and training.sustain >= 1
            assert place.epoch == -(-place.task.sizes[0] // (training.batch or place.task.sizes[0]))


@pytest.mark.parametrize("name", [name for name, claim in CLAIMS.items() if claim.values and not claim.recorded])
def test_what_a_claim_keeps_is_read_of_its_systems(name):
    for system in CLAIMS[name].systems:
        files = {type(reading).__module__.rpartition(".")[2] for reading in SYSTEMS[system].readings}
        assert {meaning(value).module.rpartition("/")[2].removesuffix(".py") for value in CLAIMS[name].values} <= files


CHANGED = {
    "encoding=embedding": lambda place: (place.model.embedding, place.training.batch) == (64, 256),
    "batch=full": lambda place: (place.training.batch, place.epoch, place.training.budget) == (0, 1, 4000),
    "bias=off": lambda place: not place.model.bias,
}


def test_the_likely_mlp_is_the_papers_at_both_scales():
    for scale, p, share, width in (("desk", 59, 0.7, 128), ("paper", 97, 0.5, 512)):
        place = SYSTEMS["mlp"].place(scale, SYSTEMS["mlp"].world())
        assert place.task == Modular(p=p, train=share)
        assert place.model == MLP(hidden=(width, width), bias=True)
        assert place.epoch == -(-place.task.sizes[0] // 256)
        assert (place.training.threshold, place.training.sustain, place.training.batch) == (0.9, 5, 256)


@pytest.mark.parametrize("name", CHANGED)
def test_a_world_changes_what_it_names_and_nothing_else(name):
    system = SYSTEMS["mlp"]
    likely, place = system.place("desk", system.world()), system.place("desk", system.world(name))
    assert CHANGED[name](place) and not CHANGED[name](likely) and place.task == likely.task
    assert dataclasses.replace(place.model, embedding=0, bias=True) == likely.model
    if "batch" not in name:
        assert place.training == likely.training


def test_the_others_change_methods_alone():
    system = SYSTEMS["mlp"]
    for choice in ("initialisation=sphere", "site=post", "layers=mean", "decay-on=matrices", "betas=.98"):
        assert system.place("desk", system.world(choice)) == system.place("desk", system.world())
        arm = "decay .1 + penalty"
        assert system.methods(arm, system.world(choice)) != system.methods(arm, system.world())


def test_the_transformers_norm_is_the_worlds():
    system = SYSTEMS["transformer"]
    found = [system.place("desk", world).model.affine for world in grid(system.choices)]
    assert sorted(found) == [False, False, True, True] and not found[0]


def test_an_experiment_of_an_unknown_scale_arm_or_world_is_refused():
    fast, mlp = SYSTEMS["fast"], SYSTEMS["mlp"]
    with pytest.raises(SpecError, match="unknown scale of fast 'paper'.* Known: desk"):
        fast.experiment("paper", fast.world(), ("AdamW",), 10)
    with pytest.raises(SpecError, match="unknown optimiser 'Adam': did you mean 'AdamW'"):
        fast.experiment("desk", fast.world(), ("Adam",), 10)
    with pytest.raises(SpecError, match="unknown option of batch 'half'"):
        mlp.world("batch=half")
    with pytest.raises(SpecError, match="unknown choice 'batch'"):
        fast.world("batch=full")


def test_an_unknown_system_gives_the_nearest():
    assert system_of("mlp") is SYSTEMS["mlp"]
    with pytest.raises(SpecError, match="unknown system 'mpl': did you mean 'mlp'"):
        system_of("mpl")


def test_the_control_on_text_asks_for_its_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match="needs Tiny Shakespeare as tinyshakespeare.txt in this folder: download it"):
        SYSTEMS["text"].place("desk", World.of(()))


def test_seeds_may_begin_later():
    fast = SYSTEMS["fast"]
    experiment = fast.experiment("desk", fast.world(), ("AdamW",), 2, first_seed=7)
    assert [run.seed for run in experiment.runs()] == [7, 8]
