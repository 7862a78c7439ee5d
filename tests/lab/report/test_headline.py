"""The headline: a sentence for each question, and nothing hidden."""

import dataclasses

import pytest

from anglewise.lab.report.headline import MOST, NO_CONTRAST, headline


def test_each_question_has_a_sentence_with_n_interval_and_p(make):
    lines = headline(make({"base": 100, "fast": 50, "slow": 150}))
    assert lines[0].startswith("Is “fast” faster than “base”? Yes, faster. 51 steps instead of 101")
    assert (
        "1.95 times as fast [" in lines[0] and "p = 0.016 after correction for 2 questions; 8 paired seeds." in lines[0]
    )
    assert lines[1].startswith("Is “slow” faster than “base”? No, slower.") and len(lines) == 2


def test_no_sentence_compares_across_two_changes(make):
    results = make({"base": 100, "tuned": 80, "tuned+radial": 60})
    lines = headline(results)
    assert [line.split("?")[0] for line in lines] == [
        "Is “tuned” faster than “base”",
        "Is “tuned + radial penalty” faster than “tuned”",
    ]
    assert not any("+ radial penalty”" in line and "“base”" in line for line in lines)


def test_arms_that_differ_in_several_changes_are_left_to_the_table(make):
    results = make({"base": 100, "tuned+radial": 60})
    assert headline(results) == [NO_CONTRAST]


def test_many_questions_are_not_all_answered_there(make):
    lines = headline(make({"base": 100} | {f"arm{i}": 50 for i in range(MOST + 2)}))
    assert len(lines) == MOST + 1 and lines[-1] == "2 more questions are answered in the report."


def test_one_seed_is_an_illustration(make):
    assert headline(make({"base": 100}, seeds=1))[0].startswith("Illustration, one seed: “base” reached 95 %")
    assert "One seed: an illustration." in headline(make({"base": 100, "fast": 50}, seeds=1))[0]


def test_one_arm_has_its_median(make):
    assert headline(make({"base": 100})) == [
        "“base” reached 95 % test accuracy within 200 steps in 8 of 8 runs, median time to generalise 101 steps."
    ]


def test_the_headline_says_what_is_missing_and_that_none_has_finished(make):
    runs = [("base", s) for s in range(8)]
    assert headline(make({"base": 100}, missing=runs)) == ["No run has finished yet: 0 of 8 planned."]
    assert "1 of 16 runs are missing: “arm” 1 of 8." in headline(make({"base": 1, "arm": 1}, missing=[("arm", 0)]))


@pytest.mark.parametrize("arms", [{"base": None}, {"base": None, "arm": None}])
def test_no_run_getting_there_is_a_result(make, arms):
    n = 8 * len(arms)
    assert headline(make(arms)) == [f"No run reached 95 % test accuracy within 200 steps (n = {n})."]


def test_notes_stand_once_each(make):
    lines = headline(make({"base": None, "arm": 50, "other": 60}))
    assert lines.count("A run that never got there counts as the budget.") == 1
    lost = make({"base": 100, "arm": 50})
    ended = {key: run._replace(outcome="reached-not-held") for key, run in lost.ended.items() if key == ("arm", 0)}
    lines = headline(dataclasses.replace(lost, ended={**lost.ended, **ended}))
    assert "1 of 8 runs of “arm” reached it and fell below it again." in lines
