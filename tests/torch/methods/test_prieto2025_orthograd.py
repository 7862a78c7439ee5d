from __future__ import annotations

import pytest
import torch
from torch.optim import SGD, AdamW

from anglewise.errors import AttachError
from anglewise.torch.methods import OrthoGrad, orthograd


def filtered(weights, grads, **options):
    params = [w.clone().requires_grad_() for w in weights]
    optimizer = SGD(params, lr=0.0)
    OrthoGrad(optimizer, **options)
    for p, g in zip(params, grads, strict=True):
        p.grad = g.clone()
    optimizer.step()
    return [p.grad for p in params]


@pytest.fixture
def field():
    generator = torch.Generator().manual_seed(1)
    shapes = [(4, 6), (6,), (3, 2, 5)]
    return [[torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes] for _ in range(2)]


def test_published_and_released_are_two_variants(field):
    assert OrthoGrad.RELEASED == {"per": "tensor", "rescale": True}
    assert OrthoGrad.PUBLISHED == {"per": "global", "rescale": False}
    released, default, published = (filtered(*field, **o) for o in (OrthoGrad.RELEASED, {}, OrthoGrad.PUBLISHED))
    assert all(torch.equal(a, b) for a, b in zip(released, default, strict=True))
    assert not torch.allclose(released[0], published[0])


@pytest.mark.parametrize("rescale", [True, False])
def test_the_gradient_is_orthogonal_in_the_sense_asked_for(rescale, field):
    weights, _ = field
    by = {per: filtered(*field, per=per, rescale=rescale) for per in ("tensor", "row", "global")}
    along = {per: [w * g for w, g in zip(weights, gs, strict=True)] for per, gs in by.items()}
    assert all(abs(x.sum()) < 1e-12 for x in along["tensor"])
    assert all(x.flatten(1).sum(1).abs().max() < 1e-12 for x in along["row"] if x.ndim > 1)
    assert abs(sum(x.sum() for x in along["global"])) < 1e-12
    # the control: orthogonal as a whole is not orthogonal tensor by tensor, nor row by row
    assert abs(along["global"][0].sum()) > 0.1
    assert along["tensor"][0].sum(1).abs().max() > 0.1


@pytest.mark.parametrize("per", ["tensor", "row", "global"])
def test_rescaling_keeps_the_length_and_leaving_it_out_shortens(per, field):
    grads = field[1]

    def lengths(gs):
        if per == "global":
            return torch.cat([g.flatten() for g in gs]).norm()
        return torch.cat([(g.flatten(1).norm(dim=1) if per == "row" and g.ndim > 1 else g.norm()[None]) for g in gs])

    torch.testing.assert_close(lengths(filtered(*field, per=per)), lengths(grads))
    assert (lengths(filtered(*field, per=per, rescale=False)) < lengths(grads)).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_zero_weights_and_zero_gradients_pass(dtype):
    g, zero = torch.tensor([1.0, -2.0], dtype=dtype), torch.zeros(2, dtype=dtype)
    assert torch.equal(filtered([zero], [g])[0], g)
    assert torch.equal(filtered([g], [zero])[0], zero)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_gradient_along_the_weights_becomes_zero_not_noise(dtype):
    generator = torch.Generator().manual_seed(2)
    for size in (1, 1, 1, 7, 200):
        w = torch.randn(size, generator=generator, dtype=dtype)
        assert torch.equal(filtered([w], [0.37 * w])[0], torch.zeros_like(w))
    # the control: a real, if small, orthogonal part is kept and given the whole length
    w, g = torch.tensor([1.0, 0.0], dtype=dtype), torch.tensor([1.0, 1e-4], dtype=dtype)
    torch.testing.assert_close(filtered([w], [g])[0], torch.tensor([0.0, 1.0], dtype=dtype), rtol=1e-6, atol=1e-6)


def test_betas_and_eps_reach_the_base(toy, train):
    """The released experiments never passed them on: torch's defaults ruled."""
    asked = {"lr": 0.01, "betas": (0.5, 0.6), "eps": 1e-3, "weight_decay": 0.2}
    ours, theirs, default = toy(), toy(), toy()
    optimizer = orthograd(ours.parameters(), AdamW, **asked)
    assert type(optimizer) is AdamW
    assert {key: optimizer.param_groups[0][key] for key in asked} == asked
    train(ours, optimizer)
    other = AdamW(theirs.parameters(), **asked)
    OrthoGrad(other)
    train(theirs, other)
    train(default, orthograd(default.parameters(), AdamW, lr=0.01, weight_decay=0.2))
    assert torch.equal(ours.first.weight, theirs.first.weight)
    assert not torch.allclose(ours.first.weight, default.first.weight)


def test_its_options_do_not_reach_the_base(toy, train):
    ours, theirs = toy(), toy()
    train(ours, orthograd(ours.parameters(), SGD, per="row", rescale=False, lr=0.1))
    optimizer = SGD(theirs.parameters(), lr=0.1)
    OrthoGrad(optimizer, per="row", rescale=False)
    train(theirs, optimizer)
    assert torch.equal(ours.first.weight, theirs.first.weight)


def test_a_keyword_nobody_knows_is_refused(toy):
    with pytest.raises(TypeError, match="beta3"):
        orthograd(toy().parameters(), AdamW, beta3=0.1)


def test_an_unknown_granularity_is_refused(toy):
    optimizer = SGD(toy().parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"got per='column', expected 'tensor', 'row' or 'global'"):
        OrthoGrad(optimizer, per="column")


def test_the_released_call_on_the_filter_says_what_to_do(toy):
    with pytest.raises(AttachError, match=r"OrthoGrad attaches to a torch.optim.Optimizer, got generator: build"):
        OrthoGrad(toy().parameters())
