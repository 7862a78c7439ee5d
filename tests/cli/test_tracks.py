"""The verbs of the tracks, end to end on a tiny one: tuned, ranked, crossed with the penalty, nothing trained twice."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import tomllib

import pytest

from anglewise.cli.main import main
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.store import Reader
from anglewise.lab.studies.leaderboard.candidates import AS_PUBLISHED, LOSS, OPTIMISER
from anglewise.lab.studies.leaderboard.leaderboards import LEADERBOARDS, Leaderboard
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tuning.space import Axis, Candidate

PLAIN = (AdamW(lr=0.02, wd=1.0, beta2=0.98),)
LR = Axis(0, "lr", 0.01, 0.05)
CANDIDATES = (
    Candidate(Arm("adamw", PLAIN), (LR,), "a source", OPTIMISER),
    Candidate(
        Arm("radial", (AdamW(lr=0.03, wd=0.5), RadialPenalty(strength=0.1))),
        (LR, Axis(1, "strength", 0.01, 1.0)),
        "a source",
        LOSS,
        alone="adamw",
    ),
    Candidate(Arm("untuned", (AdamW(lr=0.012, wd=1.0),)), (LR,), "a source", OPTIMISER),
    Candidate(Arm("published", (AdamW(lr=1e-3),)), (), "arXiv 0", OPTIMISER, AS_PUBLISHED),
)
TRACK = Experiment(
    "tiny", Modular(p=7, train=0.7), MLP(hidden=(16,), embedding=8), (CANDIDATES[0].arm,),
    Training(budget=80, every=10, sustain=2, further=20), seeds=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A folder in which two of three candidates have been tuned."""
    home = tmp_path_factory.mktemp("tracks")
    with pytest.MonkeyPatch.context() as patch:
        board = Leaderboard(TRACK, CANDIDATES, refused={"square": "the network is round"})
        patch.setitem(LEADERBOARDS, "tiny", board)
        patch.chdir(home)
        words = "tune tiny --arm adamw,radial --trials 2 --rounds 1 --seeds 1 --budget 30 --to winners --json"
        with contextlib.redirect_stdout(io.StringIO()) as out:
            assert main(words.split()) == 0
        winners = json.loads(out.getvalue())["winners"]
        assert winners == {name: f"winners/{name}.toml" for name in ("adamw", "radial")}
        yield home


def test_tune_writes_winners_that_say_how_they_were_found(tuned):
    for name in ("adamw", "radial"):
        search = tomllib.loads((tuned / "winners" / f"{name}.toml").read_text())["search"]
        assert search["command"] == f"anglewise tune tiny --arm {name} --trials 2 --rounds 1 --seeds 1 --budget 30"
        assert search["trials"] == 2 and search["budget"] == 30


def test_a_leaderboard_ranks_winners_and_says_what_was_not_tuned(tuned, capsys):
    assert main(["leaderboard", "tiny", "--tuned", "winners", "--quiet", "--out", "store"]) == 0
    shown = capsys.readouterr().out
    for name, note in (("untuned", "not tuned"), ("published", "as published")):
        assert re.search(rf"^{name} \({note}\) +3 ", shown, flags=re.M)
    for ending in ("md", "csv", "svg"):
        assert (
            main(["leaderboard", "tiny", *f"--tuned winners --no-train --out store --to board.{ending}".split()]) == 0
        )
    capsys.readouterr()
    words = "leaderboard tiny --tuned winners --no-train --out store --json"
    assert main(words.split()) == 0
    result = json.loads(capsys.readouterr().out)
    assert {arm["arm"] for arm in result["arms"]} == {"adamw", "radial", "untuned", "published"}
    assert result["refused"] == {"square": "the network is round"} and result["written"].endswith("leaderboard.html")
    assert len(list(csv.DictReader((tuned / "board.csv").read_text().splitlines()))) == 4 * 3
    page = (tuned / "store" / "leaderboard.html").read_text()
    assert "2 trials in 1 rounds" in page and "Not tuned" in page
    assert all("square (the network is round)" in text for text in (shown, page, (tuned / "board.md").read_text()))


def test_a_board_is_put_together_from_what_other_calls_trained(tuned, capsys):
    main(["leaderboard", "tiny", "--tuned", "winners", "--quiet", "--out", "parts", "--arms", "adamw,published"])
    main(["leaderboard", "tiny", "--tuned", "winners", "--quiet", "--out", "parts", "--arms", "radial", "--seeds", "2"])
    capsys.readouterr()
    assert main(["leaderboard", "tiny", "--tuned", "winners", "--no-train", "--out", "parts"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^radial +2 of 3 ", shown, flags=re.M)
    assert re.search(r"^untuned \(not tuned\) +0 of 3 ", shown, flags=re.M)


def test_the_penalty_is_put_in_and_taken_out_and_the_winners_are_not_trained_again(tuned, capsys):
    main(["leaderboard", "tiny", "--tuned", "winners", "--quiet", "--out", "store"])
    before = {run.name: run.stat().st_mtime_ns for run in (tuned / "store" / "runs").iterdir()}
    assert main(["penalty", "tiny", "--tuned", "winners", "--quiet", "--out", "store"]) == 0
    shown = capsys.readouterr().out
    rows = re.findall(r"^ *adamw +(alone|with the penalty) ", shown, flags=re.M)
    assert rows == ["alone", "with the penalty"]
    assert (tuned / "store" / "penalty.svg").stat().st_size > 1000
    for ending, size in (("md", 4), ("csv", 1 + 4 * 3)):
        words = f"penalty tiny --tuned winners --no-train --out store --to crossed.{ending}"
        assert main(words.split()) == 0
        assert len((tuned / f"crossed.{ending}").read_text().splitlines()) == size
    capsys.readouterr()
    assert main(["penalty", "tiny", "--tuned", "winners", "--no-train", "--out", "store", "--json"]) == 0
    effects = json.loads(capsys.readouterr().out)["effects"]
    assert [(effect["method"], effect["found"]) for effect in effects] == [
        ("adamw", "alone"), ("adamw", "with the penalty"),
    ]  # fmt: skip
    after = {run.name: run.stat().st_mtime_ns for run in (tuned / "store" / "runs").iterdir()}
    assert before == {name: after[name] for name in before} and len(after) == len(before) + 2 * 3
    specs = [manifest.spec["arms"] for manifest in Reader(tuned / "store").experiments()]
    crossed = next(spec for spec in specs if len(spec) == 4 and spec[1]["name"] == "adamw, penalty put in")
    arms = {arm["name"]: arm["methods"] for arm in crossed}
    assert arms["adamw, penalty put in"] == [*arms["adamw"], arms["radial"][-1]]
    assert arms["radial, penalty taken out"] == arms["radial"][:-1]
    assert arms["radial, penalty taken out"] != arms["adamw"]  # control: the two settings differ


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "penalty tiny --tuned winners --arms untuned",
            "unknown arm of tiny that was tuned alone and with the penalty 'untuned'",
        ),
        (
            "penalty tiny --tuned nowhere",
            "--tuned nowhere is no folder with winners of adamw, radial, untuned: expected files such as",
        ),
        ("penalty tiny --to x.html", "expected a name ending in .md, .csv, .svg, .pdf or .png"),
        ("penalty unheard-of", "unknown track with a leaderboard 'unheard-of'"),
        ("penalty tiny --no-train --tuned winners --out nowhere", "unknown store 'nowhere'"),
        ("leaderboard tiny --arms unheard-of", "unknown arm of tiny 'unheard-of'"),
        (
            "leaderboard track-a --arms sphere-cosine",
            "sphere-cosine has no place on track-a: a layer norm",
        ),
        ("tune track-a --arm sphere-cosine", "sphere-cosine has no place on track-a: a layer norm"),
        ("tune tiny --arm unheard-of", "unknown arm of tiny 'unheard-of'"),
    ],
)
def test_what_cannot_be_meant_is_refused(tuned, capsys, words, said):
    assert main(words.split()) == 2
    assert said in capsys.readouterr().err
