import io

import numpy as np
import pytest
from rich.console import Console

from anglewise.lab.readings.quantities import meaning
from anglewise.lab.report.checks import matched
from anglewise.lab.report.comparison import CRITERIA, summaries
from anglewise.lab.report.contrasts import answers
from anglewise.lab.report.headline import headline
from anglewise.lab.report.html.experiment import page
from anglewise.lab.report.results import Series
from anglewise.lab.report.summary import print_results, summary

STEPS = np.array([0, 24, 48])


def proven(make, got, *, wanted=(0.0, 2.0, 2.0), seeds=3, arms=("base", "control")):
    """Synthetic results whose control was to match `wanted` and has `got`, by seed."""
    results = make(dict.fromkeys(arms, 60), seeds=seeds)
    for what, of in (("wanted", dict.fromkeys(range(seeds), wanted)), ("got", got)):
        series = {("control", s): Series(STEPS[: len(of[s])], np.array(of[s])) for s in of}
        results.readings[f"match_gradient_{what}", ""] = series
    return results


GOOD, BAD = (9.0, 2.1, 1.9), (0.0, 2.0, 1.2)


def test_a_match_is_checked_at_every_measurement_but_the_first(make):
    assert matched(proven(make, dict.fromkeys(range(3), GOOD))) == {"control": None}
    found = matched(proven(make, {0: GOOD, 1: BAD, 2: BAD}))
    assert found == {"control": "match failed: gradient 1.20, wanted 2, at step 48 of seed 1 (2 of 3 runs)"}
    assert matched(proven(make, {0: GOOD, 1: BAD, 2: BAD}), tolerance=0.5) == {"control": None}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_no_match(make, value):
    found = matched(proven(make, {0: (0.0, value, 2.0), 1: GOOD, 2: GOOD}))
    assert found["control"].startswith("match failed: gradient ") and "(1 of 3 runs)" in found["control"]


def test_nothing_is_matched_by_nothing(make):
    assert matched(proven(make, dict.fromkeys(range(3), (0.0, 0.0, 0.0)), wanted=(0.0, 0.0, 0.0))) == {"control": None}
    found = matched(proven(make, dict.fromkeys(range(3), (0.0, 1e-9, 0.0)), wanted=(0.0, 0.0, 0.0)))
    assert found["control"].startswith("match failed")


def test_a_start_alone_shows_nothing(make):
    found = matched(proven(make, dict.fromkeys(range(3), (0.0,)), wanted=(0.0,)))
    assert found == {"control": "match not shown: nothing was measured after step 0"}


def test_arms_without_proofs_are_left_out(make):
    assert matched(make({"base": 60, "arm": 50})) == {}
    assert "base" not in matched(proven(make, dict.fromkeys(range(3), GOOD)))


def printed(results):
    console = Console(file=io.StringIO(), width=160)
    print_results(results, console)
    return console.file.getvalue()


def test_a_failed_match_stands_before_the_arms_result_everywhere(make):
    failed, fine = (proven(make, dict.fromkeys(range(3), got)) for got in (BAD, GOOD))
    for criterion in CRITERIA:
        row, good = (summary(r, criterion, summaries(r)[criterion]).rows[1] for r in (failed, fine))
        assert row[1].startswith("3; match failed: gradient 1.20, wanted 2") and good[1] == "3"
    assert page(failed).count("match failed:") >= 4 and "match failed" not in page(fine)
    assert "match failed" in printed(failed) and "match failed" not in printed(fine)
    assert headline(failed)[-1].startswith("“control” is no control here: match failed: gradient 1.20")


def test_an_arm_whose_match_failed_is_never_called_faster(make):
    control = make({"base": 100, "control": 50})
    assert answers(control)[0].verdict == "faster"  # control: without readings it is
    control = make({"base": 100, "control": 50})  # answers are worked out once
    control.readings.update(proven(make, dict.fromkeys(range(8), BAD), seeds=8).readings)
    assert answers(control)[0].verdict == "open" and "no control here" in answers(control)[0].notes[0]


@pytest.mark.parametrize("name", ["match_gradient_wanted", "match_radius_hidden_0_pre_got"])
def test_the_report_knows_what_they_mean(name):
    told = meaning(name)
    assert told.theme == "Controls" and told.text and told.title
    assert meaning("match_gradient").theme == "Other"  # control
