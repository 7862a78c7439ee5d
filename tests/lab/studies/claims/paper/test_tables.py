"""The paper's tables: every number that is known of them is there, and ours are what the rows say."""

from __future__ import annotations

import html
import json
import math
from pathlib import Path

import numpy as np
import pytest

from anglewise.lab.report.table import text
from anglewise.lab.stats import Interval
from anglewise.lab.studies.claims import rows
from anglewise.lab.studies.claims.paper import show
from anglewise.lab.studies.claims.paper.cell import Theirs, agrees, never, printed, unknown
from anglewise.lab.studies.claims.paper.ours import (
    Budget,
    Final,
    Found,
    Known,
    Mean,
    Passes,
    Probed,
    Ratio,
    Reason,
    Sooner,
    Time,
    Where,
)
from anglewise.lab.studies.claims.paper.pool import Pool
from anglewise.lab.studies.claims.paper.systems import PROBES
from anglewise.lab.studies.claims.paper.tables import HEAD, PAPER, tables
from anglewise.lab.studies.claims.reading_rules import Read
from anglewise.lab.studies.claims.rows import Ran, Value

RECORDS = Path(__file__).parents[5] / "records" / "claims"
PRINTED = {
    "T1": "34,200 2,460 4,100 1.2 4.8 > 52,000 36.5 135 443 42.5 1.4 30x .18 .004 45x",
    "T2": "> 100,000 1.7 % 15,540 402 22,000 15,000 2,460 +- 136 6.3x 6.1x 50,000",
    "T3": "15,540 2,460 6.3x 8,000 5,200 1.5x 22,500 9,800 2.3x",
    "T4": "6,167 +- 624 443 1.4 8,000 80 % did not generalise",
    "T5": "'complete' 'collapses' 'direct' 'kept'",
    "T6": "15,540 2,460 +- 136 6.8x 5.0x 26,980 12,260 2,200 +- 0 did not generalise budget exhausted 6.3x",
    "T7": "8,200 +- 650 4,100 +- 320 2,460 +- 136 3,800 +- 290 6,400 +- 510 9,900 +- 840 100.0 %",
    "T8": "1.38 +- .12 4.2 % 1.41 +- .09 2.1 % 1.40 +- .07 1.4 % 1.39 +- .05",
    "T9": "7,500 4,200 1.79x 8,000 5,200 1.54x",
    "T10": "1.585 1.608 94 108",
    "Text": "4,656 9,409 .32 .35 +9 % .15 48 10.7 6x",
}
"""Every number that is known of the paper, by its table."""


def ran(arm, seed, sustained, *, system="mlp", scale="desk", epoch=10, budget=1000, final=1.0):
    outcome = "grokked" if sustained is not None else "memorised"
    steps = budget if sustained is None else sustained
    return Ran(system, scale, "likely", arm, seed, outcome, epoch, 10, budget, 0.9, steps, sustained, sustained, None,
               final, 1.0, 0.5, 1.0, f"{arm}-{seed}")  # fmt: skip


def value(arm, seed, name, step, x, site="", system="mlp, read"):
    return Value(system, "desk", "likely", arm, seed, name, site, step, x)


def pool_of(runs, values=()):
    return Pool({run[:5]: run for run in runs}, {one[:8]: one for one in values})


def test_all_tables_are_there_in_their_order():
    assert [table.id for table in PAPER] == [*(f"T{k}" for k in range(1, 11)), "Text"]


@pytest.mark.parametrize("table", PAPER, ids=lambda table: table.id)
def test_every_number_that_is_known_stands_in_its_table(table):
    theirs = " | ".join(cell.theirs.text for cell in table.cells)
    assert [word for word in PRINTED[table.id].split() if word not in theirs] == []


def test_table_six_has_every_modulus_and_share_for_both_arms_and_their_ratio():
    (table,) = [table for table in PAPER if table.id == "T6"]
    assert len({(cell.row, cell.column) for cell in table.cells}) == 3 * 4 * 3 + 1


def test_contradictions_of_the_paper_are_named():
    notes = " ".join(cell.note for table in PAPER for cell in table.cells)
    named = ("6,167", "4,100", "never reaches .9", "50,000", "strong decay here", "1.5x", "figure 1 for figure 3",
             "~5x to ~5x", "blames", "6.7 times", "not follow from the means", "8,000 is also", "97 x 96", "exceed 256",
             "cites such a row")  # fmt: skip
    assert [words for words in named if words not in notes] == []


def test_no_cell_is_empty_also_without_a_record(tmp_path):
    for table in tables(tmp_path):
        for row in table.rows:
            assert len(row) == len(HEAD)
            assert all(text(cell).strip() for cell in row[:-1]), row


def test_a_time_is_the_median_of_its_runs_in_epochs():
    pool = pool_of([ran("decay .1", seed, 100 + 10 * seed) for seed in range(7)])
    found = Time("decay .1").of(pool)
    assert (found.interval.value, found.n, found.scale) == (np.median(np.arange(100, 170, 10)) / 10, 7, "desk")
    assert text(found.cell) == "13 [9, 16]"


def test_a_time_can_be_told_in_steps():
    pool = pool_of([ran("AdamW", seed, 100 + 10 * seed, system="gpt") for seed in range(7)])
    assert text(Time("AdamW", Where("gpt"), unit="steps").of(pool).cell) == "130 [90, 160]"


@pytest.mark.parametrize(
    ("times", "words"),
    [([None] * 3, "not reached in 100 epochs"), ([None, None, 500], "not reached in 100 epochs by 2 of 3")],
)
def test_a_median_beyond_the_budget_says_so(times, words):
    pool = pool_of([ran("decay .1", seed, t) for seed, t in enumerate(times)])
    found = Time("decay .1").of(pool)
    assert found.cell == words
    assert math.isinf(found.interval.value)
    assert found.budget == 100


def test_who_was_not_trained_has_a_reason():
    pool = pool_of([])
    ways = [Time("a"), Sooner("a", "b"), Mean("a", Read("radius")), Ratio("a", "b", Read("radius")), Final("a"),
            Passes("a", "radius", "", 1.0), Budget("a"), Probed(50)]  # fmt: skip
    assert {way.of(pool).cell for way in ways} == {"not run: no time on two cores"}
    assert "full size" in Time("a", Where(scale="paper")).of(pool).cell
    assert Reason("no accelerator").of(pool) == Found("no accelerator")
    assert Known("about 3", 3.0).of(pool).interval.value == 3.0


def test_a_speed_up_is_the_geometric_mean_of_paired_ratios():
    runs = [ran("slow", s, t) for s, t in enumerate((400, 600, 800))] + [ran("quick", s, 200) for s in range(3)]
    found = Sooner("slow", "quick").of(pool_of(runs))
    assert found.interval.value == pytest.approx((2 * 3 * 4) ** (1 / 3))
    assert (found.n, found.bound) == (3, "")
    assert text(found.cell).startswith("2.88x [")


def test_a_speed_up_over_a_spent_budget_is_a_bound():
    runs = [ran("slow", s, None) for s in range(3)] + [ran("quick", s, 200 + 10 * s) for s in range(3)]
    found = Sooner("slow", "quick").of(pool_of(runs))
    assert found.bound == ">= "
    assert text(found.cell).startswith(">= ")
    neither = [ran(arm, s, None) for arm in ("slow", "quick") for s in range(3)]
    assert Sooner("slow", "quick").of(pool_of(neither)).cell == "neither generalised in 100 epochs"


def read_pool():
    runs = [ran(arm, s, None, system="mlp, read") for arm in ("a", "b") for s in range(3)]
    values = [
        value(arm, s, "effective_rank", step, (64 if arm == "a" else 32) + s + step / 100, "hidden.1.pre")
        for arm in ("a", "b") for s in range(3) for step in (0, 500, 1000)
    ]  # fmt: skip
    return pool_of(runs, values)


def test_a_reading_is_the_mean_over_seeds_at_its_time():
    found = Mean("a", Read("effective_rank", "hidden.1.pre"), of_all=128).of(read_pool())
    assert found.interval.value == pytest.approx(np.mean([74, 75, 76]) / 128)
    assert text(found.cell).endswith("] of 128")
    start = Mean("a", Read("effective_rank", "hidden.1.pre", "start")).of(read_pool())
    assert start.interval.value == pytest.approx(65.0)


def test_a_ratio_of_readings_is_paired():
    found = Ratio("a", "b", Read("effective_rank", "hidden.1.pre")).of(read_pool())
    wanted = np.exp(np.mean(np.log([74 / 42, 75 / 43, 76 / 44])))
    assert found.interval.value == pytest.approx(wanted)


def test_an_event_is_counted_where_it_is_first_read():
    runs = [ran("a", s, None, system="mlp, read") for s in range(6)]
    values = [value("a", s, "fourier_coherence", step, step / 1000 + s / 100) for s in range(6)
              for step in range(0, 1001, 100)]  # fmt: skip
    found = Passes("a", "fourier_coherence", "", 0.5).of(pool_of(runs, values))
    assert (found.interval.value, found.interval.high) == (50, 50)
    never_there = Passes("a", "fourier_coherence", "", 2.0).of(pool_of(runs, values))
    assert never_there.cell == "not reached in 100 epochs"


def test_final_accuracy_and_budget_come_from_the_runs():
    pool = pool_of([ran("a", s, None, final=0.02 + 0.01 * s) for s in range(3)])
    assert Final("a").of(pool).interval.value == pytest.approx(3.0)
    assert Budget("a").of(pool).cell == "100 epochs"


def test_the_error_falls_with_the_root_of_the_probes():
    runs = [ran("decay .001 + penalty", s, None, system="mlp, probed") for s in range(2)]
    values = [value("decay .001 + penalty", s, name, 1000, x, system="mlp, probed")
              for s in range(2) for name, x in (("hessian_trace", 2.0), ("hessian_trace_se", 0.1))]  # fmt: skip
    pool = pool_of(runs, values)
    assert Probed(PROBES, relative=True).of(pool).interval.value == pytest.approx(5.0)
    assert Probed(PROBES // 4, relative=True).of(pool).interval.value == pytest.approx(10.0)
    quarter = Probed(PROBES // 4).of(pool).interval
    assert (quarter.value, quarter.high) == (2.0, pytest.approx(2.0 + 1.96 * 0.2))


OURS = Found("", Interval(100.0, 90.0, 110.0, "t"))
BEYOND = Found("", Interval(math.inf, math.inf, math.inf, "order statistics"), budget=3000.0)


@pytest.mark.parametrize(
    ("theirs", "found", "word"),
    [
        (printed(95), OURS, "yes"),
        (printed(60), OURS, "near"),
        (printed(200), OURS, "near"),
        (printed(201), OURS, "no"),
        (unknown(), OURS, "\u2013"),
        (printed(95), Found("not run"), "\u2013"),
        (printed(2460), BEYOND, "no"),
        (printed(15540), BEYOND, "open"),
        (never(100_000, ""), BEYOND, "open"),
        (never(2000, ""), BEYOND, "yes"),
        (never(100_000, ""), OURS, "no"),
        (never(50, ""), OURS, "yes"),
        (printed(120), OURS._replace(bound=">= "), "open"),
        (printed(40), OURS._replace(bound=">= "), "no"),
        (printed(80), OURS._replace(bound="<= "), "open"),
        (printed(300), OURS._replace(bound="<= "), "no"),
        (printed(300), OURS._replace(bound="~ "), "open"),
        (printed(9800), Found("", Interval(1575.0, 1400.0, math.inf, "order statistics"), budget=2000.0), "open"),
        (printed(1900), Found("", Interval(1575.0, 1400.0, math.inf, "order statistics"), budget=2000.0), "yes"),
        (Theirs("3", 3.0), Found("", Interval(2.0, None, None, "none")), "near"),
    ],
)
def test_the_criterion_decides(theirs, found, word):
    assert agrees(theirs, found) == word


def test_a_row_that_stands_in_two_records_counts_once(tmp_path):
    for name in ("C02", "C03"):
        (tmp_path / name).mkdir()
        rows.write(tmp_path / name / "runs.parquet", [ran("decay .1", s, 100) for s in range(3)])
    rows.write(tmp_path / "C02" / "values.parquet", [value("decay .1", 0, "radius", 10, 1.0)])
    pool = Pool.of(tmp_path)
    assert (len(pool.runs), len(pool.values)) == (3, 1)
    assert Time("decay .1").of(pool).n == 3


def independent(way, raw):
    """A time or a mean of the raw rows, without the study's code; None where there is none."""
    mine = [run for run in raw if (run.system, run.scale, run.world, run.arm)
            == (way.where.system, way.where.scale, way.where.world, way.arm)]  # fmt: skip
    times = [run.sustained / (1 if way.unit == "steps" else run.epoch) if run.sustained is not None
             and run.outcome != "diverged" else math.inf for run in mine]  # fmt: skip
    return (float(np.sort(times)[(len(times) - 1) // 2 : len(times) // 2 + 1].mean()), len(times)) if times else None


def test_times_of_the_record_are_the_medians_of_its_rows():
    pool = Pool.of(RECORDS)
    raw = list(
        {run[:5]: run for path in sorted(RECORDS.glob("*/runs.parquet")) for run in rows.read_runs(path)}.values()
    )
    checked = 0
    for way in (way for table in PAPER for cell in table.cells for way in cell.ours if isinstance(way, Time)):
        found, wanted = way.of(pool), independent(way, raw)
        assert found.n == (wanted[1] if wanted else 0)
        if wanted and math.isfinite(wanted[0]):
            assert found.interval.value == pytest.approx(wanted[0])
            checked += 1
    assert checked or not raw


def test_the_packages_copy_is_what_the_records_say():
    assert json.loads(show.COPY.read_text(encoding="utf-8")) == show.to_json(tables(RECORDS))


def test_without_records_the_copy_is_shown(tmp_path):
    (first, *_) = show.known(tmp_path / "none")
    assert first.title.startswith("T1. ")
    assert [text(cell) for cell in first.rows[0]] == [text(cell) for cell in tables(RECORDS)[0].rows[0]]


@pytest.mark.parametrize("ending", show.ENDINGS)
def test_every_table_is_written_in_every_format(tmp_path, ending):
    content = show.write(tmp_path, tmp_path / f"paper{ending}").read_text(encoding="utf-8")
    content = html.unescape(content)
    assert all(table.title in content for table in tables(tmp_path)) or ending == ".csv"
    assert "6,167 +- 624" in content
    assert content.count("\nT6,") == (ending == ".csv") * (3 * 4 * 3 + 1 + 3)
    assert "script-src" not in content


def test_the_terminal_shows_all_tables_and_the_criterion(tmp_path):
    shown = show.terminal(tmp_path)
    assert all(table.title in shown for table in tables(tmp_path))
    assert "Agrees: 'yes'" in shown
