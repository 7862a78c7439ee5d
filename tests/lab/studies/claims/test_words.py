"""Claims in words: every arm, system and rule has them, and their numbers are those of the code."""

from __future__ import annotations

import re

import pytest

from anglewise.errors import SpecError
from anglewise.lab.studies.claims import words
from anglewise.lab.studies.claims.claims import CLAIMS
from anglewise.lab.studies.claims.comparisons import Alike, Selected
from anglewise.lab.studies.claims.reading_rules import Level, Read
from anglewise.lab.studies.claims.rules import AllOf, AtLeast, Generalises, Sooner
from anglewise.lab.studies.claims.systems import SYSTEMS


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_a_system_is_described_with_its_own_numbers(name):
    system = SYSTEMS[name]
    for scale in system.scales:
        said = words.trained(name, scale)
        try:
            place = system.place(scale, system.world())
        except SpecError as error:
            pytest.skip(f"needs a file: {error}")
        task = getattr(place.task, "task", place.task)  # a held-out task wraps another
        p = getattr(task, "p", None)
        assert said != f"{name}, {scale} scale."
        assert p is None or f"mod {p}" in said
        if "%" in said:
            assert f"{100 * task.train:.0f} %" in said
        width = getattr(place.model, "hidden", (getattr(place.model, "width", None),))[0]
        assert name.startswith("fast") or re.search(rf"\b{width}\b", said)


def test_every_system_of_a_claim_is_described():
    missing = {
        name for claim in CLAIMS.values() for name in claim.systems for scale in claim.scales
        if scale not in words.TRAINED.get(name, {})
    }  # fmt: skip
    assert missing == set()


def test_what_is_unknown_is_called_by_its_name():
    assert words.trained("ship", "desk") == "ship, desk scale."


@pytest.mark.parametrize("name", sorted({arm for claim in CLAIMS.values() for arm in claim.arms if not claim.recorded}))
def test_every_arm_has_words(name):
    said = words.arm(name)
    assert said and "{}" not in said and ", and ," not in said and not said.endswith(", and ")
    for number in re.findall(r"(?<= )[\d.]+(?= |$)", name):
        assert number in said


def test_an_unknown_part_of_an_arm_stays_as_it_is():
    assert words.arm("AdamW + warp drive") == "untuned AdamW, and warp drive"


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_every_rule_has_words_for_both_verdicts(claim):
    lines = list(words.rule(claim.rule))
    assert lines[0][0] == 0
    for _, line in lines:
        assert "Supported" in line and type(claim.rule).__name__ != line


def test_a_rule_says_its_margins():
    ((_, said),) = words.rule(Sooner("new", "old", claimed=3.0, least=1.5))
    assert "'old' over 'new'" in said
    assert "at least 3 and its interval lies above 1.50. Refuted: the interval lies below 3." in said
    ((_, said),) = words.rule(Sooner("new", "old", claimed=3.0, crossing="first"))
    assert said.endswith("The first crossing counts.")
    ((_, said),) = words.rule(Alike("new", "old", within=1.25))
    assert "between 0.800 and 1.25" in said
    ((_, said),) = words.rule(Level(Read("radius"), "new", 2.0, larger=False))
    assert "below 2. Refuted: the interval lies above." in said
    ((_, said),) = words.rule(Generalises("new", 0.9, "does not"))
    assert "do not generalise in the budget. Supported: at least 90 %" in said
    ((_, said),) = words.rule(Selected(("a",), ("b", "c", "d"), selection=3, claimed=1.2))
    assert said.startswith("The fastest of 3 arms ('b' to 'd') against 'a'. The first 3 seeds choose.")


def test_parts_of_a_rule_stand_below_it():
    inner = AtLeast(
        2, (("one", Generalises("a", 0.9)), ("two", Generalises("b", 0.9)), ("three", Generalises("c", 0.9)))
    )
    lines = list(words.rule(AllOf((("some", inner), ("last", Generalises("d", 0.9))))))
    assert [depth for depth, _ in lines] == [0, 1, 2, 2, 2, 1]
    assert lines[0][1] == "2 parts. Supported: all of them are. Refuted: one is refuted."
    assert lines[1][1].startswith("Some. 3 parts. Supported: at least 2 of them are. Refuted: more than 1 are refuted.")
    assert lines[2][1].startswith("One. The share of runs of 'a'")


def test_a_sentence_ends_once():
    assert words.sentence("It is so.") == "It is so."
    assert words.sentence(" (2 of 3 did)") == "2 of 3 did."
    assert words.sentence("") == ""
