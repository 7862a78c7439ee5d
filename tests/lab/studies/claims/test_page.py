"""A record's page: made of the rows alone, in a fixed order, with every picture that it names."""

from __future__ import annotations

import re

import pytest

from anglewise.lab.studies.claims import page, record
from anglewise.lab.studies.claims.claims import CLAIMS
from tests.support.claims import GRID, PROVENANCE, record_of

ORDER = ["How it was done", "What it depends on", "Repeat it", "Provenance"]


@pytest.mark.parametrize("name", ["C02", "C09", "R04"])
def test_a_page_has_its_parts_in_order_and_its_pictures_beside_it(name, tmp_path):
    claim = CLAIMS[name]
    path = page.write(tmp_path, claim, record_of(claim, worlds=GRID if name == "C02" else GRID[:1]))
    text = path.read_text(encoding="utf-8")
    heads = re.findall(r"^## (.+)$", text, flags=re.M)
    assert heads[1:] == ORDER and heads[0].endswith("at desk scale")
    assert text.index(claim.question) < text.index("## ") < text.index("![") < text.index("## How it was done")
    drawn = {one.name for one in tmp_path.glob("*.svg")}
    assert drawn and drawn == set(re.findall(r"\(([\w-]+\.svg)\)", text))
    assert f"anglewise {'multiverse' if name == 'C02' else 'verify'} {name} --scale desk" in text
    assert claim.rule_id in text and PROVENANCE["git_commit"] in text
    assert "\n\n\n" not in text and text.endswith("\n")


def test_equal_records_give_equal_pages_and_pictures(tmp_path):
    claim = CLAIMS["C06"]
    made = record_of(claim, worlds=["likely", "norm=affine"])
    record.write(tmp_path / "a", claim, made)
    page.write(tmp_path / "a", claim, made)
    again = record.read(tmp_path / "a")
    page.write(tmp_path / "b", claim, again)
    for one in (tmp_path / "b").iterdir():
        assert one.read_bytes() == (tmp_path / "a" / one.name).read_bytes()
    assert page.text(claim, again) == (tmp_path / "a" / "README.md").read_text(encoding="utf-8")


def test_both_scales_stand_on_one_page():
    claim = CLAIMS["C02"]
    small, large = record_of(claim), record_of(claim, "paper")
    text = page.text(claim, record.merged([small, large]))
    assert text.count("at desk scale\n") == 1 and "at paper scale\n" in text
    assert "two hidden layers of 512" in text and "verify C02 --scale paper" in text


def test_what_an_inconclusive_verdict_would_take_is_said():
    claim = CLAIMS["C02"]
    text = page.text(claim, record_of(claim, left_out=[("decay .1", 0)]))
    assert "What it would take: the missing runs: decay .1, seed 0." in text


def test_runs_and_hours_are_counted():
    claim = CLAIMS["C02"]
    text = page.text(claim, record_of(claim, worlds=GRID))
    assert "110 runs: 10 seeds an arm, and 3 in every other world. The budget is 3,000 epochs." in text
    assert "reaches 90 %" in text and "1.8 hours" in text
    assert page.runs_in_words(claim, []) == "No run has finished."
    assert page.runs_in_words(CLAIMS["R06"], []) == "The numbers are those of `records/early-warning/`."


def test_provenance_tells_what_there_is():
    assert page.provenance({}) == "The runs carry no provenance."
    assert page.provenance({"command": "python make.py"}) == "- Made by: `python make.py`."
    text = page.provenance(PROVENANCE | {"git_dirty": True, "cores": 1})
    assert "with local changes" in text and "1 core," in text and "jax 0.10.2" in text
