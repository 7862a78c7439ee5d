import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anglewise.lab.methods.pascanu2013_clip import ClipGradient

GRADIENT = {"a": jnp.array([3.0, -4.0]), "b": jnp.array([[12.0]])}  # of length 13


def clipped(gradient, most):
    transform = ClipGradient(most).transform()
    return transform.update(gradient, transform.init(gradient))[0]


@pytest.mark.parametrize("most", [0.5, 6.5, 12.99])
def test_a_longer_gradient_gets_the_largest_norm_as_pytorch_has_it(most):
    tensors = [torch.tensor(np.asarray(g), dtype=torch.float64, requires_grad=True) for g in GRADIENT.values()]
    for tensor in tensors:
        tensor.grad = tensor.detach().clone()
    torch.nn.utils.clip_grad_norm_(tensors, most)
    found = clipped(GRADIENT, most)
    for g, tensor in zip(found.values(), tensors, strict=True):
        np.testing.assert_allclose(g, tensor.grad, rtol=1e-6)
    norm = np.sqrt(sum(float(jnp.sum(g * g)) for g in found.values()))
    assert norm == pytest.approx(most, rel=1e-6)


@pytest.mark.parametrize("most", [13.0, 1e9])
def test_a_shorter_one_keeps_its_bits(most):
    for name, g in clipped(GRADIENT, most).items():
        assert np.array_equal(g, GRADIENT[name])


def test_a_zero_gradient_stays_zero_and_a_nan_stays_one():
    assert not np.any(clipped({"a": jnp.zeros(3)}, 1.0)["a"])
    assert np.all(np.isnan(clipped({"a": jnp.array([1.0, jnp.nan])}, 1.0)["a"]))


def test_it_keeps_nothing():
    assert ClipGradient().copies == 0 and not ClipGradient().transform().init(GRADIENT)
