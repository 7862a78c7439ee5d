"""Shapes and types in signatures are checked while the tests run, and only then."""

from __future__ import annotations

import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest
from jaxtyping import TypeCheckError

from anglewise.lab.methods.logits import Temperature
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.protocols.loss import cross_entropy
from anglewise.lab.readings.motion import angle

LOGITS, LABELS = jnp.ones((3, 4)), jnp.zeros(3, jnp.int32)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: cross_entropy(LOGITS, LABELS[:1]),  # would be broadcast without a word
        lambda: cross_entropy(LOGITS, LOGITS[:, 0]),
        lambda: jax.jit(cross_entropy)(LOGITS, LABELS[:1]),
        lambda: jax.vmap(cross_entropy)(LOGITS[None], LABELS[None, :1]),
        lambda: Temperature(2.0).loss(LOGITS, LABELS[:1]),
        lambda: angle(LOGITS, LOGITS[:1]),
    ],
)
def test_a_wrong_shape_is_caught(wrong):
    with pytest.raises(TypeCheckError):
        wrong()


def test_control_a_right_shape_passes():
    assert cross_entropy(LOGITS, LABELS).shape == jax.jit(cross_entropy)(LOGITS, LABELS).shape == (3,)
    assert angle(LOGITS, LOGITS).shape == (3,)


def test_what_jax_rebuilds_is_not_checked():
    assert jax.tree.map(lambda _: "any", AdamW()).lr == "any"


def test_nothing_is_checked_for_users():
    code = (
        "import jax.numpy as jnp; from anglewise.lab.protocols.loss import cross_entropy; import sys; "
        "print(cross_entropy(jnp.ones((3, 4)), jnp.zeros(1, int)).shape, 'beartype' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "(3,) False"
