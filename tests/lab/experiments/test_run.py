"""One call trains an experiment, and what it returns is what the store has."""

from __future__ import annotations

import html
import os
import signal
import subprocess
import sys
import threading

import pytest

import anglewise.lab as lab
from anglewise.errors import SpecError, StoreError
from anglewise.lab.execution.stopping import stoppable
from anglewise.lab.store.text import to_text

ARMS = ("plain", "clipped")
EXPERIMENT = lab.Experiment(
    name="small",
    task=lab.Modular(p=7, train=0.5),
    model=lab.MLP(hidden=(8,)),
    arms=(lab.Arm("plain", (lab.AdamW(lr=0.01),)), lab.Arm("clipped", (lab.AdamW(lr=0.01), lab.ClipRows(1.0)))),
    training=lab.Training(budget=8, every=4, measure_every=4),
    seeds=2,
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return lab.run(EXPERIMENT, out=tmp_path_factory.mktemp("small"), readings=["energy", "spectrum"], quiet=True)


def test_tables_are_those_of_the_store(results):
    assert results.runs().num_rows == 4 and set(results.runs().column("arm").to_pylist()) == set(ARMS)
    assert results.curves().num_rows == 4 * 3
    assert set(results.readings("radius", "radial_energy").column("name").to_pylist()) == {"radius", "radial_energy"}
    assert results.readings().num_rows > results.readings("radius").num_rows > 0
    assert results.arrays().num_rows > 0
    assert results.query("SELECT count(*) AS n FROM runs").to_pylist() == [{"n": 4}]


def test_the_same_results_are_had_from_the_folder(results):
    assert lab.open_results(results.store) == results
    assert lab.open_results(str(results.store), results.experiment_id).summary() == results.summary()
    other = lab.open_results(results.store, baseline="clipped")
    assert to_text(other.runs()) == to_text(results.runs())


def test_the_same_call_trains_nothing(results, capsys):
    again = lab.run(EXPERIMENT, out=results.store, readings=["energy", "spectrum"])
    assert again == results
    assert capsys.readouterr().err.splitlines()[-1] == "4 of 4 runs were there already"


def test_more_seeds_leave_the_others_their_results(results, tmp_path):
    wider = lab.run(EXPERIMENT, seeds=3, out=results.store, readings=["energy", "spectrum"], quiet=True)
    assert wider.experiment_id != results.experiment_id
    assert (wider.runs().num_rows, results.runs().num_rows) == (6, 4)
    assert lab.open_results(results.store) == wider  # the one that ran last


def test_the_call_is_recorded_where_a_name_says_what_was_run(tmp_path):
    (tmp_path / "e.toml").write_text(
        'task = { is = "modular", p = 7 }\nmodel = { is = "mlp", hidden = [8] }\n'
        'arms.plain.methods = [{ is = "adamw" }]\ntraining = { budget = 2, every = 1 }'
    )
    results = lab.run(tmp_path / "e.toml", seeds=1, arms=["plain"], out=tmp_path / "store", quiet=True)
    (run_id,) = results.runs().column("run_id").to_pylist()
    call = f"anglewise.lab.run({str(tmp_path / 'e.toml')!r}, seeds=1, arms=['plain'])"
    assert results.reader.provenance(run_id)["command"] == call
    assert call in html.unescape(results.report().read_text())


def test_the_store_is_named_after_the_experiment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert lab.run(EXPERIMENT, seeds=1, arms="plain", quiet=True).store.as_posix() == "runs/small"


def test_what_asks_for_too_much_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(SpecError, match=r"small has 20,002 runs, the limit is 10,000: ask for less, or add --large"):
        lab.run(EXPERIMENT, seeds=10_001, out=tmp_path / "store")
    with pytest.raises(SpecError, match="needs about .* of memory"):
        lab.run(EXPERIMENT, changes={"model.hidden": (10**9,)}, out=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_weights_are_had_by_arm_and_seed(results):
    assert {name: w.shape for name, w in results.weights("plain", 1).items()} == {
        "layers.0.weight": (14, 8),
        "head.weight": (8, 7),
    }
    with pytest.raises(StoreError, match="unknown run 'plain, seed 7': did you mean 'plain, seed [01]'"):
        results.weights("plain", 7)


def test_an_unknown_value_name_is_refused(results):
    with pytest.raises(StoreError, match="unknown name in readings 'radios': did you mean 'radius'"):
        results.readings("radios")
    with pytest.raises(StoreError, match="unknown experiment 'smal"):
        lab.open_results(results.store, "smal")
    with pytest.raises(StoreError, match="unknown arm 'cliped': did you mean 'clipped'"):
        lab.open_results(results.store, baseline="cliped")


INTERRUPTED = """
import anglewise.lab as lab
from tests.lab.experiments.test_run import EXPERIMENT
try:
    lab.run(EXPERIMENT, budget=10_000_000, out="store", changes={"training.further": -1})
except lab.Interrupted as error:
    print("\\n".join(error._render_traceback_()))
"""


@pytest.mark.slow
def test_ctrl_c_saves_and_a_notebook_shows_one_line(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], cwd=tmp_path, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    next(line for line in process.stderr if "step" in line)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out == "interrupted: run the same command again to go on from here\n"
    assert "Ctrl-C again stops now" in err and "Traceback" not in err
    assert lab.open_results(tmp_path / "store").curves().num_rows > 0


def test_outside_the_main_thread_signals_are_left_alone():
    before, seen = signal.getsignal(signal.SIGINT), []

    def other():
        with stoppable() as stop:
            seen.append((stop.is_set(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
