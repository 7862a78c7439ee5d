"""The compass finds the plane in which an answer is a direction, and says nothing of sums that it was not shown."""

import jax
import jax.numpy as jnp
import numpy as np

from anglewise.lab.watch.play.compass import plane_of

P, D, K = 31, 48, 7


def activations(answers, plane, noise, rng):
    turns = 2 * np.pi * K * answers / P
    return (
        np.cos(turns)[:, None] * plane[0]
        + np.sin(turns)[:, None] * plane[1]
        + noise * rng.normal(size=(len(answers), D))
    )


def off(h, answers, seen):
    k, plane = plane_of(*map(jnp.asarray, seen), P)
    x, y = np.asarray(plane) @ (h - seen[0].mean(0)).T
    turns = np.arctan2(y, x) / (2 * np.pi) - int(k) * answers / P
    return int(k), 360 * np.abs((turns + 0.5) % 1 - 0.5).mean()


def test_a_rule_is_found_with_its_frequency_and_unseen_sums_point_where_they_belong():
    rng = np.random.default_rng(0)
    plane = np.linalg.qr(rng.normal(size=(D, 2)))[0].T * 3
    seen, unseen = rng.integers(0, P, 400), rng.integers(0, P, 200)
    with jax.enable_x64(True):
        k, degrees = off(activations(unseen, plane, 0.2, rng), unseen, (activations(seen, plane, 0.2, rng), seen))
    assert k == K and degrees < 10


def test_control_without_a_rule_unseen_sums_point_at_random():
    rng = np.random.default_rng(1)
    seen, unseen = rng.integers(0, P, 400), rng.integers(0, P, 400)
    _, degrees = off(rng.normal(size=(400, D)), unseen, (rng.normal(size=(400, D)), seen))
    assert 80 < degrees < 100
