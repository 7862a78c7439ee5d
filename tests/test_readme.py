"""The README's commands and files do what it says; its Python blocks are executed with those of the docs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from anglewise.cli.main import main
from anglewise.lab.engine import placement as layout
from anglewise.lab.engine.placement import Placement
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.experiments.config import load

pytestmark = pytest.mark.xdist_group("readme")
"""On one worker: its commands share compiled programs."""

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.M | re.S)


COMMANDS = [line.split("#")[0].strip() for block in blocks("console") for line in block.splitlines() if line]
OURS = [line.removeprefix(".venv/bin/anglewise ") for line in COMMANDS if line.startswith(".venv/bin/anglewise")]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which a quickstart, small enough for a test, has been run."""
    folder = tmp_path_factory.mktemp("home")
    words = "run quickstart --seeds 1 --budget 8 --training.measure_every 0 --task.p 11 --quiet --out"
    assert main([*words.split(), str(folder / "runs" / "quickstart")]) == 0
    return folder


def test_commands_are_there():
    assert len(OURS) >= 5
    assert len(OURS) + sum(line.startswith("make ") for line in COMMANDS) == len(COMMANDS)


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("make ")])
def test_make_has_the_targets(line):
    assert re.search(rf"^{line.split()[1]}:", (ROOT / "Makefile").read_text(), flags=re.M)


@pytest.mark.parametrize("line", OURS)
def test_command_works(line, home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    words = shlex.split(line)
    assert words[0] != "run" or "--dry-run" in words, "a README command that trains for minutes belongs to make demo"
    monkeypatch.setattr(
        layout, "choose", lambda *_: Placement(batched=False, block=0, segment=1)
    )  # a rate of two steps
    assert main(words) == 0
    assert capsys.readouterr().out.strip()


def test_picture_is_there_and_no_larger_than_a_picture():
    for target in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README):
        assert 1000 < (ROOT / target).stat().st_size < 1_000_000


@pytest.mark.parametrize("block", blocks("toml"))
def test_toml_is_an_experiment(block, tmp_path):
    (tmp_path / "mine.toml").write_text(block)
    experiment = load(str(tmp_path / "mine.toml"), EXPERIMENTS)
    assert experiment.seeds == 16
    assert experiment.arms[-1].name == "adamw-slow"
