"""The early-warning study: its page, its figure and its file of trajectories."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console

from anglewise.errors import AnglewiseError, StoreError
from anglewise.lab.stats.warning import Trajectory
from anglewise.lab.studies.early_warning.analysis import PREDICTORS, study_of, summary
from anglewise.lab.studies.early_warning.show import page, save_figure, write_page
from anglewise.lab.studies.early_warning.tables import print_study
from anglewise.lab.studies.early_warning.trajectories import collect, restore, rounded, save

FEW = tuple(p for p in PREDICTORS if p.name in ("base rate", "elapsed time", "radial energy"))


def family(hostile=""):
    """Runs whose radial energy rises tenfold a while before they generalise; every fourth, and noise, never does."""
    rng, runs = np.random.default_rng(0), []
    for task, scale in ((f"add{hostile}", 300), ("mul", 600), ("sub", 450), ("random", None)):
        for arm in ("a", "b", "c"):
            for seed in range(8):
                time = None if scale is None or seed % 4 == 3 else float(scale + 40 * rng.integers(0, 4))
                steps = np.arange(0, 1001 if time is None else min(1001, int(time)), 40)
                late = np.zeros(len(steps)) if time is None else (steps > 0.6 * time).astype(float)
                values = rounded(10 ** (late + 0.1 * rng.normal(size=len(steps))))
                series = {("radial_energy", "hidden.0.pre"): values}
                runs.append(Trajectory(task, arm, seed, steps, series, time, 2000.0, control=scale is None))
    return runs


@pytest.fixture(scope="module")
def made():
    return study_of(family(), FEW, horizons=("doubling",))


def test_what_tells_is_told_and_what_does_not_is_shown_too(made):
    for split in ("seeds", "arms", "tasks"):
        found = {score.predictor: score for score in made.of(split)}
        assert found["radial energy"].auc_same_step.value > 0.8
        assert found["base rate"].auc_same_step.value == 0.5
    assert summary(made).startswith("96 runs of 4 tasks: 54 generalised, 18 with a rule to learn did not")


def test_the_terminal_shows_every_predictor_and_says_what_the_numbers_are(made):
    console = Console(file=io.StringIO(), width=132)
    print_study(made, console)
    text = console.file.getvalue()
    assert "radial" in text and "elapsed" in text and "held out" in text


def test_the_page_holds_all_scores_and_nothing_from_outside(made, tmp_path):
    text = write_page(made, tmp_path / "page.html", "anglewise early-warning <x>").read_text()
    assert "radial energy" in text and "&lt;x&gt;" in text and "default-src 'none'" in text


def test_names_are_escaped():
    text = page(study_of(family("<img src=x>"), FEW, horizons=("doubling",)))
    assert "<img src=x>" not in text


def test_the_figure_is_the_same_bytes_again(made, tmp_path):
    first, second = (save_figure(made, tmp_path / f"{i}.svg").read_bytes() for i in range(2))
    assert first == second and b"<svg" in first
    with pytest.raises(AnglewiseError, match=r"expected a name ending in \.svg, \.pdf or \.png"):
        save_figure(made, tmp_path / "x.docx")


def test_trajectories_survive_their_file(tmp_path):
    runs = family()
    found = restore(save(runs, tmp_path / "runs.parquet"))
    for a, b in zip(runs, found, strict=True):
        assert (a.task, a.arm, a.seed, a.time, a.control) == (b.task, b.arm, b.seed, b.time, b.control)
        np.testing.assert_array_equal(a.steps, b.steps)
        for key, values in a.series.items():
            np.testing.assert_allclose(b.series[key], values, rtol=1e-6)


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(StoreError, match="is not there: give a file that the early-warning study has written"):
        restore(tmp_path / "none.parquet")
    with pytest.raises(StoreError, match="no finished run: train the early-warning experiments first"):
        collect([], ["radius"])
    alone = [dataclasses.replace(run, task="one", arm="one", seed=0) for run in family()[:3]]
    with pytest.raises(StoreError, match="1 tasks, 1 arms and 1 seeds: the study holds each out in turn"):
        study_of(alone, FEW)
