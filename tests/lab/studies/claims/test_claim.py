"""Claims as data: fields that are checked, hashes, and the ledger."""

from __future__ import annotations

import dataclasses
import json

import pytest

from anglewise.errors import SpecError
from anglewise.lab.studies.claims.claim import Claim, as_json
from anglewise.lab.studies.claims.claims import CLAIMS, claim_of
from anglewise.lab.studies.claims.comparisons import Halves, Interior, Selected
from anglewise.lab.studies.claims.decision import Rule
from anglewise.lab.studies.claims.parts import comparisons
from anglewise.lab.studies.claims.rules import AllOf, AtLeast, Sooner
from anglewise.lab.studies.claims.systems import SYSTEMS

TOY = Claim("X01", "title", "", "", "", "", "", "", ("mlp",), Sooner("arm", "base", 2.0))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seeds": 9}, "X01: a claim needs at least 10 seeds, got 9"),
        ({"grid_seeds": 2}, "X01: a grid needs at least 3 seeds a world, got 2"),
    ],
)
def test_a_claim_with_too_few_seeds_is_refused(fields, message):
    with pytest.raises(SpecError, match=message):
        dataclasses.replace(TOY, **fields)


DECIDES = {
    "id": "X02", "statement": "other", "estimand": "other", "systems": ("fast",), "seeds": 11, "grid_seeds": 3,
    "rule": Sooner("arm", "base", 2.1), "scales": ("desk",), "values": ("radius",), "recorded": "early-warning",
}  # fmt: skip
SHOWN = {"title": "x", "source": "x", "paper": "x", "question": "x", "refuted_by": "x", "note": "x"}


@pytest.mark.parametrize("field", DECIDES)
def test_whatever_a_verdict_depends_on_changes_the_hash(field):
    assert dataclasses.replace(TOY, **{field: DECIDES[field]}).rule_id != TOY.rule_id


def test_what_is_only_shown_does_not():
    assert dataclasses.replace(TOY, **SHOWN).rule_id == TOY.rule_id
    assert {f.name for f in dataclasses.fields(Claim)} == set(DECIDES) | set(SHOWN)


@pytest.mark.parametrize(
    "other",
    [
        Sooner("arm", "base", 2.0, least=1.1), Sooner("arm", "base", 2.0, crossing="first"),
        Sooner("base", "arm", 2.0), AllOf((("", Sooner("arm", "base", 2.0)),)), Halves("arm"),
    ],
)  # fmt: skip
def test_another_rule_is_another_hash(other):
    assert dataclasses.replace(TOY, rule=other).rule_id != TOY.rule_id


def test_a_rule_as_json_has_its_class_at_every_level():
    rule = AtLeast(1, (("one", Sooner("a", "b", 3.0)),))
    found = as_json(rule)
    inner = {"is": "Sooner", "arm": "a", "baseline": "b", "claimed": 3.0, "least": 1.0, "crossing": "sustained"}
    assert found == {"is": "AtLeast", "count": 1, "parts": [["one", inner]]}
    assert json.loads(json.dumps(TOY.spec)) == TOY.spec


def test_the_ledger_has_all_claims_in_order():
    want = [f"C{k:02}" for k in range(1, 21)] + [f"R{k:02}" for k in range(1, 10)] + [f"K{k:02}" for k in range(1, 5)]
    assert list(CLAIMS) == want and all(claim.id == name for name, claim in CLAIMS.items())
    assert len({claim.rule_id for claim in CLAIMS.values()}) == len(CLAIMS)


def test_a_claim_is_found_in_either_case():
    assert claim_of("c02") is claim_of("C02") is CLAIMS["C02"]
    with pytest.raises(SpecError, match="unknown claim 'C99'.*Known: C01"):
        claim_of("C99")


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_says_what_it_needs_to(name):
    claim = CLAIMS[name]
    for text in (claim.title, claim.statement, claim.source, claim.question, claim.estimand, claim.refuted_by):
        assert text.strip() == text and text
    assert isinstance(claim.rule, Rule) and claim.arms and claim.scales
    if not claim.recorded:
        assert set(claim.systems) <= set(SYSTEMS)
        assert all(set(claim.scales) <= set(SYSTEMS[system].scales) for system in claim.systems)
    if claim.grid_seeds:
        assert len(claim.systems) == 1 and SYSTEMS[claim.systems[0]].choices


@pytest.mark.parametrize("name", CLAIMS)
def test_rules_of_the_ledger_mean_something(name):
    claim = CLAIMS[name]
    for rule in comparisons(claim.rule):
        if isinstance(rule, Selected):
            assert len(rule.family) == len(rule.rivals) or set(rule.family) < set(rule.rivals)
            assert claim.seeds - rule.selection >= 10
        if isinstance(rule, Interior):
            assert rule.best in rule.sweep[1:-1]
        if isinstance(rule, Halves):
            assert claim.seeds >= 20 and claim.seeds % 2 == 0
        if isinstance(rule, Sooner):
            assert rule.claimed >= rule.least >= 1 and rule.arm != rule.baseline
        if read := getattr(rule, "read", None):
            assert read.name in {*claim.values, "test_loss", "seconds_per_step"}
            assert read.at != "equal loss" or "hessian_loss" in claim.values
