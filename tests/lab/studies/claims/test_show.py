"""Claims as text: one table of all, one claim's answer with all that it rests on, the grid in three forms."""

from __future__ import annotations

import csv

import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.report.table import printed
from anglewise.lab.studies.claims import show
from anglewise.lab.studies.claims.claims import CLAIMS
from tests.support.claims import GRID, record_of


def told(name, **how):
    return show.told(CLAIMS[name], record_of(CLAIMS[name], **how), "desk")


def test_the_table_has_every_claim_with_its_verdict_at_both_scales():
    verdict = record_of(CLAIMS["C02"], epochs=lambda arm, world: 100.0 if "penalty" in arm else 900.0).verdict(
        CLAIMS["C02"], "desk"
    )
    table = show.claims_table({"C02": {"desk": verdict}})
    rows = {row[0]: row for row in table.rows}
    assert list(rows) == list(CLAIMS)
    assert rows["C02"][2:4] == ["supported", "not run"]
    assert str(rows["C02"][4]).startswith("8.93 [") and rows["C02"][6] == 10
    assert rows["C09"][2:4] == ["not run", show.NOT_HERE]
    text = printed(table)
    assert all(len(line) <= 150 for line in text.splitlines())
    assert "supported" in text and "times as fast" in text


def test_an_answer_has_all_that_it_rests_on():
    text = " ".join(told("C02").split())
    for part in (
        CLAIMS["C02"].question, "at desk scale. 'decay .001 + penalty' was", "[95 %]", CLAIMS["C02"].statement,
        "15,540 epochs", "How it is decided", "at least 3 and its interval lies above 1.50", CLAIMS["C02"].rule_id,
        "Again: anglewise verify C02 --scale desk",
    ):  # fmt: skip
        assert part in text


def test_a_missing_run_is_what_it_would_take():
    text = " ".join(told("C02", left_out=[("decay .1", 4)]).split())
    assert "INCONCLUSIVE at desk scale" in text
    assert "What it would take: the missing runs: decay .1, seed 4." in text


def test_parts_have_their_own_words_and_numbers():
    lines = told("C06").splitlines()
    for part in ("with decay .1", "with decay 1"):
        assert any(line.strip().startswith(part) and "supported" in line for line in lines)


def test_what_a_verdict_depends_on_is_said():
    text = told("R07", epochs=lambda arm, world: 600.0 if "penalty" in arm else 300.0)
    assert "REFUTED" in text and "It depends" not in text
    claim = CLAIMS["C02"]
    grid = record_of(claim, worlds=GRID, epochs=lambda a, w: 600 / (6 if "penalty" in a and "bias" in w else 1))
    text = " ".join(show.told(claim, grid, "desk").split())
    assert "DEPENDS at desk scale" in text and "It depends on the choice 'bias' most" in text
    assert "Again: anglewise multiverse C02 --scale desk" in text


def test_another_world_alone_is_told_and_repeated_by_its_name():
    text = " ".join(told("C02", worlds=["batch=full"], epochs=lambda arm, world: 300.0).split())
    assert 'Again: anglewise verify C02 --scale desk --world "batch=full"' in text
    assert "'decay .001 + penalty' was" in text


def test_lines_fit_a_terminal():
    for name in ("C01", "C14", "R04", "R07"):
        assert max(map(len, told(name).splitlines())) <= 150


def test_the_grid_is_told_with_its_shares():
    text = show.multiverse(CLAIMS["C02"], record_of(CLAIMS["C02"], worlds=GRID), "desk")
    assert "over 16 worlds" in text and "Of 16 worlds:" in text and "The choice 'batch' decides most" in text
    assert "no run" in text and "share of the" in text


@pytest.mark.parametrize("ending", show.ENDINGS)
def test_the_grid_is_written_in_every_form(ending, tmp_path):
    claim = CLAIMS["C02"]
    path = show.write(claim, record_of(claim, worlds=GRID), "desk", tmp_path / f"grid{ending}")
    content = path.read_bytes()
    starts = {".svg": b"<?xml", ".pdf": b"%PDF", ".png": b"\x89PNG", ".csv": b"world,verdict", ".md": b"Of 16 worlds"}
    assert content.startswith(starts[ending])
    if ending == ".csv":
        assert len(list(csv.DictReader(content.decode().splitlines()))) == 16


def test_a_grid_of_one_world_is_refused():
    with pytest.raises(AnglewiseError, match="one world alone"):
        show.multiverse(CLAIMS["C09"], record_of(CLAIMS["C09"]), "desk")
