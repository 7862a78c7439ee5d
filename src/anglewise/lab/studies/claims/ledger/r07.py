"""R07: does the penalty help on other structured tasks?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import Sooner

TASKS = ("a * b", "x^2+xy+y^2", "S5")
CLAIM = Claim(
    id="R07",
    title="Helps on other structured tasks",
    statement="The penalty makes generalisation at least 1.1 times sooner on multiplication, x^2+xy+y^2 and "
    "composition in S5.",
    source="referee of arXiv 2606.32000: one task is not a law",
    paper="",
    question="Does the penalty help beyond addition?",
    estimand="Ratio of steps to generalise without and with the penalty, task by task.",
    refuted_by="The interval of a task's ratio lies below 1.1; tasks that disagree make it depend on the task.",
    systems=tuple(f"fast, {task}" for task in TASKS),
    rule=Sooner("AdamW + penalty", "AdamW", claimed=1.1),
    scales=("desk",),
    note="Subtraction is left out: the network has a table for each operand, so a - b is a + b with the tokens of b "
    "renamed. In the same way a / b is a * b.",
)
