"""Rivals at the settings that others published, to see if their numbers come out: ``anglewise run reproduce-NAME``.

Each is one experiment with one arm: the published setting (``published.py``), task, network, batch and criterion as far
as they are stated; what is not stated is said here.  How it trains is its own and not the track's.
``docs/explanation/published-settings.md`` has the results.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, cast

from anglewise.lab.experiments import published
from anglewise.lab.experiments.published import EIFY, Published
from anglewise.lab.experiments.tracks import TRACK_A, TRACK_B, TRACK_C1, TRACK_C2
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.tasks.modular import Modular


class Theirs(NamedTuple):
    """What others reported.

    Attributes:
        steps: Optimiser steps, lowest and highest of what they report.
        tolerance: Ratio within which ours counts as the same: generous where one seed or no seed is given.
        of: What they counted.
        source: Where it stands.
        unstated: What they do not say, and what stands here instead.
    """

    steps: tuple[float, float]
    tolerance: float
    of: str
    source: str
    unstated: str


class Reproduction(NamedTuple):
    """An experiment and the number that should come out."""

    experiment: Experiment
    theirs: Theirs


def _of(
    name: str,
    base: Experiment,
    setting: Published,
    seeds: int,
    theirs: Theirs,
    training: Training,
    *,
    model: Any = None,
    task: Any = None,
) -> Reproduction:
    """One rival at its published setting, on the task and model of `base` unless its own are given."""
    made = Experiment(
        f"reproduce-{name}", task or base.task, model or base.model, (Arm(name, setting.methods),), training,
        seeds=seeds, title=f"Reproduction: {theirs.source}",
    )  # fmt: skip
    return Reproduction(made, theirs)


def _until(budget: int, every: int, **rule: Any) -> Training:
    """Training to the first crossing of 95 %, which is what most of them counted; `rule` says what they did instead."""
    return Training(**{"budget": budget, "every": every, "sustain": 1, "further": 0, **rule})


RELU = dataclasses.replace(cast(MLP, TRACK_C2.model), activation="relu")
EPOCHS_A = _until(4000, 10, batch=512)
"""Track A's rivals went by epochs of 4,656 examples, whose last batch has 48; the track itself draws batches anew."""
EGD_TASK, EGD_MODEL = Modular(p=97, operation="+", train=0.5), MLP(hidden=(256, 256))
JANATI_MODEL = dataclasses.replace(cast(Transformer, TRACK_B.model), mlp_bias=False)
SPHERE_MODEL = Transformer(layers=1, norm="none", activation="relu", causal=False)

REPRODUCTIONS: dict[str, Reproduction] = {
    made.experiment.name.removeprefix("reproduce-"): made
    for made in (
        _of(
            "chou-c1",
            TRACK_C1,
            published.CHOU_C1,
            8,
            Theirs((143, 143), 1.3, "steps to 100 %, seed 42, chosen on it", EIFY, ""),
            _until(500, 1, threshold=1.0),
        ),
        _of(
            "chou-c2",
            TRACK_C2,
            published.CHOU_C2,
            8,
            Theirs((111, 111), 1.3, "steps to 100 %, seed 42, chosen on it", EIFY, "embedding width (113 here)"),
            _until(400, 1, threshold=1.0),
            model=RELU,
        ),
        _of(
            "perpgrad",
            TRACK_C1,
            published.PERPGRAD_ADAMW,
            8,
            Theirs(
                (124, 300),
                1.3,
                "steps to 100 %: below 300 as released, 124 in a re-run",
                f"arXiv 2501.04697; {EIFY}",
                "",
            ),
            _until(500, 1, threshold=1.0),
        ),
        _of(
            "perpgrad-sgd",
            TRACK_C1,
            published.PERPGRAD_SGD,
            4,
            Theirs((300, 400), 1.3, "100 % within 400 steps", "arXiv 2501.04697", ""),
            _until(1000, 2, threshold=1.0),
        ),
        _of(
            "constrained-muon",
            TRACK_C2,
            published.CONSTRAINED_MUON,
            8,
            Theirs(
                (44, 44),
                1.3,
                "median of 64 seeds, 95 %",
                "Cesista 2025",
                "every rate, momentum and gain: rates of .5 to .8 falling to a fifth here; float32, theirs bfloat16",
            ),
            _until(400, 1),
        ),
        _of(
            "grokfast-ema",
            TRACK_A,
            published.GROKFAST_EMA,
            4,
            Theirs((780, 910), 1.3, "single runs, 95 %, read every 10 steps", "arXiv 2405.20233 and re-runs", ""),
            EPOCHS_A,
        ),
        _of(
            "grokfast-ma",
            TRACK_A,
            published.GROKFAST_MA,
            4,
            Theirs((790, 790), 1.3, "single run, 95 %", "arXiv 2405.20233", ""),
            EPOCHS_A,
        ),
        _of(
            "clip-rows-lion",
            TRACK_A,
            published.LION_CLIPPED,
            4,
            Theirs(
                (535, 550), 1.3, "median, 95 %", "repository NiftyliuS/cliptogrok", "clip radius for multiplication (2)"
            ),
            EPOCHS_A,
        ),
        _of(
            "egd-column",
            TRACK_C1,
            published.EGD_COLUMN,
            3,
            Theirs(
                (328 * 148, 328 * 148),
                2.0,
                "epochs of 147 steps of 32 to generalise",
                "arXiv 2510.04930",
                "learning rate, widths, threshold",
            ),
            _until(60_000, 148, batch=32),
            task=EGD_TASK,
            model=EGD_MODEL,
        ),
        _of(
            "egd",
            TRACK_C1,
            published.EGD_SVD,
            1,
            Theirs(
                (116 * 148, 116 * 148),
                2.0,
                "epochs of 147 steps of 32 to generalise",
                "arXiv 2510.04930",
                "learning rate, widths, threshold",
            ),
            _until(40_000, 148, batch=32),
            task=EGD_TASK,
            model=EGD_MODEL,
        ),
        _of(
            "sphere-cosine",
            TRACK_B,
            published.SPHERE_COSINE,
            3,
            Theirs((820 - 199, 820 + 199), 1.3, "10 seeds, 95 %, read every 200 steps", "arXiv 2603.05228", ""),
            _until(4000, 20),
            model=SPHERE_MODEL,
        ),
        _of(
            "muon",
            TRACK_B,
            published.MUON,
            3,
            Theirs(
                (5300, 5400), 1.3, "5 seeds, sustained 95 %, read every 100 steps", "arXiv 2608.07436", "warm-up (none)"
            ),
            _until(10_000, 50, sustain=5),
            model=JANATI_MODEL,
        ),
        _of(
            "radial-paper",
            TRACK_C1,
            published.RADIAL_PAPER,
            3,
            Theirs(
                (2460 - 136, 6167 + 624),
                1.3,
                "5 seeds, sustained 90 %, epochs",
                "arXiv 2606.32000",
                "batch (full here: an epoch is a step), input encoding (2-hot), biases (on)",
            ),
            _until(20_000, 20, threshold=0.9, sustain=5),
            task=Modular(p=97, operation="+", train=0.5),
            model=MLP(hidden=(512, 512), bias=True),
        ),
    )
}
"""By name."""

EXPERIMENTS = tuple(made.experiment for made in REPRODUCTIONS.values())
