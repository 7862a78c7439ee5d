"""The verbs of the paper's claims: listed, decided from rows, trained on a tiny claim, written as a record."""

from __future__ import annotations

import json

import pytest

from anglewise.cli.main import main
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.models.mlp import MLP
from anglewise.lab.spec import Training
from anglewise.lab.studies.claims import claims as known
from anglewise.lab.studies.claims import systems
from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import Generalises
from anglewise.lab.studies.claims.systems import Place, System
from anglewise.lab.studies.claims.worlds import MLP_CHOICES
from anglewise.lab.tasks.modular import Modular
from tests.support.claims import record_of

PLACE = Place(
    Modular(p=5, train=0.8), MLP(hidden=(8,)), Training(budget=4, every=2, threshold=0.99, sustain=1, further=0), 2
)
TINY = System("tiny", "A tiny MLP", lambda scale, world: PLACE, lambda name, world: (AdamW(),), MLP_CHOICES)
CLAIM = Claim(
    id="K99", title="Tiny", statement="A tiny network generalises in 2 epochs.", source="a test", paper="",
    question="Does it?", estimand="The share that does.", refuted_by="None does.", systems=("tiny",),
    rule=Generalises("decay 0", 0.9), grid_seeds=3, scales=("desk",),
)  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder, and a tiny claim that no run can meet."""
    monkeypatch.setitem(systems.SYSTEMS, "tiny", TINY)
    monkeypatch.setitem(known.CLAIMS, "K99", CLAIM)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys, words):
    status = main(words.split())
    captured = capsys.readouterr()
    return status, captured.out + captured.err


def test_every_claim_is_listed_with_a_verdict_or_what_is_missing(home, capsys):
    status, text = said(capsys, "claims")
    assert status == 0 and all(name in text for name in known.CLAIMS)
    assert [line for line in text.splitlines() if "K99" in line and "not run" in line]


def test_a_claim_is_trained_decided_and_written_as_a_record(home, capsys):
    status, text = said(capsys, "verify k99 --quiet --save records")
    assert status == 0 and "refuted" in text.lower() and "0 of 10 runs" in text
    folder = home / "records" / "K99"
    verdict = json.loads((folder / "verdict.json").read_text())["desk"]
    assert verdict["verdict"] == "refuted" and verdict["decided"][0]["n"] == 10
    assert (folder / "README.md").read_text().startswith("# K99")
    assert "refuted" in said(capsys, "verify K99 --recorded --records records")[1].lower()
    shown = said(capsys, "claims --records records")[1]
    assert [line for line in shown.splitlines() if "K99" in line and "refuted" in line]


def test_without_training_missing_runs_are_named(home, capsys):
    status, text = said(capsys, "verify K99 --no-train")
    assert status == 0 and "inconclusive" in text.lower() and "decay 0, seed 0" in text
    assert not (home / "runs").exists()


def test_all_worlds_of_the_grid_are_decided_and_drawn(home, capsys):
    status, text = said(capsys, "multiverse K99 --quiet --to k99.svg")
    assert status == 0 and "batch=full" in text
    assert (home / "k99.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("verify C99", "unknown claim 'C99'"),
        ("verify K99 --scale paper", "K99 has no paper scale: expected one of desk"),
        ("verify K99 --world batch=half", "unknown option of batch 'half'"),
        ("verify K99 --world full", "a world is 'likely' or choice=option"),
        ("multiverse C03", "C03 is decided in the likely world alone"),
        ("multiverse K99 --to k99.gif", "expected a name ending in"),
        ("verify K99 --recorded", "cannot be read"),
        ("paper --to paper.gif", "expected a name ending in"),
    ],
)
def test_what_cannot_be_meant_is_one_line(home, capsys, words, message):
    status, text = said(capsys, words)
    assert status == 2 and message in text and len(text.splitlines()) == 1


def test_the_paper_is_shown_beside_ours(home, capsys):
    status, text = said(capsys, "paper --to paper.md")
    assert status == 0 and "T1" in text and "15,540" in text
    assert "T10" in (home / "paper.md").read_text()


def test_control_a_made_up_record_is_another_verdict():
    claim = known.CLAIMS["C02"]
    assert record_of(claim).verdict(claim, "desk").word != "refuted"
