"""C14: do Fourier features come first, and sooner with the penalty?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Precedes
from anglewise.lab.studies.claims.reading_rules import Ratio, Read
from anglewise.lab.studies.claims.rules import AllOf

CLAIM = Claim(
    id="C14",
    title="Fourier features come sooner and stronger",
    statement="The penalty brings a higher coherence of the neurons' Fourier features over training, and coherence "
    "above "
    ".9 comes no later than generalisation.",
    source="arXiv 2606.32000, tables 1 and figure 4",
    paper="coherence above .9 at 2,460 epochs instead of 34,200; largest coefficient 1.2 to 4.8",
    question="Do clean Fourier features come first, and does the penalty bring them sooner?",
    estimand="Paired ratio of the second layer's coherence, mean over training, on decay 1; share of runs in which "
    "coherence .9 comes no later than sustained accuracy.",
    refuted_by="The ratio's interval lies below 1.05, or coherence comes later in one run.",
    systems=("mlp, read",),
    rule=AllOf(
        (
            (
                "higher coherence",
                Ratio(
                    Read("fourier_coherence", "hidden.1.post", "mean"),
                    "decay 1 + penalty",
                    "decay 1",
                    1.05,
                    larger=True,
                ),
            ),
            ("coherence first", Precedes("fourier_coherence", "hidden.1.post", 0.9, "decay 1 + penalty")),
        )
    ),
    scales=("desk",),
    values=("fourier_coherence", "fourier_max"),
    note="Decay 1 is used since decay .001 does not generalise in this world's budget.",
)
