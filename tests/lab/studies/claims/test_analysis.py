"""Analysis: one word for all worlds, and the choice that decides most."""

from __future__ import annotations

import math

import numpy as np
import pytest

from anglewise.lab.stats import Interval
from anglewise.lab.studies.claims import analysis
from anglewise.lab.studies.claims.analysis import (
    Decided,
    from_json,
    share_of_variance,
    to_json,
    unlikely,
    verdict,
)  # fmt: skip
from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.decision import Decision
from anglewise.lab.studies.claims.rules import AllOf, Sooner
from anglewise.lab.studies.claims.worlds import LIKELY, MLP_CHOICES, grid
from tests.support.claim_rows import STEADY, ran, read, times

WORLDS = tuple(world.name for world in grid())
SIGNS = {w: {c.name: -1 if c.name in unlikely(w) else 1 for c in MLP_CHOICES} for w in WORLDS}


def claim(systems=("toy",), rule=None, **fields):
    rule = Sooner("arm", "base", claimed=2.0) if rule is None else rule
    return Claim("X01", "", "", "", "", "", "", "", systems, rule, **fields)


def rows(ratio, world=LIKELY, system="toy", seeds=10, scale="desk"):
    """Runs in which the arm is so many times as fast."""
    where = (system, scale, world)
    pairs = zip(times(1000 * ratio), times(1000, STEADY[::-1]), strict=True)
    both = [[ran("base", s, b, where=where), ran("arm", s, a, where=where)] for s, (b, a) in enumerate(pairs)]
    return [run for pair in both[:seeds] for run in pair]


@pytest.mark.parametrize(("ratio", "word"), [(3.0, "supported"), (1.2, "refuted"), (2.01, "supported")])
def test_the_likely_world_alone_gives_its_word(ratio, word):
    found = verdict(claim(), "desk", rows(ratio), [])
    assert (found.word, found.needs, found.depends_on, found.grid) == (word, "", "", ())
    assert found.answer == found.likely[0].decision.says and found.rule_id == claim().rule_id


def test_a_missing_seed_makes_a_verdict_inconclusive_and_is_named():
    runs = [run for run in rows(3.0) if (run.arm, run.seed) != ("arm", 4)]
    found = verdict(claim(), "desk", runs, [])
    assert found.word == "inconclusive" and found.needs == "the missing runs: arm, seed 4"
    more = verdict(claim(seeds=11), "desk", rows(3.0), [])
    assert more.word == "inconclusive" and more.needs == "the missing runs: base, seed 10 and 1 more"


def test_rows_of_other_scales_systems_and_worlds_do_not_count():
    strange = [*rows(1.0, scale="paper"), *rows(1.0, system="other"), *rows(1.0, world="batch=full")]
    assert verdict(claim(), "desk", [*strange, *rows(3.0)], []).word == "supported"
    assert verdict(claim(), "paper", rows(3.0), []).word == "inconclusive"


def of_worlds(ratios, **fields):
    """The verdict over a grid, from the ratio in each of its worlds."""
    runs = [run for world, ratio in ratios.items() for run in rows(ratio, world)]
    return verdict(claim(grid_seeds=10, **fields), "desk", runs, [], tuple(ratios))


@pytest.mark.parametrize(
    ("held", "word"),
    [(16, "supported"), (12, "supported"), (11, "depends"), (5, "depends"), (4, "supported"), (1, "supported")],
)
def test_worlds_that_disagree_in_more_than_a_quarter_depend(held, word):
    """The likely world is the first, which supports in all of these."""
    found = of_worlds({world: 3.0 if k < held else 1.2 for k, world in enumerate(WORLDS)})
    assert found.word == word
    assert len(found.grid) == 16 and found.decided[0].world == LIKELY
    if word == "depends":
        assert found.depends_on.endswith(f"{held} of 16 decided worlds support it") and not found.needs


def test_disagreement_is_counted_among_decided_worlds():
    found = of_worlds(dict(zip(WORLDS, [3.0] * 4 + [1.2] * 4 + [1.97] * 8, strict=True)))
    words = [one.decision.word for one in found.decided]
    assert (words.count("supported"), words.count("refuted")) == (4, 4)
    assert found.word == "depends" and found.depends_on.endswith("4 of 8 decided worlds support it")


def test_it_depends_on_the_choice_that_separates_the_worlds():
    found = of_worlds({world: 1.2 if "batch" in unlikely(world) else 3.0 for world in WORLDS})
    assert found.word == "depends"
    assert found.depends_on == "the choice 'batch' most (100 % of the variance); 8 of 16 decided worlds support it"


def test_a_world_of_the_grid_needs_fewer_seeds_than_the_likely_one():
    runs = [*rows(3.0), *rows(3.0, "batch=full", seeds=3)]
    found = verdict(claim(grid_seeds=3), "desk", runs, [], (LIKELY, "batch=full"))
    assert [one.decision.word for one in found.decided] == ["supported"] * 2
    assert [one.decision.n for one in found.decided] == [10, 3]
    lacking = verdict(claim(grid_seeds=4), "desk", runs, [], (LIKELY, "batch=full"))
    assert lacking.decided[1].decision.needs == "the missing runs: base, seed 3 and 1 more"


def test_another_world_that_was_asked_for_alone_gives_the_word():
    found = verdict(claim(grid_seeds=3), "desk", rows(3.0, "batch=full", seeds=3), [], ("batch=full",))
    assert found.word == "supported" and found.answer == found.decided[0].decision.says
    missing = verdict(claim(grid_seeds=3), "desk", [], [], ("batch=full",))
    assert missing.word == "inconclusive" and missing.needs.startswith("the missing runs: base, seed 0")


def test_systems_that_disagree_depend_on_the_task():
    found = verdict(claim(("x", "y")), "desk", [*rows(3.0, system="x"), *rows(1.2, system="y")], [])
    assert found.word == "depends" and found.depends_on == "the task: supported on x; refuted on y"
    assert found.answer.startswith("x: 'arm' was 3") and " y: 'arm' was 1.2" in found.answer


def test_systems_that_agree_but_for_a_few_are_not_decided_and_say_why():
    systems = ("a", "b", "c", "d", "e")
    runs = [run for system in systems for run in rows(1.2 if system == "e" else 3.0, system=system)]
    found = verdict(claim(systems), "desk", runs, [])
    assert found.word == "inconclusive"
    assert found.needs == "agreement: supported on a, b, c, d; refuted on e"


def decided(effects):
    """Decisions with a given effect in each world; None for no number."""
    return [
        Decided("toy", world, Decision("supported", None if x is None else Interval(x, None, None, "t"), "", "", 3, ""))
        for world, x in effects.items()
    ]


def test_one_choice_that_decides_all_has_the_whole_variance():
    shares = share_of_variance(decided({world: 2.0 ** SIGNS[world]["site"] for world in WORLDS}))
    assert set(shares) == {choice.name for choice in MLP_CHOICES}
    assert shares.pop("site") == pytest.approx(1.0) and max(shares.values()) < 1e-12


def test_shares_of_a_balanced_grid_are_those_of_squared_effects_and_add_up():
    """z = 3 a + 2 b + 1 c has shares 9, 4 and 1 of 14."""
    weights = {"batch": 0.3, "bias": -0.2, "betas": 0.1}
    shares = share_of_variance(
        decided({world: math.exp(1 + sum(w * SIGNS[world][c] for c, w in weights.items())) for world in WORLDS})
    )
    for name, weight in weights.items():
        assert shares[name] == pytest.approx(weight**2 / 0.14)
    assert sum(shares.values()) == pytest.approx(1.0)


def test_what_two_choices_do_together_is_no_main_effect():
    both = {world: math.exp(SIGNS[world]["batch"] * SIGNS[world]["bias"]) for world in WORLDS}
    assert sum(share_of_variance(decided(both)).values()) == pytest.approx(0.0, abs=1e-12)
    half = {w: math.exp(SIGNS[w]["batch"] * SIGNS[w]["bias"] + SIGNS[w]["site"]) for w in WORLDS}
    assert share_of_variance(decided(half))["site"] == pytest.approx(0.5)


def test_worlds_without_an_effect_are_left_out():
    effects = {world: 2.0 ** SIGNS[world]["site"] for world in WORLDS}
    lost = {world: None if k in (3, 9) else x for k, (world, x) in enumerate(effects.items())}
    shares = share_of_variance(decided(lost))
    assert shares.pop("site") > 0.9 and max(shares.values()) < 1e-12  # less than 1: no longer balanced
    kept = {world: x if "batch" not in unlikely(world) else None for world, x in effects.items()}
    shares = share_of_variance(decided(kept))
    assert "batch" not in shares and shares["site"] == pytest.approx(1.0)


def test_too_few_worlds_tell_no_choice_from_another():
    effects = {world: 2.0 ** (SIGNS[world]["site"] + 0.1 * SIGNS[world]["betas"]) for world in WORLDS}
    few = {world: x if k < 6 else None for k, (world, x) in enumerate(effects.items())}
    assert share_of_variance(decided(few)) == {} and share_of_variance(decided(effects)) != {}


def test_shares_equal_a_regression_worked_out_by_hand():
    rng = np.random.default_rng(0)
    chosen = [w for k, w in enumerate(WORLDS) if k not in (2, 5, 11)]
    z = rng.normal(size=len(chosen))
    shares = share_of_variance(decided(dict(zip(chosen, np.exp(z), strict=True))))
    x = np.array([[SIGNS[w][c.name] for c in MLP_CHOICES] for w in chosen], float)

    def rss(columns):
        design = np.column_stack([np.ones(len(z)), x[:, columns]])
        return float(np.sum((z - design @ np.linalg.pinv(design) @ z) ** 2))

    every = list(range(8))
    for k, choice in enumerate(MLP_CHOICES):
        want = (rss([i for i in every if i != k]) - rss(every)) / np.sum((z - z.mean()) ** 2)
        assert shares[choice.name] == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize("effects", [{}, {LIKELY: 2.0, "batch=full": 3.0}, dict.fromkeys(WORLDS, 2.0)])
def test_nothing_varies_nothing_is_shared(effects):
    assert share_of_variance(decided(effects)) == {}


def test_worlds_that_cannot_tell_choices_apart_share_nothing():
    effects = {LIKELY: 1.0, "batch=full, bias=off": 2.0, "site=post": 3.0, "site=post, batch=full, bias=off": 4.0}
    assert share_of_variance(decided(effects)) == {}
    apart = effects | {"batch=full": 5.0}
    assert set(share_of_variance(decided(apart))) == {"batch", "bias", "site"}


def test_of_several_systems_the_mean_effect_counts():
    one = decided({world: math.exp(2 * SIGNS[world]["site"]) for world in WORLDS})
    other = [d._replace(system="other") for d in decided({w: math.exp(2 * SIGNS[w]["batch"]) for w in WORLDS})]
    shares = share_of_variance([*one, *other])
    assert shares["site"] == pytest.approx(0.5) and shares["batch"] == pytest.approx(0.5)


def test_unlikely_options_are_read_from_the_name():
    assert unlikely(LIKELY) == {}
    assert unlikely("batch=full, betas=.98") == {"batch": "full", "betas": ".98"}
    assert all(set(unlikely(world.name).items()) == set(world.unlikely) for world in grid())


def test_a_verdict_comes_back_from_json():
    rule = AllOf((("one", Sooner("arm", "base", 2.0)), ("two", Sooner("base", "arm", 2.0))))
    for runs in (rows(3.0), rows(3.0)[:-1], []):
        found = verdict(claim(rule=rule), "desk", runs, [])
        back = from_json(to_json(found))
        assert back._replace(decided=()) == found._replace(decided=())
        for one, other in zip(found.decided, back.decided, strict=True):
            assert other.decision.parts == tuple((n, p._replace(estimate=q.estimate)) for (n, p), (_, q) in zip(
                one.decision.parts, other.decision.parts, strict=True))  # fmt: skip
            if one.decision.estimate is not None:
                assert other.decision.estimate[:3] == pytest.approx(one.decision.estimate[:3], rel=1e-5)
                assert other.decision.estimate.method == one.decision.estimate.method


def test_equal_rows_in_another_order_give_an_equal_verdict():
    values = [v for s in range(10) for v in read("arm", s, "x", {0: 1.0, 10: 2.0})]
    runs = rows(3.0)
    assert to_json(verdict(claim(), "desk", runs, values)) == to_json(
        verdict(claim(), "desk", runs[::-1], values[::-1])
    )


def test_the_share_that_may_disagree_is_a_quarter():
    assert analysis.RARE == 0.25
