import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.readings.progress import RestrictedLoss, small_loss
from anglewise.lab.tasks.modular import Modular
from tests.support.readings.circuits import Hand, classes_in_group, look_at, measured, places


def losses(task, logits, **fields):
    """Values for logits over tokens and classes, [tokens, tokens, classes]."""
    network = Hand(logits, np.zeros((task.tokens, task.tokens, 1)))
    return {name: x for (_, name), x in measured(RestrictedLoss(**fields), task, network).items()}


def cross_entropy(z, y):
    return np.mean(
        [np.log(np.exp(row - row.max()).sum()) + row.max() - row[label] for row, label in zip(z, y, strict=True)]
    )


def reference(task, logits, most=5, cover=0.95):
    """Every value, by regressing each class's logits on the waves of the key frequencies over all pairs."""
    order, sign = np.asarray(task.cycle.order), task.cycle.sign
    n = len(order)
    i, j = (x.ravel() for x in places(n))
    z, labels = logits[order[i], order[j]], order[(i + sign * j) % n]
    own = z[:, order] - z[:, order].mean(axis=1, keepdims=True)
    d = (i + sign * j)[:, None] - np.arange(n)
    strength = np.array(
        [
            (own * np.cos(2 * np.pi * k * d / n)).sum() ** 2 / (np.cos(2 * np.pi * k * d / n) ** 2).sum()
            for k in range(1, n // 2 + 1)
        ]
    )
    key, held = [], 0.0
    for k in np.argsort(-strength)[:most]:
        if held >= cover * strength.sum():
            break
        key.append(k + 1)
        held += strength[k]
    angles = [2 * np.pi * k * (i + sign * j) / n for k in key]
    basis = np.stack([f(angle) for angle in angles for f in (np.cos, np.sin)], axis=1)
    mean = z.mean(axis=0)
    circuit = basis @ np.linalg.lstsq(basis, z - mean, rcond=1e-10)[0]
    at = {(order[a], order[b]): row for a, b, row in zip(i, j, range(n * n), strict=True)}
    data = look_at(task, Hand(logits, logits))[0](None).data
    pairs = zip(np.asarray(data.train_inputs), data.train_labels, strict=True)
    train = [(at[a, b], y) for (a, b), y in pairs if (a, b) in at]
    rows, answers = [row for row, _ in train], [int(y) for _, y in train]
    return {
        "restricted_loss": cross_entropy(mean + circuit, labels),
        "excluded_loss": cross_entropy((z - circuit)[rows], answers),
        "full_loss": cross_entropy(z, labels),
        "key_frequency_count": len(key),
        "key_frequencies": np.array(key + [math.nan] * (min(most, n // 2) - len(key))),
    }


def circuit(task, sizes):
    """Logits sum_k size_k cos(k (a + b - c)), over tokens and classes."""
    n, sign = len(task.cycle.order), task.cycle.sign
    i, j = places(n)
    d = i[..., None] + sign * j[..., None] - np.arange(n)
    return classes_in_group(task, sum(size * np.cos(2 * np.pi * k * d / n) for k, size in sizes.items()))


@pytest.mark.parametrize("operation, p, fields", [("+", 9, {}), ("-", 8, {"most": 2}), ("*", 7, {"cover": 0.5})])
def test_losses_are_those_of_logits_projected_by_regression(operation, p, fields):
    task = Modular(p=p, operation=operation, train=0.5)
    noise = np.random.default_rng(p).normal(size=(p, p, p))
    logits = circuit(task, {1: 0.8, 2: 2.0}) + noise
    found, wanted = losses(task, logits, **fields), reference(task, logits, **fields)
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, err_msg=name)


def test_the_circuit_alone_has_all_of_the_loss_and_nothing_is_left_without_it():
    task = Modular(p=11, train=0.5)
    found = losses(task, circuit(task, {1: 4.0, 3: 4.0, 5: 4.0}))
    assert found["full_loss"] < 0.1
    assert found["restricted_loss"] == pytest.approx(float(found["full_loss"]), rel=1e-9)
    assert found["excluded_loss"] == pytest.approx(math.log(11), rel=1e-9)
    assert found["key_frequency_count"] == 3 and set(found["key_frequencies"][:3]) == {1, 3, 5}
    assert np.isnan(found["key_frequencies"][3:]).all()


def test_a_network_that_has_memorised_has_no_circuit_and_loses_nothing_without_it():
    task = Modular(p=31, train=0.3)
    data = look_at(task, Hand(np.zeros((31, 31, 31)), np.zeros((31, 31, 1))))[0](None).data
    rng = np.random.default_rng(0)
    inputs, answers = np.asarray(data.train_inputs), np.asarray(data.train_labels)
    found = []
    for labels in (answers, rng.permutation(answers)):  # the true labels, and random ones
        logits = rng.normal(size=(31, 31, 31))
        logits[inputs[:, 0], inputs[:, 1], labels] += 12
        found.append(losses(task, logits, most=3))
    assert found[0]["restricted_loss"] > 2.5 and found[0]["excluded_loss"] < 0.1
    assert found[1]["restricted_loss"] > math.log(31) - 0.2
    # a table of true answers, taken over equal sums, is itself a weak circuit of all frequencies: with all of them kept
    # it answers; the few key frequencies of a large group are what makes the restricted loss tell
    logits[...] = rng.normal(size=(31, 31, 31))
    logits[inputs[:, 0], inputs[:, 1], answers] += 12
    assert losses(task, logits, most=15, cover=1.0)["restricted_loss"] < 1.5


def test_losses_of_an_untrained_network_are_near_those_of_chance():
    task = Modular(p=11, train=0.5)
    found = losses(task, 0.1 * np.random.default_rng(0).normal(size=(11, 11, 11)))
    for name in ("restricted_loss", "excluded_loss", "full_loss"):
        assert found[name] == pytest.approx(math.log(11), abs=0.05)


def test_logits_without_any_variation_have_no_key_frequency():
    task = Modular(p=5, train=0.5)
    found = losses(task, np.zeros((5, 5, 5)))
    assert found["key_frequency_count"] == 0 and np.isnan(found["key_frequencies"]).all()
    assert all(float(found[name]) == pytest.approx(math.log(5)) for name in ("restricted_loss", "excluded_loss"))


def test_tiny_and_huge_losses_keep_their_relative_precision_in_float32():
    logits = np.array([[30.0, 0, -1], [0, 30, 0], [0.1, 0.2, 0.3], [500, 0, 0], [-200, 0, 0]], np.float32)
    labels = np.array([0, 1, 2, 2, 0])
    found = np.asarray(jax.jit(small_loss)(jnp.asarray(logits), jnp.asarray(labels)))
    wide = logits.astype(np.float64)
    wanted = [
        np.log1p(np.exp(np.delete(row, y) - row[y]).sum()) if y != 2 or row[0] < 1 else row[0] - row[y]
        for row, y in zip(wide, labels, strict=True)
    ]
    assert found.dtype == np.float32 and wanted[0] < 1e-12
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    usual = -jax.nn.log_softmax(jnp.asarray(logits))[0, 0]
    assert float(usual) == 0  # control
