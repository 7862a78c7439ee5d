"""Rivals at the settings that others published, to see if their numbers come out: ``anglewise run reproduce-NAME``.

Each is one experiment with one arm (and, where a paper gives one, its baseline), the published task, network, batch and
criterion as far as they are stated; what is not stated is said here.  ``docs/baselines.md`` has the results.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from anglewise.lab.experiments.constrained import constrained
from anglewise.lab.experiments.tracks import CHOU, CHOU_EMBEDDED, TRACK_A, TRACK_B, TRACK_C1, TRACK_C2
from anglewise.lab.methods.chen2023_lion import CLIP_TO_GROK
from anglewise.lab.methods.cliptogrok2026_rows import RELEASED as CLIP
from anglewise.lab.methods.jordan2024_muon import JANATI
from anglewise.lab.methods.lee2024_grokfast import PUBLISHED as EMA
from anglewise.lab.methods.lee2024_grokfast import PUBLISHED_MA as MA
from anglewise.lab.methods.optimizers import SGD, Adam, AdamW
from anglewise.lab.methods.pasand2025_egd import COLUMN, EGD
from anglewise.lab.methods.prieto2025_orthograd import PerpGrad
from anglewise.lab.methods.prieto2025_stablemax import StableMax
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.methods.yildirim2026_sphere import SphereCosine
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.schedules import Warmup
from anglewise.lab.spec import Arm, Experiment
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


EIFY = "repository EIFY/grokking-at-the-edge-of-numerical-stability"


def _of(
    name: str,
    base: Experiment,
    methods: tuple[Any, ...],
    seeds: int,
    theirs: Theirs,
    *,
    model: Any = None,
    task: Any = None,
    **training: Any,
) -> Reproduction:
    rule = dataclasses.replace(
        base.training, **{"further": 0, "measure_every": 0, "sustain": 1, "threshold": 0.95, **training}
    )
    made = dataclasses.replace(
        base, name=f"reproduce-{name}", title=f"Reproduction: {theirs.source}", arms=(Arm(name, methods),), baseline="",
        model=model or base.model, task=task or base.task, training=rule, seeds=seeds,
    )  # fmt: skip
    return Reproduction(made, theirs)


RELU = dataclasses.replace(TRACK_C2.model, activation="relu")
GROKFAST = Adam(lr=Warmup(1e-3, 10.0, offset=0.0), wd=0.005, beta1=0.9, beta2=0.98)
LION = dataclasses.replace(CLIP_TO_GROK, lr=1e-3)
EGD_TASK, EGD_MODEL = Modular(p=97, operation="+", train=0.5), MLP(hidden=(256, 256))
JANATI_MODEL = dataclasses.replace(TRACK_B.model, mlp_bias=False)
SPHERE_MODEL = Transformer(layers=1, norm="none", activation="relu", causal=False)

REPRODUCTIONS: dict[str, Reproduction] = {
    made.experiment.name.removeprefix("reproduce-"): made
    for made in (
        _of(
            "chou-c1",
            TRACK_C1,
            (CHOU,),
            8,
            Theirs((143, 143), 1.3, "steps to 100 %, seed 42, chosen on it", EIFY, ""),
            threshold=1.0,
            every=1,
        ),
        _of(
            "chou-c2",
            TRACK_C2,
            (CHOU_EMBEDDED,),
            8,
            Theirs((111, 111), 1.3, "steps to 100 %, seed 42, chosen on it", EIFY, "embedding width (113 here)"),
            model=RELU,
            threshold=1.0,
            every=1,
        ),
        _of(
            "perpgrad",
            TRACK_C1,
            (PerpGrad(), AdamW(lr=0.01)),
            8,
            Theirs(
                (124, 300),
                1.3,
                "steps to 100 %: below 300 as released, 124 in a re-run",
                f"arXiv 2501.04697; {EIFY}",
                "",
            ),
            threshold=1.0,
            every=1,
        ),
        _of(
            "perpgrad-sgd",
            TRACK_C1,
            (PerpGrad(), StableMax(), SGD(lr=10.0, momentum=0.8)),
            4,
            Theirs((300, 400), 1.3, "100 % within 400 steps", "arXiv 2501.04697", ""),
            threshold=1.0,
            every=2,
            budget=1000,
        ),
        _of(
            "constrained-muon",
            TRACK_C2,
            (constrained(1.0, 1.4, 51.0, "normalise"),),
            8,
            Theirs(
                (44, 44),
                1.3,
                "median of 64 seeds, 95 %",
                "Cesista 2025",
                "every rate, momentum and gain: rates of .5 to .8 falling to a fifth here; float32, theirs bfloat16",
            ),
            every=1,
        ),
        _of(
            "grokfast-ema",
            TRACK_A,
            (EMA, GROKFAST),
            4,
            Theirs((780, 910), 1.3, "single runs, 95 %, read every 10 steps", "arXiv 2405.20233 and re-runs", ""),
            budget=4000,
        ),
        _of(
            "grokfast-ma",
            TRACK_A,
            (MA, dataclasses.replace(GROKFAST, wd=0.01)),
            4,
            Theirs((790, 790), 1.3, "single run, 95 %", "arXiv 2405.20233", ""),
            budget=4000,
        ),
        _of(
            "clip-rows-lion",
            TRACK_A,
            (dataclasses.replace(LION, lr=Warmup(1e-3, 10.0)), CLIP),
            4,
            Theirs(
                (535, 550), 1.3, "median, 95 %", "repository NiftyliuS/cliptogrok", "clip radius for multiplication (2)"
            ),
            budget=4000,
        ),
        _of(
            "egd-column",
            TRACK_C1,
            (COLUMN, SGD(lr=0.1, wd=1e-4)),
            3,
            Theirs(
                (328 * 148, 328 * 148),
                2.0,
                "epochs of 147 steps of 32 to generalise",
                "arXiv 2510.04930",
                "learning rate, widths, threshold",
            ),
            task=EGD_TASK,
            model=EGD_MODEL,
            batch=32,
            every=148,
            budget=60_000,
        ),
        _of(
            "egd",
            TRACK_C1,
            (EGD(), SGD(lr=0.1, wd=1e-4)),
            1,
            Theirs(
                (116 * 148, 116 * 148),
                2.0,
                "epochs of 147 steps of 32 to generalise",
                "arXiv 2510.04930",
                "learning rate, widths, threshold",
            ),
            task=EGD_TASK,
            model=EGD_MODEL,
            batch=32,
            every=148,
            budget=40_000,
        ),
        _of(
            "sphere-cosine",
            TRACK_B,
            (SphereCosine(temperature=10.0), AdamW(lr=6e-4)),
            3,
            Theirs((820 - 199, 820 + 199), 1.3, "10 seeds, 95 %, read every 200 steps", "arXiv 2603.05228", ""),
            model=SPHERE_MODEL,
            budget=4000,
            every=20,
        ),
        _of(
            "muon",
            TRACK_B,
            (JANATI,),
            3,
            Theirs(
                (5300, 5400), 1.3, "5 seeds, sustained 95 %, read every 100 steps", "arXiv 2608.07436", "warm-up (none)"
            ),
            model=JANATI_MODEL,
            budget=10_000,
            every=50,
            sustain=5,
        ),
        _of(
            "radial-paper",
            TRACK_C1,
            (AdamW(lr=1e-3, wd=1e-3), RadialPenalty(strength=0.05, target=1.0)),
            3,
            Theirs(
                (2460 - 136, 6167 + 624),
                1.3,
                "5 seeds, sustained 90 %, epochs",
                "arXiv 2606.32000",
                "batch (full here: an epoch is a step), input encoding (2-hot), biases (on)",
            ),
            task=Modular(p=97, operation="+", train=0.5),
            model=MLP(hidden=(512, 512), bias=True),
            threshold=0.9,
            sustain=5,
            every=20,
            budget=20_000,
        ),
    )
}
"""By name."""

EXPERIMENTS = tuple(made.experiment for made in REPRODUCTIONS.values())
