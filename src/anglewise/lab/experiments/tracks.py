"""Benchmark tracks as experiments, each with its published or plain baseline and the penalty beside it.

Track A (Grokfast's task and block), track B (Nanda's one-layer network without norms), tracks C1 (2-hot MLP) and C2
(the same with embeddings), track D (the radial paper's MLP), track E (Power et al.'s division and post-norm block) and
track S (composition in S5, the negative control).

A track has one task, one model and one way of training, whoever trains on it: ``run``, ``tune``, ``leaderboard`` and
``penalty`` all take them from here.  Here alone a network is also measured while it trains (``measure_every``), which
changes no step.
"""

from __future__ import annotations

from anglewise.lab.experiments import published
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols.schedule import Warmup
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.permutation import Permutations

TUNED_A = AdamW(lr=Warmup(2e-3, 10.0), wd=2.0, beta1=0.9, beta2=0.98)
TRACK_A = Experiment(
    name="track-a",
    title="Track A: x * y mod 97, 50 %, 512 examples an update, Grokfast's own Transformer",
    task=Modular(p=97, operation="*", train=0.5, form="a op b =", b_from=1),
    model=Transformer(norm="grokfast", positions_table=5),
    arms=(
        Arm("adam-released", published.GROKFAST_BASELINE.methods, "Adam, as Grokfast released it"),
        Arm("adamw-tuned", (TUNED_A,), "AdamW, tuned"),
        Arm("adamw-tuned+radial", (TUNED_A, RadialPenalty(strength=0.02, target=0.5)), "AdamW, tuned + radial penalty"),
    ),
    baseline="adamw-tuned",
    seeds=4,
    training=Training(budget=1500, every=10, batch=512, order="replacement", further=100, measure_every=100),
)
"""Every update sees 512 examples, drawn anew.  Whoever goes by epochs of 4,656 has a batch of 48 at every tenth update,
which fast settings do not survive, and which a search on fewer examples, with another last batch, does not see."""

TRACK_B = Experiment(
    name="track-b",
    title="Track B: a + b mod 113, one layer, no norms, full batch",
    task=Modular(p=113, operation="+", train=0.3, form="a b ="),
    model=Transformer(layers=1, norm="none", activation="relu", attention_bias=False, init_law="normal"),
    arms=(
        Arm("adamw-nanda", published.NANDA.methods),
        Arm("adamw-nanda+radial", (*published.NANDA.methods, RadialPenalty(strength=0.01))),
    ),
    seeds=4,
    training=Training(budget=10_000, every=10, further=500, measure_every=200),
)

TRACK_C1 = Experiment(
    name="track-c1",
    title="Track C1: a + b mod 113, 2-hot MLP, full batch",
    task=Modular(p=113, operation="+", train=0.4),
    model=MLP(hidden=(200, 200)),
    arms=(
        Arm("adamw-chou", published.CHOU_C1.methods),
        Arm("adamw-chou+radial", (*published.CHOU_C1.methods, *published.RADIAL_PENALTY.methods)),
    ),
    seeds=8,
    training=Training(budget=400, every=2, further=40, measure_every=50),
)

TRACK_C2 = Experiment(
    name="track-c2",
    title="Track C2: a + b mod 113, MLP on two embeddings, full batch",
    task=Modular(p=113, operation="+", train=0.4),
    model=MLP(hidden=(200, 200), embedding=113, shared=False, activation="gelu"),
    arms=(
        Arm("adamw-chou", published.CHOU_C2.methods),
        Arm("adamw-chou+radial", (*published.CHOU_C2.methods, *published.RADIAL_PENALTY.methods)),
    ),
    seeds=8,
    training=Training(budget=300, every=3, sustain=4, further=21, measure_every=24),
)

TRACK_D = Experiment(
    name="track-d",
    title="Track D: a + b mod 97, 2-hot MLP of width 512, the radial paper's arms",
    task=Modular(p=97, operation="+", train=0.5),
    model=MLP(hidden=(512, 512), bias=True),
    arms=(
        Arm("adamw-strong", published.RADIAL_STRONG.methods),
        Arm("adamw-weak", published.RADIAL_WEAK.methods),
        Arm("adamw-weak+radial", published.RADIAL_PAPER.methods),
    ),
    seeds=4,
    training=Training(budget=20_000, every=10, threshold=0.9, further=500, measure_every=400),
)

TRACK_E = Experiment(
    name="track-e",
    title="Track E: x / y mod 97, two post-norm layers, batch 512",
    task=Modular(p=97, operation="/", train=0.5, form="a op b =", b_from=1),
    # arXiv 2201.02177 and openai/grok, whose positions are fixed sinusoids; these are learned
    model=Transformer(norm="post", activation="relu", attention_bias=False, mlp_bias=False),
    arms=(
        Arm("adamw-power", published.POWER.methods),
        Arm("adamw-power+radial", (*published.POWER.methods, RadialPenalty(strength=0.01))),
    ),
    seeds=4,
    training=Training(budget=5000, every=10, batch=512, threshold=0.99, further=500, measure_every=200),
)

GROUP = AdamW(lr=0.01, wd=1.0, beta1=0.9, beta2=0.98)
TRACK_S = Experiment(
    name="track-s",
    title="Track S: composition in S5, 50 %, MLP on two embeddings, 1,024 examples an update",
    task=Permutations(n=5, train=0.5),
    model=MLP(hidden=(256,), embedding=128, shared=False),
    arms=(Arm("adamw", (GROUP,)), Arm("adamw+radial", (GROUP, *published.RADIAL_PENALTY.methods))),
    seeds=4,
    training=Training(budget=1500, every=10, batch=1024, order="replacement", further=100, measure_every=100),
)

EXPERIMENTS = (TRACK_A, TRACK_B, TRACK_C1, TRACK_C2, TRACK_D, TRACK_E, TRACK_S)
