"""Records that others published on the tracks.  They stand beside ours, unranked, each with what differs."""

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
_ROWS = {
    "track-c2": [
        ("constrained Muon", "44", "median of 64 seeds, 95 %", "Cesista 2025 (post)",
         "bfloat16, learning rates and momentum unstated, no code, train share inferred"),
        ("AdamW lr .05 wd 2", "111", "100 %, seed 42", EIFY, "one seed, chosen on the test set, other initialisation"),
        ("Muon + embedding cap", "227", "median of 64 seeds, 95 %", "Cesista 2025 (post)", "bfloat16"),
    ],
    "track-c1": [
        ("perpGrad AdamW lr .01", "124", "100 %, seed 42", EIFY, "one seed, chosen on the test set"),
        ("AdamW lr .05 wd 4", "143", "100 %, seed 42", EIFY, "one seed, chosen on the test set"),
    ],
    "track-a": [
        ("Lion + row clipping", "535 to 550", "median, 95 %", "repository NiftyliuS/cliptogrok",
         "clip radius chosen on the task"),
        ("Grokfast-MA", "790", "single run, 95 %", "arXiv 2405.20233", "one run, first crossing"),
        ("Grokfast-EMA", "910", "single run, 95 %; re-runs 780 and 910", "arXiv 2405.20233", "one run, first crossing"),
        ("EGD (randomised SVD)", "980", "95 %", "arXiv 2510.04930", "seeds not read"),
        ("Adam", "35,040 to 55,780", "95 %", "arXiv 2405.20233, 2510.04930", "an untuned baseline"),
    ],
    "track-b": [
        ("sphere, cosine head, wd 0", "820 +- 199", "10 seeds, 95 %, read every 200 steps", "arXiv 2603.05228",
         "own learning rate, no causal mask"),
        ("Muon", "5,300 to 5,400", "5 seeds, sustained 95 %", "arXiv 2608.07436", "collapses later"),
        ("AdamW wd 3", "4,000 to 11,700", "5 seeds, sustained 95 %", "arXiv 2608.07436", ""),
    ],
    "track-d": [
        ("radial penalty .05", "2,460 +- 136", "5 seeds, sustained 90 %, epochs", "arXiv 2606.32000",
         "batch unstated; the same paper also prints 6,167 +- 624"),
        ("AdamW wd .1", "15,540", "5 seeds, sustained 90 %, epochs", "arXiv 2606.32000", "batch unstated"),
    ],
    "track-e": [
        ("mlx-grokking AdamW 1e-3 wd 1", "about 1,500", "fewer than 150 epochs, 99 %", "repository mlx-grokking",
         "another block: RoPE, RMSNorm, SwiGLU, dropout"),
    ],
}  # fmt: skip
PUBLISHED = {track: tuple(PublishedTime(*row) for row in rows) for track, rows in _ROWS.items()}
"""By track."""
