"""Results as tables for a terminal: every alternative, then every ratio, with intervals and what they decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anglewise.lab.report.table import Column, Name, Table, printed


def head(result: Mapping[str, Any]) -> str:
    """What was measured where, and whether others disturbed it."""
    machine, versions = result["machine"], result["versions"]
    lines = [
        f"{machine['device']}: {machine['cpu']}, {machine['cores']} cores, {machine['gemm_gflops']:g} GFLOP/s",
        f"commit {result['commit'][:8]}, jax {versions['jax']}, torch {versions['torch'] or 'not installed'}, "
        f"{result['seconds']:.0f} s" + (", quick" if result["quick"] else ""),
    ]
    taken = machine["taken_by_others"]
    if not machine["quiet"]:
        share = "an unknown share" if taken is None else f"{taken:.0%}"
        lines.append(
            f"NOT QUIET: other processes took {share} of the processors. Do not quote these numbers, ratios included: "
            "libraries whose threads wait for one another suffer more than others"
        )
    return "\n".join(lines)


def row(one: Mapping[str, Any]) -> str:
    """A case: its alternatives, its ratios, what was left out, and what else is known."""
    first = one["seconds_to_first_step"]
    lines = [
        [Name(name), number(each["median"]), interval(each), f"{number(each['least'])} to {number(each['most'])}",
         each["n"], number(first[name]) if name in first else None]
        for name, each in one["alternatives"].items()
    ]  # fmt: skip
    columns = (Column("alternative", words=True), one["unit"], "95 % interval", "range", "rounds", "first step (s)")
    parts = [printed(Table(columns, lines, title=f"{one['room']}: {one['name']}"))]
    if one["ratios"]:
        ratios = [
            [Name(name), number(each["median"]), interval(each), f"{number(each['least'])} to {number(each['most'])}",
             f"{each['decision']} {each['limit']:g}" if "limit" in each else None]
            for name, each in one["ratios"].items()
        ]  # fmt: skip
        decided = Column("decided", words=True)
        parts.append(printed(Table((Column("ratio", words=True), "median", "95 % interval", "range", decided), ratios)))
    parts += [f"left out: {name}: {why}\n" for name, why in one["left_out"].items()]
    facts = [f"{name.replace('_', ' ')} {_fact(value)}" for name, value in one["facts"].items()]
    parts += [", ".join(facts) + "\n"] if facts else []
    parts += [one["note"] + "\n"] if one["note"] else []
    return "\n".join(parts)


def interval(each: Mapping[str, Any]) -> str | None:
    """The ends of an interval, or nothing where there is none."""
    return None if each["low"] is None else f"{number(each['low'])} to {number(each['high'])}"


def number(value: float) -> str:
    """Three digits after the point for ratios near 1, fewer for large numbers."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:,.0f}"


def _fact(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
