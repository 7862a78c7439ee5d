r"""From rows to a verdict: the rule in every world, and one word for all of them.

In each system and world the rule decides (:mod:`~anglewise.lab.studies.claims.rules`).  The verdict is

- ``depends``, where some worlds or systems support and others refute, each more than :data:`RARE` of those decided;
- else the word of the likely world, where every system has the same;
- else ``inconclusive``, with what it would take.

Where the likely world was not asked for, the worlds that were asked for stand in its place.

*Which choice decides most?*  Let :math:`z_w` be the logarithm of the effect in world w, and :math:`x_{wk} = \pm 1` the
option of choice k.  We fit :math:`z_w = \mu + \sum_k \beta_k x_{wk}` by least squares.  A choice's share of the
variance is

.. math:: \frac{\mathrm{RSS}_{-k} - \mathrm{RSS}}{\sum_w (z_w - \bar z)^2},

what is lost when it is left out.  In a balanced grid the shares add up to the share that all choices explain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from anglewise.lab.stats.estimate import Interval
from anglewise.lab.studies.claims.claim import Claim, Scale
from anglewise.lab.studies.claims.decision import PAIRS, Decision
from anglewise.lab.studies.claims.rows import Ran, Value, sample
from anglewise.lab.studies.claims.worlds import LIKELY

Word: TypeAlias = Literal["supported", "refuted", "inconclusive", "depends"]
RARE = 0.25
"""Up to this share of decided worlds may disagree with the rest, and the verdict still stands."""


class Decided(NamedTuple):
    """The decision in one system and world."""

    system: str
    world: str
    decision: Decision


class Verdict(NamedTuple):
    """What the rows say of a claim.

    Attributes:
        claim: Its id.
        rule_id: Hash of the rule that decided.
        scale: ``desk`` or ``paper``.
        word: The verdict.
        answer: One sentence.
        needs: What it would take, where it is inconclusive.
        depends_on: What it depends on, where it depends.
        decided: Decisions by system and world, likely worlds first.
    """

    claim: str
    rule_id: str
    scale: str
    word: Word
    answer: str
    needs: str
    depends_on: str
    decided: tuple[Decided, ...]

    @property
    def likely(self) -> tuple[Decided, ...]:
        """Decisions in the likely world, system by system."""
        return tuple(one for one in self.decided if one.world == LIKELY)

    @property
    def grid(self) -> tuple[Decided, ...]:
        """Decisions in all worlds, where there are several."""
        return self.decided if len({one.world for one in self.decided}) > 1 else ()


def verdict(
    claim: Claim, scale: Scale, runs: Sequence[Ran], values: Sequence[Value], worlds: Sequence[str] = (LIKELY,)
) -> Verdict:
    """The verdict of a claim from its rows alone.

    Args:
        claim: The claim.
        scale: ``desk`` or ``paper``.
        runs, values: Its rows; those of other scales and arms are left out.
        worlds: Names of the worlds that were to be trained; a run of them that is not there is missing.
    """
    decided = []
    for system in claim.systems:
        for world in worlds:
            seeds = claim.seeds if world == LIKELY else (claim.grid_seeds or claim.seeds)
            planned = {arm: range(seeds) for arm in claim.arms}
            rows = sample(runs, values, system=system, scale=scale, world=world, planned=planned)
            least = PAIRS["likely" if world == LIKELY else "grid"]
            decided.append(Decided(system, world, claim.rule.decide(rows, least)))
    decided.sort(key=lambda one: one.world != LIKELY)
    word, depends_on = _word(claim, decided)
    needs = ""
    if word == "inconclusive":
        main = _main(decided)
        needs = "; ".join(dict.fromkeys(one.decision.needs for one in main if one.decision.needs))
        needs = needs or f"agreement: {_by_word(main, lambda one: one.system)}"
    return Verdict(claim.id, claim.rule_id, scale, word, _answer(decided), needs, depends_on, tuple(decided))


def _word(claim: Claim, decided: Sequence[Decided]) -> tuple[Word, str]:
    """One word for all systems and worlds, and what it depends on."""
    words = [one.decision.word for one in decided if one.decision.word != "inconclusive"]
    held = words.count("supported")
    if words and RARE < held / len(words) < 1 - RARE:
        worlds = {one.world for one in decided}
        if len(worlds) == 1:
            return "depends", f"the task: {_by_word(decided, lambda one: one.system)}"
        shares = share_of_variance(decided)
        most = max(shares, key=lambda name: shares[name]) if shares else ""
        told = f"the choice '{most}' most ({round(100 * shares[most])} % of the variance)" if most else "the world"
        return "depends", f"{told}; {held} of {len(words)} decided worlds support it"
    likely = {one.decision.word for one in _main(decided)}
    if len(likely) == 1:
        return likely.pop(), ""
    return "inconclusive", ""


def _main(decided: Sequence[Decided]) -> list[Decided]:
    """Decisions in the likely world; all of them where it was not asked for."""
    return [one for one in decided if one.world == LIKELY] or list(decided)


def _by_word(decided: Sequence[Decided], name: Any) -> str:
    groups: dict[str, list[str]] = {}
    for one in decided:
        groups.setdefault(one.decision.word, []).append(name(one))
    return "; ".join(f"{word} on {', '.join(names)}" for word, names in groups.items())


def _answer(decided: Sequence[Decided]) -> str:
    """What was found in the likely world, in sentences."""
    likely = _main(decided)
    if len(likely) == 1:
        return likely[0].decision.says
    return " ".join(f"{one.system}: {one.decision.says}" for one in likely)


def share_of_variance(decided: Sequence[Decided]) -> dict[str, float]:
    """Share of the variance of the log effect that each choice takes, by its name; empty where there is none.

    Worlds without an effect, in which no arm generalised, are left out.  So are choices that the remaining worlds do
    not vary.  Nothing is told where the remaining worlds are too few to tell the choices apart.  Of several systems the
    mean log effect counts.
    """
    found: dict[str, list[float]] = {}
    for one in decided:
        if (estimate := one.decision.estimate) is not None and estimate.value > 0:
            found.setdefault(one.world, []).append(math.log(estimate.value))
    effects = {world: math.fsum(logs) / len(logs) for world, logs in found.items()}
    names = dict.fromkeys(name for world in effects for name in unlikely(world))
    z = np.array(list(effects.values()))
    if len(z) < 3 or not np.ptp(z):
        return {}
    x = np.array([[1.0 if name in unlikely(world) else -1.0 for name in names] for world in effects])
    varied = x[:, np.ptp(x, axis=0) > 0]
    if np.linalg.matrix_rank(np.hstack([np.ones((len(z), 1)), varied])) <= varied.shape[1]:
        return {}  # fewer worlds than numbers to fit: choices cannot be told apart
    total = float(np.sum((z - z.mean()) ** 2))
    whole = _rss(x, z)
    return {
        name: max(0.0, _rss(np.delete(x, k, axis=1), z) - whole) / total
        for k, name in enumerate(names)
        if np.ptp(x[:, k])
    }


def unlikely(world: str) -> Mapping[str, str]:
    """Options of a world that are not the likely ones, by the name of the choice.

    Example:
        >>> unlikely("batch=full, betas=.98")
        {'batch': 'full', 'betas': '.98'}
    """
    if world == LIKELY:
        return {}
    pairs = (part.strip().partition("=") for part in world.split(","))
    return {choice: option for choice, _, option in pairs}


def _rss(x: np.ndarray, z: np.ndarray) -> float:
    """Residual sum of squares of the least-squares fit with an intercept."""
    design = np.hstack([np.ones((len(z), 1)), x])
    fitted = design @ np.linalg.lstsq(design, z, rcond=None)[0]
    return float(np.sum((z - fitted) ** 2))


def to_json(found: Verdict) -> dict[str, Any]:
    """A verdict as JSON values, without what differs between equal rows."""
    return {
        "claim": found.claim, "rule": found.rule_id, "scale": found.scale, "verdict": found.word,
        "answer": found.answer, "needs": found.needs, "depends_on": found.depends_on,
        "decided": [
            {"system": one.system, "world": one.world, **_decision(one.decision)} for one in found.decided
        ],
    }  # fmt: skip


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "verdict": decision.word, "estimate": _interval(decision.estimate), "unit": decision.unit,
        "bound": decision.bound.strip(), "n": decision.n, "says": decision.says, "needs": decision.needs,
        "parts": {name: _decision(part) for name, part in decision.parts},
    }  # fmt: skip


def from_json(values: Mapping[str, Any]) -> Verdict:
    """The verdict in JSON values: the inverse of :func:`to_json`, up to its rounding."""
    decided = tuple(Decided(one["system"], one["world"], _decision_in(one)) for one in values["decided"])
    return Verdict(
        values["claim"], values["rule"], values["scale"], values["verdict"], values["answer"], values["needs"],
        values["depends_on"], decided,
    )  # fmt: skip


def _decision_in(values: Mapping[str, Any]) -> Decision:
    estimate = values["estimate"]
    bound = f"{values['bound']} " if values["bound"] else ""
    return Decision(
        values["verdict"], None if estimate is None else Interval(**estimate), values["unit"], bound, values["n"],
        values["says"], values["needs"],
        tuple((name, _decision_in(part)) for name, part in values["parts"].items()),
    )  # fmt: skip


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    rounded = {
        name: None if x is None else float(f"{x:.6g}")
        for name, x in zip(("value", "low", "high"), interval[:3], strict=True)
    }
    return rounded | {"method": interval.method}
