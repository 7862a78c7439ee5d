"""A rule's leaves: the comparisons that it consists of, each with its own decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from anglewise.errors import AnglewiseError
from anglewise.lab.studies.claims import words
from anglewise.lab.studies.claims.analysis import Decided, Verdict
from anglewise.lab.studies.claims.claim import Claim, Scale
from anglewise.lab.studies.claims.comparisons import Alike, Halves, Interaction, Interior, Precedes, Selected
from anglewise.lab.studies.claims.decision import Decision, Rule
from anglewise.lab.studies.claims.reading_rules import Close, Level, Ratio
from anglewise.lab.studies.claims.record import Record
from anglewise.lab.studies.claims.rules import AllOf, AtLeast, Generalises, Sooner
from anglewise.lab.studies.claims.worlds import LIKELY

MOST = 3
"""Comparisons that a sentence names; of more it gives the counts."""
OF_TIME = (Sooner, Selected, Alike, Interior, Interaction, Generalises, Halves)
"""Rules that decide by when runs generalise."""
OF_READINGS = (Ratio, Level, Close, Precedes)
"""Rules that decide by what was read of the networks."""


class Leaf(NamedTuple):
    """One comparison of a rule.

    Attributes:
        name: What it says, in the words of the rule that holds it; empty for a rule without parts.
        rule: The comparison.
        decision: What it says of the sample.
    """

    name: str
    rule: Rule
    decision: Decision


def leaves(rule: Rule, decision: Decision, name: str = "") -> Iterator[Leaf]:
    """The comparisons of a rule, in its order."""
    decided = dict(decision.parts)
    if isinstance(rule, (AllOf, AtLeast)):
        for part, inner in rule.parts:
            yield from leaves(inner, decided[part], part)
    elif isinstance(rule, Interior) and decided:
        for end in dict.fromkeys((rule.sweep[0], rule.sweep[-1])):
            yield Leaf(f"faster than '{end}'", Sooner(rule.best, end, 1.0), decided[end])
    else:
        yield Leaf(name, rule, decision)


def comparisons(rule: Rule) -> Iterator[Rule]:
    """The comparisons of a rule without their decisions; a sweep stays whole."""
    if isinstance(rule, (AllOf, AtLeast)):
        for _, inner in rule.parts:
            yield from comparisons(inner)
    else:
        yield rule


def telling(claim: Claim, verdict: Verdict) -> Leaf | None:
    """The comparison whose number tells a verdict in short: the first with its word, in the likely world.

    None where nothing was decided.
    """
    shown: Sequence[Decided] = verdict.likely or verdict.decided
    found = [leaf for one in shown for leaf in leaves(claim.rule, one.decision)]
    alike = [leaf for leaf in found if leaf.decision.word == verdict.word]
    return next(iter((*alike, *found)), None)


def summary(claim: Claim, verdict: Verdict) -> str:
    """What was found in one sentence, in the likely world or in the one that was asked for.

    A rule of one comparison gives its numbers, one of few comparisons their verdicts, one of many the counts.
    """
    shown = verdict.likely or verdict.decided
    told = [leaf for one in shown for leaf in leaves(claim.rule, one.decision)]
    if len(told) == 1:
        return words.sentence(told[0].decision.says)
    if len(shown) > 1:
        return "; ".join(f"{place(one)}: {one.decision.word}" for one in shown) + "."
    if len(told) <= MOST:
        says = "; ".join(f"{leaf.name}: {leaf.decision.word}" for leaf in told) + "."
        return f"{says[:1].upper()}{says[1:]}"
    found = [leaf.decision.word for leaf in told]
    return f"Of {len(told)} parts: " + ", ".join(f"{found.count(x)} {x}" for x in dict.fromkeys(found)) + "."


def place(one: Decided) -> str:
    """System and world of a decision, in short."""
    system = one.system.removeprefix("fast, ")
    return system if one.world == LIKELY else f"{system}, {one.world}"


def verdict_of(claim: Claim, record: Record, scale: Scale) -> Verdict:
    """The verdict of a record at a scale.

    Raises:
        AnglewiseError: If the record has no runs at this scale.
    """
    if scale not in record.worlds:
        had = " and ".join(record.worlds) or "no"
        raise AnglewiseError(
            f"the record of {claim.id} has runs at {had} scale, none at {scale} scale: "
            f"run anglewise verify {claim.id} --scale {scale}"
        )
    return record.verdict(claim, scale)
