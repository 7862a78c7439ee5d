"""Known verdicts: of the records or of the package's copy, and by today's rules alone."""

from __future__ import annotations

import json

import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.studies.claims import verdicts
from anglewise.lab.studies.claims.analysis import to_json, verdict
from anglewise.lab.studies.claims.claims import CLAIMS


@pytest.fixture
def records(tmp_path):
    """Records of two claims without runs; the second one's rule is another one today."""
    for name, old in (("C02", False), ("C03", True)):
        found = to_json(verdict(CLAIMS[name], "desk", [], []))
        (tmp_path / name).mkdir()
        text = json.dumps({"desk": found | ({"rule": "0" * 20} if old else {})})
        (tmp_path / name / "verdict.json").write_text(text)
    (tmp_path / "notes").mkdir()
    return tmp_path


def test_verdicts_of_records_are_known_if_todays_rule_decided(records):
    found = verdicts.known(records)
    assert set(found) == set(CLAIMS)
    assert {name for name, scales in found.items() if scales} == {"C02"}
    assert found["C02"]["desk"].word == "inconclusive" and "the missing runs" in found["C02"]["desk"].needs


def test_without_records_the_packages_copy_is_known(records, tmp_path, monkeypatch):
    monkeypatch.setattr(verdicts, "FILE", tmp_path / "copy.json")
    assert verdicts.copy(records) == tmp_path / "copy.json"
    assert verdicts.known(tmp_path / "absent") == verdicts.known(records)


def test_a_damaged_verdict_gives_one_line(records):
    (records / "C02" / "verdict.json").write_text("{")
    with pytest.raises(AnglewiseError, match="verdict.json cannot be read: .*; write the record again"):
        verdicts.known(records)
