"""Methods at the settings that others published, to see if we get their numbers: ``anglewise run reproduce-NAME``.

Each is one experiment with one arm: the published setting (``published.py``), task, network, batch and criterion as far
as they are stated.  What is not stated is said here.  Each trains as its authors did, not as a track does: where they
went by epochs, so does it.
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
from anglewise.lab.stats.reported import Reported
from anglewise.lab.tasks.modular import Modular


class Reproduction(NamedTuple):
    """An experiment, and the number that it should give."""

    experiment: Experiment
    theirs: Reported


def _of(
    name: str, base: Experiment, setting: Published, seeds: int, training: Training, steps: tuple[float, float],
    of: str, source: str, unstated: str = "", *, tolerance: float = 1.3, model: Any = None, task: Any = None,
) -> Reproduction:  # fmt: skip
    """One method at its published setting, on the task and model of `base` unless others are given."""
    experiment = Experiment(
        f"reproduce-{name}", task or base.task, model or base.model, (Arm(name, setting.methods),), training,
        seeds=seeds, title=f"Reproduction: {source}",
    )  # fmt: skip
    return Reproduction(experiment, Reported(steps, tolerance, of, source, unstated))


def _until(budget: int, every: int, **rule: Any) -> Training:
    """Training to the first crossing of 95 %, which is what most of them counted; `rule` says what they did instead."""
    return Training(**{"budget": budget, "every": every, "sustain": 1, "further": 0, **rule})


RELU = dataclasses.replace(cast(MLP, TRACK_C2.model), activation="relu")
EPOCHS_A = _until(4000, 10, batch=512)
"""The published methods of track A went by epochs of 4,656 examples, whose last batch has 48.  The track itself draws
its batches anew."""
EGD_PLACE: dict[str, Any] = {"task": Modular(p=97, operation="+", train=0.5), "model": MLP(hidden=(256, 256))}
EGD_COUNT = "epochs of 147 steps of 32 to generalise"
EGD_UNSTATED = "learning rate, widths, threshold"
JANATI_MODEL = dataclasses.replace(cast(Transformer, TRACK_B.model), mlp_bias=False)
SPHERE_MODEL = Transformer(layers=1, norm="none", activation="relu", causal=False)


def _independent(setting: Published, steps: tuple[float, float], width: int = 128) -> Reproduction:
    """The radial paper's MLP with plain weight decay, as somebody else ran it: one seed, full batch."""
    name = f"mlp-decay-{setting.methods[0].wd:g}" + (f"-width-{width}" if width != 128 else "")
    return _of(
        name, TRACK_C1, setting, 3, _until(6000, 50), steps, "one seed, read every 50 steps",
        published.PSI, "threshold (95 % here), biases (on)", tolerance=1.3,
        task=Modular(p=97, operation="+", train=0.5), model=MLP(hidden=(width, width), bias=True),
    )  # fmt: skip


_ALL = (
    _of("chou-c1", TRACK_C1, published.CHOU_C1, 8, _until(500, 1, threshold=1.0), (143, 143),
        "steps to 100 %, seed 42, chosen on it", EIFY),
    _of("chou-c2", TRACK_C2, published.CHOU_C2, 8, _until(400, 1, threshold=1.0), (111, 111),
        "steps to 100 %, seed 42, chosen on it", EIFY, "embedding width (113 here)", model=RELU),
    _of("perpgrad", TRACK_C1, published.PERPGRAD_ADAMW, 8, _until(500, 1, threshold=1.0), (124, 300),
        "steps to 100 %: below 300 as released, 124 in a re-run", f"arXiv 2501.04697; {EIFY}"),
    _of("perpgrad-sgd", TRACK_C1, published.PERPGRAD_SGD, 4, _until(1000, 2, threshold=1.0), (300, 400),
        "100 % within 400 steps", "arXiv 2501.04697"),
    _of("constrained-muon", TRACK_C2, published.CONSTRAINED_MUON, 8, _until(400, 1), (44, 44),
        "median of 64 seeds, 95 %", "Cesista 2025",
        "every rate, momentum and gain: rates of .5 to .8 falling to a fifth here; float32, theirs bfloat16"),
    _of("grokfast-ema", TRACK_A, published.GROKFAST_EMA, 4, EPOCHS_A, (780, 910),
        "single runs, 95 %, read every 10 steps", "arXiv 2405.20233 and re-runs"),
    _of("grokfast-ma", TRACK_A, published.GROKFAST_MA, 4, EPOCHS_A, (790, 790),
        "single run, 95 %", "arXiv 2405.20233"),
    _of("clip-rows-lion", TRACK_A, published.LION_CLIPPED, 4, EPOCHS_A, (535, 550),
        "median, 95 %", "repository NiftyliuS/cliptogrok", "clip radius for multiplication (2)"),
    _of("egd-column", TRACK_C1, published.EGD_COLUMN, 3, _until(60_000, 148, batch=32), (328 * 148, 328 * 148),
        EGD_COUNT, "arXiv 2510.04930", EGD_UNSTATED, tolerance=2.0, **EGD_PLACE),
    _of("egd", TRACK_C1, published.EGD_SVD, 1, _until(40_000, 148, batch=32), (116 * 148, 116 * 148),
        EGD_COUNT, "arXiv 2510.04930", EGD_UNSTATED, tolerance=2.0, **EGD_PLACE),
    _of("sphere-cosine", TRACK_B, published.SPHERE_COSINE, 3, _until(4000, 20), (820 - 199, 820 + 199),
        "10 seeds, 95 %, read every 200 steps", "arXiv 2603.05228", model=SPHERE_MODEL),
    _of("muon", TRACK_B, published.MUON, 3, _until(10_000, 50, sustain=5), (5300, 5400),
        "5 seeds, sustained 95 %, read every 100 steps", "arXiv 2608.07436", "warm-up (none)", model=JANATI_MODEL),
    _of("radial-paper", TRACK_C1, published.RADIAL_PAPER, 3, _until(20_000, 20, threshold=0.9, sustain=5),
        (2460 - 136, 6167 + 624), "5 seeds, sustained 90 %, epochs", "arXiv 2606.32000",
        "batch (full here: an epoch is a step), input encoding (2-hot), biases (on)",
        task=Modular(p=97, operation="+", train=0.5), model=MLP(hidden=(512, 512), bias=True)),
    _independent(published.PSI_HALF, (4000, 4000)), _independent(published.PSI_ONE, (2300, 2650)),
    _independent(published.PSI_TWO, (1250, 1250)),
    _independent(published.PSI_FIVE, (800, 800)), _independent(published.PSI_ONE, (1950, 1950), width=512),
)  # fmt: skip
REPRODUCTIONS = {one.experiment.name.removeprefix("reproduce-"): one for one in _ALL}
"""By name."""
EXPERIMENTS = tuple(one.experiment for one in _ALL)
