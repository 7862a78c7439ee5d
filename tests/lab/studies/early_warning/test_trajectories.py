import numpy as np
import pyarrow as pa
import pytest

from anglewise.errors import StoreError
from anglewise.lab.spec import Manifest, Planned
from anglewise.lab.stats.warning import Trajectory
from anglewise.lab.studies.early_warning.trajectories import collect, restore, rounded, save

BUDGET = 400


class Shelf:
    """A reader of made-up runs: (arm, seed, time to generalise or None), measured every 20 steps."""

    def __init__(self, runs, *, task="Modular", name="early-warning-add", measure_every=20, unfinished=0):
        training = {"measure_every": measure_every, "budget": BUDGET}
        self.runs = {f"{i:020x}": run for i, run in enumerate(runs)}
        planned = [Planned(run_id, arm, seed) for run_id, (arm, seed, _) in self.runs.items()]
        planned += [Planned(f"f{i:019x}", "late", i) for i in range(unfinished)]
        self.manifest = Manifest(f"{name}-0", name, tuple(planned), spec={"task": {"is": task}, "training": training})

    def experiments(self):
        return [self.manifest]

    def query(self, sql):
        rows = []
        if "FROM runs" in sql:
            rows = [{"arm": arm, "seed": seed, "t95_sustained": time} for arm, seed, time in self.runs.values()]
        elif "FROM curves" in sql:
            for arm, seed, time in self.runs.values():
                for step in range(0, int(min(time or BUDGET, BUDGET / 2)) + 1, 20):
                    values = {"train_loss": 1 / (step + 1), "test_loss": 3.0, "test_accuracy": None}
                    rows.append({"arm": arm, "seed": seed, "step": step, **values})
        else:
            rows = [
                {"arm": arm, "seed": seed, "site": "h", "name": "radius", "step": step, "value": 1.23456789 + step}
                for arm, seed, _ in self.runs.values()
                for step in range(0, 101, 40)
            ]
        return pa.Table.from_pylist(rows)


def test_runs_are_cut_where_nobody_may_look():
    shelf = Shelf([("a", 0, 120), ("a", 1, None)])
    (early, never), missing = collect([shelf], {"radius"})
    assert early.steps.tolist() == [0, 20, 40, 60, 80, 100] and early.time == 120.0
    assert never.steps[-1] == BUDGET / 2 and never.time is None and missing == 0
    assert not early.control and early.task == "early-warning-add"


def test_a_reading_at_a_slower_cadence_has_gaps_and_a_missing_value_is_none():
    (run,), _ = collect([Shelf([("a", 0, None)])], {"radius"})
    radius = run.series["radius", "h"]
    assert np.isfinite(radius).tolist()[:4] == [True, False, True, False]
    assert radius[2] == 41.23 and np.isnan(run.series["test_accuracy", ""]).all()


def test_random_labels_are_the_control():
    (run,), _ = collect([Shelf([("a", 0, None)], task="RandomLabels")], {"radius"})
    assert run.control


def test_planned_runs_that_have_not_finished_are_counted():
    assert collect([Shelf([("a", 0, 100)], unfinished=3)], set())[1] == 3


def test_experiments_of_several_stores_are_taken_together():
    runs, _ = collect([Shelf([("a", 0, 100)]), Shelf([("a", 0, None)], name="other")], {"radius"})
    assert [run.task for run in runs] == ["early-warning-add", "other"]


def test_it_refuses_what_holds_nothing_to_study():
    with pytest.raises(StoreError, match="measures nothing: set training.measure_every"):
        collect([Shelf([("a", 0, 100)], measure_every=0)], set())
    with pytest.raises(StoreError, match="no finished run: train the early-warning experiments first"):
        collect([Shelf([])], set())


def test_a_file_gives_back_what_was_written(tmp_path):
    rng = np.random.default_rng(0)
    steps = np.arange(0, 200, 20)
    runs = [
        Trajectory(
            "t", arm, seed, steps[:n], {("x", "h"): rounded(rng.normal(size=n)), **more(n)}, time, 400.0, control
        )
        for arm, seed, n, time, control, more in (
            ("a", 0, 10, None, True, lambda n: {}),
            ("a", 1, 6, 120.0, False, lambda n: {("y@z", "layers.0.weight"): rounded(rng.normal(size=n) * 1e-7)}),
            ("b", 0, 3, 60.0, False, lambda n: {("x", ""): np.array([np.nan, 2.0, np.inf])}),
        )
    ]
    runs[1] = Trajectory("t", "a", 1, steps[:6], {("x", "h"): runs[1].series["x", "h"]}, 120.0, 400.0)
    back = restore(save(runs, tmp_path / "deep" / "runs.parquet"))
    for a, b in zip(runs, back, strict=True):
        assert (a.task, a.arm, a.seed, a.time, a.budget, a.control) == (
            b.task,
            b.arm,
            b.seed,
            b.time,
            b.budget,
            b.control,
        )
        np.testing.assert_array_equal(a.steps, b.steps)
        assert a.series.keys() == b.series.keys()
        for key in a.series:
            np.testing.assert_array_equal(a.series[key], b.series[key])


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreError, match="is not there: give a file that the early-warning study has written"):
        restore(tmp_path / "nothing.parquet")


def test_rounding_twice_is_rounding_once_also_through_float32():
    values = np.r_[np.random.default_rng(1).lognormal(0, 8, 2000), 0.0, -9.9995, 9.99951e-5, np.inf]
    once = rounded(values)
    np.testing.assert_array_equal(rounded(once.astype(np.float32).astype(float)), once)
    np.testing.assert_allclose(once[:-1], values[:-1], rtol=6e-4)
