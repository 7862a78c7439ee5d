"""Ranges of fields, drawn automatically from every class in the catalogue: a new field is covered when it is added."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anglewise.errors import SpecError
from anglewise.lab import catalogue
from anglewise.lab.experiments.config import overlay
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import FLOAT, INT, NOT_NEGATIVE, SEED, Bound, bounded, check, fields_of
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.schedule import Cosine, Linear, Recorded, Schedule, Until, Warmup
from anglewise.lab.readings.sets import READINGS
from anglewise.lab.spec import Arm, Experiment, Run, Training, content_hash
from anglewise.lab.studies.leaderboard import leaderboards
from anglewise.lab.tasks.held_out import HeldOut
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tuning.search import Search, centre, placed

MADE = {"values": (1.0,), "value": 1.0, "start": 1.0, "end": 0.0, "steps": 3.0}
"""What schedules need."""


def plain(cls):
    required = {f.name: MADE[f.name] for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING}
    return cls(**required)


KINDS = {**catalogue.TASKS, **catalogue.MODELS, **catalogue.METHODS, **catalogue.SCHEDULES}
PARTS = [
    *map(plain, KINDS.values()), *READINGS.values(), Training(), Search(), HeldOut(Modular(p=13)),
    Experiment("e", Modular(p=13), catalogue.MODELS["mlp"](), (Arm("a", (AdamW(),)),)),
]  # fmt: skip
NUMBERS = [(made, field) for made in PARTS for field in fields_of(type(made)) if field.kind in (int, float)]
TEXTS = [(made, field) for made in PARTS for field in fields_of(type(made)) if field.kind in (str, Literal)]
ids = [f"{type(made).__name__}.{field.name}" for made, field in NUMBERS]
CLOSE = [0, 1, -1, 0.5, 2, 1e-30, -1e-30]
FAR = [2**31, 2**32, 2**63, 2**64, -(2**63), 10**30, 10**400, float("nan"), float("inf"), float("-inf"), 1e39, -1e39]
numbers = st.sampled_from(CLOSE + FAR) | st.integers() | st.floats()


def test_every_number_says_its_range():
    """Declare it beside the field: Annotated[float, NOT_NEGATIVE]."""
    assert [name for name, (_, field) in zip(ids, NUMBERS, strict=True) if field.bound is None] == []


@pytest.mark.parametrize(("made", "field"), NUMBERS, ids=ids)
@settings(max_examples=25, deadline=None)
@given(number=numbers)
def test_a_number_serves_or_is_refused_in_one_line(made, field, number):
    number = float(number) if field.kind is float and abs(number) < 1e308 else number
    wrong = field.bound.wrong(number, field.kind)
    value = (number,) if isinstance(getattr(made, field.name), tuple) else number
    try:
        content_hash(dataclasses.replace(made, **{field.name: value}))
    except SpecError as error:
        assert str(error).count("\n") == 0 and len(str(error)) < 400
    else:
        assert not wrong


@pytest.mark.parametrize("number", [10**400, -(10**400), float("nan"), 1e39])
def test_what_the_engine_cannot_hold_is_refused_everywhere(number):
    for made, field in NUMBERS:
        value = (number,) if isinstance(getattr(made, field.name), tuple) else number
        with pytest.raises(SpecError, match=rf"{field.name} must .*, got "):
            dataclasses.replace(made, **{field.name: value})


tables = st.recursive(
    st.booleans() | numbers | st.text(max_size=20) | st.just(datetime.date(2026, 1, 1)) | st.just("\udcff"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["is", "value", "x"]), inner),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(part=st.sampled_from(NUMBERS + TEXTS), table=tables)
def test_whatever_stands_in_a_file_serves_or_is_refused_in_one_line(part, table):
    made, field = part
    try:
        content_hash(overlay(made, {field.name: table}, "here"))
    except SpecError as error:
        assert str(error).count("\n") == 0 and len(str(error)) < 700


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lr": -0.1}, "AdamW.lr must be at least 0, got -0.1"),
        ({"beta1": 2.0}, "AdamW.beta1 must lie in [0, 1), got 2.0"),
        ({"beta2": 1.0}, "AdamW.beta2 must lie in [0, 1), got 1.0"),
        ({"lr": 1e39}, "AdamW.lr must be a finite number of float32, got 1e+39"),
        ({"eps": 10**400}, "AdamW.eps must be a finite number of float32, got a number of about 401 digits"),
        ({"lr": Warmup(-1.0)}, "AdamW.lr must be at least 0, got -1.0"),
        ({"wd": Linear(1.0, -1.0, 5.0)}, "AdamW.wd must be at least 0, got -1.0"),
        ({"wd": Cosine(-2.0, 1.0, 5.0)}, "AdamW.wd must be at least 0, got -2.0"),
        ({"wd": Until(1.0, 5.0, -3.0)}, "AdamW.wd must be at least 0, got -3.0"),
        ({"wd": Recorded((1.0, -4.0))}, "AdamW.wd must be at least 0, got -4.0"),
        ({"decay": "none"}, "unknown AdamW.decay 'none': Known: all, matrices"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(fields, message):
    with pytest.raises(SpecError) as error:
        AdamW(**fields)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Warmup(0.1, -5.0), "Warmup.steps must be above 0, got -5.0"),
        (lambda: Warmup(0.1, 5.0, -1.0), "Warmup.offset must be at least 0, got -1.0"),
        (lambda: Training(split_seed=SEED + 1), "training.split_seed must be at most 4294967295, got 4294967296"),
        (lambda: Training(budget=INT + 1), "training.budget must be at most 2147483647, got 2147483648"),
        (lambda: Modular(operation="x" * 1001), "Modular.operation must have at most 1,000 characters, got 1,001"),
        (lambda: Arm("\udcff", (AdamW(),)), r"Arm.name must be text that UTF-8 can hold, got '\udcff'"),
    ],
)
def test_other_parts_are_checked_alike(made, message):
    with pytest.raises(SpecError) as error:
        made()
    assert str(error.value) == message


def test_a_seed_beyond_32_bits_is_refused_since_it_would_be_an_earlier_one():
    from anglewise.lab.engine.rng import stream

    parts = PARTS[-1]
    assert jnp.array_equal(*(jax.random.key_data(stream(seed, "init")) for seed in (0, 2**32)))  # why
    assert [run.seed for run in dataclasses.replace(parts, first_seed=SEED, seeds=1).runs()] == [SEED]
    for fields in ({"first_seed": SEED + 1}, {"first_seed": SEED, "seeds": 2}):
        with pytest.raises(SpecError, match="must be at most 4,?294,?967,?295, got 4,?294,?967,?296"):
            dataclasses.replace(parts, **fields)
    with pytest.raises(SpecError, match="Run.seed must be at most"):
        Run("e", parts.task, parts.model, parts.arms[0], parts.training, 2**32)


def test_a_method_of_the_users_own_is_covered_without_a_word():
    @method
    class Mine(Method):
        size: Annotated[float | Schedule, NOT_NEGATIVE] = 1.0
        count: int = 1
        names: tuple[str, ...] = ()

        def __post_init__(self):
            if self.count == 13:
                raise SpecError("13 is unlucky")

    assert Mine(count=-7).count == -7  # a number that declares nothing may be anything that the engine holds
    for fields in ({"size": -1.0}, {"count": 2**31}, {"names": ("\udcff",)}, {"count": 13}):
        with pytest.raises(SpecError):
            Mine(**fields)


def test_what_stands_for_a_number_in_a_program_is_not_looked_at():
    @jax.jit
    def made(lr):
        return AdamW(lr=-lr).lr

    assert made(3.0) == -3.0
    stacked = jax.tree.map(lambda x: jnp.stack([x, -x]), jax.tree.map(jnp.asarray, AdamW(lr=0.1)))
    assert jax.vmap(lambda m: m.lr)(stacked).tolist() == pytest.approx([0.1, -0.1])


def test_a_check_is_made_once_for_a_class_that_inherits_it():
    @bounded
    class First:
        def __post_init__(self):
            seen.append(1)

    seen = []
    second = dataclasses.dataclass(frozen=True)(bounded(type("Second", (First,), {"__annotations__": {}})))
    second()
    assert seen == [1] and second.__post_init__ is First.__post_init__
    assert bounded(type("Third", (), {})).__post_init__ is check


@pytest.mark.parametrize(
    ("bound", "value", "kind", "said"),
    [
        (Bound(0, 1), 2, float, "lie in [0, 1]"),
        (Bound(0, 1, above=True, below=True), 0, float, "lie in (0, 1)"),
        (Bound(0, 10**9), 10**10, int, "be at most 1000000000"),
        (Bound(0, 10**9, below=True), 10**9, int, "be below 1000000000"),
        (Bound(high=3), -(2**40), int, "be at least -2147483647"),
        (Bound(), 2**40, int, "be at most 2147483647"),
        (Bound(), 2 * FLOAT, float, "be a finite number of float32"),
        (Bound(), FLOAT, float, ""),
    ],
)
def test_a_bound_says_the_end_that_was_passed(bound, value, kind, said):
    assert bound.wrong(value, kind) == said


@pytest.mark.parametrize("track", leaderboards.LEADERBOARDS)
def test_every_corner_of_every_search_is_an_arm_that_stands_there(track):
    for candidate in leaderboards.LEADERBOARDS[track].candidates:
        for corner in (0.0, 1.0):
            corners = [corner] * len(candidate.axes)
            there = dataclasses.replace(candidate, arm=placed(candidate, corners, "corner"))
            assert centre(there) == pytest.approx(corners, abs=1e-4), candidate.arm.name
