import numpy as np
import pytest

from anglewise.errors import StoreError
from anglewise.lab.outcome import Outcome
from anglewise.lab.report.comparison import summaries
from anglewise.lab.report.html.experiment import write_report
from anglewise.lab.report.html.run import write_run_page
from anglewise.lab.report.results import load, load_run, newest
from anglewise.lab.report.summary import print_results
from anglewise.lab.spec import Manifest, Planned
from anglewise.lab.store import Reader, Store

THRESHOLD = 0.95


def manifest(runs, name="demo", threshold=THRESHOLD):
    arms = list(dict.fromkeys(arm for _, arm, _ in runs))
    return Manifest(
        experiment_id=f"{name}-0011aabb",
        name=name,
        baseline=arms[0],
        arms=tuple(arms),
        command="anglewise run demo",
        spec={"training": {"budget": 100, "every": 10, "threshold": threshold, "sustain": 2}, "arms": []},
        runs=tuple(Planned(*run) for run in runs),
    )


def put(store, run_id, *, finished=True, first=30, arrays=()):
    store.begin(run_id, {"seed": 0}, {"python": "3.11", "libraries": {"numpy": "2"}})
    curves = [
        {
            "step": t,
            "train_accuracy": 1.0,
            "test_accuracy": float(t >= 30),
            "train_loss": 0.1,
            "test_loss": 0.2,
        }
        for t in range(0, 101 if finished else 51, 10)
    ]
    readings = [{"step": t, "site": "h", "name": "radius", "value": 1.0 + t} for t in range(0, len(curves) * 10, 10)]
    store.append(run_id, curves, readings, arrays)
    if finished:
        crossings = {"first": first, "sustained": 40, "t95": 30, "t95_sustained": 40, "t_capped": first}
        store.finish(run_id, Outcome("grokked", 100, seconds=2.0, threshold=0.5, budget=100, **crossings))


RUNS = [(f"{i:020x}", arm, seed) for i, (arm, seed) in enumerate((a, s) for a in ("x", "y'; --") for s in (0, 1))]


@pytest.fixture
def stored(tmp_path):
    with Store.open(tmp_path / "s") as store:
        store.manifest(manifest(RUNS))
        for run_id, arm, seed in RUNS:
            if (arm, seed) != ("x", 1):
                put(store, run_id, finished=(arm, seed) != ("y'; --", 1))
    return Reader(tmp_path / "s")


def test_a_store_becomes_plain_data(stored):
    results = load(stored)
    assert results.arms == ("x", "y'; --") and results.budget == 100 and results.sustain == 2
    assert results.ended["x", 0] == ("grokked", 100, 2.0, 30, 40)
    assert list(results.readings) == [("radius", "h")]
    assert results.readings["radius", "h"]["x", 0].values[-1] == 101.0
    assert results.curves["test_accuracy"]["x", 0].steps[-1] == 100
    assert results.provenance["libraries.numpy"]["2"] == 3
    assert results.command == "anglewise run demo"


def test_runs_never_started_and_never_finished_are_missing(stored):
    assert [(s.planned, s.finished, s.missing) for s in summaries(load(stored))["first"]] == [(2, 1, 1), (2, 1, 1)]


def test_another_threshold_takes_its_own_times(tmp_path):
    with Store.open(tmp_path) as store:
        store.manifest(manifest(RUNS[:1], threshold=0.5))
        put(store, RUNS[0][0], first=20)
    assert load(Reader(tmp_path)).ended["x", 0].first == 20


def test_several_experiments_need_a_choice(tmp_path):
    with Store.open(tmp_path) as store:
        for name in ("one", "two"):
            store.manifest(manifest(RUNS, name=name))
    with pytest.raises(
        StoreError,
        match="holds 2 experiments: choose one with --experiment ID; newest first: two-0011aabb, one-0011aabb",
    ):
        load(Reader(tmp_path))
    with pytest.raises(StoreError, match="unknown experiment 'oen-0011aabb': did you mean 'one-0011aabb'"):
        load(Reader(tmp_path), "oen-0011aabb")
    assert load(Reader(tmp_path), "two-0011aabb").name == "two"
    assert newest(Reader(tmp_path)) == ("two-0011aabb", ("one-0011aabb",))
    with Store.open(tmp_path) as store:
        store.manifest(manifest(RUNS, name="one"))  # run again
    assert newest(Reader(tmp_path)) == ("one-0011aabb", ("two-0011aabb",))


def test_another_baseline_may_be_chosen_when_it_is_shown(stored):
    assert load(stored, baseline="y'; --").baseline == "y'; --"
    with pytest.raises(StoreError, match=r"unknown arm 'z'.* \(baseline\)$"):
        load(stored, baseline="z")


def test_a_run_that_two_arms_share_is_there_for_both(tmp_path):
    with Store.open(tmp_path) as store:
        store.manifest(manifest([("r", "one", 0), ("r", "other", 0)]))
        put(store, "r")
    results = load(Reader(tmp_path))
    assert results.ended["one", 0] == results.ended["other", 0]
    assert results.curves["test_accuracy"]["other", 0].steps[-1] == 100
    assert load_run(Reader(tmp_path), "r")[1] == ("one", 0)


def test_an_empty_store_says_so():
    class Empty:
        def experiments(self):
            return []

    with pytest.raises(StoreError, match="holds no experiment"):
        load(Empty())


def test_report_and_summary_come_straight_from_a_store(stored, tmp_path, capsys):
    path = write_report(stored, None, tmp_path / "deep" / "report.html", command="make demo")
    text = path.read_text()
    assert "make demo" in text and "1 of 2 runs, 1 missing" in text
    print_results(load(stored))
    assert "missing" in capsys.readouterr().out


def array(step, values, name="map", site="h"):
    values = np.asarray(values, np.float32)
    shape = ",".join(map(str, values.shape))
    return {"step": step, "site": site, "name": name, "shape": shape, "values": values.ravel()}


@pytest.fixture
def with_arrays(tmp_path):
    with Store.open(tmp_path / "s") as store:
        store.manifest(manifest(RUNS))
        for k, (run_id, _, _) in enumerate(RUNS):
            rows = [array(t, np.full((2, 3), 10 * k + t)) for t in (0, 20)]
            rows += [array(20, [1.0, np.nan], "it's", "<b>")]
            put(store, run_id, arrays=rows)
    return Reader(tmp_path / "s")


def test_arrays_are_read_when_asked_for_by_run_name_and_step(with_arrays):
    results = load(with_arrays)
    found = results.arrays(results.planned)
    assert set(found) == {("map", "h"), ("it's", "<b>")} and set(found["map", "h"]) == set(results.planned)
    frames = found["map", "h"]["y'; --", 0]
    assert list(frames.steps) == [0, 20] and frames.values.shape == (2, 2, 3) and (frames.values[1] == 40).all()
    some = results.arrays([("x", 1)], ["map"], last=True)
    assert set(some) == {("map", "h")} and list(some["map", "h"]) == [("x", 1)]
    assert list(some["map", "h"]["x", 1].steps) == [20]
    assert np.isnan(results.arrays([("x", 0)], ["it's"])["it's", "<b>"]["x", 0].values[0, 1])
    assert results.arrays([], None) == results.arrays([("x", 0)], []) == results.arrays([("x", 0)], ["none"]) == {}


def test_a_store_without_arrays_has_none(stored):
    results = load(stored)
    assert results.arrays(results.planned) == {}


def test_arrays_that_changed_their_shape_are_those_of_the_last(tmp_path):
    with Store.open(tmp_path) as store:
        store.manifest(manifest(RUNS[:1]))
        put(store, RUNS[0][0], arrays=[array(0, [1.0]), array(10, [1.0, 2.0]), array(20, [3.0, 4.0])])
    frames = load(Reader(tmp_path)).arrays([("x", 0)])["map", "h"]["x", 0]
    assert list(frames.steps) == [10, 20] and frames.values.tolist() == [[1, 2], [3, 4]]


def test_a_run_is_found_by_the_beginning_of_its_id(with_arrays):
    results, key = load_run(with_arrays, RUNS[1][0])
    assert key == ("x", 1) and results.planned == (key,) and set(results.ended) == {key}
    with pytest.raises(StoreError, match="4 runs begin with '00000': give more of the id"):
        load_run(with_arrays, "00000")
    with pytest.raises(StoreError, match="unknown run 'f'"):
        load_run(with_arrays, "f")


def test_the_page_of_a_run_lies_in_the_store_unless_told_otherwise(with_arrays, tmp_path):
    path = write_run_page(with_arrays, RUNS[2][0])
    assert path == tmp_path / "s" / f"run-{RUNS[2][0][:10]}.html" and "&#39;; --, seed 0" in path.read_text()
    assert write_run_page(with_arrays, RUNS[0][0], tmp_path / "deep" / "p.html").exists()
