"""Published records on the tracks, to stand beside ours and never among them: what differs is said with each."""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One number that somebody else reported.

    Attributes:
        arm: What trained.
        steps: Optimiser steps, as reported.
        of: What was counted: threshold, seeds, median or single run.
        source: Where it stands.
        caveat: Why it cannot be ranked with ours.
    """

    arm: str
    steps: str
    of: str
    source: str
    caveat: str


EIFY = "repository EIFY/grokking-at-the-edge-of-numerical-stability"
PUBLISHED: dict[str, tuple[Published, ...]] = {
    "track-c2": (
        Published(
            "constrained Muon",
            "44",
            "median of 64 seeds, 95 %",
            "Cesista 2025 (post)",
            "bfloat16, learning rates and momentum unstated, no code, train share inferred",
        ),
        Published(
            "AdamW lr .05 wd 2", "111", "100 %, seed 42", EIFY, "one seed, chosen on the test set, other initialisation"
        ),
        Published("Muon + embedding cap", "227", "median of 64 seeds, 95 %", "Cesista 2025 (post)", "bfloat16"),
    ),
    "track-c1": (
        Published("perpGrad AdamW lr .01", "124", "100 %, seed 42", EIFY, "one seed, chosen on the test set"),
        Published("AdamW lr .05 wd 4", "143", "100 %, seed 42", EIFY, "one seed, chosen on the test set"),
    ),
    "track-a": (
        Published(
            "Lion + row clipping",
            "535 to 550",
            "median, 95 %",
            "repository NiftyliuS/cliptogrok",
            "clip radius chosen on the task",
        ),
        Published("Grokfast-MA", "790", "single run, 95 %", "arXiv 2405.20233", "one run, first crossing"),
        Published(
            "Grokfast-EMA",
            "910",
            "single run, 95 %; re-runs 780 and 910",
            "arXiv 2405.20233",
            "one run, first crossing",
        ),
        Published("EGD (randomised SVD)", "980", "95 %", "arXiv 2510.04930", "seeds not read"),
        Published("Adam", "35,040 to 55,780", "95 %", "arXiv 2405.20233, 2510.04930", "an untuned baseline"),
    ),
    "track-b": (
        Published(
            "sphere, cosine head, wd 0",
            "820 +- 199",
            "10 seeds, 95 %, read every 200 steps",
            "arXiv 2603.05228",
            "own learning rate, no causal mask",
        ),
        Published("Muon", "5,300 to 5,400", "5 seeds, sustained 95 %", "arXiv 2608.07436", "collapses later"),
        Published("AdamW wd 3", "4,000 to 11,700", "5 seeds, sustained 95 %", "arXiv 2608.07436", ""),
    ),
    "track-d": (
        Published(
            "radial penalty .05",
            "2,460 +- 136",
            "5 seeds, sustained 90 %, epochs",
            "arXiv 2606.32000",
            "batch unstated; the same paper also prints 6,167 +- 624",
        ),
        Published("AdamW wd .1", "15,540", "5 seeds, sustained 90 %, epochs", "arXiv 2606.32000", "batch unstated"),
    ),
    "track-e": (
        Published(
            "mlx-grokking AdamW 1e-3 wd 1",
            "about 1,500",
            "fewer than 150 epochs, 99 %",
            "repository mlx-grokking",
            "another block: RoPE, RMSNorm, SwiGLU, dropout",
        ),
    ),
}
"""By track."""
