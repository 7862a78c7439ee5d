"""Command lines that nobody can mean: each ends at once, in one line, with status 2, and makes nothing."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anglewise.cli.main import main
from anglewise.errors import SpecError, printable, shown
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.experiments.config import flag_table, load
from anglewise.lab.experiments.request import names_in
from anglewise.lab.spec import Experiment
from anglewise.lab.store import Store
from anglewise.lab.tasks.modular import Modular

TINY = """
seeds = 1
[task]
is = "modular"
p = 7
train = 0.7
[model]
is = "mlp"
hidden = [8]
[training]
budget = 12
every = 4
sustain = 2
measure_every = 4
[arms.a]
methods = [{ is = "adamw", lr = 0.01 }]
"""
ARM = 'methods = [{ is = "adamw", lr = 0.01 }]'
MODULAR = 'is = "modular"\np = 7\ntrain = 0.7'
MLP = 'is = "mlp"\nhidden = [8]'
ADAMW = '{ is = "adamw", lr = 0.01 }'


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)


def refused(capsys, *words):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("anglewise: ") and err.count("\n") == 1 and len(err) < 1500
    assert not os.path.exists("runs") and not os.path.exists("o")
    return err.removeprefix("anglewise: ").rstrip("\n")


LARGE = "ask for less, or add --large"
FLAGS = [
    ("--seeds=" + "9" * 400, "seeds must be at most 4294967296, got a number of about 401 digits"),
    ("--seeds=10000000000", "seeds must be at most 4294967296, got 10000000000"),
    ("--seeds=1000000000", f"tiny has 1,000,000,000 runs, the limit is 10,000: {LARGE}"),
    ("--seeds=" + "9" * 5001, "seeds: expected a whole number, got '99"),
    ("--budget=" + "9" * 400, "training.budget must be at most 2147483647, got a number of about 401 digits"),
    ("--budget=2147483648", "training.budget must be at most 2147483647, got 2147483648"),
    ("--budget=2147483647", "a run of tiny needs about "),
    *((f"--training.{name}={'9' * 30}", f"training.{name} must be at most ") for name in (
        "batch", "sustain", "further", "split_seed", "measure_every", "block", "every")),
    ("--first_seed=4294967296", "first_seed must be at most 4294967295, got 4294967296"),
    ("--first_seed=9223372036854775808", "first_seed must be at most 4294967295, got 9223372036854775808"),
    ("--training.split_seed=4294967296", "training.split_seed must be at most 4294967295, got 4294967296"),
    ("--task.operation=x**y", "unknown operation 'x**y': expected +, -, *, / or a polynomial"),
    ("--task.operation=" + "9" * 150 + "x" * 51, "an operation has at most 200 characters, got 201"),
    ("--task.operation=" + "9" * 2018, "task.operation: expected a text, got a number of about 2,019 digits"),
    ("--model.hidden=1000000000", "a run of tiny needs about "),
    ("--model.hidden=[1000000,1000000]", "a run of tiny needs about "),
    ("--model.hidden=1" + "0" * 30, "MLP.hidden must be at most 2147483647, got a number of 31 digits"),
    ("--model.hidden=" + "8," * 500 + "8", "a network of tiny has 1,503 pieces to compile (layers, "),
    ("--model.embedding=1000000000", "a run of tiny needs about "),
    ("--arms.a.adamw.lr=1" + "0" * 400, "arms.a.adamw.lr: expected a number that a float can hold, got a number of "),
    ("--arms.a.adamw.lr=-1", "AdamW.lr must be at least 0, got -1.0"),
    ("--name=\udcff", r"name must be text that UTF-8 can hold, got '\udcff'"),
    ("--\udcff=3", r"unknown field of the experiment '\udcff': "),
    ("--" + "x" * 6000 + "=3", "unknown field of the experiment 'xxx"),
    ("--" + ".".join("x" * 3000) + "=3", "unknown field of the experiment 'x'"),
    ("--name=" + "[" * 3000, "name must have at most 1,000 characters, got 3,000"),
]  # fmt: skip


@pytest.mark.parametrize(("flag", "message"), FLAGS, ids=[flag[:40].encode("ascii", "replace") for flag, _ in FLAGS])
@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["run", "dry"])
def test_a_flag_that_cannot_be_meant_is_one_line(capsys, flag, message, dry):
    said = refused(capsys, "run", "tiny.toml", "--out", "o", "--quiet", *dry, flag)
    assert said.startswith(message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("energy --readings.energy.rows=-1", "RadialEnergy.rows must be at least 0, got -1"),
        ("curvature --readings.curvature.probes=-1", "Curvature.probes must be at least 1, got -1"),
        ("curvature --readings.curvature.lanczos=0", "Curvature.lanczos must lie in [2, 1000], got 0"),
        (
            "neuron-fourier --readings.neuron-fourier.sites=hidden.9.post",
            "NeuronFourier.sites: unknown site 'hidden.9.post': did you mean 'hidden.0.post'? "
            "Known: hidden.0.post, hidden.0.pre, input",
        ),
        ("curvature --readings.curvature.every=0", "Curvature.every must be at least 1, got 0"),
    ],
)
def test_a_reading_that_cannot_be_taken_is_one_line(capsys, words, message):
    assert refused(capsys, "run", "tiny.toml", "--out", "o", "--readings", *words.split()) == message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (MLP, 'is = "transformer"\nwidth = 1000000000', "a run of x needs about 10^"),
        (
            MLP,
            'is = "transformer"\nlayers = 300',
            "a network of x has 900 pieces to compile (layers, ",
        ),
        (MODULAR, 'is = "parity"\nbits = 1000000000', "Parity.bits must lie in [1, 4096], got 1000000000"),
        (MODULAR, 'is = "parity"\nbits = 99\ntrain = 2000000000', "a run of x needs about "),
        ("lr = 0.01", "lr = 1" + "0" * 400, "arms.a.methods[0].lr: expected a number that a float can hold, got "),
        ("seeds = 1", "seeds = 1" + "0" * 5000, "x.toml is no TOML file: Exceeds the limit (4300 digits)"),
        (ARM, "methods = " + "[" * 3000, "x.toml is no TOML file: "),
        ("lr = 0.01", "steps = 1000000000", "unknown field of arms.a.methods[0] 'steps'"),
        (ADAMW, '{ is = "muon", steps = 1000000000 }', "Muon.steps must lie in [1, 100], got 1000000000"),
        (ADAMW, '{ is = "grokfast-ma", window = 1000000000 }', "GrokfastMA.window must be at most 100000, got "),
        (ADAMW, '{ is = "egd" }', "arm 'a': an arm needs an optimiser such as adamw, got only EGD"),
        (ADAMW, ADAMW + ', { is = "sgd" }', "arm 'a': an arm can have one optimiser, got 2: AdamW, SGD"),
        (
            ADAMW,
            '{ is = "egd", only = ["nothing"] }, ' + ADAMW,
            "arm 'a': EGD.only: no parameter to act on has 'nothing' in its name: layers.0.weight",
        ),
        (
            ADAMW,
            '{ is = "radius-clamp", sites = ["hidden.7.pre"] }, ' + ADAMW,
            "arm 'a': RadiusClamp.sites: unknown site to act at 'hidden.7.pre': did you mean 'hidden.0.pre'?",
        ),
        (
            ADAMW,
            ADAMW + ', { is = "norm-replay", parameter = "layer.0" }',
            "arm 'a': NormReplay.parameter: unknown parameter 'layer.0': did you mean 'layers.0.weight'?",
        ),
        (
            ADAMW,
            ADAMW + ', { is = "radial", sites = ["hidden.0.per"] }',
            "arm 'a': RadialPenalty.sites: unknown site 'hidden.0.per': did you mean 'hidden.0.pre'?",
        ),
        (
            ADAMW,
            ADAMW + ', { is = "l1", roles = ["hiden"] }',
            "arm 'a': L1.roles: no parameter is hiden, the roles are hidden, head",
        ),
    ],
)
def test_a_file_that_cannot_be_meant_is_one_line(capsys, tmp_path, old, new, message):
    assert old in TINY
    (tmp_path / "x.toml").write_text(TINY.replace(old, new))
    assert refused(capsys, "run", "x.toml", "--out", "o", "--quiet").startswith(message)


def test_what_is_no_small_regular_file_is_not_read(capsys, tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    (tmp_path / "large.toml").write_text("#" * (2**20 + 1))
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    for name in ("pipe", "folder", "zero"):
        said = refused(capsys, "run", f"{name}.toml")
        assert said == f"cannot read {name}.toml: expected a regular file, got a folder, a device or a pipe"
    assert refused(capsys, "run", "large.toml").endswith("expected at most 1,048,576 bytes, got 1,048,577")
    assert refused(capsys, "run", "bytes.toml").startswith("bytes.toml is no TOML file: 'utf-8' codec")
    assert refused(capsys, "run", "\udcff.toml") == r"cannot read \udcff.toml: No such file or directory"


@pytest.mark.parametrize("size", [300, 6000])
@pytest.mark.parametrize(
    ("before", "after"),
    [("run", ""), ("report", ""), ("show", ""), ("show abc", ""), ("query SQL", ""), ("figure radii", ""),
     ("early-warning", ""), ("run tiny.toml --out", "--quiet"), ("leaderboard track-c2 --tuned", "--out o")],
)  # fmt: skip
def test_a_name_that_no_file_can_have_is_one_line(capsys, before, after, size):
    assert "xxx" in refused(capsys, *before.split(), "x" * size, *after.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("tune track-c2 --arm adamw --trials 10000000000", "Search.trials must be at most 2147483647, got 10000000000"),
        ("tune track-c2 --arm adamw --trials 1000000000", "the search of track-c2 has "),
        ("tune track-c2 --arm adamw --budget 1" + "0" * 30, "training.budget must be at most 2147483647, got a number"),
        ("tune track-c2 --arm adamw --seeds 0", "Search.seeds must be at least 1, got 0"),
        ("leaderboard track-c2 --seeds 0", "seeds must be at least 1, got 0"),
        ("penalty track-c2 --seeds 0", "seeds must be at least 1, got 0"),
        ("leaderboard track-c2 --seeds 1000000", "leaderboard-track-c2 has "),
        ("leaderboard track-c2 --tuned nowhere", "--tuned nowhere is no folder with winners of adamw, "),
        ("leaderboard track-c2 --tuned .", "--tuned . holds no winner of adamw, "),
        ("leaderboard track-c2 --arms lion --tuned .", "--tuned . holds no winner of lion: expected files such as"),
    ],
)
def test_a_search_or_a_board_that_cannot_be_meant_is_one_line(capsys, words, message):
    assert refused(capsys, *words.split()).startswith(message)


def test_winners_go_to_a_folder(capsys, tmp_path):
    (tmp_path / "f").write_text("")
    words = "tune track-c2 --arm adamw --out t --to f/x --trials 1 --rounds 1 --seeds 1 --budget 3"
    assert refused(capsys, *words.split()) == "'f/x': Not a directory"
    assert not (tmp_path / "t").exists()  # before anything was trained


def test_what_cannot_act_is_said(capsys):
    words = ["run", "tiny.toml", "--quiet", "--dry-run", "--training.batch", "1000", "--training.further", "1000"]
    assert main(words) == 0
    assert capsys.readouterr().err.splitlines() == [
        "anglewise: training.batch 1000 is more than the 34 training examples: every step sees all",
        "anglewise: training.further 1000 reaches beyond the budget of 12 steps: every run trains to it",
    ]


def test_no_terminal_obeys_what_is_printed(capsys, tmp_path):
    (tmp_path / "x.toml").write_text(TINY.replace("seeds = 1", 'title = "\\u001b[31mred\\nline"\nseeds = 1'))
    assert main(["run", "x.toml", "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("x: \\x1b[31mred line\n")
    assert refused(capsys, "run", "\x1b[31m.toml") == "cannot read \\x1b[31m.toml: No such file or directory"


@pytest.mark.parametrize("format", ["table", "csv", "json"])
@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("'2020-01-01 10:00:00.123456789'::TIMESTAMP_NS", "2020-01-01 10:00:00.123456789"),
        ("'infinity'::DATE", "infinity"),
        ("'-infinity'::TIMESTAMP", "-infinity"),
        ("'290000-01-01'::TIMESTAMP", "290000-01-01 00:00:00"),
        ("['290000-01-01'::TIMESTAMP]", "['290000-01-01 00:00:00']"),
        ("INTERVAL 3 months", "3 months"),
        ("'2020-01-01'::DATE", "2020-01-01"),
        ("NULL::DATE", None),
    ],
)
def test_dates_that_python_has_not_are_text(capsys, sql, value, format):
    with Store.open("store"):
        pass
    assert main(["query", f"SELECT {sql} AS x", "store", "--format", format]) == 0
    out = capsys.readouterr().out
    if format == "json":
        assert json.loads(out) == [{"x": value}]
    else:
        assert [line.strip('" ') for line in out.splitlines()] == ["x", value or ""]


def test_a_query_that_never_ends_is_stopped(capsys):
    with Store.open("store"):
        pass
    endless = "WITH RECURSIVE t AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM t) SELECT count(*) FROM t"
    said = refused(capsys, "query", endless, "store", "--timeout", "0.3")
    assert said == "the query was stopped after 0.3 s: ask for less, or give it more time with --timeout SECONDS"
    for wrong in ("-1", "nan", "soon"):
        with pytest.raises(SystemExit):
            main(["query", endless, "store", "--timeout", wrong])
        assert f"expected seconds from 0 on, got '{wrong}'" in capsys.readouterr().err


def one_line(error):
    return str(error).count("\n") == 0 and len(str(error)) < 3000


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="xy^*+-0123 /", max_size=12) | st.text(max_size=8))
def test_an_operation_is_what_it_says_or_is_refused(text):
    import re

    import numpy as np

    try:
        task = Modular(p=7, b_from=1, operation=text)
    except SpecError as error:
        assert one_line(error)
        return
    a, b = task.table()[0].T.astype(object)
    if text in ("+", "-", "*", "/"):
        return
    product = re.sub(r"(?<=[0-9xy])(?=[xy])", "*", text.replace(" ", "")).replace("^", "**")
    product = re.sub(r"(?<![0-9])0+(?=[0-9])", "", product)  # which Python would not read
    meant = [eval(product, {"x": int(x), "y": int(y)}) % 7 for x, y in zip(a, b, strict=True)]
    assert np.array_equal(task.answer(a.astype(np.int64), b.astype(np.int64)), meant)


@settings(max_examples=200, deadline=None)
@given(path=st.text(max_size=12) | st.sampled_from(["task.p", "seeds", "model.hidden", "arms.plain"]), text=st.text())
def test_a_flag_is_a_table_that_fits_or_is_refused(path, text):
    from anglewise.lab.experiments.config import overlay

    try:
        assert isinstance(overlay(EXPERIMENTS["track-c2"], flag_table(path, text), ""), Experiment)
    except SpecError as error:
        assert one_line(error)


KEYS = ["seeds", "p", "budget", "hidden", "is", "methods", "lr", "name", "base", "train", "title"]
values = st.sampled_from(["1", "-1", "1e400", "nan", '"x"', "[]", "[[]]", "{}", "1979-05-27", "true", "0x" + "f" * 99])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.tuples(st.integers(0, 20), st.sampled_from(KEYS), values), max_size=3), junk=st.text(max_size=3)
)
def test_a_file_is_an_experiment_or_is_refused(tmp_path, lines, junk):
    text = TINY.strip().splitlines()
    for at, key, value in lines:
        text.insert(min(at, len(text)), f"{key} = {value}")
    path = tmp_path / "drawn.toml"
    path.write_text("\n".join(text) + "\n# " + junk, encoding="utf-8", errors="replace")
    try:
        assert isinstance(load(str(path), EXPERIMENTS), Experiment)
    except SpecError as error:
        assert one_line(error)


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet="ab, +", max_size=12))
def test_a_list_of_names_gives_known_ones_or_is_refused(text):
    known = ["a", "b", "a, b", "a+b"]
    try:
        found = names_in(text, known, "arm")
    except SpecError as error:
        assert one_line(error)
    else:
        assert set(found) <= set(known) and len(set(found)) == len(found)


@given(text=st.text())
def test_what_is_printable_stays_and_nothing_else_is_printed(text):
    said = printable(text)
    assert all(c.isprintable() or c == "\n" for c in said)
    assert said == text or not all(c.isprintable() or c == "\n" for c in text)


@given(value=st.recursive(st.integers() | st.text() | st.floats(), st.lists, max_leaves=30))
def test_a_value_is_shown_short(value):
    assert len(shown(value)) < 400
    assert shown(10**5000) == "a number of about 5,001 digits" and shown({"x": 10**5000}) == "a dict too large to show"
    assert shown((1,) * 99) == "(1, 1, 1, ... 99 values)"
