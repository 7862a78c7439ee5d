"""A claim over the grid of worlds: the decision in each, sorted by effect, with the choices that make it.

Such a list is a *specification curve*.  A world in which no arm generalised has no effect, and stands apart.

Source: Simonsohn, Simmons & Nelson, *Specification curve analysis*, Nature Human Behaviour 4 (2020) 1208.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from anglewise.errors import AnglewiseError
from anglewise.lab.report.format import Estimate, percent
from anglewise.lab.report.table import Column, Table
from anglewise.lab.studies.claims.analysis import Decided, Verdict, share_of_variance
from anglewise.lab.studies.claims.claim import Claim, Scale
from anglewise.lab.studies.claims.parts import Leaf, leaves, verdict_of
from anglewise.lab.studies.claims.record import Record
from anglewise.lab.studies.claims.worlds import LIKELY, MLP_CHOICES, TRANSFORMER_CHOICES, Choice, World

ALL_CHOICES = (MLP_CHOICES, TRANSFORMER_CHOICES)


class Line(NamedTuple):
    """One world.

    Attributes:
        world: With its picks.
        word: The decision there.
        leaves: Comparisons of the rule; the first one's effect sorts.
        never: Arms of which no run generalised.
    """

    world: World
    word: str
    leaves: tuple[Leaf, ...]
    never: tuple[str, ...]

    @property
    def effect(self) -> float | None:
        """The effect that sorts; None where there is none."""
        estimate = self.leaves[0].decision.estimate
        return None if estimate is None or not math.isfinite(estimate.value) else estimate.value


class Specification(NamedTuple):
    """A claim over a grid.

    Attributes:
        claim: Which.
        system: What was trained.
        scale: ``desk`` or ``paper``.
        verdict: Of all worlds.
        choices: What differs between the worlds.
        lines: Worlds with an effect, the smallest effect first; then those without.
        shares: Share of the variance of the log effect by choice.
    """

    claim: Claim
    system: str
    scale: Scale
    verdict: Verdict
    choices: tuple[Choice, ...]
    lines: tuple[Line, ...]
    shares: Mapping[str, float]

    @property
    def with_effect(self) -> tuple[Line, ...]:
        """Worlds that have an effect."""
        return tuple(line for line in self.lines if line.effect is not None)

    def count(self, word: str) -> int:
        """How many worlds have a decision."""
        return sum(line.word == word for line in self.lines)

    @property
    def summary(self) -> str:
        """Shares of worlds, in one sentence."""
        parts = [f"{n} {word}" for word in ("supported", "refuted", "inconclusive") if (n := self.count(word))]
        return f"Of {len(self.lines)} worlds: {', '.join(parts)}."

    @property
    def decides_most(self) -> str:
        """The choice that takes most of the variance, in one sentence; that too few worlds tell."""
        if not self.shares:
            return "Too few worlds have a number to tell which choice decides most." if len(self.lines) > 1 else ""
        most = max(self.shares, key=lambda name: self.shares[name])
        rest = max(0.0, 1 - sum(self.shares.values()))
        return (
            f"The choice '{most}' decides most: {percent(self.shares[most])} % of the variance of the log effect. "
            f"Choices together leave {percent(rest)} % unexplained."
        )


def specifications(claim: Claim, record: Record, scale: Scale) -> list[Specification]:
    """The claim over the grid, one for each system.

    Raises:
        AnglewiseError: If the record has one world alone at this scale, or a world that no list of choices fits.
    """
    verdict = verdict_of(claim, record, scale)
    if not verdict.grid:
        raise AnglewiseError(
            f"the record of {claim.id} has one world alone at {scale} scale: "
            f"run anglewise multiverse {claim.id} --scale {scale}"
        )
    return [_of_system(claim, record, verdict, system) for system in claim.systems]


def _of_system(claim: Claim, record: Record, verdict: Verdict, system: str) -> Specification:
    decided = [one for one in verdict.grid if one.system == system]
    choices = choices_of([one.world for one in decided])
    scale: Scale = "paper" if verdict.scale == "paper" else "desk"
    lines = [_line(claim, record, scale, choices, one) for one in decided]
    lines.sort(key=lambda line: (line.effect is None, line.effect or 0.0))
    return Specification(claim, system, scale, verdict, choices, tuple(lines), share_of_variance(decided))


def _line(claim: Claim, record: Record, scale: Scale, choices: Sequence[Choice], one: Decided) -> Line:
    ran: dict[str, list[bool]] = {}
    for run in record.runs:
        if run[:3] == (one.system, scale, one.world) and run.arm in claim.arms:
            ran.setdefault(run.arm, []).append(run.sustained is not None and run.outcome != "diverged")
    never = tuple(arm for arm in claim.arms if arm in ran and not any(ran[arm]))
    world = World.named(one.world, choices)
    return Line(world, one.decision.word, tuple(leaves(claim.rule, one.decision)), never)


def choices_of(worlds: Sequence[str]) -> tuple[Choice, ...]:
    """The choices that some worlds are made of.

    Raises:
        AnglewiseError: If no list of choices has all that they name.

    Example:
        >>> [choice.name for choice in choices_of(["likely", "norm=affine"])]
        ['norm', 'strength']
    """
    names = {part.strip().partition("=")[0] for world in worlds if world != LIKELY for part in world.split(",")}
    for choices in ALL_CHOICES:
        if names <= {choice.name for choice in choices}:
            return choices
    raise AnglewiseError(f"no list of choices has {', '.join(sorted(names))}: add it to specification.ALL_CHOICES")


def table(spec: Specification, *, short: bool = False) -> Table:
    """Worlds as rows; `short` names a world by its unlikely picks instead of a column for each choice."""
    names = [leaf.name for leaf in spec.lines[0].leaves]
    heads: list[str | Column] = [
        Column("world", True), Column("verdict", True), *(name or "effect" for name in names),
        Column("is a bound", True), "n", Column("no run generalised", True),
    ]  # fmt: skip
    if not short:
        heads += [Column(choice.name, True) for choice in spec.choices]
    rows = [
        [
            line.world.name, line.word,
            *(Estimate(leaf.decision.estimate, mark=leaf.decision.bound if short else "") for leaf in line.leaves),
            bounds(line), line.leaves[0].decision.n, ", ".join(line.never),
            *(() if short else (line.world[choice.name] for choice in spec.choices)),
        ]
        for line in spec.lines
    ]  # fmt: skip
    kept = [i for i, head in enumerate(heads) if not short or getattr(head, "name", head) != "is a bound"]
    marked = frozenset(i for i, line in enumerate(spec.lines) if line.world.name == LIKELY)
    return Table(heads, rows, marked=marked).only(kept)


def bounds(line: Line) -> str:
    """Bounds of a world's estimates: empty where they are none."""
    return ", ".join(leaf.decision.bound.strip() for leaf in line.leaves if leaf.decision.bound)


def shares_table(spec: Specification) -> Table:
    """Share of the variance by choice, the largest first."""
    options = {choice.name: choice for choice in spec.choices}
    rows = [
        [name, f"{options[name].options[0].name} / {options[name].options[1].name}", f"{percent(share)} %"]
        for name, share in sorted(spec.shares.items(), key=lambda item: -item[1])
    ]
    heads: list[str | Column] = ["choice", Column("likely / other", True), "share of the variance"]
    return Table(heads, rows)
