"""What may be said of rows: words follow the interval, declarations agree with the rows, figures with the tables."""

from __future__ import annotations

import math
import re
import tomllib

import pytest

from anglewise.lab.report.runs import Finish, collected, read_runs
from anglewise.lab.stats import Interval
from records.hero import finding, hero
from records.render import RECORDS, Record, pages, rendered
from records.reproductions import Reproductions
from records.rows import NO_DIFFERENCE, UNDECIDED, Rows, by_word, fitted, joined, word
from records.seeds import contrasts
from records.values import Values

NAMES = sorted(path.parent.name for path in RECORDS.glob("*/record.toml"))
DECLARED = {name: tomllib.loads((RECORDS / name / "record.toml").read_text(encoding="utf-8")) for name in NAMES}
FILES = [(name, key) for name, own in DECLARED.items() for key in own.get("rows", {})]


def arms(**steps):
    """Runs of arms by name: steps to reach, or pairs (to reach, to hold)."""
    finished = []
    for arm, times in steps.items():
        for seed, time in enumerate(times):
            first, sustained = time if isinstance(time, tuple) else (time, time)
            finished.append(Finish(arm, seed, "", 200, 1.0, first, sustained, math.nan, math.nan, None, 0))
    return Rows(collected(finished, baseline=next(iter(steps)), budget=200, every=2), {"a": "plain"}, {})


@pytest.mark.parametrize(
    ("low", "high", "bound", "expected"),
    [
        (1.01, 1.6, "", "faster"),
        (0.5, 0.99, "", "slower"),
        (0.99, 1.6, "", NO_DIFFERENCE),
        (1.0, 1.6, "", NO_DIFFERENCE),
        (0.5, 1.0, "", NO_DIFFERENCE),
        (1.004, 1.6, "", NO_DIFFERENCE),
        (0.5, 0.995, "", NO_DIFFERENCE),
        (1.005, 1.6, "", "faster"),
        (1.01, 1.6, "\u2248 ", "faster within the budget"),
        (1.01, 1.6, "\u2264 ", UNDECIDED),
        (1.01, 1.6, "\u2265 ", "faster"),
        (0.5, 0.99, "\u2265 ", UNDECIDED),
        (0.5, 0.99, "\u2264 ", "slower"),
        (None, None, "", UNDECIDED),
    ],
)
def test_a_word_claims_no_more_than_its_interval(low, high, bound, expected):
    assert word(Interval(1.2, low, high, "t"), bound) == expected


def test_without_an_estimate_nothing_is_decided():
    assert word(None) == UNDECIDED


def test_a_sentence_says_what_each_criterion_shows():
    rows = arms(a=[100, 102, 98, 104, 96, 100], b=[50, 52, 48, 50, 51, 49])
    assert rows.says("b", "a") == "*b* is faster than plain."
    assert "Times as fast: 2.0" in rows.claim("b", "a") and "(6 pairs)" in rows.claim("b", "a")
    mixed = arms(a=[100, 102, 98, 104, 96, 100], b=[(50, 99), (52, 103), (48, 99), (50, 103), (51, 97), (49, 99)])
    assert mixed.says("b", "a") == (
        "*b* is faster than plain in reaching 95 %. No difference is shown between *b* and plain in holding it."
    )


def test_runs_that_never_got_there_are_counted_and_shown_beyond_the_budget():
    rows = arms(a=[100] * 4, b=[(60, None), (None, None), (None, None), (70, 80)])
    assert (rows.reached("b"), rows.held("b"), rows.median("b", "sustained")) == ("2 of 4", "1 of 4", "> 200")
    assert rows.speed_up("b", "a").startswith("\u2264 ")


def test_comparisons_of_one_word_stand_together():
    rows = arms(a=[100, 102, 98, 104, 96, 100], b=[50, 52, 48, 50, 51, 49], c=[100, 104, 98, 102, 97, 101])
    cases = [(rows, "b", "a", "one"), (rows, "c", "a", "two"), (rows, "b", "c", "three")]
    assert by_word(cases).strip().splitlines() == ["- faster on one and on three", "- no difference shown on two"]


def test_the_pictures_of_the_readme_show_every_run_and_say_what_the_intervals_show():
    slow, fast = [100, 102, 98, 104, 96, 100], [50, 52, 48, 50, 51, 49]
    names = ("adamw-common", "adamw-common+radial", "adamw-tuned", "adamw-tuned+radial", "adamw-tuned+man")
    rows = arms(**dict(zip(names, (slow, fast, fast, [30, 28, 32, 30, 29, 31], slow), strict=True)))
    picture = contrasts(rows)
    assert picture.count("<circle") == 12 and picture.count("<polygon") == 18 and "in fewer steps" in picture
    tokens = [
        {"arm": arm, "step": "80", "test_accuracy": "0.031", "frequency": "1", "x": "1", "y": "0"}
        for arm in ("adamw", "adamw+radial")
        for _ in range(5)
    ]
    curves = [
        {"arm": arm, "seed": "1", "step": str(step), "train_accuracy": "1", "test_accuracy": "0.5"}
        for arm in ("adamw", "adamw+radial")
        for step in (0, 20)
    ]
    picture = hero(arms(**{"adamw": slow, "adamw+radial": fast}), curves, tokens)
    assert picture.count("<circle") == 6 + 10 and picture.count("<path") == 3 and "3 % of unseen sums right" in picture
    with pytest.raises(ValueError, match="the title says faster, the rows say .* write another title"):
        finding(arms(**{"adamw": slow, "adamw+radial": slow}))
    with pytest.raises(ValueError, match="the title says faster, the rows say .* write another title"):
        contrasts(arms(**dict(zip(names, (slow, slow, fast, fast, fast), strict=True))))


def test_steps_until_the_training_sums_are_fitted():
    curves = [
        {"arm": "a", "seed": s, "step": t, "train_accuracy": y} for s, t, y in (("0", "20", "1"), ("1", "20", "0.9"))
    ]
    assert fitted([*curves, curves[1] | {"step": "40", "train_accuracy": "0.99"}]) == "20 to 40"


def test_an_unknown_arm_is_an_error():
    with pytest.raises(KeyError, match="no arm 'c': expected one of a, b"):
        arms(a=[1], b=[2]).median("c")


def test_names_are_joined_as_in_a_sentence():
    assert [joined(names) for names in ([], ["a"], ["a", "b", "c"])] == ["none", "*a*", "*a*, *b* and *c*"]


def test_a_mean_of_readings_has_students_interval():
    text = "arm,seed,site,moment,x\n" + "".join(f"a,{i},s,end,{value}\n" for i, value in enumerate((1, 2, 3, 4)))
    own = Values.read(text).interval("x", "a", "s", "end")
    assert own.value == 2.5 and (own.high - own.value) == pytest.approx(3.1824463 * 1.2909944 / 2)
    assert Values.read(text).below(5, "x", "end") == "1 of 1" and Values.read(text).below(4, "x", "end") == "0 of 1"
    with pytest.raises(KeyError, match="no x of"):
        Values.read(text).of("x", "a", "s", "start")


@pytest.mark.parametrize(("name", "key"), FILES)
def test_declarations_agree_with_the_rows(name, key):
    runs = getattr(Record(name), key).runs
    for run in runs.finished:
        for t in (run.first, run.sustained):
            assert t is None or (t % runs.every == 0 and t <= runs.budget), run
        if run.sustained is None:
            assert run.steps == runs.budget or run.outcome == "diverged", run
        else:
            assert run.steps - run.sustained >= (runs.sustain - 1) * runs.every, run


@pytest.mark.parametrize("path", sorted(RECORDS.glob("*/*runs.csv")), ids=lambda path: "/".join(path.parts[-2:]))
def test_outcomes_say_what_the_times_say(path):
    for run in read_runs(path.read_text(encoding="utf-8")):
        held = run.outcome in ("grokked", "generalised-at-once")
        assert held == (run.sustained is not None), run
        assert (run.outcome == "reached-not-held") == (run.first is not None and run.sustained is None), run


@pytest.mark.parametrize("name", ["leaderboard-track-a", "leaderboard-track-c2"])
def test_a_run_in_two_files_is_the_same_run(name):
    files = [read_runs(path.read_text(encoding="utf-8")) for path in sorted((RECORDS / name).glob("*runs.csv"))]
    by_key = [{(run.arm, run.seed): (run.first, run.sustained, run.outcome) for run in runs} for runs in files]
    shared = 0
    for i, one in enumerate(by_key):
        for other in by_key[i + 1 :]:
            for key in one.keys() & other.keys():
                shared += 1
                assert one[key] == other[key], key
    assert shared > 0


@pytest.mark.parametrize("name", [name for name in NAMES if (RECORDS / name / "penalty.svg").exists()])
def test_the_figure_shows_the_ratios_of_the_table(name):
    drawn = re.findall(r"<!-- (.*?) -->", (RECORDS / name / "penalty.svg").read_text(encoding="utf-8"))
    table = Record(name).penalty.crossing()
    labels = [text for text in drawn if re.search(r"\d\.\d\d \[", text)]
    assert len(labels) == len(table.splitlines()) - 2
    assert [label for label in labels if f"| {label} |" not in table] == []


def test_every_page_belongs_to_a_template():
    assert {page.target.name for page in pages()} >= {"README.md", "findings.md", "published-settings.md"}


def test_a_part_needs_its_place(tmp_path):
    page = next(page for page in pages() if page.part)
    (tmp_path / "README.md").write_text(page.begin)
    with pytest.raises(ValueError, match="expected a line '<!-- end of results -->' after the part"):
        rendered(page._replace(target=tmp_path / "README.md"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("no marks")
    with pytest.raises(ValueError, match="expected the line '<!-- results: .*' in one file, got it in 0"):
        pages(tmp_path)


def test_a_rival_with_rows_is_not_among_the_untraced():
    text = (RECORDS / "baselines" / "runs.csv").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="chou-c1 have rows: take them out of the untraced numbers"):
        Reproductions.read(text, {"chou-c1": {"ours": "158", "reached": "7 of 8"}})
    assert set(Reproductions.read(text, {}).rows) >= {"chou-c1"}


def test_a_verdict_that_the_interval_leaves_open_is_named():
    rows = "arm,seed,outcome,steps,first,sustained\n"
    near, far, wide = (
        "".join(f"chou-c2,{i},grokked,500,{t},{t}\n" for i, t in enumerate(times))
        for times in ([140] * 8, [200] * 8, [120, 130, 140, 143, 144, 150, 160, 213])
    )
    shown = [Reproductions.read(rows + own, {}) for own in (near, far, wide)]
    assert [own.undecided() for own in shown] == ["none", "none", "*chou-c2*"]
    assert [own.with_verdict(True) for own in shown] == ["*chou-c2*", "none", "*chou-c2*"]
