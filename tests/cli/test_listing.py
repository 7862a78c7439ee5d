"""What has a name is listed, and a run is shown whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from anglewise.cli.listing import listing
from anglewise.cli.main import main
from anglewise.cli.query import show
from anglewise.errors import StoreError
from anglewise.lab.catalogue import METHODS, MODELS, TASKS
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.readings.sets import READINGS
from anglewise.lab.store import Reader


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("listing") / "store"
    words = (
        "run quickstart --seeds 2 --arms adamw-common --budget 8 --training.measure_every 4 --task.p 11 --quiet --out"
    )
    assert main([*words.split(), str(folder)]) == 0
    return folder


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("tasks", TASKS),
        ("models", MODELS),
        ("methods", METHODS),
        ("experiments", EXPERIMENTS),
        ("readings", READINGS),
    ],
)
def test_everything_with_a_name_is_listed(what, names):
    lines = listing(what).splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(names)


def test_a_run_is_shown_by_the_beginning_of_its_id_and_by_its_folder(store):
    run_id = Reader(store).query("SELECT run_id FROM runs ORDER BY seed").column("run_id")[0].as_py()
    text = show(run_id[:8], store)
    assert text == show(str(store / "runs" / run_id), None)
    for part in ("specification", "provenance", "outcome", "curves", "last readings", "hidden.0.pre", '"lr": 0.05'):
        assert part in text


def test_a_run_that_is_not_there_or_not_alone_is_refused(store):
    with pytest.raises(StoreError, match="expected one run that begins with 'zzz' in .*: give DIR or more digits"):
        show("zzz", store)
    with pytest.raises(StoreError, match="2 match"):
        show("", store)


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
