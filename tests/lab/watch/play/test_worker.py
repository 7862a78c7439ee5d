"""The playground's trainer: sliders act at once and compile nothing, and commands come as lines."""

import dataclasses
import json
import os

import jax
import numpy as np
import pytest

from anglewise.lab.watch.play import worker
from anglewise.lab.watch.play.settings import Settings

SMALL = Settings(p=31, width=64)


@pytest.fixture(scope="module")
def trainer():
    return worker.Trainer()


def test_a_frame_has_what_the_page_draws_and_only_finite_numbers(trainer):
    trainer.start(SMALL)
    frames = [trainer.advance() for _ in range(3)]
    assert [frame["step"] for frame in frames] == [0, 4, 8]
    json.dumps(frames, allow_nan=False)
    for site in frames[-1]["sites"]:
        assert len(site["r"]) == len(site["direction"]) == len(site["belongs"]) == worker.DOTS
        assert 0 <= site["off"] <= 180 and site["radius"] > 0
    assert [site["site"] for site in frames[-1]["sites"]] == ["hidden.0.pre", "hidden.1.pre"]
    assert len(frames[-1]["circle"]["x"]) == 32 and frames[-1]["numbers"]["strength"] == 0.05


def test_a_slider_acts_on_the_next_frame_and_compiles_nothing(trainer):
    trainer.start(SMALL)
    trainer.advance()
    weights = jax.tree.map(np.asarray, trainer.population.state.params)
    compiled = trainer.population.compiled
    ready, measures = dict(compiled._ready), {k: f._cache_size() for k, f in compiled._measures.items()}
    trainer.change({"strength": 20.0, "rate": 0.2})
    assert trainer.advance()["numbers"] == {"strength": 20.0, "target": 1.0, "decay": 2.0, "rate": 0.2}
    moved = jax.tree.map(np.asarray, trainer.population.state.params)
    trainer.start(SMALL)
    trainer.advance()
    same = jax.tree.map(np.asarray, trainer.population.state.params)
    trainer.advance()
    other = jax.tree.map(np.asarray, trainer.population.state.params)
    assert all(map(np.array_equal, jax.tree.leaves(weights), jax.tree.leaves(same)))
    assert not any(map(np.array_equal, jax.tree.leaves(moved), jax.tree.leaves(other)))
    assert trainer.population.compiled is compiled and compiled._ready == ready
    assert {k: f._cache_size() for k, f in compiled._measures.items()} == measures


def test_it_ends_at_its_budget(trainer):
    trainer.start(dataclasses.replace(SMALL, budget=8))
    assert [trainer.advance()["ended"] for _ in range(3)] == [False, False, True] and trainer.advance() is None


def test_commands_are_whole_lines_and_end_with_their_input():
    read, write = os.pipe()
    commands = worker.Commands(read)
    os.write(write, b'{"do":"pause"}\n{"do":"g')
    assert commands.read(1.0) == [{"do": "pause"}] and commands.read(0.0) == []
    os.write(write, b'o"}\n')
    assert commands.read(1.0) == [{"do": "go"}] and not commands.over
    os.close(write)
    assert commands.read(1.0) == [] and commands.over
    os.close(read)
