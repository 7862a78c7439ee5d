"""C20: is the penalty cheap, and harmless where it cannot help?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.reading_rules import Ratio, Read
from anglewise.lab.studies.claims.rules import AllOf

CLAIM = Claim(
    id="C20",
    title="Cheap, and harmless on text",
    statement="On the characters of Tiny Shakespeare the penalty changes the validation loss by less than 2 %, and a "
    "step takes less than 10 % longer.",
    source="arXiv 2606.32000, table 10 and its remark on cost",
    paper="validation loss 1.585 to 1.608; .32 to .35 seconds a step",
    question="Does the penalty cost time, or harm on text?",
    estimand="Paired ratios with and without the penalty: validation loss at the end, and seconds a step.",
    refuted_by="The interval of the loss's ratio lies above 1.02, or that of the time's above 1.1.",
    systems=("text",),
    rule=AllOf(
        (
            ("harmless", Ratio(Read("test_loss"), "AdamW + penalty", "AdamW", 1.02, larger=False, least=1.02)),
            ("cheap", Ratio(Read("seconds_per_step"), "AdamW + penalty", "AdamW", 1.1, larger=False, least=1.1)),
        )
    ),
    scales=("desk",),
    note="600 steps of a GPT with 0.2 million weights, strength .01. The paper's model has half a million and was "
    "trained to the end. Other work ran on the machine, so that the times scatter.",
)
