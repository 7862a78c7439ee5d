"""Published records on the tracks, to stand beside ours and never among them: what differs is said with each."""

from __future__ import annotations

from typing import NamedTuple


class PublishedTime(NamedTuple):
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
PUBLISHED: dict[str, tuple[PublishedTime, ...]] = {
    "track-c2": (
        PublishedTime(
            "constrained Muon",
            "44",
            "median of 64 seeds, 95 %",
            "Cesista 2025 (post)",
            "bfloat16, learning rates and momentum unstated, no code, train share inferred",
        ),
        PublishedTime(
            "AdamW lr .05 wd 2", "111", "100 %, seed 42", EIFY, "one seed, chosen on the test set, other initialisation"
        ),
        PublishedTime("Muon + embedding cap", "227", "median of 64 seeds, 95 %", "Cesista 2025 (post)", "bfloat16"),
    ),
    "track-c1": (
        PublishedTime("perpGrad AdamW lr .01", "124", "100 %, seed 42", EIFY, "one seed, chosen on the test set"),
        PublishedTime("AdamW lr .05 wd 4", "143", "100 %, seed 42", EIFY, "one seed, chosen on the test set"),
    ),
    "track-a": (
        PublishedTime(
            "Lion + row clipping",
            "535 to 550",
            "median, 95 %",
            "repository NiftyliuS/cliptogrok",
            "clip radius chosen on the task",
        ),
        PublishedTime("Grokfast-MA", "790", "single run, 95 %", "arXiv 2405.20233", "one run, first crossing"),
        PublishedTime(
            "Grokfast-EMA",
            "910",
            "single run, 95 %; re-runs 780 and 910",
            "arXiv 2405.20233",
            "one run, first crossing",
        ),
        PublishedTime("EGD (randomised SVD)", "980", "95 %", "arXiv 2510.04930", "seeds not read"),
        PublishedTime("Adam", "35,040 to 55,780", "95 %", "arXiv 2405.20233, 2510.04930", "an untuned baseline"),
    ),
    "track-b": (
        PublishedTime(
            "sphere, cosine head, wd 0",
            "820 +- 199",
            "10 seeds, 95 %, read every 200 steps",
            "arXiv 2603.05228",
            "own learning rate, no causal mask",
        ),
        PublishedTime("Muon", "5,300 to 5,400", "5 seeds, sustained 95 %", "arXiv 2608.07436", "collapses later"),
        PublishedTime("AdamW wd 3", "4,000 to 11,700", "5 seeds, sustained 95 %", "arXiv 2608.07436", ""),
    ),
    "track-d": (
        PublishedTime(
            "radial penalty .05",
            "2,460 +- 136",
            "5 seeds, sustained 90 %, epochs",
            "arXiv 2606.32000",
            "batch unstated; the same paper also prints 6,167 +- 624",
        ),
        PublishedTime("AdamW wd .1", "15,540", "5 seeds, sustained 90 %, epochs", "arXiv 2606.32000", "batch unstated"),
    ),
    "track-e": (
        PublishedTime(
            "mlx-grokking AdamW 1e-3 wd 1",
            "about 1,500",
            "fewer than 150 epochs, 99 %",
            "repository mlx-grokking",
            "another block: RoPE, RMSNorm, SwiGLU, dropout",
        ),
    ),
}
"""By track."""
