import csv
import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from anglewise.cli.main import main
from anglewise.lab.report.table import text
from anglewise.lab.stats.warning import NOISE, STEP, Measure, Predictor, Trajectory
from anglewise.lab.studies.early_warning.analysis import PREDICTORS, SPLITS, study_of
from anglewise.lab.studies.early_warning.show import COLUMNS, page, save_figure, write_page
from anglewise.lab.studies.early_warning.tables import by_task, predictors, print_study, write_csv
from anglewise.lab.studies.early_warning.trajectories import rounded

FEW = (
    PREDICTORS[0],
    Predictor("elapsed time", "baseline", (Measure(STEP),)),
    Predictor("noise", "baseline", (Measure(NOISE, log=False),)),
    Predictor("planted", "geometry", (Measure("planted", log=False),)),
    Predictor("of some tasks", "rival", (Measure("some", log=False),)),
)


def runs(tasks=("add", "sub", "mul", "<b>random</b>"), seeds=8, arms=3):
    rng, found = np.random.default_rng(0), []
    for task in tasks:
        for arm in range(arms):
            for seed in range(seeds):
                never = "random" in task or (seed + arm) % 4 == 0
                time = None if never else float(20 * rng.integers(12, 30))
                steps = np.arange(0, 501, 20)
                steps = steps if time is None else steps[steps < time]
                jump = 3.0 * (steps >= 0.6 * (time or np.inf)) + rng.normal(0, 0.3, len(steps))
                series = {("planted", "h"): rounded(jump)} | ({("some", "h"): jump} if task in ("add", "sub") else {})
                control = "random" in task
                found.append(Trajectory(task, f"arm {arm}", seed, steps, series, time, 1000.0, control=control))
    return found


def cells(score):
    return [text(cell) for cell in predictors([score]).rows[0]]


@pytest.fixture(scope="module")
def made():
    return study_of(runs(), FEW, missing=2)


def test_the_verb_prints_json_alone(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("anglewise.lab.studies.early_warning.analysis.study", lambda readers: made)
    monkeypatch.setattr("anglewise.lab.store.Reader", lambda path: path)
    assert main(["early-warning", "stores", "--json", "--to", str(tmp_path / "scores.csv")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"anglewise", "verb", "scores", "written"} and len(result["scores"]) == len(made.scores)
    assert {"predictor", "split", "auc", "in_time"} <= set(result["scores"][0])


def test_every_predictor_is_shown_also_those_that_do_not_work(made):
    for split in SPLITS:
        names = [score.predictor for score in made.of(split)]
        assert names[:4] == ["base rate", "elapsed time", "noise", "planted"]
    assert "of some tasks" in [s.predictor for s in made.of("seeds")]
    assert "of some tasks" not in [s.predictor for s in made.of("tasks")]  # two tasks have it, three are needed


def test_the_table_says_how_many_runs_each_row_has(made):
    rows = {score.predictor: cells(score) for score in made.of("seeds")}
    assert (
        rows["planted"][1] == f"{sum(r.time is not None for r in made.runs)} / {sum(r.time is None for r in made.runs)}"
    )
    assert rows["of some tasks"][1] != rows["planted"][1]
    assert rows["base rate"][2].startswith("0.50")
    assert rows["base rate"][6] == rows["base rate"][7] == "missed"


def test_the_planted_predictor_wins_and_its_lead_is_said(made):
    planted, noise = (next(s for s in made.of("tasks") if s.predictor == name) for name in ("planted", "noise"))
    assert planted.in_time.value > 0.8 > 0.2 > noise.in_time.value
    assert re.fullmatch(r"\d+ \[\d+, \d+\]", cells(planted)[6])


def test_the_terminal_shows_one_table_for_each_split(made):
    console = Console(width=100, record=True, file=io.StringIO())
    print_study(made, console)
    text = console.export_text()
    assert text.count("Will it generalise before elapsed time has doubled?") == 3 and "whole task" in text
    for split in SPLITS:  # no number is broken or cut off
        for score in made.of(split):
            for cell in cells(score):
                assert all(part in text for part in cell.replace(" [", "\n[").split("\n"))


def test_the_csv_holds_every_score_in_full(made, tmp_path):
    rows = list(csv.DictReader(write_csv(made, tmp_path / "scores.csv").read_text().splitlines()))
    assert len(rows) == len(made.scores) and {row["horizon"] for row in rows} == {"doubling", "ever"}
    for row, score in zip(rows, made.scores, strict=True):
        assert row["predictor"] == score.predictor and float(row["auc"]) == pytest.approx(score.auc.value, rel=1e-3)
        assert (row["lead"] == "") == (score.lead is None)


def test_alarms_are_counted_task_by_task(made):
    table = by_task(made)
    rows = [list(map(text, row)) for row in table.rows]
    assert table.head[1:] == ["add", "sub", "mul", "<b>random</b>"]
    planted = next(row for row in rows if row[0] == "planted")
    assert re.fullmatch(r"\d+ \+ \d+ of 18; false \d of 6", planted[1])
    assert re.fullmatch(r"false \d of 24", planted[4])


def test_the_page_holds_all_its_figures_and_reads_no_name_as_html(made, tmp_path):
    text = write_page(made, tmp_path / "page.html", "anglewise early-warning <x>").read_text()
    assert text == page(made, "anglewise early-warning <x>")
    assert "<b>random" not in text and "early-warning &lt;x&gt;" in text
    for column in COLUMNS:
        assert f'id="warning-{column.id}"' in text
    assert "://" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def test_a_study_of_few_groups_has_only_the_splits_it_can_have():
    one = study_of(runs(tasks=("add",)), FEW[:4], horizons=("doubling",))
    assert one.of("tasks") == [] and one.of("seeds")
    assert "whole task" not in page(one)


@pytest.mark.parametrize("ending", [".svg", ".pdf", ".png"])
def test_the_figure_is_drawn_in_every_format(made, tmp_path, ending):
    assert save_figure(made, tmp_path / f"figure{ending}").stat().st_size > 1000
