from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from anglewise.errors import SpecError
from anglewise.lab.methods import lee2024_grokfast as lab
from anglewise.lab.methods.lee2024_grokfast import GrokfastControl, GrokfastEMA, GrokfastMA
from anglewise.lab.methods.optimizers import AdamW
from anglewise.torch import methods

SHAPES = {"a": (4, 3), "b": (5,)}


def fields(steps, seed=0):
    rng = np.random.default_rng(seed)
    return [{name: rng.standard_normal(shape) for name, shape in SHAPES.items()} for _ in range(steps)]


def filtered(method, gradients, params=None):
    """What a chain of transforms makes of a sequence of gradients."""
    chain = method if isinstance(method, tuple) else (method,)
    transform = optax.chain(*(m.transform() for m in chain))
    params = jax.tree.map(jnp.ones_like, gradients[0]) if params is None else params
    opt_state, out = transform.init(params), []
    for gradient in gradients:
        update, opt_state = transform.update(jax.tree.map(jnp.asarray, gradient), opt_state, params)
        out.append(update)
    return out


def by_torch(filter_class, gradients, **options):
    params = {name: torch.zeros(shape, dtype=torch.float64, requires_grad=True) for name, shape in SHAPES.items()}
    optimizer = torch.optim.SGD(params.values(), lr=0.0)
    filter_class(optimizer, **options)
    out = []
    for gradient in gradients:
        for name, p in params.items():
            p.grad = torch.tensor(gradient[name])
        optimizer.step()
        out.append({name: p.grad.numpy() for name, p in params.items()})
    return out


def assert_same(found, wanted, **tolerance):
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(x, y, **(tolerance or {"rtol": 1e-12, "atol": 1e-14}))


def test_the_ema_is_that_of_the_drop_in():
    gradients = fields(7)
    with jax.enable_x64(True):
        found = filtered(GrokfastEMA(0.7, 3.0), gradients)
        assert_same(found, by_torch(methods.GrokfastEMA, gradients, alpha=0.7, lamb=3.0))
        other = filtered(GrokfastEMA(0.6, 3.0), gradients)
    assert not np.allclose(other[-1]["a"], found[-1]["a"])  # control


def test_the_window_is_that_of_the_drop_in():
    gradients = fields(9)
    with jax.enable_x64(True):
        ours = filtered(GrokfastMA(3.0, window=4), gradients)
        assert_same(ours, by_torch(methods.GrokfastMA, gradients, window=4, lamb=3.0))
        other = filtered(GrokfastMA(3.0, window=5), gradients)
    assert not np.allclose(other[-1]["a"], ours[-1]["a"])  # control


def test_the_first_gradient_is_amplified_whole_because_the_mean_starts_at_it():
    first, second = fields(2)
    ours = filtered(GrokfastEMA(0.98, 2.0), [first, second])
    assert jax.tree.all(jax.tree.map(lambda x, g: np.allclose(x, 3 * g, rtol=1e-6), ours[0], first))
    assert not np.allclose(ours[1]["a"], 3 * second["a"], rtol=0.1)  # control: the mean remembers the first


def test_the_window_does_nothing_until_it_is_full():
    gradient = fields(1)[0]
    factors = [x["a"] / gradient["a"] for x in filtered(GrokfastMA(5.0, window=3), [gradient] * 4)]
    np.testing.assert_allclose([(f.min(), f.max()) for f in factors], [(1, 1), (1, 1), (6, 6), (6, 6)], rtol=1e-6)


@pytest.mark.parametrize("method", [GrokfastEMA(0.9, 0.0), GrokfastMA(0.0, window=2), GrokfastControl(0.0)])
def test_lambda_0_changes_no_bit(method):
    gradients = [jax.tree.map(jnp.float32, g) for g in fields(4)]
    for found, gradient in zip(filtered(method, gradients), gradients, strict=True):
        assert all(np.array_equal(found[name], gradient[name]) for name in SHAPES)


def test_the_control_is_the_optimizer_at_a_larger_rate():
    gradients = fields(5)
    base, larger = AdamW(lr=0.01, wd=0.3), AdamW(lr=0.03, wd=0.3)
    controlled = filtered((base, GrokfastControl(2.0)), gradients)
    assert_same(controlled, filtered(larger, gradients), rtol=1e-5, atol=1e-8)
    assert not np.allclose(controlled[-1]["a"], filtered(base, gradients)[-1]["a"], rtol=0.1)  # control


def test_before_adam_the_control_would_do_nothing():
    gradients = fields(5)
    base = AdamW(lr=0.01, wd=0.3)
    before, plain = filtered((GrokfastControl(2.0), base), gradients), filtered(base, gradients)
    assert_same(before, plain, rtol=1e-5, atol=1e-8)
    assert not np.allclose(filtered((base, GrokfastControl(2.0)), gradients)[-1]["a"], plain[-1]["a"], rtol=0.1)


def test_constants_are_those_of_paper_and_code():
    assert lab.PUBLISHED == GrokfastEMA() == GrokfastEMA(0.98, 2.0)
    assert GrokfastEMA(0.99, 5.0) == lab.COMMAND_LINE
    assert lab.PUBLISHED_MA == GrokfastMA() == GrokfastMA(5.0, window=100)
    for ours, theirs in (
        (lab.PUBLISHED, methods.GrokfastEMA.PUBLISHED),
        (lab.COMMAND_LINE, methods.GrokfastEMA.COMMAND_LINE),
    ):
        assert {"alpha": ours.alpha, "lamb": ours.lamb} == dict(theirs)


def test_an_empty_window_is_refused():
    with pytest.raises(SpecError, match="GrokfastMA.window must be at least 1, got 0"):
        GrokfastMA(window=0)
