import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anglewise.errors import SpecError
from anglewise.lab.models.mlp import MLP
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.parity import Parity
from tests.support.programs import quick_jit

torch.set_num_threads(1)
P = 11
TASK = Modular(p=P, train=0.5)
INPUTS, LABELS = TASK.table()
ARCHITECTURES = {
    "one-hot": MLP(hidden=(16, 12)),
    "one-hot-bias-gelu": MLP(hidden=(16, 12, 8), bias=True, activation="gelu"),
    "shared": MLP(hidden=(16,), embedding=6),
    "shared-bias": MLP(hidden=(16, 12), embedding=6, bias=True),
    "own-tables": MLP(hidden=(16, 4), embedding=6, shared=False),
    "own-tables-bias-gelu": MLP(hidden=(16, 12), embedding=6, shared=False, bias=True, activation="gelu"),
}
every_architecture = pytest.mark.parametrize("model", ARCHITECTURES.values(), ids=ARCHITECTURES)


def drawn(model):
    """A network with weights of no particular law, in the arithmetic of the moment."""
    rng = np.random.default_rng(0)
    shapes = eqx.filter_eval_shape(model.init, TASK, jax.random.key(0))
    is_weight = lambda x: isinstance(x, jax.ShapeDtypeStruct)  # noqa: E731
    return jax.tree.map(lambda x: jnp.asarray(0.5 * rng.normal(size=x.shape)) if is_weight(x) else x, shapes)


@functools.partial(quick_jit, static_argnums=(0, 1))
def initial(model, task, seed=0):
    return model.init(task, jax.random.key(seed))


def numpy_of(network):
    return jax.tree.map(lambda w: np.asarray(w, np.float64), eqx.filter(network, eqx.is_inexact_array))


def gelu(x):
    return np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.ravel()]).reshape(x.shape)


def reference(model, network, inputs):
    """Logits and pre-activations by explicit products with one-hot matrices."""
    w = numpy_of(network)
    one_hot = np.eye(P)[inputs]  # [n, 2, p]
    if w.embedding is not None:
        tables = [w.embedding[0 if model.shared else i] for i in range(2)]
        x = np.concatenate([one_hot[:, i] @ tables[i] for i in range(2)], axis=1)
    else:
        x = np.concatenate([one_hot[:, 0], one_hot[:, 1]], axis=1)
    pres = []
    for layer in w.layers:
        pres.append(x @ layer.weight + (0 if layer.bias is None else layer.bias))
        x = gelu(pres[-1]) if model.activation == "gelu" else np.maximum(pres[-1], 0)
    return x @ w.head.weight + (0 if w.head.bias is None else w.head.bias), pres


@every_architecture
def test_logits_and_activations_are_those_of_one_hot_products(model):
    with jax.enable_x64(True):
        network = drawn(model)
        for n in (P - 1, P):  # looked up before and after the product with the table
            inputs = INPUTS[-n:]
            logits, activations = quick_jit(lambda network, x: network(x))(network, inputs)
            wanted, pres = reference(model, network, inputs)
            np.testing.assert_allclose(logits, wanted, atol=1e-12)
            for k, pre in enumerate(pres):
                np.testing.assert_allclose(activations[f"hidden.{k}.pre"], pre, atol=1e-12)


@every_architecture
def test_weight_gradients_are_those_of_pytorch(model):
    """The hand-written backward pass of the product, and the look-up's."""
    with jax.enable_x64(True):
        network = drawn(model)

        def loss(network, inputs, labels):
            z, _ = network(inputs)
            return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), labels[:, None], axis=-1))

        for n in (P - 1, len(INPUTS)):
            found = quick_jit(jax.grad(loss))(network, INPUTS[:n], LABELS[:n])
            w = jax.tree.map(lambda x: torch.tensor(x, requires_grad=True), numpy_of(network))
            one_hot = torch.eye(P, dtype=torch.float64)[torch.tensor(INPUTS[:n]).long()]
            if w.embedding is not None:
                x = torch.cat([one_hot[:, i] @ w.embedding[0 if model.shared else i] for i in range(2)], dim=1)
            else:
                x = one_hot.flatten(1)
            for layer in (*w.layers, w.head):
                if layer is not w.layers[0]:
                    x = torch.relu(x) if model.activation == "relu" else torch.nn.functional.gelu(x)
                x = torch.nn.functional.linear(x, layer.weight.T, layer.bias)
            torch.nn.functional.cross_entropy(x, torch.tensor(LABELS[:n]).long()).backward()
            pairs = zip(jax.tree.leaves(found), jax.tree.leaves(w), strict=True)
            for got, leaf in pairs:
                np.testing.assert_allclose(got, leaf.grad.numpy(), atol=1e-12)


def test_gelu_is_pytorchs_default_and_not_its_tanh_form():
    from anglewise.lab.models.layers import activate

    with jax.enable_x64(True):
        x = np.linspace(-4, 4, 41)
        got, t = np.asarray(activate("gelu", jnp.asarray(x))), torch.tensor(x)
    np.testing.assert_allclose(got, torch.nn.functional.gelu(t).numpy(), atol=1e-14)
    assert np.abs(got - torch.nn.functional.gelu(t, approximate="tanh").numpy()).max() > 1e-5


def test_first_weights_follow_pytorchs_law():
    task = Modular(p=113, train=0.4)
    network = initial(MLP(hidden=(200, 150), embedding=64, bias=True), task)
    torch.manual_seed(0)
    for layer in (*network.layers, network.head):
        i, o = layer.weight.shape
        theirs = torch.nn.Linear(i, o)
        for ours, other in ((layer.weight, theirs.weight), (layer.bias, theirs.bias)):
            ours, other = np.asarray(ours), other.detach().numpy()
            bound = 1 / math.sqrt(i)
            assert np.abs(ours).max() <= bound and np.abs(other).max() <= bound
            assert np.abs(ours).max() > 0.95 * bound
            error = 4 / math.sqrt(ours.size)
            assert abs(ours.mean()) < error * bound / math.sqrt(3)
            assert ours.var() == pytest.approx(bound**2 / 3, rel=error)
            assert ours.var() == pytest.approx(other.var(), rel=2 * error)
    table, other = np.asarray(network.embedding), torch.nn.Embedding(113, 64).weight.detach().numpy()
    assert table.shape == (1, *other.shape)
    assert abs(table.mean()) < 4 / math.sqrt(table.size) and table.std() == pytest.approx(other.std(), rel=0.05)
    assert np.abs(table).max() > 3  # normal, not uniform


def test_every_layer_is_drawn_anew_and_from_the_key_alone():
    model = MLP(hidden=(11, 11), embedding=11, bias=True, shared=False)
    first, again, other = (initial(model, TASK, k) for k in (0, 0, 1))
    leaves = [jax.tree.leaves(eqx.filter(n, eqx.is_inexact_array)) for n in (first, again, other)]
    for x, y, z in zip(*leaves, strict=True):
        assert np.array_equal(x, y) and not np.array_equal(x, z)
    assert not np.array_equal(first.layers[1].weight, first.head.weight)
    assert not np.array_equal(first.embedding[0], first.embedding[1])


@pytest.mark.parametrize(
    ("model", "p", "count"),
    [
        (MLP(hidden=(200, 200)), 113, 226 * 200 + 200 * 200 + 200 * 113),
        (MLP(hidden=(200, 200), embedding=113), 113, 113 * 113 + 226 * 200 + 200 * 200 + 200 * 113),
        (MLP(hidden=(200, 200), embedding=100, shared=False), 113, 2 * 113 * 100 + 200 * 200 * 2 + 200 * 113),
        (MLP(hidden=(512, 512), bias=True), 97, 194 * 512 + 512 + 512 * 512 + 512 + 512 * 97 + 97),
    ],
)
def test_the_number_of_parameters(model, p, count):
    network = eqx.filter_eval_shape(lambda: model.init(Modular(p=p), jax.random.key(0)))
    assert sum(math.prod(x.shape) for x in jax.tree.leaves(network)) == count


@every_architecture
def test_every_site_exists_with_its_width(model):
    _, activations = eqx.filter_eval_shape(lambda: model.init(TASK, jax.random.key(0))(INPUTS))
    assert model.sites == tuple(f"hidden.{k}.pre" for k in range(len(model.hidden)))
    hidden = {f"hidden.{k}.{part}" for k in range(len(model.hidden)) for part in ("pre", "post")}
    assert set(activations) == hidden | {"input"}
    for k, width in enumerate(model.hidden):
        assert activations[f"hidden.{k}.pre"].shape == activations[f"hidden.{k}.post"].shape == (len(INPUTS), width)


@every_architecture
def test_each_site_is_fed_by_its_source_through_its_weight(model):
    network = drawn(model)
    _, activations = quick_jit(lambda x: network(x))(INPUTS)
    assert set(network.linear_maps) == set(model.sites)
    for k, (site, linear_map) in enumerate(network.linear_maps.items()):
        bias = network.layers[k].bias
        made = np.asarray(activations[linear_map.source]) @ np.asarray(linear_map.weight(network))
        np.testing.assert_allclose(
            made + (0 if bias is None else np.asarray(bias)), activations[site], rtol=1e-4, atol=1e-4
        )


def test_a_tap_replaces_an_activation_and_the_network_goes_on_with_it():
    network = drawn(ARCHITECTURES["shared-bias"])
    call = quick_jit(lambda tap, x: network(x, tap=tap), static_argnums=0)
    plain, before = call(None, INPUTS)
    seen = []

    def spy(site, h):
        seen.append(site)
        return h

    same, _ = call(spy, INPUTS)
    assert seen == ["hidden.0.pre", "hidden.0.post", "hidden.1.pre", "hidden.1.post"]
    np.testing.assert_allclose(same, plain, rtol=1e-5)
    doubled, after = call(lambda site, h: 2 * h if site == "hidden.0.pre" else h, INPUTS)
    np.testing.assert_allclose(after["hidden.0.pre"], 2 * before["hidden.0.pre"], rtol=1e-5)
    np.testing.assert_allclose(after["hidden.0.post"], 2 * before["hidden.0.post"], rtol=1e-5)
    assert not np.allclose(after["hidden.1.pre"], before["hidden.1.pre"])
    silent, _ = call(lambda site, h: 0 * h if site == "hidden.1.post" else h, INPUTS)
    np.testing.assert_allclose(silent, np.broadcast_to(network.head.bias, silent.shape), rtol=1e-5)
    assert not np.allclose(doubled, plain)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden": ()}, "hidden must list at least one width, got none"),
        ({"hidden": (200, 0)}, "MLP.hidden must be at least 1, got 0"),
        ({"embedding": -1}, "MLP.embedding must be at least 0, got -1"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, message):
    with pytest.raises(SpecError) as error:
        MLP(**fields)
    assert str(error.value) == message


@pytest.mark.parametrize("model", [MLP(hidden=(6,), bias=True), MLP(hidden=(6,), embedding=3, shared=False)])
def test_many_positions_of_few_tokens_are_read_as_one_hot_vectors(model):
    task = Parity(bits=5, secret=2, train=16, test=8)
    network, bits = initial(model, task), np.array(list(np.ndindex(*(2,) * 5)))
    found = quick_jit(lambda x: network(x)[1]["hidden.0.pre"])(bits)
    w = numpy_of(network)
    rows = np.eye(2) if w.embedding is None else None
    for i in range(len(bits)):
        x = np.concatenate([rows[bit] if rows is not None else w.embedding[k, bit] for k, bit in enumerate(bits[i])])
        bias = 0 if w.layers[0].bias is None else w.layers[0].bias
        np.testing.assert_allclose(found[i], x @ w.layers[0].weight + bias, rtol=1e-5, atol=1e-6)
