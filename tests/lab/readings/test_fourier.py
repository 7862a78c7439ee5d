import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.readings.fourier import EmbeddingFourier, LogitFourier, NeuronFourier, gini
from anglewise.lab.readings.progress import RestrictedLoss
from anglewise.lab.readings.zhong2023_clock_pizza import ClockPizza
from anglewise.lab.tasks.modular import Modular
from tests.support.programs import quick_jit
from tests.support.readings import CASES
from tests.support.readings.circuits import Hand, classes_in_group, drawn, in_group, look_at, measured, places

ALL = (EmbeddingFourier(), NeuronFourier(), LogitFourier(), RestrictedLoss(), ClockPizza(triples=5))


def tables_of(network, task):
    """Token tables of a network, straight from its weights."""
    cycle = task.cycle
    order, found = list(cycle.order), {}
    if not hasattr(network, "layers"):
        return {"embedding": np.asarray(network.embedding, float)[order]}
    weight = np.asarray(network.layers[0].weight, float)
    for place in (cycle.a, cycle.b):
        rows = np.eye(task.tokens)
        if network.embedding is not None:
            which = 0 if network.embedding.shape[0] == 1 else place
            rows = np.asarray(network.embedding[which], float)
            found[f"embedding.{which}"] = rows[order]
        found[f"layers.0.weight.{place}"] = (rows @ np.split(weight, task.length)[place])[order]
    return found


@pytest.mark.parametrize(
    "model, task",
    [
        *CASES.values(),
        (MLP(hidden=(6,), embedding=4, shared=False), Modular(p=7, operation="*", train=0.5)),
    ],
    ids=[*CASES, "two tables"],
)
def test_every_value_of_a_token_table_is_that_of_its_discrete_fourier_transform(model, task):
    network = drawn(model, task)
    found, tables = measured(EmbeddingFourier(), task, network), tables_of(network, task)
    assert {site for site, _ in found} == set(tables)
    for name, table in tables.items():
        n = table.shape[0]
        c = np.fft.fft(table, axis=0)[1 : n // 2 + 1] / math.sqrt(n)
        size = (np.abs(c) ** 2).sum(axis=1) * np.where(2 * np.arange(1, n // 2 + 1) == n, 1, 2)
        assert float(found[name, "fourier_max"]) == pytest.approx(np.abs(c).max(), rel=1e-10)
        np.testing.assert_allclose(found[name, "fourier_power"], size / size.sum(), rtol=1e-10)
        q = size / size.sum()
        told = [] if len(q) == 1 else [-(q * np.log(q)).sum() / math.log(len(q))]
        np.testing.assert_allclose(found[name, "fourier_entropy"], *(told or [math.nan]), rtol=1e-10)
        pairwise = np.abs(np.subtract.outer(np.sqrt(size), np.sqrt(size))).sum()  # Gini's own definition
        assert float(found[name, "fourier_gini"]) == pytest.approx(
            pairwise / (2 * len(q) ** 2 * np.sqrt(size).mean()), abs=1e-10
        )
        two_waves = size[: (n - 1) // 2]
        strongest = np.argsort(-two_waves)[:4] + 1
        np.testing.assert_array_equal(found[name, "circle_frequencies"], strongest)
        for k, circle in zip(strongest, np.asarray(found[name, "circles"]), strict=True):
            angle = 2 * np.pi * k * np.arange(n) / n
            u, _, v = np.linalg.svd(np.stack([np.cos(angle), np.sin(angle)]) @ table, full_matrices=False)
            np.testing.assert_allclose(circle, (table - table.mean(axis=0)) @ (u @ v).T, atol=1e-9)


def embedded(p, table):
    """Values of a network whose one embedding is given."""
    flat = np.zeros((p, p, 1))
    return {
        name: x for (_, name), x in measured(EmbeddingFourier(), Modular(p=p), Hand(flat, flat, table[None])).items()
    }


def test_tokens_on_one_circle_have_one_frequency_and_are_drawn_where_they_are():
    p, k, size = 11, 3, 2.5
    angle = 2 * np.pi * k * np.arange(p) / p
    frame, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 2)))
    circle = size * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = embedded(p, circle @ frame.T + 7)
    np.testing.assert_allclose(found["fourier_power"], np.eye(5)[k - 1], atol=1e-12)
    assert found["fourier_entropy"] == pytest.approx(0, abs=1e-10)
    assert found["fourier_gini"] == pytest.approx(1 - 1 / 5, abs=1e-6)
    assert found["circle_frequencies"][0] == k
    np.testing.assert_allclose(found["circles"][0], circle, atol=1e-10)
    along = embedded(p, size * np.cos(angle)[:, None] * np.eye(4)[0])  # control: on a line, there is no circle
    assert along["fourier_max"] == pytest.approx(size * math.sqrt(p) / 2, rel=1e-10)
    assert np.isnan(along["circles"][0]).all()


def test_shifting_tokens_turns_circles_and_turning_the_space_leaves_them():
    p, rng = 13, np.random.default_rng(1)
    table = rng.normal(size=(p, 6))
    plain = embedded(p, table)
    turned = embedded(p, table @ np.linalg.qr(rng.normal(size=(6, 6)))[0])
    shifted = embedded(p, np.roll(table, 4, axis=0))
    for name in ("fourier_power", "fourier_entropy", "fourier_gini", "circle_frequencies"):
        np.testing.assert_allclose(turned[name], plain[name], rtol=1e-9)
        np.testing.assert_allclose(shifted[name], plain[name], rtol=1e-9)
    np.testing.assert_allclose(turned["circles"], plain["circles"], atol=1e-9)
    assert shifted["fourier_max"] == pytest.approx(plain["fourier_max"], rel=1e-9)
    radii = [np.linalg.norm(x["circles"][0], axis=1) for x in (plain, shifted)]
    np.testing.assert_allclose(radii[1], np.roll(radii[0], 4), atol=1e-9)
    # control: random tables are spread over all frequencies
    assert plain["fourier_entropy"] > 0.9 and plain["fourier_gini"] < 0.3


def test_the_gini_coefficient_is_0_for_equal_sizes_and_nan_for_a_table_of_zeros():
    assert float(gini(jnp.ones(7))) == pytest.approx(0, abs=1e-6)
    found = embedded(5, np.zeros((5, 3)))
    assert all(np.isnan(found[name]).all() for name in ("fourier_power", "fourier_entropy", "fourier_gini", "circles"))


def neurons(task, table, **fields):
    """Values for the neurons of a table over places in the group's order, [n, n, d]."""
    post = in_group(task, np.asarray(table, float))
    network = Hand(np.zeros((task.tokens, task.tokens, task.classes)), post)
    return {name: x for (_, name), x in measured(NeuronFourier(**fields), task, network).items()}


def regressed(h, which):
    """Share of variance of h [n, n] that regression on waves of k finds, for every k; `which` are pairs (u, v)."""
    n = h.shape[0]
    i, j = places(n)
    found = []
    for k in range(1, n // 2 + 1):
        angles = [2 * np.pi * k * (u * i + v * j).ravel() / n for u, v in which]
        basis = np.stack([f(x) for x in angles for f in (np.cos, np.sin)], axis=1)
        y = h.ravel() - h.mean()
        fit = basis @ np.linalg.lstsq(basis, y, rcond=1e-10)[0]
        found.append((fit**2).sum() / (y**2).sum())
    return np.array(found)


@pytest.mark.parametrize(
    "task",
    [Modular(p=7), Modular(p=8), Modular(p=7, operation="-"), Modular(p=7, operation="*")],
    ids=lambda task: f"{task.operation} {task.p}",
)
def test_a_neurons_map_is_what_regression_on_the_waves_of_each_frequency_explains(task):
    n, sign = len(task.cycle.order), task.cycle.sign
    table = np.random.default_rng(n).normal(size=(n, n, 5))
    table[..., :2] += 3 * np.cos(2 * np.pi * np.add(*places(n)) / n)[..., None]
    found = neurons(task, table, member=0.4)
    shares = np.stack([regressed(table[..., i], ((1, 0), (0, 1), (1, 1), (1, -1))) for i in range(5)])
    answer = np.stack([regressed(table[..., i], ((1, sign),)) for i in range(5)])
    best, variance = shares.max(axis=1), table.reshape(-1, 5).var(axis=0)
    np.testing.assert_allclose(found["fourier_map"], shares, rtol=1e-9)
    assert found["fourier_coherence"] == pytest.approx(best.mean(), rel=1e-9)
    assert found["fourier_coherence_sum"] == pytest.approx(answer.max(axis=1).mean(), rel=1e-9)
    assert found["own_share"] == pytest.approx((best * variance).sum() / variance.sum(), rel=1e-9)
    q = shares / shares.sum(axis=1, keepdims=True)
    entropies = -(q * np.log(q)).sum(axis=1) / math.log(n // 2)
    assert found["selectivity_entropy"] == pytest.approx(entropies.mean(), rel=1e-9)
    counts = np.bincount(shares.argmax(axis=1)[best >= 0.4], minlength=n // 2)
    assert found["live_frequencies"] == (counts > 0).sum()
    assert found["cluster_size"] == np.median(counts[counts > 0])
    full = np.abs(np.fft.fft2(table, axes=(0, 1))) / n
    ks = np.arange(1, n // 2 + 1)
    largest = max(full[u * ks, v * ks].max() for u, v in ((1, 0), (0, 1), (1, 1), (1, -1)))
    assert found["fourier_max"] == pytest.approx(largest, rel=1e-9)


def planted(p, ks):
    """A network with one-hot inputs whose i-th neuron sees cos(k_i a + phase) + cos(k_i b + phase)."""
    network = drawn(MLP(hidden=(len(ks), 3)), Modular(p=p))
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, len(ks))
    weight = np.cos(2 * np.pi * np.arange(p)[:, None] * np.asarray(ks) / p + phase)
    return eqx.tree_at(lambda w: w.layers[0].weight, network, np.tile(weight, (2, 1)))


def test_planted_cosine_weights_give_clusters_of_their_frequencies():
    reading = NeuronFourier(sites=("hidden.0.pre", "hidden.0.post"))
    found = measured(reading, Modular(p=11), planted(11, [1, 1, 1, 4, 2, 2]))
    for site in reading.sites:
        assert np.asarray(found[site, "fourier_map"]).argmax(axis=1).tolist() == [0, 0, 0, 3, 1, 1]
        assert float(found[site, "live_frequencies"]) == 3 and float(found[site, "cluster_size"]) == 2
    assert float(found["hidden.0.pre", "fourier_coherence"]) == pytest.approx(1, abs=1e-5)
    assert float(found["hidden.0.pre", "selectivity_entropy"]) == pytest.approx(0, abs=1e-4)
    # a sum f(a) + g(b) has no component in a + b, its rectification has
    assert float(found["hidden.0.pre", "fourier_coherence_sum"]) == pytest.approx(0, abs=1e-5)
    assert 0.85 < float(found["hidden.0.post", "fourier_coherence"]) < 1
    assert float(found["hidden.0.post", "fourier_coherence_sum"]) > 0.05


def test_a_neuron_of_the_answer_is_wholly_in_the_waves_of_a_plus_b_or_a_minus_b():
    i, j = places(7)
    difference = np.cos(2 * np.pi * 2 * (i - j) / 7)[..., None]
    assert neurons(Modular(p=7, operation="-"), difference)["fourier_coherence_sum"] == pytest.approx(1)
    assert neurons(Modular(p=7), difference)["fourier_coherence_sum"] == pytest.approx(0, abs=1e-12)
    assert neurons(Modular(p=7), difference)["fourier_coherence"] == pytest.approx(1)


def test_multiplication_in_the_order_of_its_primitive_root_is_addition():
    table = np.random.default_rng(5).normal(size=(10, 10, 4))
    one, other = neurons(Modular(p=11, operation="*"), table), neurons(Modular(p=10), table)
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=1e-12, err_msg=name)


def test_permuting_neurons_permutes_the_map_alone_and_shifting_tokens_changes_nothing():
    rng = np.random.default_rng(2)
    table, order = rng.normal(size=(7, 7, 6)), rng.permutation(6)
    plain, mixed = neurons(Modular(p=7), table), neurons(Modular(p=7), table[..., order])
    shifted = neurons(Modular(p=7), np.roll(table, (2, 3), axis=(0, 1)))
    np.testing.assert_allclose(mixed.pop("fourier_map"), plain["fourier_map"][order], rtol=1e-12)
    for name, value in mixed.items():
        np.testing.assert_allclose(value, plain[name], rtol=1e-12, err_msg=name)
    for name, value in shifted.items():
        np.testing.assert_allclose(value, plain[name], rtol=1e-9, err_msg=name)


def test_dead_neurons_are_left_out_and_have_no_map():
    table = np.random.default_rng(3).normal(size=(7, 7, 3))
    plain = neurons(Modular(p=7), table)
    found = neurons(Modular(p=7), np.concatenate([np.full((7, 7, 2), 4.0), table], axis=-1))
    shares = found.pop("fourier_map")
    assert np.isnan(shares[:2]).all()
    np.testing.assert_allclose(shares[2:], plain["fourier_map"], rtol=1e-12)
    for name, value in found.items():
        np.testing.assert_allclose(value, plain[name], rtol=1e-12, err_msg=name)
    dead = neurons(Modular(p=7), np.zeros((7, 7, 2)))
    assert dead["live_frequencies"] == 0
    undefined = ("fourier_coherence", "fourier_coherence_sum", "own_share", "selectivity_entropy", "cluster_size")
    assert all(np.isnan(dead[name]) for name in undefined)


def test_an_untrained_network_is_near_the_chance_level():
    # f(a) + g(b) with random f, g has 4 of its 2(n - 1) dimensions at each frequency: 1/f on average, at best more
    found = measured(NeuronFourier(), Modular(p=31), drawn(MLP(hidden=(64, 32)), Modular(p=31)))
    f = 15
    first = found["hidden.0.post", "fourier_coherence"]
    assert 1 / f < first < 5 / f and found["hidden.0.post", "fourier_coherence_sum"] < 0.02
    assert found["hidden.0.post", "live_frequencies"] == 0 and np.isnan(found["hidden.0.post", "cluster_size"])
    assert found["hidden.0.post", "selectivity_entropy"] > 0.8
    # a table without any structure has 8 of n^2 - 1
    noise = neurons(Modular(p=31), np.random.default_rng(0).normal(size=(31, 31, 20)))
    assert 8 / (31**2 - 1) < noise["fourier_coherence"] < 4 * 8 / (31**2 - 1)


def logits_of(task, logits, **fields):
    """Values for logits over places in the group's order, [n, n, n]."""
    network = Hand(classes_in_group(task, logits), np.zeros((task.tokens, task.tokens, 1)))
    return {name: x for (_, name), x in measured(LogitFourier(**fields), task, network).items()}


def waves_of_the_answer(n, sign, sizes):
    """Logits sum_k size_k cos(k (a + sign b - c)), [n, n, n]."""
    i, j = places(n)
    d = i[..., None] + sign * j[..., None] - np.arange(n)
    return sum(size * np.cos(2 * np.pi * k * d / n) for k, size in sizes.items())


@pytest.mark.parametrize("operation, p", [("+", 11), ("-", 11), ("*", 11)])
def test_logits_have_the_shares_of_the_cosines_that_they_are_made_of(operation, p):
    task = Modular(p=p, operation=operation)
    n, sign = len(task.cycle.order), task.cycle.sign
    noise = np.random.default_rng(0).normal(size=(n, n, n))
    logits = waves_of_the_answer(n, sign, {1: 1.0, 3: 2.0, 4: 0.5}) + noise
    found = logits_of(task, logits, best=2)
    i, j = places(n)
    centred = logits - logits.mean(axis=-1, keepdims=True)
    wanted = []
    for k in range(1, n // 2 + 1):
        wave = np.cos(2 * np.pi * k * (i[..., None] + sign * j[..., None] - np.arange(n)) / n)
        wanted.append((centred * wave).sum() ** 2 / (wave**2).sum() / (centred**2).sum())
    np.testing.assert_allclose(found["logit_fourier"], wanted, rtol=1e-9)
    assert found["logit_coherence"] == pytest.approx(sum(wanted), rel=1e-9)
    assert found["logit_coherence_best"] == pytest.approx(sum(sorted(wanted)[-2:]), rel=1e-9)
    # what is added to all logits of a pair changes no probability, nor this
    moved = logits_of(task, logits + 5 * np.random.default_rng(1).normal(size=(n, n, 1)), best=2)
    np.testing.assert_allclose(moved["logit_fourier"], wanted, rtol=1e-9)
    clean = logits_of(task, waves_of_the_answer(n, sign, {1: 1.0, 3: 2.0}))
    np.testing.assert_allclose(clean["logit_fourier"], 0.2 * np.eye(n // 2)[0] + 0.8 * np.eye(n // 2)[2], atol=1e-12)
    assert logits_of(task, noise)["logit_coherence"] < 0.05  # control: no circuit
    if operation != "*":
        other = Modular(p=p, operation={"+": "-", "-": "+"}[operation])
        assert logits_of(other, waves_of_the_answer(n, sign, {3: 2.0}))["logit_coherence"] < 1e-12


def test_a_transformers_neurons_are_read_at_the_last_position():
    model, task = Transformer(layers=1, width=8, heads=2, mlp=5, positions="all"), Modular(p=5, form="a op b =")
    network = drawn(model, task)
    inputs, _ = task.table()
    h = np.asarray(quick_jit(lambda w: w(inputs)[1]["block.0.mlp.post"])(network))[-1].reshape(5, 5, 5)
    shares = [regressed(h[..., i], ((1, 0), (0, 1), (1, 1), (1, -1))) for i in range(5)]
    found = measured(NeuronFourier(), task, network)
    np.testing.assert_allclose(found["block.0.mlp.post", "fourier_map"], shares, rtol=1e-3)


def test_readings_of_a_batch_of_networks_are_those_of_each():
    model, task = CASES["mlp"]
    networks = [drawn(model, task, seed) for seed in (0, 1)]
    at, _ = look_at(task, networks[0])

    def measure(params):
        snapshot, found = at(params), {}
        for reading in ALL:
            assert reading.suits(task, model)
            found |= reading.measure(snapshot)
        return found

    together = quick_jit(jax.vmap(measure))(jax.tree.map(lambda *w: jnp.stack(w), *networks))
    alone = quick_jit(measure)
    for k, network in enumerate(networks):
        for key, value in alone(network).items():
            assert value.dtype == jnp.float32, key
            np.testing.assert_allclose(together[key][k], value, rtol=2e-3, atol=2e-4, err_msg=str(key))


def test_no_reading_suits_a_task_without_a_cycle():
    model, task = MLP(hidden=(4,)), Modular(p=5, operation="x^2+xy+y^2")
    assert not any(reading.suits(task, model) for reading in ALL)
