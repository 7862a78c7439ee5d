"""Every verdict is computed again from its rows, and every page of a claim rendered again."""

from __future__ import annotations

import json
import re

import pytest

from anglewise.lab.studies.claims import page, record
from anglewise.lab.studies.claims.analysis import to_json
from anglewise.lab.studies.claims.claims import CLAIMS
from anglewise.lab.studies.claims.verdicts import FILE, known, of_records
from records.verdicts import CLAIM_RECORDS, Overview
from tests.support.claims import record_of

NAMES = sorted(folder.name for folder in CLAIM_RECORDS.iterdir() if record.exists(folder))


def again(folder, claim):
    """The verdicts of a record, computed from its rows."""
    rows = record.read(folder)
    return json.loads(json.dumps({scale: to_json(rows.verdict(claim, scale)) for scale in rows.worlds}))


def check(folder, claim):
    """A record agrees with its rows, its rule and its page."""
    assert json.loads((folder / "verdict.json").read_text(encoding="utf-8")) == again(folder, claim)
    assert json.loads((folder / "rule.json").read_text(encoding="utf-8"))["rule_id"] == claim.rule_id
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text == page.text(claim, record.read(folder)), f"write the page of {claim.id} again"
    named = set(re.findall(r"\(([\w-]+\.svg)\)", text))
    assert named == {path.name for path in folder.glob("*.svg")}


@pytest.mark.parametrize("name", NAMES)
def test_a_record_is_what_its_rows_say(name):
    folder = CLAIM_RECORDS / name
    check(folder, CLAIMS[name])
    assert (folder / "README.md").stat().st_size > 1000


def test_the_package_brings_the_verdicts_of_the_records():
    assert json.loads(FILE.read_text(encoding="utf-8")) == of_records(CLAIM_RECORDS), "run verdicts.copy(records)"


def test_control_a_changed_verdict_and_a_changed_page_are_seen(tmp_path):
    claim = CLAIMS["C06"]
    made = record_of(claim)
    record.write(tmp_path, claim, made)
    page.write(tmp_path, claim, made)
    check(tmp_path, claim)
    words = (tmp_path / "README.md").read_text(encoding="utf-8")
    (tmp_path / "README.md").write_text(words.replace("Supported", "Refuted"), encoding="utf-8")
    with pytest.raises(AssertionError, match="write the page of C06 again"):
        check(tmp_path, claim)
    (tmp_path / "verdict.json").write_text(
        (tmp_path / "verdict.json")
        .read_text(encoding="utf-8")
        .replace('"verdict": "supported"', '"verdict": "refuted"')
    )
    with pytest.raises(AssertionError):
        check(tmp_path, claim)


@pytest.fixture(scope="module")
def overview():
    supported = record_of(CLAIMS["C06"]).verdict(CLAIMS["C06"], "desk")
    refuted = record_of(CLAIMS["C02"], epochs=lambda arm, world: 300.0).verdict(CLAIMS["C02"], "desk")
    return Overview({"C06": {"desk": supported}, "C02": {"desk": refuted}})


def test_counts_add_up(overview):
    total = sum(name[0] == "C" for name in CLAIMS)
    assert (
        overview.counts("C") == f"Of {total} claims, 1 is supported, 1 is refuted and {total - 2} are not decided yet"
    )
    assert overview.counts("R").startswith("None of ")
    assert (
        Overview({"C02": {"desk": overview.verdicts["C02"]["desk"]._replace(word="depends")}})
        .counts("C")
        .startswith(f"Of {total} claims, 1 depends on the reading or the task and ")
    )


def test_a_claim_with_a_record_is_linked(overview):
    lines = overview.table("C", "../records/claims").splitlines()
    (line,) = [line for line in lines if line.startswith("| [C06]")]
    assert line.startswith(
        "| [C06](../records/claims/C06/README.md) | Faster on the Transformer | 8,000 to 5,200 epochs"
    )
    assert "times as fast (with decay .1) | 10 | supported (2 of 2 parts hold) | not run |" in line
    assert any(line.startswith("| C03 | ") for line in lines)


def test_verdicts_by_an_old_rule_are_left_out(tmp_path):
    claim = CLAIMS["C06"]
    record.write(tmp_path / "C06", claim, record_of(claim))
    assert known(tmp_path)["C06"]["desk"].word == "supported"
    old = (tmp_path / "C06" / "verdict.json").read_text(encoding="utf-8").replace(claim.rule_id, "0" * 20)
    (tmp_path / "C06" / "verdict.json").write_text(old, encoding="utf-8")
    assert known(tmp_path)["C06"] == {}
