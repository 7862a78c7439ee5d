"""Claims as text and tables: all of them in one table, one claim's full answer, one claim over the grid of worlds."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from anglewise.lab.report.format import DASH, Estimate, text_width
from anglewise.lab.report.html.document import write_file
from anglewise.lab.report.table import Cell, Column, Name, Table, markdown, printed, to_csv
from anglewise.lab.studies.claims import words
from anglewise.lab.studies.claims.analysis import Decided, Verdict
from anglewise.lab.studies.claims.claim import Claim, Scale
from anglewise.lab.studies.claims.claims import CLAIMS
from anglewise.lab.studies.claims.parts import Leaf, leaves, place, summary, telling, verdict_of
from anglewise.lab.studies.claims.record import Record
from anglewise.lab.studies.claims.specification import Specification, shares_table, specifications, table
from anglewise.lab.studies.claims.verdicts import Verdicts
from anglewise.lab.studies.claims.worlds import LIKELY

ENDINGS = (".svg", ".pdf", ".png", ".csv", ".md")
WIDTH = 100
"""Letters in a line of a terminal."""
NOT_RUN = "not run"
NOT_HERE = DASH
"""Stands where a claim has no such scale."""


def claims_table(verdicts: Verdicts) -> Table:
    """Every claim with its verdicts and one number: that of the smaller scale that was run.

    A claim of several parts shows the number of the first part that has the claim's verdict.
    """
    rows = []
    for name, claim in CLAIMS.items():
        scales = verdicts.get(name, {})
        leaf = next((telling(claim, scales[scale]) for scale in ("desk", "paper") if scale in scales), None)
        rows.append([
            name, shorter(claim.title, 46), *(word_at(claim, scales.get(scale), scale) for scale in ("desk", "paper")),
            "" if leaf is None else Estimate(leaf.decision.estimate, mark=leaf.decision.bound),
            counts(leaf), "" if leaf is None else leaf.decision.n,
        ])  # fmt: skip
    heads: list[str | Column] = [
        "claim", Column("what is claimed", True), Column("desk scale", True), Column("paper scale", True),
        "number [95 %]", Column("what it counts", True), "n",
    ]  # fmt: skip
    return Table(heads, rows, note="n counts paired seeds. One claim in full: anglewise verify C02 --recorded")


def facts(verdicts: Verdicts) -> list[dict[str, Any]]:
    """The same as values by name: every claim with its verdict at each scale; None where it was not run."""
    return [
        {
            "claim": name,
            "title": claim.title,
            "rule_id": claim.rule_id,
            "scales": {
                scale: one and {
                    "word": one.word, "answer": one.answer, "needs": one.needs, "depends_on": one.depends_on,
                    "parts": _parts(claim, one),
                }
                for scale in claim.scales
                for one in (verdicts.get(name, {}).get(scale),)
            },
        }
        for name, claim in CLAIMS.items()
    ]  # fmt: skip


def _parts(claim: Claim, verdict: Verdict) -> list[dict[str, Any]]:
    """The comparisons that a verdict rests on."""
    return [
        {
            "system": one.system, "world": one.world, "name": leaf.name, "word": leaf.decision.word,
            "estimate": leaf.decision.estimate, "bound": leaf.decision.bound.strip(), "unit": leaf.decision.unit,
            "n": leaf.decision.n,
        }
        for one in verdict.likely or verdict.decided
        for leaf in leaves(claim.rule, one.decision)
    ]  # fmt: skip


def verdict_facts(claim: Claim, record: Record, scale: Scale) -> dict[str, Any]:
    """One claim's full answer as values by name.

    Raises:
        AnglewiseError: If the record has no runs at this scale.
    """
    verdict = verdict_of(claim, record, scale)
    return {
        "claim": claim.id, "title": claim.title, "question": claim.question, "statement": claim.statement,
        "paper": claim.paper, "source": claim.source, "rule_id": claim.rule_id, "rule": rule_lines(claim, 10_000),
        "scale": verdict.scale, "word": verdict.word, "summary": summary(claim, verdict), "answer": verdict.answer,
        "needs": verdict.needs, "depends_on": verdict.depends_on, "parts": _parts(claim, verdict),
        "again": again(claim, verdict),
    }  # fmt: skip


def multiverse_facts(claim: Claim, record: Record, scale: Scale) -> list[dict[str, Any]]:
    """One claim over the grid of worlds as values by name, a system each.

    Raises:
        AnglewiseError: If the record has one world alone at this scale.
    """
    return [
        {
            "system": spec.system, "word": spec.verdict.word, "summary": spec.summary, "shares": spec.shares,
            "worlds": [
                {
                    "world": line.world.name, "word": line.word, "effect": line.effect, "never": line.never,
                    "parts": [{"name": leaf.name, "estimate": leaf.decision.estimate, "n": leaf.decision.n}
                              for leaf in line.leaves],
                }
                for line in spec.lines
            ],
        }
        for spec in specifications(claim, record, scale)
    ]  # fmt: skip


def word_at(claim: Claim, verdict: Verdict | None, scale: Scale, *, parts: bool = False) -> str:
    """The verdict's word, with `parts` how many of several hold; that a scale was not run, or a dash without it."""
    if verdict is not None and not parts:
        return verdict.word
    if verdict is not None:
        found = [leaf.decision.word for leaf in leaves(claim.rule, verdict.likely[0].decision)]
        held = f" ({found.count('supported')} of {len(found)} parts hold)" if len(found) > 1 else ""
        return verdict.word + (held if len(verdict.likely) == 1 else "")
    return NOT_RUN if scale in claim.scales else NOT_HERE


def counts(leaf: Leaf | None) -> Name | str:
    """What the number of a comparison counts, with the comparison's name."""
    if leaf is None or leaf.decision.estimate is None:
        return ""
    return Name(shorter(words.unit(leaf.rule, leaf.decision.unit), 34), shorter(leaf.name, 34))


def shorter(text: str, most: int) -> str:
    """A text that is cut between words."""
    return textwrap.shorten(text, most, placeholder=" \u2026")


def told(claim: Claim, record: Record, scale: Scale) -> str:
    """One claim's full answer for a terminal: verdict, numbers, rule, and how to repeat it.

    Raises:
        AnglewiseError: If the record has no runs at this scale.
    """
    verdict = verdict_of(claim, record, scale)
    blocks = [
        f"{claim.id}  {claim.title}",
        filled(claim.question),
        filled(f"{verdict.word.upper()} at {verdict.scale} scale. {summary(claim, verdict)}"),
        compact(parts_table(claim, verdict)),
    ]
    if verdict.needs:
        blocks.append(filled(f"What it would take: {verdict.needs}."))
    if verdict.depends_on:
        blocks.append(filled(f"It depends on {verdict.depends_on}."))
    blocks += [
        filled(f"The claim: {claim.statement}"),
        filled(f"The paper: {claim.paper or 'prints no number'} ({claim.source})."),
        "\n".join(["How it is decided:", *rule_lines(claim)]),
        filled(f"The rule was fixed before the runs; its hash is {claim.rule_id}."),
        f"Again: {again(claim, verdict)}",
    ]
    return "\n\n".join(blocks)


def again(claim: Claim, verdict: Verdict) -> str:
    """The command that decides it again."""
    worlds = [one.world for one in verdict.decided]
    if verdict.grid:
        return f"anglewise multiverse {claim.id} --scale {verdict.scale}"
    world = f' --world "{worlds[0]}"' if worlds and worlds[0] != LIKELY else ""
    return f"anglewise verify {claim.id} --scale {verdict.scale}{world}"


def parts_table(claim: Claim, verdict: Verdict) -> Table:
    """The comparisons that a verdict rests on, in the likely world or in the one that was asked for."""
    shown = verdict.likely or verdict.decided
    rows: list[list[Cell]] = [
        [
            part_name(one, leaf, len(shown) > 1), leaf.decision.word,
            Estimate(leaf.decision.estimate, mark=leaf.decision.bound),
            shorter(words.unit(leaf.rule, leaf.decision.unit), 80), leaf.decision.n,
        ]
        for one in shown
        for leaf in leaves(claim.rule, one.decision)
    ]  # fmt: skip
    return Table(["part", Column("verdict", True), "number [95 %]", Column("what it counts", True), "n"], rows)


def compact(shown: Table) -> str:
    """A table for a terminal without empty lines around it."""
    lines = [line.rstrip() for line in printed(shown).split("\n")]
    return "\n".join(line for line in lines if line)


def part_name(one: Decided, leaf: Leaf, several: bool) -> str:
    """The name of a comparison, with its system and world where there are several."""
    return ": ".join(part for part in (place(one) if several else "", leaf.name) if part) or "the claim"


def rule_lines(claim: Claim, width: int = 0) -> list[str]:
    """How the claim is decided, as indented lines; of the terminal's width where none is given."""
    width = width or text_width(WIDTH)
    return [
        textwrap.fill(line, width, initial_indent="  " * depth + "- ", subsequent_indent="  " * depth + "  ")
        for depth, line in words.rule(claim.rule)
    ]


def filled(text: str) -> str:
    """A paragraph as wide as a terminal's page."""
    return textwrap.fill(text, text_width(WIDTH), break_long_words=False, break_on_hyphens=False)


def multiverse(claim: Claim, record: Record, scale: Scale) -> str:
    """One claim over the grid of worlds for a terminal.

    Raises:
        AnglewiseError: If the record has one world alone at this scale.
    """
    return "\n".join(_multiverse(spec) for spec in specifications(claim, record, scale))


def _multiverse(spec: Specification) -> str:
    decision = spec.lines[0].leaves[0].decision
    blocks = [
        f"{spec.claim.id}  {spec.claim.title}",
        filled(f"{spec.verdict.word.upper()} at {spec.scale} scale, over {len(spec.lines)} worlds."),
        filled(f"{spec.summary} Numbers count {decision.unit}; a row's world is named by its unlikely choices."),
        compact(table(spec, short=True)),
    ]
    blocks.append(filled(spec.decides_most))
    if spec.shares:
        blocks.append(compact(shares_table(spec)))
    return "\n\n".join(blocks) + "\n"


def write(claim: Claim, record: Record, scale: Scale, path: Path) -> Path:
    """Write the claim over the grid; the ending of the path is the format.

    Several systems stand in one file below each other, in a picture only the first.

    Raises:
        AnglewiseError: If the record has one world alone, or the file cannot be written.
    """
    specs = specifications(claim, record, scale)
    if path.suffix == ".csv":
        return write_file("\n".join(to_csv(table(spec)) for spec in specs), path)
    if path.suffix == ".md":
        return write_file("\n".join(_markdown(spec) for spec in specs), path)
    from anglewise.lab.studies.claims import pictures

    return pictures.save_multiverse(claim, record, scale, path)


def _markdown(spec: Specification) -> str:
    shares = f"\n{spec.decides_most}\n\n{markdown(shares_table(spec))}" if spec.shares else ""
    return f"{spec.summary}\n\n{markdown(table(spec))}{shares}"
