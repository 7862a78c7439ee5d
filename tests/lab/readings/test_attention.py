import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols.model import Site
from anglewise.lab.readings.attention import Attention, matrix_entropy
from anglewise.lab.tasks.modular import Modular
from tests.support.programs import quick_jit
from tests.support.readings import PAIRS, SEQUENCES, looking

READING = Attention(rows=4, few=3)
MODELS = {
    "all positions": Transformer(layers=2, width=8, heads=2, positions="all"),
    "last position": Transformer(layers=2, width=8, heads=2),
    "not causal": Transformer(layers=1, width=8, heads=2, positions="all", causal=False),
}


def entropy(p):
    return -sum(x * np.log(x) for x in p if x > 0)


def gram_entropy(z):
    """By singular values, which never form a Gram matrix."""
    q = np.linalg.svd(z, compute_uv=False) ** 2
    return entropy(q / q.sum()) / np.log(min(z.shape))


def obvious(activations, model, length, few):
    """Everything by loops over blocks, heads, examples and queries."""
    found, sinks = {}, []
    for k in range(model.layers):
        a = np.asarray(activations[f"block.{k}.attention.weights"], np.float64)
        h = np.asarray(activations[f"block.{k}.out"], np.float64)
        positions, n = a.shape[:2]
        by_head, entropies, uniform = [], [], []
        for head in range(model.heads):
            to_first, entropies_of_head = [], []
            for at in range(positions):
                query = length - positions + at
                seen = query + 1 if model.causal else length
                if seen == 1:
                    continue
                uniform.append(1 / seen)
                for example in range(n):
                    weights = a[at, example, head * length : (head + 1) * length]
                    assert weights.sum() == pytest.approx(1) and not weights[seen:].any()
                    to_first.append(weights[0])
                    entropies_of_head.append(entropy(weights) / np.log(seen))
            by_head.append(np.mean(to_first))
            entropies.append(np.mean(entropies_of_head))
        sinks += by_head
        site, u = f"block.{k}.attention.weights", np.mean(uniform)
        found[site, "sink"], found[site, "sink_by_head"] = np.mean(by_head), by_head
        found[site, "sink_excess"] = (np.mean(by_head) - u) / (1 - u)
        found[site, "attention_entropy"] = np.mean(entropies)
        found[site, "attention_entropy_by_head"] = entropies
        site = f"block.{k}.out"
        found[site, "massive"] = np.abs(h[:, :few]).max() / np.median(np.abs(h[:, :few]))
        found[site, "matrix_entropy"] = gram_entropy(h[-1])
        if positions > 1:
            found[site, "prompt_entropy"] = np.mean([gram_entropy(h[:, i]) for i in range(few)])
    found["", "sink_rate"] = np.mean([sink > 0.3 for sink in sinks])
    return found


@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_the_obvious_computation(name):
    model = MODELS[name]
    with jax.enable_x64(True):
        at, params = looking(model, SEQUENCES)

        @quick_jit
        def both(params):
            snapshot = at(params)
            return dict(READING.measure(snapshot)), snapshot.forward("train", 4).activations

        found, activations = both(params)
    expected = obvious(activations, model, 3, 3)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-8, atol=1e-12, err_msg=str(name))


def given(weights, stream=None, **fields):
    """The reading of attention weights [positions, n, heads, length] and a stream that are simply given."""
    positions, n, heads, _ = weights.shape
    stream = np.random.default_rng(0).normal(size=(positions, n, 6)) if stream is None else stream
    activations = {
        "block.0.attention.weights": jnp.asarray(weights.reshape(positions, n, -1), jnp.float32),
        "block.0.attention.out": None,  # not read
        "block.0.out": jnp.asarray(stream, jnp.float32),
    }
    model = Transformer(layers=1, width=4 * heads, heads=heads, **fields)
    kinds = {"block.0.attention.weights": "attention", "block.0.attention.out": "output", "block.0.out": "block"}
    network = types.SimpleNamespace(all_sites={name: Site(1, kind) for name, kind in kinds.items()})
    seen = types.SimpleNamespace(activations=activations)
    snapshot = types.SimpleNamespace(model=model, network=network, forward=lambda part, rows: seen)
    return {key: np.asarray(value) for key, value in READING.measure(snapshot).items()}


def causal(length, to_first=None):
    """Uniform causal attention, or all of it on the first position."""
    rows = np.tril(np.ones((length, length)))
    rows = rows / rows.sum(axis=1, keepdims=True) if to_first is None else np.eye(length)[np.zeros(length, int)]
    return np.broadcast_to(rows[:, None, None], (length, 5, 2, length))


WEIGHTS = "block.0.attention.weights"


def test_uniform_attention_has_no_excess_and_full_entropy():
    found = given(causal(20))
    assert found[WEIGHTS, "sink_excess"] == pytest.approx(0, abs=1e-6)
    assert found[WEIGHTS, "attention_entropy"] == pytest.approx(1, abs=1e-5)
    assert found["", "sink_rate"] == 0


def test_uniform_attention_over_three_positions_would_count_as_a_sink_but_for_the_excess():
    found = given(causal(3))
    assert found["", "sink_rate"] == 1 and found[WEIGHTS, "sink"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert found[WEIGHTS, "sink_excess"] == pytest.approx(0, abs=1e-6)


def test_attention_to_the_first_position_alone_is_a_sink_without_entropy():
    found = given(causal(20, to_first=True))
    assert found[WEIGHTS, "sink"] == found[WEIGHTS, "sink_excess"] == found["", "sink_rate"] == 1
    assert found[WEIGHTS, "attention_entropy"] == pytest.approx(0, abs=1e-6)


def test_heads_are_kept_apart():
    weights = np.concatenate([causal(20)[:, :, :1], causal(20, to_first=True)[:, :, :1]], axis=2)
    one, other = given(weights), given(weights[:, :, ::-1])
    assert one["", "sink_rate"] == other["", "sink_rate"] == 0.5
    np.testing.assert_allclose(one[WEIGHTS, "sink_by_head"], other[WEIGHTS, "sink_by_head"][::-1])
    assert one[WEIGHTS, "sink_by_head"][1] == 1 and one[WEIGHTS, "sink"] == other[WEIGHTS, "sink"]


def test_one_massive_value_is_seen():
    stream = np.random.default_rng(0).choice([-1.0, 1.0], size=(3, 5, 6))
    assert given(causal(3), stream)["block.0.out", "massive"] == 1
    stream[1, 2, 3] = -1000
    assert given(causal(3), stream)["block.0.out", "massive"] == 1000
    assert given(causal(3), 7 * stream)["block.0.out", "massive"] == pytest.approx(1000)


def test_a_massive_position_compresses_its_prompt():
    """The bound of arXiv 2510.06477 at work: one position that outweighs the others leaves one direction."""
    stream = np.random.default_rng(0).normal(size=(3, 5, 64))
    before = given(causal(3), stream)["block.0.out", "prompt_entropy"]
    stream[0] *= 1e3
    after = given(causal(3), stream)["block.0.out", "prompt_entropy"]
    assert before > 0.95 and after < 0.01


@pytest.fixture(scope="module")
def compress():
    return quick_jit(matrix_entropy)


def test_orthonormal_vectors_have_entropy_one_and_equal_ones_zero(compress):
    assert compress(jnp.eye(6)) == pytest.approx(1)
    assert compress(jnp.ones((6, 6))) == pytest.approx(0, abs=1e-5)
    assert compress(jnp.diag(jnp.asarray([1.0, 1, 1, 0, 0, 0]))) == pytest.approx(np.log(3) / np.log(6))


def test_entropy_changes_neither_with_rotation_nor_scale_nor_order(compress):
    rng = np.random.default_rng(0)
    z, rotation = rng.normal(size=(6, 6)) * np.arange(1, 7), np.linalg.qr(rng.normal(size=(6, 6)))[0]
    for other in (z @ rotation, 1e-25 * z, 1e25 * z, z[rng.permutation(6)]):
        assert compress(jnp.asarray(other, jnp.float32)) == pytest.approx(gram_entropy(z), rel=1e-4)


def test_entropy_of_nothing_or_of_one_vector_cannot_be_told(compress):
    assert np.isnan(compress(jnp.zeros((6, 6)))) and np.isnan(matrix_entropy(jnp.ones((1, 6))))


def test_control_an_untrained_network_has_no_sink():
    at, params = looking(Transformer(layers=2, width=16, heads=4, init_law="normal"), Modular(p=7, form="a op b ="))
    small = jax.tree.map(lambda w: 0.1 * w, params)
    found = quick_jit(lambda params: dict(Attention().measure(at(params))))(small)
    for k in (0, 1):
        assert abs(found[f"block.{k}.attention.weights", "sink_excess"]) < 0.05
        assert found[f"block.{k}.attention.weights", "attention_entropy"] > 0.95


def test_it_suits_transformers_alone():
    assert READING.suits(SEQUENCES, MODELS["all positions"]) and not READING.suits(PAIRS, MLP())
