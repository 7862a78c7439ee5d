"""Causal arms: which part of the radial penalty helps on the quickstart's task.

Task, model and optimiser are the quickstart's, untuned.  Each arm takes a part of the penalty away, or replaces it:

- The push has another direction: that of another row's activation, a random one, or noise or decay of equal size.
- The radii change without the penalty: a factor per batch holds or replays the mean radius, or a clamp bounds it.
- The target is 4, so that activations grow.
- One half of the gradient acts: on the layer behind the site, or on all layers below it.
- The penalty acts for a part of the time: before or after a step.

Each control measures how well it matches (reading ``match``), and a report marks those that do not match.
"""

from __future__ import annotations

from anglewise.lab.experiments.published import RADIAL_PENALTY
from anglewise.lab.experiments.quickstart import COMMON, MODEL, TASK
from anglewise.lab.methods.controls import RadiusClamp, RadiusReplay
from anglewise.lab.methods.matched_controls import MatchedNoise
from anglewise.lab.methods.penalty_controls import ShuffledPenalty, StopGradientPenalty, after, before
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.protocols.schedule import Recorded
from anglewise.lab.spec import Arm, Experiment, Training

(RADIAL,) = RADIAL_PENALTY.methods
SMALLER = RadialPenalty(strength=0.1, target=0.5)
INFLATION = RadialPenalty(strength=0.05, target=4.0)
"""The reverse intervention: the target lies far above the radii that the network has without a penalty."""
MEMORISED = 137.0
"""Step at which the plain arm's train accuracy is first .99 or above: median of seeds 0 to 15 (110 to 150, one later).
The median step of test accuracy .95 is 137 too: train and test accuracy rise together.  The radial arm generalises at
about step 92, so `before` covers nearly all of its training and `after` hardly any."""
HALF_FITTED = 42.0
"""Step at which the plain arm's train accuracy is first .5 or above: median of the same seeds (36 to 46).  Test
accuracy is then .002 at most, below chance.  So this step separates fitting from generalising."""
TYPICAL_RADIUS = 1.2
"""Mean radius of the radial arm's two sites at step 80 (0.95 and 1.50, medians of 9 seeds), as it generalises."""
REPLAY = (
    RadiusReplay(
        Recorded((0.577, 0.711, 0.474, 0.534, 0.652, 0.723, 0.77, 0.814, 0.879, 0.937, 0.953, 1.077, 1.087), 8.0),
        "hidden.0.pre",
    ),
    RadiusReplay(
        Recorded((0.233, 1.105, 1.081, 1.135, 0.939, 0.923, 0.987, 1.026, 1.12, 1.379, 1.504, 1.753, 1.868), 8.0),
        "hidden.1.pre",
    ),
)
"""The radial arm's mean radius at the steps 0, 8, ..., 96, where its first run ended: medians of 9 seeds."""

EXPERIMENT = Experiment(
    name="causal",
    title="Which part of the radial penalty speeds up modular addition: size, direction, radius, layer or time?",
    task=TASK,
    model=MODEL,
    arms=(
        Arm("adamw-common", COMMON, "AdamW, usual settings"),
        Arm("radial", (*COMMON, RADIAL)),
        Arm("radial, target .5", (*COMMON, SMALLER)),
        Arm("inflation, target 4", (*COMMON, INFLATION)),
        Arm("push permuted", (*COMMON, ShuffledPenalty(strength=0.05, target=1.0, along="permuted"))),
        Arm("push random", (*COMMON, ShuffledPenalty(strength=0.05, target=1.0, along="random"))),
        Arm("matched noise", (MatchedNoise(), *COMMON, RADIAL)),
        Arm("matched shrink", (MatchedNoise(kind="shrink"), *COMMON, RADIAL)),
        Arm("mean radius held", (*COMMON, RadiusClamp(TYPICAL_RADIUS))),
        Arm("mean radius replayed", (*COMMON, *REPLAY)),
        Arm("radius at most", (*COMMON, RadiusClamp(TYPICAL_RADIUS, "outer"))),
        Arm("radius at least", (*COMMON, RadiusClamp(TYPICAL_RADIUS, "inner"))),
        Arm("radial before memorising", (*COMMON, before(RADIAL, MEMORISED))),
        Arm("radial after memorising", (*COMMON, after(RADIAL, MEMORISED))),
        Arm("radial in the first half", (*COMMON, before(RADIAL, HALF_FITTED))),
        Arm("radial from then on", (*COMMON, after(RADIAL, HALF_FITTED))),
        Arm("radial, last layer", (*COMMON, StopGradientPenalty(strength=0.05, target=1.0, reaches="last-layer"))),
        Arm("radial, below it", (*COMMON, StopGradientPenalty(strength=0.05, target=1.0, reaches="below"))),
    ),
    baseline="adamw-common",
    seeds=16,
    training=Training(budget=300, every=4, threshold=0.95, sustain=5, further=8, measure_every=24),
)
