"""Rows: what a sample sees of them, and that they are the same rows behind the disk."""

from __future__ import annotations

import math
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.studies.claims.rows import Ran, Value, median_epochs, read_runs, read_values, sample, table, write
from tests.support.claim_rows import GONE, WHERE, ran, read, runs_of, sample_of, times

RUNS = [*runs_of({"b": [100, None, 300], "a": [None, 20, 30]}), ran("a", 0, 10, where=("toy", "paper", "likely"))]
VALUES = [v for s in (1, 0) for v in read("a", s, "x", {20: 2.5, 0: math.nan, 10: -1.0}, "s") + read("a", s, "b", 1.0)]


@pytest.mark.parametrize(("rows", "back"), [(RUNS, read_runs), (VALUES, read_values)])
def test_rows_come_back_from_parquet_and_equal_rows_are_equal_bytes(rows, back, tmp_path):
    one = write(tmp_path / "one.parquet", rows)
    shuffled = random.Random(0).sample(rows, len(rows))
    other = write(tmp_path / "other.parquet", shuffled)
    assert one.read_bytes() == other.read_bytes()
    found = back(one)
    assert repr(found) == repr(sorted(rows, key=lambda row: row[: 5 if isinstance(row, Ran) else 8]))
    assert {type(x) for row in found for x in row} == {type(x) for row in rows for x in row}
    changed = [rows[0]._replace(seed=9), *rows[1:]]
    assert write(tmp_path / "changed.parquet", changed).read_bytes() != one.read_bytes()


def test_a_file_without_rows_is_not_written(tmp_path):
    with pytest.raises(AnglewiseError, match="runs.parquet would hold no rows: train the claim's runs first"):
        write(tmp_path / "runs.parquet", [])
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_gives_one_line_that_says_what_to_do(tmp_path):
    path = write(tmp_path / "runs.parquet", RUNS)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"not Parquet at all" * 9):
        path.write_bytes(damaged)
        with pytest.raises(AnglewiseError, match="cannot be read as Parquet: .*; write the record again") as error:
            read_runs(path)
        assert "\n" not in str(error.value)
    with pytest.raises(AnglewiseError, match="absent.parquet cannot be read as Parquet: .*; write the record again"):
        read_values(tmp_path / "absent.parquet")


def test_a_file_without_a_column_names_it(tmp_path):
    path = tmp_path / "runs.parquet"
    pq.write_table(table(RUNS).drop_columns(["seed", "final"]), path)
    with pytest.raises(AnglewiseError, match="runs.parquet lacks the columns seed, final: write the record again"):
        read_runs(path)


def test_further_columns_are_left_out(tmp_path):
    path = tmp_path / "values.parquet"
    more = table(VALUES).append_column("more", pa.array(range(len(VALUES))))
    pq.write_table(more, path)
    assert len(read_values(path)) == len(VALUES) and read_values(path)[0]._fields == Value._fields


def test_a_sample_holds_the_rows_of_its_system_scale_and_world_that_were_planned():
    others = [ran("a", 1, 7, where=(*WHERE[:2], "batch=full")), ran("a", 5, 9), ran("c", 0, 9)]
    values = [*VALUES, *read("c", 0, "x", 1.0), VALUES[0]._replace(system="other")]
    found = sample(
        [*RUNS, *others], values, system="toy", scale="desk", world="likely", planned={"a": range(4), "b": (2,)}
    )
    assert set(found.runs) == {("a", 0), ("a", 1), ("a", 2), ("b", 2)}
    assert found.times("a") == {0: None, 1: 20, 2: 30} and found.times("b") == {2: 300}
    assert found.missing(["a", "b", "a"]) == ["a, seed 3"]
    curve = found.curve("a", 1, "x", "s")
    assert curve.steps.tolist() == [0, 10, 20]
    np.testing.assert_array_equal(curve.values, [math.nan, -1.0, 2.5])
    assert found.curve("c", 0, "x", "") is None and found.sites("x") == ["s"]


def test_how_a_run_ended_is_read_like_a_value():
    found = sample_of({"a": [200, None]})
    assert found.curve("a", 0, "test_loss", "").values.tolist() == [2.0]
    assert found.curve("a", 0, "seconds_per_step", "").values.tolist() == [5.0 / 200]
    assert found.curve("a", 1, "seconds_per_step", "").steps.tolist() == [10_000]


def test_times_are_at_least_one_step_and_none_for_a_run_that_diverged():
    found = sample([ran("a", 0, 0), ran("a", 1, 50, outcome="diverged"), ran("a", 2, 70, sustained=None)], [],
                   system="toy", scale="desk", world="likely", planned={"a": range(3)})  # fmt: skip
    assert found.times("a") == {0: 1, 1: None, 2: None}
    assert found.times("a", "first") == {0: 1, 1: None, 2: 70}


def test_some_run_tells_what_all_share():
    assert sample_of({"a": [GONE, 10]}).any_run().seed == 1
    with pytest.raises(AnglewiseError, match="no run of toy in the world 'likely' has finished: train it first"):
        sample_of({"a": [GONE]}).any_run()


def test_the_median_is_in_epochs_with_its_interval():
    found = median_epochs(sample_of({"a": times(1000)}), "a")
    assert found.value == 100.0 and found.low == pytest.approx(98.0 - 1.0) and found.high == 102.0
    assert median_epochs(sample_of({"a": [None] * 10}), "a").value == math.inf
    assert median_epochs(sample_of({"a": [GONE] * 10}), "a") is None
