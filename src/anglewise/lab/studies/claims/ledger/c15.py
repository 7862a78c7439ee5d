"""C15: are all frequencies used?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.reading_rules import Level, Read

FREQUENCIES = 29
"""Of the modulus 59 at desk scale."""
CLAIM = Claim(
    id="C15",
    title="One cluster of neurons for every frequency",
    statement="With the penalty, neurons form clusters on at least five in six of all frequencies.",
    source="arXiv 2606.32000, figure 5",
    paper="all 48 frequencies used, 10.7 neurons on each",
    question="Does the penalised network use all frequencies?",
    estimand="Share of all frequencies that have neurons of their own at layer 2, at the end, on decay 1 with the "
    "penalty.",
    refuted_by="The interval of the share lies below 40/48.",
    systems=("mlp, read",),
    rule=Level(
        Read("live_frequencies", "hidden.1.post"),
        "decay 1 + penalty",
        40 / 48,
        larger=True,
        factor=1 / FREQUENCIES,
        unit="share of all frequencies that have neurons of their own",
    ),
    scales=("desk",),
    values=("live_frequencies", "cluster_size", "own_share"),
)
