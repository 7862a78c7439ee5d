import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.experiments.config import overlay
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.protocols.dataclass import at_step
from anglewise.lab.protocols.schedule import Cosine, Linear, Recorded, Schedule, Until, Warmup, WarmupCosine, schedule
from anglewise.lab.spec import Arm, Experiment, content_hash, to_json
from anglewise.lab.tasks.modular import Modular


def falling(value, floor, done):
    """Half a cosine from `value` to `floor` times it."""
    return value * (floor + (1 - floor) * (1 + math.cos(math.pi * min(1, done))) / 2)


REFERENCES = [
    (Warmup(0.3, 10.0), lambda n: 0.3 * min(1, (n + 1) / 10)),
    (
        Warmup(0.3, 10.0, offset=0.0),
        lambda n: 0.3 * min(1, n / 10),
    ),  # the first update has rate 0, as released
    (Warmup(0.3, 1.0), lambda n: 0.3),
    (Linear(1.0, 0.2, 8.0), lambda n: 1 - 0.8 * min(1, n / 8)),
    (Cosine(1.0, 0.2, 8.0), lambda n: 0.6 + 0.4 * math.cos(math.pi * min(1, n / 8))),
    (WarmupCosine(0.3, 10.0, 3.0, 0.1), lambda n: 0.3 * (n + 1) / 4 if n < 3 else falling(0.3, 0.1, (n - 3) / 7)),
    (WarmupCosine(0.3, 8.0, 0.0, 0.0), lambda n: falling(0.3, 0.0, n / 8)),
    (Until(0.5, 4.0), lambda n: 0.5 if n < 4 else 0.0),
    (Until(0.5, 4.0, after=0.1), lambda n: 0.5 if n < 4 else 0.1),
    (Recorded((1.0, 3.0, 2.0), 4.0), lambda n: np.interp(n, [0, 4, 8], [1, 3, 2])),
    (Recorded((0.7,), 3.0), lambda n: 0.7),
]


@pytest.mark.parametrize(("made", "reference"), REFERENCES, ids=lambda x: str(x) if isinstance(x, Schedule) else "")
def test_a_schedule_follows_its_formula(made, reference):
    steps = jnp.arange(15)
    wanted = np.array([reference(n) for n in range(15)])
    np.testing.assert_allclose(jax.jit(jax.vmap(made))(steps), wanted, atol=1e-7)
    assert float(made(3)) == pytest.approx(reference(3), abs=1e-7)


def test_a_schedules_numbers_may_be_one_per_member():
    many = Warmup(jnp.array([0.1, 0.2]), jnp.array([10.0, 2.0]), jnp.ones(2))
    found = jax.vmap(lambda made: made(0))(many)
    np.testing.assert_allclose(found, [0.01, 0.1], rtol=1e-6)


def test_a_method_sees_numbers_only():
    made = AdamW(lr=Linear(1.0, 0.0, 4.0), wd=2.0)
    now = at_step(made, 1)
    assert float(now.lr) == 0.75 and now.wd == 2.0 and isinstance(made.lr, Linear)
    plain = AdamW(lr=0.1)
    assert at_step(plain, 1) is plain


def test_a_schedule_without_a_formula_says_what_to_do():
    @schedule
    class Empty(Schedule):
        value: float = 1.0

    with pytest.raises(TypeError, match=r"^Empty is no schedule: define __call__\(step\)$"):
        Empty()(0)


def test_a_recorded_trajectory_may_be_one_per_member():
    members = [Recorded((1.0, 2.0), 2.0), Recorded((5.0, 3.0), 4.0)]
    many = jax.tree.map(lambda *xs: jnp.stack(xs), *(jax.tree.map(jnp.asarray, m) for m in members))
    for step in (0, 1, 3, 9):
        found = jax.jit(jax.vmap(lambda made, step=step: made(step)))(many)
        np.testing.assert_allclose(found, [m(step) for m in members], rtol=1e-6)
    assert jax.tree.structure(members[0]) == jax.tree.structure(members[1])
    assert jax.tree.structure(members[0]) != jax.tree.structure(Recorded((1.0,)))  # control: another number of values


def test_a_recorded_trajectory_is_part_of_a_runs_identity():
    made = Recorded((1.0, 2.0), 2.0)
    told = to_json(made)
    assert told == {"is": "Recorded", "values": [1.0, 2.0], "every": 2.0}
    assert Recorded(tuple(told["values"]), told["every"]) == made and hash(made)
    assert content_hash(made) != content_hash(Recorded((1.0, 2.1), 2.0))


@pytest.mark.parametrize("values", [[1, 2.5], "1,2.5"], ids=str)
def test_a_recorded_trajectory_can_be_written_down(values):
    arm = Arm("a", (RadialPenalty(), AdamW()))
    base = Experiment("base", Modular(p=5), MLP(hidden=(4,)), (arm,))
    made = overlay(base, {"arms": {"a": {"radial": {"target": {"is": "recorded", "values": values, "every": 5}}}}}, "")
    assert made.arms[0].methods[0].target == Recorded((1.0, 2.5), 5.0)
    with pytest.raises(SpecError, match=r"^arms\.a\.radial\.target\.values: expected a number, got 'x'$"):
        overlay(base, {"arms": {"a": {"radial": {"target": {"is": "recorded", "values": "1,x"}}}}}, "")


@pytest.mark.parametrize(
    ("values", "every", "message"),
    [
        ((), 1.0, "a recorded schedule needs at least one value, got none"),
        ((1.0,), 0.0, "Recorded.every must be above 0, got 0.0"),
    ],
)
def test_a_recorded_trajectory_that_cannot_be_meant_is_refused(values, every, message):
    with pytest.raises(SpecError) as error:
        Recorded(values, every)
    assert str(error.value) == message
