"""The README's commands and block do what it says, and commands of the tutorials and how-to pages are carried out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from anglewise.cli.main import main
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.experiments.config import load

pytestmark = pytest.mark.xdist_group("readme")
"""On one worker: its commands share compiled programs."""

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TUTORIALS = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "tutorials").glob("*.md"))]
HOW_TO = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "how-to").glob("*.md"))]


def blocks(language, *pages):
    return [block for page in pages for block in re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.M | re.S)]


COMMANDS = [line.split("#")[0].strip() for block in blocks("console", README) for line in block.splitlines() if line]
OURS = sorted(
    {
        line.removeprefix("anglewise ")
        for block in blocks("console", *TUTORIALS, *HOW_TO)
        for line in block.splitlines()
        if re.match(r"anglewise (?:run .*--arms .*--dry-run|query|report|list)", line)
        and not re.search(r"\$\w|\bID\b|--run|--readings|--out", line)
    }
)
"""Those that need no more than the quickstart's store, train nothing, and time no more than two arms."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which a quickstart, small enough for a test, has been run."""
    folder = tmp_path_factory.mktemp("home")
    words = "run quickstart --seeds 1 --budget 8 --training.measure_every 0 --task.p 11 --quiet --out"
    assert main([*words.split(), str(folder / "runs" / "quickstart")]) == 0
    return folder


def test_commands_are_there():
    assert len(OURS) >= 10
    assert [line for line in COMMANDS if not line.startswith(("make ", "pip install -e '."))] == []


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("make ")])
def test_make_has_the_targets(line):
    assert re.search(rf"^{line.split()[1]}:", (ROOT / "Makefile").read_text(), flags=re.M)


@pytest.mark.parametrize("line", OURS)
def test_command_works(line, home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    assert main(shlex.split(line)) == 0
    assert capsys.readouterr().out.strip()


def test_pictures_are_there_and_no_larger_than_a_picture():
    targets = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert len(targets) == 2
    assert all(1000 < (ROOT / target).stat().st_size < 1_000_000 for target in targets)


@pytest.mark.parametrize("block", blocks("toml", *TUTORIALS, *HOW_TO))
def test_toml_is_an_experiment(block, tmp_path):
    (tmp_path / "mine.toml").write_text(block)
    experiment = load(str(tmp_path / "mine.toml"), EXPERIMENTS)
    changed = experiment.seeds == 16 and experiment.arms[-1].name == "adamw-slow"
    asked = [each.question for each in experiment.contrasts] == ["Does the penalty help once AdamW is tuned?"]
    assert changed != asked  # each block of the pages says one of the two


def test_the_block_adds_a_penalty_that_reaches_the_weights():
    (block,) = blocks("python", README)
    assert 8 <= len(block.strip().splitlines()) <= 9
    names = {}
    exec(block, names)
    assert names["suppression"].readings()["penalty"] > 0
    assert names["model"][0].weight.grad.abs().sum() > 0
