"""Contrasts: which arms are compared, and what may be said of them."""

import dataclasses

import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.experiments.config import contrasts_of as read_contrasts
from anglewise.lab.experiments.config import overlay
from anglewise.lab.experiments.request import requested
from anglewise.lab.report.contrasts import Answer, answers, contrasts_of, one_change, verdict_of
from anglewise.lab.report.results import Ended
from anglewise.lab.spec import Contrast, Manifest
from anglewise.lab.stats import PValue


def pairs(methods, baseline=""):
    return [(each.arm, each.without) for each in one_change(methods, baseline)]


def chain(*methods):
    return [{"is": name} for name in methods]


ADAMW, SLOW = {"is": "AdamW", "lr": 0.1}, {"is": "AdamW", "lr": 0.01}


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        ({"a": chain("A"), "a+r": chain("A", "R")}, [("a+r", "a")]),
        ({"a+r": chain("A", "R"), "a": chain("A")}, [("a+r", "a")]),
        ({"a": chain("A"), "r+a": chain("R", "A"), "both": chain("R", "A", "M")}, [("r+a", "a"), ("both", "r+a")]),
        ({"a": chain("A"), "two": chain("A", "R", "M")}, []),  # two changes
        ({"a": [ADAMW], "slow": [SLOW]}, [("slow", "a")]),
        ({"a": chain("A"), "m": chain("M")}, [("m", "a")]),
        ({"a": chain("A"), "again": chain("A")}, []),  # no change
        ({"a": chain("A"), "b": chain("B"), "b+r": chain("B", "R")}, [("b", "a"), ("b+r", "b")]),
    ],
)
def test_arms_are_paired_where_one_thing_changes(methods, expected):
    assert pairs(methods, "a") == expected


def test_the_baseline_is_asked_about_and_never_asks():
    methods = {"slow": [SLOW], "fast": [ADAMW], "other": [{"is": "AdamW", "lr": 1.0}]}
    assert pairs(methods, "fast") == [("slow", "fast"), ("other", "fast")]


def test_declared_contrasts_are_the_only_ones(make):
    results = make({"base": 100, "fast": 50, "other": 60})
    declared = {"arm": "fast", "without": "other", "question": "Which?"}
    results = dataclasses.replace(results, spec={**results.spec, "contrasts": [declared]})
    assert contrasts_of(results) == (Contrast("fast", "other", "Which?"),)
    assert contrasts_of(results.select(["base", "fast"])) == ()  # one of its arms is not shown
    (answer,) = answers(results)
    assert answer.question == "Which?" and answer.family == 1 and answer.verdict == "faster"
    assert answer.arm.speed_up.value == pytest.approx(1.19, abs=0.03)  # over the other, not over the baseline


def test_a_p_value_is_adjusted_for_the_contrasts_alone(make):
    results = make({"base": 100, "fast": 50, "other": 60, "more": 70})
    assert [answer.arm.p_holm.value for answer in answers(results)] == pytest.approx([6 / 256] * 3)
    declared = [{"arm": "fast", "without": "base"}]
    (answer,) = answers(dataclasses.replace(results, spec={**results.spec, "contrasts": declared}))
    assert answer.arm.p_holm == PValue(2 / 256)


def test_curves_from_elsewhere_are_compared_with_the_baseline(make):
    results = dataclasses.replace(make({"base": 100, "a": 50, "b": 60}), spec={})
    assert contrasts_of(results) == (Contrast("a", "base"), Contrast("b", "base"))


def answer_of(make, times, **changes) -> Answer:
    (answer,) = answers(make(times, **changes))
    return answer


def test_nothing_is_faster_whose_interval_holds_one(make):
    """Few pairs of which half tell nothing: p may be small where the ratio is not certain, and the other way round."""
    answer = answer_of(make, {"base": 100, "arm": 50}, seeds=4)
    unsure = answer.arm.speed_up._replace(low=0.98)
    for changes, expected in (
        ({"p_holm": PValue(0.01)}, "faster"),
        ({"p_holm": PValue(0.01), "speed_up": unsure}, "open"),
        ({"p_holm": PValue(0.01), "speed_up": unsure._replace(low=None, high=None)}, "open"),
        ({"p_holm": PValue(0.06)}, "open"),
        ({"p_holm": PValue(0.01), "unmatched": "match failed"}, "open"),
    ):
        assert verdict_of(dataclasses.replace(answer.arm, **changes), answer.without) == expected


def test_too_few_pairs_are_said_to_be_too_few(make):
    answer = answer_of(make, {"base": 100, "fast": 50}, seeds=3)
    assert answer.verdict == "open" and answer.detail.endswith("3 paired seeds, which cannot give less than 0.25.")


def test_many_pairs_say_that_p_is_an_upper_bound(make):
    assert "p \u2264 0.00010; 41 paired seeds" in answer_of(make, {"base": 100, "fast": 50}, seeds=41).detail


def test_equal_arms_are_neither_faster_nor_slower(make):
    assert answer_of(make, {"base": 100, "same": 100}).answer == "Not shown"


@pytest.mark.parametrize(
    ("times", "bound"), [((None, 50), "at least 4."), ((100, None), "at most 0.5"), ((None, None), "")]
)
def test_runs_that_spent_their_budget_make_the_ratio_a_bound(make, times, bound):
    answer = answers(make(dict(zip(("base", "arm"), times, strict=True))))[0]
    if bound:
        assert answer.factor.startswith(bound) and "ore than 200" in answer.detail
        assert "A run that never got there counts as the budget." in answer.notes
    else:
        assert answer.verdict == "neither"
        assert answer.detail == "No run of either reached 95 % test accuracy within 200 steps (8 pairs)."


def test_seeds_that_only_one_arm_has_finished_are_no_pairs(make):
    lacking = [("arm", seed) for seed in range(8)]
    answer = answer_of(make, {"base": 100, "arm": 50}, missing=lacking)
    assert (answer.verdict, answer.detail) == ("missing", "0 of 8 paired seeds have finished.")
    one = answer_of(make, {"base": 100, "arm": 50}, missing=lacking[1:])
    assert one.verdict == "one-seed" and "One seed says nothing of the next." in one.detail


def test_a_crossing_that_is_not_held_is_said_of_a_faster_arm(make):
    results = make({"base": 100, "arm": 50})
    lost = {key: run._replace(sustained=None) for key, run in results.ended.items() if key[0] == "arm"}
    (answer,) = answers(dataclasses.replace(results, ended={**results.ended, **lost}))
    assert answer.verdict == "faster" and "\u201carm\u201d, by the sustained crossing: no, slower." in answer.notes
    assert not answer_of(make, {"base": 100, "arm": 50}).notes  # control


def test_without_a_threshold_nothing_is_asked(make):
    assert answers(make({"base": 100, "arm": 50}, threshold=0.0)) == []


def test_few_exchangeable_arms_are_called_different(make):
    """Six questions in each of 20 experiments without any difference: after correction, 1 in 20 has an answer."""
    rng, wrong = np.random.default_rng(0), 0
    names = ["base", *"abcdef"]
    for _ in range(20):
        ended = {
            (arm, seed): Ended("grokked", 100, 1.0, int(t), int(t))
            for arm in names
            for seed, t in enumerate(rng.integers(50, 99, 8))
        }
        verdicts = {answer.verdict for answer in answers(make(dict.fromkeys(names, 1), ended=ended))}
        wrong += bool(verdicts & {"faster", "slower"})
    assert wrong <= 4


def test_a_file_declares_contrasts_and_flags_drop_those_of_missing_arms():
    base = EXPERIMENTS["quickstart"]
    table = [{"with": "adamw-tuned", "without": "adamw-common", "question": "Does tuning help?"}]
    changed = overlay(base, {"contrasts": table}, "")
    assert changed.contrasts == (Contrast("adamw-tuned", "adamw-common", "Does tuning help?"),)
    assert changed.experiment_id == base.experiment_id
    assert Manifest.of(changed).spec["contrasts"][0]["question"] == "Does tuning help?"
    assert requested(changed, arms="adamw-common").experiment.contrasts == ()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("adamw", r"contrasts: expected \[\{ with = \"ARM\", without = \"ARM\" \}, ...\], got 'adamw'"),
        ([{"with": "a"}], r"contrasts\[0\]: expected \{ with = \"ARM\", without = \"ARM\" \}, got"),
        ([{"with": "a", "without": "b", "quest": "?"}], r"key of contrasts\[0\].*question"),
        ([{"with": 1, "without": "b"}], r"contrasts\[0\].with: expected a text, got 1"),
        ([{"with": "a", "without": "a"}], "a contrast needs two arms, got 'a' twice"),
    ],
)
def test_a_mistake_in_a_contrast_is_one_line(table, message):
    with pytest.raises(SpecError, match=message):
        read_contrasts(table)


def test_a_contrast_of_an_unknown_arm_is_refused():
    with pytest.raises(SpecError, match=r"unknown arm 'nor'.*\(contrasts\)"):
        overlay(EXPERIMENTS["quickstart"], {"contrasts": [{"with": "nor", "without": "adamw-common"}]}, "")


def test_arms_can_be_replaced_and_questions_about_lost_ones_are_not_asked(make):
    base = EXPERIMENTS["quickstart"]
    few = dataclasses.replace(base, arms=base.arms[:2])
    assert len(few.contrasts) == 4
    results = make({arm.name: 60 for arm in few.arms}, seeds=2)
    asked = contrasts_of(dataclasses.replace(results, spec=Manifest.of(few).spec))
    assert [each.arm for each in asked] == ["adamw-common+radial"]
