"""Commands that pages show are understood as shown, and each page says in which environment they run.

Every console block runs in bash, where the programs write down their words instead of doing anything: so comments,
quotes and loops mean what they mean to a user.  README's own commands are carried out in ``tests/test_readme.py``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from anglewise.cli import run
from anglewise.cli.listing import listing
from anglewise.cli.main import parser_of
from anglewise.errors import AnglewiseError
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.studies.leaderboard.leaderboards import leaderboard_of
from anglewise.lab.studies.reproduction.plan import chosen

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("records/**/*.md"))
}
CONSOLE = re.compile(r"^```console\n(.*?)^```$", flags=re.M | re.S)
SHOWING = {name: blocks for name, text in PAGES.items() if (blocks := CONSOLE.findall(text))}
PROGRAMS = ("anglewise", "make", "pip", "python")
NOTE = """#!{python}
import json, os, sys
with open(os.environ["NOTES"], "a") as notes:
    print(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]), file=notes)
"""
VERBS = set(re.findall(r"^    ([a-z-]+)(?: |$)", parser_of().format_help().split("VERB\n")[1], flags=re.M))


@pytest.fixture
def said(tmp_path):
    """Runs a block, gives the commands in it."""
    places = [tmp_path / "bin", tmp_path / "home" / ".venv" / "bin"]
    for place in places:
        place.mkdir(parents=True)
        for program in PROGRAMS:
            (place / program).write_text(NOTE.format(python=sys.executable))
            (place / program).chmod(0o755)
    (places[1] / "activate").write_text("")

    def run(block):
        notes = tmp_path / "notes"
        notes.write_text("")
        done = subprocess.run(
            ["bash", "-eu", "-c", block], cwd=tmp_path / "home", capture_output=True, text=True, timeout=120,
            env=os.environ | {"PATH": f"{places[0]}:/usr/bin:/bin", "NOTES": str(notes)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in notes.read_text().splitlines()]

    return run


def understood(program: str, words: list[str]) -> None:
    """Raise if a command means nothing here."""
    if program == "make":
        assert set(words) <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M)), words
    elif program == "python" and words[0] == "-m":
        path = ROOT / words[1].replace(".", "/")
        assert (path / "__main__.py").is_file() or path.with_suffix(".py").is_file(), words
    elif program == "python":
        assert (ROOT / words[0]).is_file(), words
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert words[:2] == ["install", "-e"] and set(re.findall(r"\w+", words[2])) <= set(extras), words
    else:
        arguments, extra = parser_of().parse_known_args(words)
        if arguments.verb is run.run:
            run.asked(arguments, extra)
            return
        assert extra == [], words
        if words[0] == "figure":
            assert re.search(rf"^ *{arguments.name} ", listing("figures"), flags=re.M), words
        elif words[0] in ("tune", "leaderboard", "penalty"):
            leaderboard_of(arguments.track)
        elif words[0] == "reproduce":
            chosen(arguments.names)


@pytest.mark.parametrize("name", SHOWING)
def test_commands_that_are_shown_are_understood(name, said):
    for block in SHOWING[name]:
        found = said(block)
        assert found
        for program, *words in found:
            understood(program, words)


@pytest.mark.parametrize(
    "line",
    ["anglewise fly", "anglewise run slowstart", "anglewise run quickstart --task.q 3", "anglewise figure moon runs/x",
     "anglewise tune track-z", "anglewise reproduce nobody", "anglewise list tasks --bold", "make tea",
     "python examples/none.py", "python -m benchmarks.none", "pip install anglewise", "pip install -e '.[moon]'",
     "for x in quickstart slowstart; do anglewise run $x; done"],
)  # fmt: skip
def test_control_a_command_that_means_nothing_is_seen(line, said, capsys):
    commands = said(line)
    with pytest.raises((AssertionError, AnglewiseError, SystemExit)):
        for program, *words in commands:
            understood(program, words)


def test_control_a_program_that_nobody_has_is_seen(said):
    with pytest.raises(AssertionError, match="bananas: command not found"):
        said("bananas --now\n")


def shows_bare_commands(name: str) -> bool:
    """Whether a page's commands need an environment's programs on the path."""
    bare = [line for block in SHOWING.get(name, ()) for line in block.splitlines() if re.search(r"^ *anglewise ", line)]
    inline = re.findall(r"`(?:anglewise|python examples/|python -m benchmarks|python benchmarks/)[ \w]", PAGES[name])
    return bool(bare or (inline and not name.startswith(("records/", "CHANGELOG"))))


@pytest.mark.parametrize("name", list(filter(shows_bare_commands, PAGES)))
def test_a_page_with_commands_says_in_which_environment_they_run(name):
    assert "source .venv/bin/activate" in PAGES[name]


def test_control_pages_with_commands_are_found():
    names = {name for name in PAGES if shows_bare_commands(name)}
    assert {"README.md", "docs/faq.md", "docs/how-to/sweep.md", "docs/explanation/published-settings.md"} <= names
    assert "docs/how-to/choose-sites-strength-target.md" not in names


@pytest.mark.parametrize("name", [name for name in PAGES if "`anglewise " in PAGES[name]])
def test_verbs_in_the_text_exist(name):
    assert set(re.findall(r"`anglewise (?!-)([a-z-]+)", PAGES[name])) <= VERBS


def test_the_named_experiments_of_the_pages_are_there():
    named = {name for text in PAGES.values() for name in re.findall(r"anglewise run ([a-z][a-z0-9-]*)(?=[\s`])", text)}
    assert len(named) >= 2 and named <= set(EXPERIMENTS)
