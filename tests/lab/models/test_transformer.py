import dataclasses
import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anglewise.errors import SpecError
from anglewise.lab.experiments.tracks import TRACK_A, TRACK_B, TRACK_E
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.tasks.modular import Modular
from tests.support.programs import quick_jit

torch.set_num_threads(1)
TASK = Modular(p=5, operation="*", train=0.5, form="a op b =")  # 25 rows of 4 tokens out of 7
INPUTS, LABELS = TASK.table()
SMALL = Transformer(layers=2, width=12, heads=3, mlp=20)
MODELS = {
    "grokfast": dataclasses.replace(SMALL, norm="grokfast", positions_table=5),
    "pre": SMALL,
    "pre-plain": dataclasses.replace(SMALL, affine=False, attention_bias=False, mlp_bias=False),
    "none-relu": dataclasses.replace(SMALL, layers=1, norm="none", activation="relu", attention_bias=False),
    "not-causal": dataclasses.replace(SMALL, causal=False),
    "tied": dataclasses.replace(SMALL, layers=1, tied=True, mlp=0),
    "post": dataclasses.replace(SMALL, norm="post", activation="relu", attention_bias=False, mlp_bias=False),
}
every_model = pytest.mark.parametrize("name", MODELS)


@functools.cache
def network_of(name):
    """Float64 weights of a model, all of them moved off their first values, gains and biases too."""
    with jax.enable_x64(True):
        shapes = eqx.filter_eval_shape(MODELS[name].init, TASK, jax.random.key(0))
        is_weight = lambda x: isinstance(x, jax.ShapeDtypeStruct)  # noqa: E731
        rng = np.random.default_rng(1)
        draw = lambda x: jnp.asarray(rng.normal(size=x.shape) * 0.4 + (0.2 if len(x.shape) == 1 else 0))  # noqa: E731
        return jax.tree.map(lambda x: draw(x) if is_weight(x) else x, shapes)


@functools.partial(quick_jit, static_argnums=(0, 1))
def initial(model, task):
    return model.init(task, jax.random.key(0))


def everywhere(name):
    """The same weights in the model that computes the last block at all positions."""
    other = dataclasses.replace(MODELS[name], positions="all")
    with jax.enable_x64(True):
        shapes = eqx.filter_eval_shape(other.init, TASK, jax.random.key(0))
    weights = jax.tree.leaves(eqx.filter(network_of(name), eqx.is_inexact_array))
    return jax.tree.unflatten(jax.tree.structure(shapes), weights)


def tensor(x):
    return torch.tensor(np.asarray(x))


def filled(module, weight, bias):
    with torch.no_grad():
        module.weight.copy_(tensor(weight))
        if bias is not None:
            module.bias.copy_(tensor(bias))
    return module


def linear(layer):
    made = torch.nn.Linear(*layer.weight.shape, bias=layer.bias is not None, dtype=torch.float64)
    return filled(made, layer.weight.T, layer.bias)


def norm(layer, d):
    made = torch.nn.LayerNorm(d, elementwise_affine=layer.gain is not None, dtype=torch.float64)
    return made if layer.gain is None else filled(made, layer.gain, layer.bias)


@torch.no_grad()
def reference(model, network, inputs):
    """Logits and sites at every position, by PyTorch's own modules with the same weights."""
    d, t = model.width, inputs.shape[1]
    mask = torch.triu(torch.ones(t, t, dtype=torch.bool), 1) if model.causal else None
    act = torch.nn.GELU() if model.activation == "gelu" else torch.nn.ReLU()
    x = tensor(network.embedding)[tensor(inputs).long()] + tensor(network.position)[:t]
    sites = {"embedded": x.transpose(0, 1)}
    for k, block in enumerate(network.blocks):
        attention = torch.nn.MultiheadAttention(
            d, model.heads, bias=model.attention_bias, batch_first=True, dtype=torch.float64
        )
        attention.in_proj_weight.copy_(tensor(block.qkv.weight.T))
        attention.out_proj.weight.copy_(tensor(block.out.weight.T))
        if model.attention_bias:
            attention.in_proj_bias.copy_(tensor(block.qkv.bias))
            attention.out_proj.bias.copy_(tensor(block.out.bias))
        post_norm = model.norm == "post"
        first = x if model.norm in ("none", "post") else norm(block.norm1, d)(x)
        if model.norm == "grokfast":
            x = first
        a, weights = attention(first, first, first, attn_mask=mask, average_attn_weights=False)  # [n, heads, t, t]
        values = (first @ tensor(block.qkv.weight)[:, 2 * d :]).unflatten(-1, (model.heads, -1))
        if model.attention_bias:
            values = values + tensor(block.qkv.bias)[2 * d :].unflatten(-1, (model.heads, -1))
        mixed = torch.einsum("nhqk,nkhc->nqhc", weights, values).flatten(-2)
        x = stream = norm(block.norm1, d)(x + a) if post_norm else x + a
        pre = linear(block.up)(x if model.norm in ("none", "post") else norm(block.norm2, d)(x))
        post = act(pre)
        m = linear(block.down)(post)
        x = norm(block.norm2, d)(x + m) if post_norm else x + m
        seen = {"attention.weights": weights.permute(0, 2, 1, 3).flatten(-2), "attention.mixed": mixed}
        parts = seen | {"attention.out": a, "mlp.pre": pre, "mlp.post": post, "mlp.out": m, "out": x, "stream": stream}
        sites |= {f"block.{k}.{part}": h.transpose(0, 1) for part, h in parts.items()}
    x = x if model.norm in ("none", "post") else norm(network.norm, d)(x)
    head = tensor(network.embedding.T) if model.tied else tensor(network.head.weight)
    return (x[:, -1] @ head).numpy(), {site: h.numpy() for site, h in sites.items()}


@quick_jit
def called(network, inputs):
    return network(inputs)


@every_model
def test_it_equals_pytorchs_modules_with_the_same_weights(name):
    model, network = MODELS[name], network_of(name)
    last = f"block.{model.layers - 1}."
    with jax.enable_x64(True):
        few = [INPUTS[3:7]] if name in ("grokfast", "not-causal") else []
        for inputs in (INPUTS, *few):  # with rows shared among examples, and too few for that
            wanted, sites = reference(model, network, inputs)
            logits, activations = called(network, inputs)
            np.testing.assert_allclose(logits, wanted, atol=1e-11)
            assert set(activations) == set(sites) and set(model.sites) <= set(sites)
            for site, h in activations.items():
                np.testing.assert_allclose(h, sites[site][-1:] if site.startswith(last) else sites[site], atol=1e-11)


@every_model
def test_each_site_is_fed_by_its_source_through_its_weight(name):
    network = network_of(name)
    with jax.enable_x64(True):
        _, activations = called(network, INPUTS)
    assert set(network.linear_maps) == set(MODELS[name].sites)
    for site, linear_map in network.linear_maps.items():
        block = network.blocks[int(site.split(".")[1])]
        bias = (block.out if "attention" in site else block.down).bias
        made = np.asarray(activations[linear_map.source]) @ np.asarray(linear_map.weight(network))
        np.testing.assert_allclose(made + (0 if bias is None else np.asarray(bias)), activations[site], atol=1e-11)


@pytest.mark.parametrize("name", ["grokfast", "not-causal"])
def test_the_last_position_alone_equals_all_positions(name):
    with jax.enable_x64(True):
        logits, activations = called(network_of(name), INPUTS)
        whole_logits, whole = called(everywhere(name), INPUTS)
        _, sites = reference(MODELS[name], network_of(name), INPUTS)
    np.testing.assert_allclose(whole_logits, logits, atol=1e-12)
    for site, h in whole.items():
        assert h.shape[:2] == (4, 25)
        np.testing.assert_allclose(h, sites[site], atol=1e-11)
        np.testing.assert_allclose(h[-1], activations[site][-1], atol=1e-12)
    assert activations["block.1.mlp.out"].shape == (1, 25, 12)


@pytest.mark.parametrize("name", ["grokfast", "none-relu", "not-causal", "tied"])
def test_sharing_rows_changes_no_value_and_no_gradient(name):
    with jax.enable_x64(True):

        def loss(network, tap):
            logits, activations = network(INPUTS, tap=tap)
            own = sum(jnp.mean(jnp.sin(h) * (i + 1)) for i, h in enumerate(activations.values()))
            picked = jnp.take_along_axis(jax.nn.log_softmax(logits), jnp.asarray(LABELS)[:, None], axis=-1)
            return own - jnp.mean(picked)

        both = [
            quick_jit(jax.value_and_grad(functools.partial(loss, tap=tap)))(network_of(name))
            for tap in (None, lambda site, h: h)
        ]
    for shared, apart in zip(*map(jax.tree.leaves, both), strict=True):
        np.testing.assert_allclose(shared, apart, atol=1e-12)
        assert np.abs(apart).max() > 1e-6  # control: every parameter feels the loss


def test_control_the_models_differ():
    with jax.enable_x64(True):
        found = {name: np.asarray(called(network_of(name), INPUTS)[0]) for name in ("grokfast", "pre", "not-causal")}
    assert not np.allclose(found["grokfast"], found["pre"]) and not np.allclose(found["pre"], found["not-causal"])


def test_a_post_norm_block_is_pytorchs_own_encoder_layer():
    """nn.TransformerEncoderLayer, which has post-norm as its default; no norm follows the last block."""
    model = dataclasses.replace(MODELS["post"], layers=1, attention_bias=True, mlp_bias=True, positions="all")
    with jax.enable_x64(True):
        shapes = eqx.filter_eval_shape(model.init, TASK, jax.random.key(0))
        rng = np.random.default_rng(3)
        draw = lambda x: jnp.asarray(rng.normal(size=x.shape) * 0.4)  # noqa: E731
        network = jax.tree.map(lambda x: draw(x) if isinstance(x, jax.ShapeDtypeStruct) else x, shapes)
        logits, activations = called(network, INPUTS)
    (block,) = network.blocks
    layer = torch.nn.TransformerEncoderLayer(12, 3, 20, dropout=0.0, batch_first=True, dtype=torch.float64)
    filled(layer.linear1, block.up.weight.T, block.up.bias)
    filled(layer.linear2, block.down.weight.T, block.down.bias)
    filled(layer.self_attn.out_proj, block.out.weight.T, block.out.bias)
    filled(layer.norm1, block.norm1.gain, block.norm1.bias)
    filled(layer.norm2, block.norm2.gain, block.norm2.bias)
    with torch.no_grad():
        layer.self_attn.in_proj_weight.copy_(tensor(block.qkv.weight.T))
        layer.self_attn.in_proj_bias.copy_(tensor(block.qkv.bias))
        x = tensor(network.embedding)[tensor(INPUTS).long()] + tensor(network.position)
        out = layer(x, src_mask=torch.triu(torch.ones(4, 4, dtype=torch.bool), 1))
    np.testing.assert_allclose(activations["block.0.out"], out.transpose(0, 1).numpy(), atol=1e-11)
    np.testing.assert_allclose(logits, (out[:, -1] @ tensor(network.head.weight)).numpy(), atol=1e-11)
    assert network.norm is None


@pytest.mark.parametrize(("name", "blind"), [("pre", True), ("not-causal", False)])
def test_a_causal_position_does_not_see_later_ones(name, blind):
    changed = INPUTS.copy()
    changed[:, 2] = (changed[:, 2] + 1) % 5
    with jax.enable_x64(True):
        (_, before), (_, after) = (called(everywhere(name), x) for x in (INPUTS, changed))
    assert np.array_equal(before["block.1.out"][:2], after["block.1.out"][:2]) == blind
    assert not np.allclose(before["block.1.out"][2:], after["block.1.out"][2:])


def test_a_tap_replaces_an_activation_and_the_network_goes_on_with_it():
    with jax.enable_x64(True):
        network, seen = network_of("pre"), []

        def silence(site, h):
            seen.append(site)
            return 0 * h if "attention.out" in site or "mlp.out" in site else h

        logits, activations = quick_jit(lambda network: network(INPUTS[:3], tap=silence))(network)
        stream = np.asarray(network.embedding)[INPUTS[:3, -1]] + np.asarray(network.position[3])
        wanted = quick_jit(lambda network: network.head(network.norm(stream)))(network)
        np.testing.assert_allclose(logits, wanted, atol=1e-13)
        np.testing.assert_allclose(activations["block.1.out"][-1], stream, atol=1e-13)
    parts = ("attention.out", "stream", "mlp.pre", "mlp.out", "out")
    assert seen == ["embedded", *(f"block.{k}.{part}" for k in (0, 1) for part in parts)]


def shapes(model, task, n):
    network = eqx.filter_eval_shape(model.init, task, jax.random.key(0))
    _, activations = eqx.filter_eval_shape(network, jax.ShapeDtypeStruct((n, task.length), jnp.int32))
    count = sum(math.prod(x.shape) for x in jax.tree.leaves(network))
    return count, {site: h.shape for site, h in activations.items()}


def test_track_a_has_422784_parameters_and_its_sites():
    count, found = shapes(TRACK_A.model, TRACK_A.task, 512)
    block = 4 * 128 + 128 * 384 + 384 + 128 * 128 + 128 + 128 * 512 + 512 + 512 * 128 + 128
    assert count == 99 * 128 + 5 * 128 + 2 * block + 2 * 128 + 128 * 99 == 422_784
    for k, positions in ((0, 4), (1, 1)):
        assert found[f"block.{k}.mlp.pre"] == (positions, 512, 512)
        for part in ("attention.out", "mlp.out", "out"):
            assert found[f"block.{k}.{part}"] == (positions, 512, 128)
    sublayers = ("block.0.attention.out", "block.0.mlp.out", "block.1.attention.out", "block.1.mlp.out")
    assert TRACK_A.model.sites == sublayers


def test_track_b_has_the_published_number_of_parameters():
    count, _ = shapes(TRACK_B.model, TRACK_B.task, 7)
    assert count == 114 * 128 + 3 * 128 + 4 * 128 * 128 + 2 * 128 * 512 + 512 + 128 + 128 * 114


def test_track_e_has_neither_biases_nor_a_norm_before_the_head():
    count, _ = shapes(TRACK_E.model, TRACK_E.task, 7)
    block = 4 * 128 + 4 * 128 * 128 + 2 * 128 * 512
    assert count == 99 * 128 + 4 * 128 + 2 * block + 128 * 99


def test_first_weights_follow_pytorchs_law():
    torch.manual_seed(0)
    network = initial(Transformer(layers=2, norm="grokfast"), TRACK_A.task)
    theirs = torch.nn.MultiheadAttention(128, 4)
    for block in network.blocks:
        pairs = {
            math.sqrt(6 / (4 * 128)): (block.qkv.weight, theirs.in_proj_weight),
            1 / math.sqrt(128): (block.out.weight, theirs.out_proj.weight),
            128**-0.5 * (1 - 1e-9): (block.up.weight, torch.nn.Linear(128, 512).weight),
            1 / math.sqrt(512): (block.down.weight, torch.nn.Linear(512, 128).weight),
        }
        for bound, (ours, other) in pairs.items():
            ours, other = np.asarray(ours), other.detach().numpy()
            assert 0.99 * bound < np.abs(ours).max() <= bound * (1 + 1e-6)
            assert np.abs(other).max() <= bound * (1 + 1e-6)
            assert ours.var() == pytest.approx(bound**2 / 3, rel=0.02) == pytest.approx(other.var(), rel=0.04)
        for ours, other in ((block.qkv.bias, theirs.in_proj_bias), (block.out.bias, theirs.out_proj.bias)):
            assert not np.any(ours) and not other.detach().numpy().any()
        for layer in (block.norm1, block.norm2):
            assert np.all(layer.gain == 1) and not np.any(layer.bias)
        assert np.abs(block.up.bias).max() <= 128**-0.5 and np.any(block.up.bias)
    assert np.std(network.embedding) == pytest.approx(1, rel=0.02)
    assert np.std(network.position) == pytest.approx(1, rel=0.15)
    assert not np.array_equal(network.blocks[0].up.weight, network.blocks[1].up.weight)


def test_the_normal_law_is_track_bs():
    network = initial(TRACK_B.model, TRACK_B.task)
    (block,) = network.blocks
    for w in (
        network.embedding,
        network.position,
        *(x.weight for x in (block.qkv, block.out, block.up, block.down)),
    ):
        w = np.asarray(w)
        assert w.std() == pytest.approx(1 / math.sqrt(128), rel=4 / math.sqrt(2 * w.size))
        assert np.abs(w).max() > 2 / math.sqrt(128)  # normal, not uniform
    assert np.std(network.head.weight) == pytest.approx(1 / math.sqrt(114), rel=0.03)
    assert not np.any(block.up.bias) and not np.any(block.down.bias)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": 0}, "Transformer.layers must be at least 1, got 0"),
        ({"width": 0}, "Transformer.width must be at least 1, got 0"),
        ({"heads": -1}, "Transformer.heads must be at least 1, got -1"),
        ({"width": 128, "heads": 3}, "heads must divide the width, got 3 heads for width 128"),
        ({"mlp": -1}, "Transformer.mlp must be at least 0, got -1"),
        ({"positions_table": -2}, "Transformer.positions_table must be at least 0, got -2"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, message):
    with pytest.raises(SpecError) as error:
        Transformer(**fields)
    assert str(error.value) == message


def test_a_table_of_positions_shorter_than_the_input_is_refused():
    with pytest.raises(SpecError, match="^positions_table must be 0 or at least the input's length 4, got 3$"):
        Transformer(positions_table=3).init(TASK, jax.random.key(0))
