"""What has a name is listed, and a run is shown whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from anglewise.cli.listing import listing
from anglewise.cli.main import main
from anglewise.cli.names import KINDS, named
from anglewise.cli.query import found, sentence, show
from anglewise.errors import SpecError, StoreError
from anglewise.lab.catalogue import METHODS, MODELS, TASKS
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.readings.sets import READINGS
from anglewise.lab.report.plots.gallery import FIGURES
from anglewise.lab.store import Reader


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("listing") / "store"
    words = (
        "run quickstart --seeds 2 --arms adamw-common --budget 8 --training.measure_every 4 --task.p 11 --quiet --out"
    )
    assert main([*words.split(), str(folder)]) == 0
    return folder


NAMES = {
    "tasks": TASKS, "models": MODELS, "methods": METHODS, "experiments": EXPERIMENTS, "readings": READINGS,
    "figures": (*FIGURES, "early-warning", *(f"paper-{k}" for k in (1, 3, 4, 5))),
}  # fmt: skip


@pytest.mark.parametrize("what", KINDS)
def test_everything_with_a_name_is_listed(what):
    assert sorted(one.name for one in named(what)) == sorted(NAMES[what])
    shown = re.findall(r"^  (\S+)", listing(what), flags=re.M)
    assert sorted(shown) == sorted(NAMES[what])
    assert listing(what).splitlines()[-1].startswith(f"{len(NAMES[what])} {what}")


def test_a_list_has_groups_and_is_filtered_by_words():
    text = listing("methods", ["optimiser"])
    assert text.startswith("optimiser\n  adamw ") and "\n\ngradient\n" not in text and "grokfast" not in text
    assert [one.name for one in named("methods", ["OPTIMISER", "1802.04434"])] == ["signsgd"]
    assert "2405.20233" in listing("methods", ["grokfast"])
    assert re.findall(r"^(\S.*)$", listing("experiments"), flags=re.M)[:2] == ["start here", "tracks"]
    with pytest.raises(SpecError, match="none of the methods has 'banana': see anglewise list methods"):
        listing("methods", ["banana"])


@pytest.mark.parametrize("what", KINDS)
def test_a_list_fits_the_terminal(what, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, listing(what).splitlines())) <= 80


def test_a_run_is_shown_by_the_beginning_of_its_id_and_by_its_folder(store):
    run_id = Reader(store).query("SELECT run_id FROM runs ORDER BY seed").column("run_id")[0].as_py()
    text = show(found(run_id[:8], store))
    assert text.splitlines()[0].startswith("adamw-common, seed 0 of quickstart: ")
    assert "Test accuracy never reached 95 % in at most 8 steps. It ended at step 8, after " in " ".join(text.split())
    assert text == show(found(str(store / "runs" / run_id), None))
    for part in ("specification", "provenance", "outcome", "curves", "last readings", "hidden.0.pre", '"lr": 0.05'):
        assert part in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "a, seed 1 of e: grokked. Test accuracy first reached 95 % at step 40 of at most 100, and held it from "
             "step 44 on. It ended at step 60, after 2 s of training on cpu."),
        ({"sustained": None, "outcome": "reached-not-held"}, "at step 40 of at most 100, but did not hold it."),
        ({"first": None, "sustained": None, "outcome": "memorised"}, "memorised. Test accuracy never reached 95 % in"),
        ({"threshold": 0.0, "outcome": "trained"}, "trained. No threshold is set. It ended at step 60"),
        ({"outcome": None}, "a, seed 1 of e: has not ended yet, at step 60."),
        ({"outcome": None, "steps": None, "experiment": None}, "a, seed 1: has not ended yet."),
        ({"seconds": None, "budget": None}, "of at most ?, and held it from step 44 on. It ended at step 60."),
        ({"arm": "\x1b[2J"}, "\\x1b[2J, seed 1"),
    ],
)  # fmt: skip
def test_a_run_is_a_sentence(changes, said):
    row = {"arm": "a", "seed": 1, "experiment": "e", "outcome": "grokked", "steps": 60, "first": 40, "sustained": 44}
    row |= {"threshold": 0.95, "budget": 100, "seconds": 2.0}
    assert said in " ".join(sentence(row | changes, {"device": "cpu"}).split())


def test_a_run_that_is_not_there_or_not_alone_is_refused(store):
    with pytest.raises(StoreError, match="expected one run that begins with 'zzz' in .*: give DIR or more digits"):
        found("zzz", store)
    with pytest.raises(StoreError, match="2 match"):
        found("", store)


def test_a_run_has_a_page_and_a_store_has_figures(store, tmp_path, capsys):
    run_id = Reader(store).query("SELECT run_id FROM runs ORDER BY seed").column("run_id")[0].as_py()
    assert main(["report", str(store), "--run", run_id[:9], "--to", str(tmp_path / "run.html")]) == 0
    assert run_id in (tmp_path / "run.html").read_text()
    assert main(["report", str(store), "--run", run_id[:9], "--to", "run.pdf"]) == 2
    assert "the page of a run is a .html (for pictures: anglewise figure)" in capsys.readouterr().err
    assert main(["figure", "phase", str(store), "adamw-common", "--to", str(tmp_path / "phase.svg")]) == 0
    assert (tmp_path / "phase.svg").read_text().startswith("<?xml")
    assert main(["figure", "curvature", str(store)]) == 2
    assert "--readings curvature" in capsys.readouterr().err
    assert main(["figure", "fase", str(store)]) == 2
    assert "unknown figure 'fase': did you mean 'phase'?" in capsys.readouterr().err


def test_a_run_is_animated_by_its_id_and_a_store_by_its_first_run(store, tmp_path, capsys):
    run_id = Reader(store).query("SELECT run_id FROM runs ORDER BY seed").column("run_id")[0].as_py()
    assert main(["animate", run_id[:9], str(store), "--what", "phase", "--to", str(tmp_path / "one.gif")]) == 0
    assert main(["animate", str(store), "--what", "phase", "--seconds", "1"]) == 0
    assert (tmp_path / "one.gif").read_bytes()[:6] == (store / "phase.gif").read_bytes()[:6] == b"GIF89a"
    assert str(store / "phase.gif") in capsys.readouterr().out
    for words, message in (
        (["--what", "circle"], "needs the reading 'circles', which this run lacks"),
        (["--to", "film.avi"], "expected a name ending in .gif or .mp4"),
        (["--seconds", "0"], "--seconds 0: expected more than 0 and at most 60"),
    ):
        assert main(["animate", str(store), *words]) == 2
        assert message in capsys.readouterr().err


def test_the_papers_figures_come_from_records_or_stores_and_other_figures_from_a_store(tmp_path, capsys):
    records = Path(__file__).parents[2] / "records" / "claims"
    assert main(["figure", "paper-4", str(records), "--to", str(tmp_path / "four.svg")]) == 0
    assert (tmp_path / "four.svg").read_text().startswith("<?xml")
    for words, message in (
        (["paper-1", str(tmp_path)], "holds no runs of the paper's figures: give a folder of records"),
        (["paper-2"], "unknown figure 'paper-2'"),
        (["phase"], "figure phase needs DIR: the store that it is drawn from"),
    ):
        assert main(["figure", *words]) == 2
        assert message in capsys.readouterr().err
    assert "paper-5" in listing("figures")
