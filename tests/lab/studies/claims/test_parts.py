"""The comparisons of a rule: each with its own decision, also after a verdict was written and read."""

from __future__ import annotations

import json

import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.studies.claims.analysis import from_json, to_json
from anglewise.lab.studies.claims.claims import CLAIMS
from anglewise.lab.studies.claims.comparisons import Interior
from anglewise.lab.studies.claims.parts import comparisons, leaves, place, summary, telling, verdict_of
from anglewise.lab.studies.claims.rules import Sooner
from tests.support.claims import GRID, record_of


def verdict(name, **how):
    return record_of(CLAIMS[name], **how).verdict(CLAIMS[name], "desk")


def test_leaves_of_nested_parts_keep_the_order_of_the_rule_after_json():
    found = verdict("C01")
    again = from_json(json.loads(json.dumps(to_json(found), sort_keys=True)))
    names = [leaf.name for leaf in leaves(CLAIMS["C01"].rule, found.decided[0].decision)]
    assert names[0] == "penalty helps" and names[-1] == "forced growth hurts" and len(names) == 6
    assert [leaf.name for leaf in leaves(CLAIMS["C01"].rule, again.decided[0].decision)] == names


def test_a_sweep_has_a_leaf_for_each_end():
    rule = next(one for one in comparisons(CLAIMS["C16"].rule) if isinstance(one, Interior))
    found = list(leaves(CLAIMS["C16"].rule, verdict("C16").decided[0].decision))
    assert [leaf.name for leaf in found[:2]] == [f"faster than '{end}'" for end in (rule.sweep[0], rule.sweep[-1])]
    assert isinstance(found[0].rule, Sooner)


def test_the_number_that_tells_is_of_the_part_that_decided():
    slow = verdict("C01", epochs=lambda arm, world: 300.0)
    assert slow.word == "refuted"
    assert telling(CLAIMS["C01"], slow).decision.word == "refuted"
    first = verdict("C06")
    assert (first.word, telling(CLAIMS["C06"], first).name) == ("supported", "with decay .1")


def test_a_summary_gives_numbers_verdicts_or_counts():
    assert summary(CLAIMS["C02"], verdict("C02")).startswith("'decay .001 + penalty' was ")
    assert summary(CLAIMS["C06"], verdict("C06")) == "With decay .1: supported; with decay 1: supported."
    assert summary(CLAIMS["C01"], verdict("C01")).startswith("Of 6 parts: ")
    assert summary(CLAIMS["R07"], verdict("R07")).startswith("a * b: supported; ")
    never = verdict("C02", epochs=lambda arm, world: 1e6)
    assert summary(CLAIMS["C02"], never).startswith(
        "No run of 'decay .001 + penalty' or 'decay .1' generalised in 3,000"
    )


def test_a_place_is_short_in_the_likely_world():
    decided = verdict("C02", worlds=GRID[:2]).decided
    assert place(decided[0]) == "mlp"
    assert place(decided[1]) == f"mlp, {GRID[1]}"


def test_a_scale_without_runs_says_what_to_run():
    with pytest.raises(
        AnglewiseError, match="C02 has runs at desk scale, none at paper scale: run anglewise verify C02"
    ):
        verdict_of(CLAIMS["C02"], record_of(CLAIMS["C02"]), "paper")
