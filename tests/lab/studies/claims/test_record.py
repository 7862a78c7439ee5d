"""Records: written, read, put together; what is damaged gives one line."""

from __future__ import annotations

import json

import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.studies.claims import record
from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.record import Record
from anglewise.lab.studies.claims.rules import Sooner
from anglewise.lab.studies.claims.worlds import LIKELY
from tests.support.claim_rows import read, runs_of, times

CLAIM = Claim("X01", "", "", "", "", "", "", "", ("toy",), Sooner("arm", "base", 2.0), grid_seeds=3)
RUNS = tuple(runs_of({"base": times(3000), "arm": times(1000)}))
VALUES = tuple(v for s in range(10) for v in read("arm", s, "radius", {0: 1.0, 10: 2.0}, "hidden.0.pre"))
RECORD = Record(RUNS, VALUES, {"git_commit": "abc", "started": "2026-01-01"}, {"desk": (LIKELY,)})
FILES = {"runs.parquet", "values.parquet", "rule.json", "provenance.json", "verdict.json"}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_record_comes_back_and_equal_rows_are_equal_files(tmp_path):
    record.write(tmp_path / "one", CLAIM, RECORD)
    record.write(tmp_path / "other", CLAIM, RECORD._replace(runs=RUNS[::-1], values=VALUES[::-1]))
    assert contents(tmp_path / "one") == contents(tmp_path / "other") and set(contents(tmp_path / "one")) == FILES
    back = record.read(tmp_path / "one")
    assert sorted(back.runs) == sorted(RUNS) and sorted(back.values) == sorted(VALUES)
    assert (back.provenance, back.worlds) == (RECORD.provenance, RECORD.worlds)
    record.write(tmp_path / "again", CLAIM, back)
    assert contents(tmp_path / "again") == contents(tmp_path / "one")


def test_the_verdict_on_disk_is_the_one_of_the_rows(tmp_path):
    assert not record.exists(tmp_path)
    record.write(tmp_path, CLAIM, RECORD)
    assert record.exists(tmp_path)
    written = json.loads((tmp_path / "verdict.json").read_text())
    assert written["desk"]["verdict"] == "supported" == record.read(tmp_path).verdict(CLAIM, "desk").word
    assert written["desk"]["rule"] == CLAIM.rule_id == json.loads((tmp_path / "rule.json").read_text())["rule_id"]


def test_rows_that_are_gone_leave_no_file_behind(tmp_path):
    record.write(tmp_path, CLAIM, RECORD)
    record.write(tmp_path, CLAIM, RECORD._replace(values=()))
    assert record.read(tmp_path).values == () and set(contents(tmp_path)) == FILES - {"values.parquet"}
    record.write(tmp_path, CLAIM, RECORD._replace(runs=()))
    assert record.read(tmp_path).runs == () and len(record.read(tmp_path).values) == len(VALUES)


def test_a_record_without_rows_is_not_written(tmp_path):
    with pytest.raises(AnglewiseError, match="the record of X01 would hold no rows: train the claim's runs first"):
        record.write(tmp_path / "new", CLAIM, RECORD._replace(runs=(), values=()))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("provenance.json", "{", "provenance.json cannot be read: .*; write the record again"),
        ("provenance.json", None, "provenance.json cannot be read: .*; write the record again"),
        ("provenance.json", "{}", "provenance.json lacks the worlds that were trained; write the record again"),
        ("runs.parquet", "PAR1", "runs.parquet cannot be read as Parquet: .*; write the record again"),
        ("values.parquet", "", "values.parquet cannot be read as Parquet: .*; write the record again"),
    ],
)
def test_a_damaged_record_gives_one_line_that_says_what_to_do(file, text, message, tmp_path):
    record.write(tmp_path, CLAIM, RECORD)
    (tmp_path / file).unlink()
    if text is not None:
        (tmp_path / file).write_text(text)
    with pytest.raises(AnglewiseError, match=message) as error:
        record.read(tmp_path)
    assert "\n" not in str(error.value)


def test_a_record_that_lost_all_rows_says_so(tmp_path):
    record.write(tmp_path, CLAIM, RECORD)
    for name in ("runs.parquet", "values.parquet"):
        (tmp_path / name).unlink()
    with pytest.raises(AnglewiseError, match="runs.parquet cannot be read as Parquet"):
        record.read(tmp_path)


def test_of_a_row_that_is_in_two_records_the_first_counts():
    newer = tuple(run._replace(sustained=7, run_id="new") for run in RUNS[:2])
    paper = tuple(run._replace(scale="paper") for run in RUNS[:3])
    values = (VALUES[0]._replace(value=99.0),)
    first = Record(newer, values, {"started": "2026-02-02"}, {"desk": ("batch=full", LIKELY)})
    second = Record((*RUNS, *paper), VALUES, {"started": "2026-01-01"}, {"desk": (LIKELY,), "paper": (LIKELY,)})
    whole = record.merged([first, second])
    assert sorted(whole.runs) == sorted((*newer, *RUNS[2:], *paper))
    assert sorted(whole.values) == sorted((values[0], *VALUES[1:]))
    assert whole.worlds == {"desk": ("batch=full", LIKELY), "paper": (LIKELY,)}
    assert whole.provenance == first.provenance
    assert record.merged([second]) == second
