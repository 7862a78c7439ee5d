import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.methods.dataclass import at_step
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.schedules import Cosine, Linear, Schedule, Until, Warmup, schedule

REFERENCES = [
    (Warmup(0.3, 10.0), lambda n: 0.3 * min(1, (n + 1) / 10)),
    (
        Warmup(0.3, 10.0, offset=0.0),
        lambda n: 0.3 * min(1, n / 10),
    ),  # the first update has rate 0, as released
    (Warmup(0.3, 1.0), lambda n: 0.3),
    (Linear(1.0, 0.2, 8.0), lambda n: 1 - 0.8 * min(1, n / 8)),
    (Cosine(1.0, 0.2, 8.0), lambda n: 0.6 + 0.4 * math.cos(math.pi * min(1, n / 8))),
    (Until(0.5, 4.0), lambda n: 0.5 if n < 4 else 0.0),
    (Until(0.5, 4.0, after=0.1), lambda n: 0.5 if n < 4 else 0.1),
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
