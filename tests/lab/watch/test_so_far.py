"""The contrasts so far say how many pairs there are, and test nothing before a test could show anything."""

from anglewise.lab.watch.so_far import ENOUGH, so_far


def test_below_six_pairs_nothing_is_tested(make):
    for seeds in (ENOUGH - 1, ENOUGH):
        contrast = so_far(make({"a": 140, "b": 90}, seeds=seeds))[0]
        assert contrast.pairs == seeds and contrast.tested == (seeds == ENOUGH)
        assert (contrast.verdict == "too few to test") == (seeds < ENOUGH)
    assert "times as fast [" in contrast.verdict and ", p 0.0" in contrast.verdict


def test_only_seeds_that_both_sides_finished_count(make):
    lacking = [("b", seed) for seed in range(6)]
    contrast = so_far(make({"a": 140, "b": 90}, missing=lacking))[0]
    assert (contrast.pairs, contrast.planned) == (2, 8) and "steps instead of" in contrast.steps
    assert contrast.verdict == "too few to test yet"
    none = so_far(make({"a": 140, "b": 90}, missing=[("b", seed) for seed in range(8)]))[0]
    assert none.steps == "" and none.verdict == "no seed has finished on both sides yet"


def test_a_side_that_never_gets_there_is_beyond_the_budget(make):
    contrast = so_far(make({"a": None, "b": 90}, budget=200))[0]
    assert contrast.steps.endswith("instead of more than 200")
    assert so_far(make({"a": None, "b": None}, budget=200))[0].verdict == "neither side reached the threshold"


def test_without_a_threshold_or_a_second_arm_there_is_no_contrast(make):
    assert so_far(make({"a": 90})) == [] and so_far(make({"a": 90, "b": 60}, threshold=0.0)) == []
