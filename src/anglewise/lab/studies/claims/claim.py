"""A claim as data: what is said, what the paper prints, what is run, and the rule that decides.

Everything that a verdict depends on is a field.  :attr:`Claim.rule_id` is the content hash of them.  It is written into
every record, and the tests hold the hash of every claim: a changed rule needs a new id.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal, TypeAlias

from anglewise.errors import SpecError
from anglewise.lab.spec import content_hash
from anglewise.lab.studies.claims.decision import PAIRS, Rule

Scale: TypeAlias = Literal["desk", "paper"]
Where: TypeAlias = Literal["likely", "grid"]


@dataclasses.dataclass(frozen=True)
class Claim:
    """One claim.

    Args:
        id: ``C02``: the paper's, ``R01``: a referee's question, ``K01``: a control of the machinery.
        title: A few words.
        statement: What is claimed, in one plain sentence.
        source: Where it stands.
        paper: The paper's number; empty where it prints none.
        question: What a reader wants to know, in one plain sentence.
        estimand: What is estimated.
        refuted_by: What would refute it.
        systems: What is trained: names of :data:`~anglewise.lab.studies.claims.systems.SYSTEMS`.  The rule decides
            each of them.
        rule: Decides, with margins fixed before the runs.
        seeds: Paired seeds in the likely world.
        grid_seeds: Paired seeds in every other world of the grid; 0 where the claim is decided in the likely world
            alone.
        scales: Scales at which it can be run.
        values: Names of what is read of the networks and kept.
        note: What a reader must know of the set-up.
        recorded: Name of another record whose numbers decide; nothing is trained then.
    """

    id: str
    title: str
    statement: str
    source: str
    paper: str
    question: str
    estimand: str
    refuted_by: str
    systems: tuple[str, ...]
    rule: Rule
    seeds: int = PAIRS["likely"]
    grid_seeds: int = 0
    scales: tuple[Scale, ...] = ("desk", "paper")
    values: tuple[str, ...] = ()
    note: str = ""
    recorded: str = ""

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.seeds < PAIRS["likely"]:
            raise SpecError(f"{self.id}: a claim needs at least {PAIRS['likely']} seeds, got {self.seeds}")
        if 0 < self.grid_seeds < PAIRS["grid"]:
            raise SpecError(f"{self.id}: a grid needs at least {PAIRS['grid']} seeds a world, got {self.grid_seeds}")

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that the rule looks at."""
        return tuple(dict.fromkeys(self.rule.arms))

    @property
    def spec(self) -> dict[str, Any]:
        """What a verdict depends on, as JSON values."""
        other = {"recorded": self.recorded} if self.recorded else {}
        return other | {
            "id": self.id, "statement": self.statement, "estimand": self.estimand, "systems": list(self.systems),
            "rule": as_json(self.rule), "seeds": self.seeds, "grid_seeds": self.grid_seeds,
            "scales": list(self.scales), "values": list(self.values), "pairs": dict(PAIRS),
        }  # fmt: skip

    @property
    def rule_id(self) -> str:
        """Content hash of :attr:`spec`: 20 hexadecimal digits."""
        return content_hash(self.spec)


def as_json(rule: Any) -> Any:
    """A rule as JSON values, with its class under ``"is"``; as a text it is the same for equal rules.

    Example:
        >>> from anglewise.lab.studies.claims.rules import Sooner
        >>> as_json(Sooner("a", "b", 3.0))["claimed"]
        3.0
    """
    if dataclasses.is_dataclass(rule) and not isinstance(rule, type):
        fields = {f.name: as_json(getattr(rule, f.name)) for f in dataclasses.fields(rule)}
        return {"is": type(rule).__name__, **fields}
    if isinstance(rule, (tuple, list)):
        return [as_json(item) for item in rule]
    return json.loads(json.dumps(rule))
