"""Every verb that prints results prints them as one JSON object too, whose keys the page of the reference lists."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from anglewise.cli.main import main, parser_of
from anglewise.cli.output import json_of
from anglewise.lab.store import Reader

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "json.md"
RUN = (
    "run quickstart --seeds 2 --arms adamw-common,adamw-tuned --budget 8 --training.measure_every 4 --task.p 11 --quiet"
)
ELSEWHERE = {"tune", "leaderboard", "penalty", "early-warning"}
"""Verbs whose results need more than a tiny store: ``test_tracks.py``, and the test of the study."""
WITHOUT = {"watch", "animate"}
"""Verbs that print no results."""
COMMANDS = {
    "run": f"{RUN} --out STORE",
    "run --dry-run": f"{RUN} --dry-run --out STORE",
    "report": "report STORE",
    "report --run": "report STORE --run RUN --to run.html",
    "figure": "figure radius STORE --to radius.svg",
    "reproduce": "reproduce --no-train --out STORE",
    "claims": f"claims --records {ROOT}/records/claims",
    "verify": f"verify C02 --recorded --records {ROOT}/records/claims",
    "multiverse": f"multiverse C02 --recorded --records {ROOT}/records/claims",
    "paper": f"paper --records {ROOT}/records/claims",
    "list": "list methods optimiser",
    "explain": "explain radius",
    "show": "show RUN STORE",
    "query": "query SQL STORE",
    "compact": "compact STORE",
    "doctor": "doctor",
    "doctor --on": "doctor --on slurm:local",
    "doctor DIR": "doctor STORE",
}
SQL = "SELECT arm, seed, outcome, first FROM runs ORDER BY ALL"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("json") / "store"
    assert main([*RUN.split(), "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def words(store, tmp_path, monkeypatch):
    """The words of a command on the store."""
    monkeypatch.chdir(tmp_path)
    run_id = Reader(store).query("SELECT run_id FROM runs ORDER BY arm, seed").column("run_id")[0].as_py()
    places = {"STORE": str(store), "RUN": run_id[:10], "SQL": SQL}
    return lambda name: [places.get(word, word) for word in COMMANDS[name].split()]


def verbs():
    (some,) = (action for action in parser_of()._actions if isinstance(action, argparse._SubParsersAction))
    return some.choices


def test_every_verb_prints_json_and_is_tried():
    assert {name for name, verb in verbs().items() if "--json" not in verb._option_string_actions} <= WITHOUT
    tried = {name.split()[0] for name in COMMANDS}
    assert set(verbs()) - WITHOUT == tried | ELSEWHERE


def documented(name):
    """The keys that the page lists for a command."""
    (row,) = re.findall(rf"^\| `{re.escape(name)}` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), flags=re.M)
    return set(re.findall(r"`(\w+)`", row))


@pytest.mark.parametrize("name", COMMANDS)
def test_standard_output_is_one_object_with_the_documented_keys(name, words, capsys):
    capsys.readouterr()
    assert main([*words(name), "--json"]) == 0
    out = capsys.readouterr().out
    result = json.loads(out, parse_constant=pytest.fail)
    assert list(result)[:2] == ["anglewise", "verb"] and result["verb"] == name.split()[0]
    assert set(result) - {"anglewise", "verb"} == documented(name)


def test_what_is_printed_is_what_the_store_has(words, capsys):
    results = {}
    for name in ("report", "query", "show", "doctor DIR", "run --dry-run"):
        main([*words(name), "--json"])
        results[name] = json.loads(capsys.readouterr().out)
    first = results["report"]["tables"]["first"]
    assert [arm["arm"] for arm in first] == ["adamw-common", "adamw-tuned"] and results["report"]["report"] is None
    assert [arm["finished"] for arm in first] == [2, 2] and set(results["report"]["tables"]) == {
        "first", "sustained", "seconds",
    }  # fmt: skip
    rows = results["query"]["rows"]
    assert len(rows) == 4 and list(rows[0]) == ["arm", "seed", "outcome", "first"]
    assert results["show"]["runs"][0]["outcome"] in results["show"]["sentence"].replace(" ", "-")
    assert results["show"]["curves"][0]["step"] == 0 and results["doctor DIR"]["findings"] == []
    arms = results["run --dry-run"]["dry_run"]["arms"]
    assert [arm["there"] for arm in arms] == [2, 2] and [arm["to_train"] for arm in arms] == [0, 0]


def test_an_error_is_no_json(capsys):
    assert main(["report", "nowhere", "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("anglewise: ")


@pytest.mark.parametrize("name", ["list", "show", "query", "report"])
def test_reading_results_imports_no_jax(name, words):
    program = (
        "import sys\nfrom anglewise.cli.main import main\n"
        f"assert main({[*words(name), '--json']!r}) == 0\n"
        "print(*{name.split('.')[0] for name in sys.modules} & {'jax', 'equinox', 'optax', 'torch'}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.split() == []


def test_values_become_json():
    import numpy as np

    assert json_of({"a": (1, float("nan")), 2: np.array([1.0, np.inf]), "path": Path("x"), "set": {"b", "a"}}) == {
        "a": [1, None],
        "2": [1.0, None],
        "path": "x",
        "set": ["a", "b"],
    }
