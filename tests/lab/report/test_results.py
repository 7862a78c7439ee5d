import pytest

from anglewise.errors import StoreError
from anglewise.lab.report.page import write_report
from anglewise.lab.report.results import load
from anglewise.lab.report.summary import summarise
from anglewise.lab.report.tables import print_summary
from anglewise.lab.store import Reader, Store

THRESHOLD = 0.95


def manifest(runs, name="demo", threshold=THRESHOLD):
    arms = list(dict.fromkeys(arm for _, arm, _ in runs))
    return {
        "experiment_id": f"{name}-0011aabb",
        "name": name,
        "title": "",
        "baseline": arms[0],
        "arms": arms,
        "command": "anglewise run demo",
        "spec": {"training": {"budget": 100, "every": 10, "threshold": threshold, "sustain": 2}, "arms": []},
        "runs": [{"run_id": run_id, "arm": arm, "seed": seed} for run_id, arm, seed in runs],
    }


def put(store, run_id, *, finished=True, first=30):
    store.begin(run_id, {"seed": 0}, {"python": "3.11", "libraries": {"numpy": "2"}})
    curves = [
        {
            "step": t,
            "train_accuracy": 1.0,
            "test_accuracy": float(t >= 30),
            "train_loss": 0.1,
            "test_loss": 0.2,
        }
        for t in range(0, 101, 10)
    ]
    readings = [{"step": t, "site": "h", "name": "radius", "value": 1.0 + t} for t in range(0, 101, 10)]
    store.append(run_id, curves, readings)
    if finished:
        outcome = {"outcome": "grokked", "steps": 100, "seconds": 2.0, "t95": 30, "t95_sustained": 40}
        store.finish(run_id, outcome | {"first": first, "sustained": None, "threshold": 0.5, "budget": 100})


RUNS = [(f"{i:020x}", arm, seed) for i, (arm, seed) in enumerate((a, s) for a in ("x", "y'; --") for s in (0, 1))]


@pytest.fixture
def stored(tmp_path):
    with Store.open(tmp_path / "s") as store:
        store.manifest("demo-0011aabb", manifest(RUNS))
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
    assert [(s.planned, s.finished, s.missing) for s in summarise(load(stored))] == [(2, 1, 1), (2, 1, 1)]


def test_another_threshold_takes_its_own_times(tmp_path):
    with Store.open(tmp_path) as store:
        store.manifest("demo-0011aabb", manifest(RUNS[:1], threshold=0.5))
        put(store, RUNS[0][0], first=20)
    assert load(Reader(tmp_path)).ended["x", 0].first == 20


def test_several_experiments_need_a_choice(tmp_path):
    with Store.open(tmp_path) as store:
        for name in ("one", "two"):
            store.manifest(f"{name}-0011aabb", manifest(RUNS, name=name))
    with pytest.raises(StoreError, match="holds 2 experiments: choose one of one-0011aabb, two-0011aabb"):
        load(Reader(tmp_path))
    with pytest.raises(StoreError, match="unknown experiment 'oen-0011aabb': did you mean 'one-0011aabb'"):
        load(Reader(tmp_path), "oen-0011aabb")
    assert load(Reader(tmp_path), "two-0011aabb").name == "two"


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
    print_summary(stored)
    assert "missing" in capsys.readouterr().out
