from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from anglewise.torch.methods import stablemax_cross_entropy


def released(logits, labels):
    """The formula as the paper and its code write it, per example."""
    x = logits.to(torch.float64)
    s = torch.where(x < 0, 1 / (1 - x + 1e-30), x + 1)
    p = s / s.sum(-1, keepdim=True)
    return -p.gather(-1, labels[..., None]).squeeze(-1).log()


def problem(dtype=torch.float64, batch=(4, 5)):
    generator = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(*batch, 6, generator=generator, dtype=torch.float64)
    logits[0, 0] = 0.0
    return logits.to(dtype).requires_grad_(), torch.randint(6, batch, generator=generator)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_loss_and_gradient_equal_the_formula(dtype):
    logits, labels = problem(dtype)
    loss = stablemax_cross_entropy(logits, labels, reduction="none")
    assert loss.dtype == torch.float64 and loss.shape == labels.shape
    torch.testing.assert_close(loss, released(logits, labels), rtol=1e-13, atol=1e-13)
    ours, theirs = (torch.autograd.grad(f.sum(), logits)[0] for f in (loss, released(logits, labels)))
    torch.testing.assert_close(ours, theirs)


def test_it_is_the_softmax_of_the_signed_logarithm():
    logits, labels = problem()
    softmax = F.cross_entropy((logits.sign() * logits.abs().log1p()).flatten(0, 1), labels.flatten())
    torch.testing.assert_close(stablemax_cross_entropy(logits, labels), softmax)
    assert not torch.allclose(softmax, F.cross_entropy(logits.flatten(0, 1), labels.flatten()))


def test_zero_logits_have_a_gradient():
    """The signed logarithm, written with sign and abs, has none at 0, and a zero head would never learn."""
    logits, labels = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True), torch.tensor([0])
    (ours,) = torch.autograd.grad(stablemax_cross_entropy(logits, labels), logits)
    torch.testing.assert_close(ours, torch.tensor([[-2 / 3, 1 / 3, 1 / 3]], dtype=torch.float64))
    (naive,) = torch.autograd.grad(F.cross_entropy(logits.sign() * logits.abs().log1p(), labels), logits)
    assert not naive.any()


def test_the_gradient_at_0_rests_on_no_librarys_convention_for_a_corner(monkeypatch):
    """PyTorch 2.14 gave `clamp` another gradient at its boundary."""

    def flat_at_the_corner(x, min=None, max=None):
        inside = x > min if min is not None else x < max
        return torch.where(inside, x, float(min if min is not None else max))

    for name in ("clamp", "clamp_min", "relu", "abs", "sign"):
        monkeypatch.setattr(torch.Tensor, name, flat_at_the_corner)
    logits, labels = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True), torch.tensor([0])
    (ours,) = torch.autograd.grad(stablemax_cross_entropy(logits, labels), logits)
    torch.testing.assert_close(ours, torch.tensor([[-2 / 3, 1 / 3, 1 / 3]], dtype=torch.float64))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_weights_and_label_smoothing_are_those_of_cross_entropy(smoothing, weighted):
    logits, labels = problem()
    labels[1, 2] = -100
    weight = torch.arange(1.0, 7.0) if weighted else None
    total, norm = 0.0, 0.0
    for z, y in zip(logits.flatten(0, 1), labels.flatten(), strict=True):
        if y == -100:
            continue
        w = torch.ones(6) if weight is None else weight
        log_p = torch.stack([-released(z, torch.tensor(c)) for c in range(6)])
        target = torch.full((6,), smoothing / 6, dtype=torch.float64)
        target[y] += 1 - smoothing
        total = total - (w * target * log_p).sum()
        norm = norm + w[y]
    got = stablemax_cross_entropy(logits, labels, weight=weight, label_smoothing=smoothing)
    torch.testing.assert_close(got, total / norm, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1e4, 1e15, 1e30])
def test_huge_float32_logits_still_have_a_finite_gradient_where_softmax_has_none(size):
    logits = torch.tensor([[size, -size, 0.0]], requires_grad=True)
    labels = torch.tensor([0])
    loss = stablemax_cross_entropy(logits, labels)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.isfinite() and gradient.isfinite().all() and gradient[0, 2] > 0
    (softmax,) = torch.autograd.grad(F.cross_entropy(logits, labels), logits)
    assert not softmax.any()


def test_it_passes_gradcheck():
    logits, labels = problem(batch=(2, 3))
    keep = (logits.detach() + 0.1).requires_grad_()  # away from 0, where the second derivative jumps
    assert torch.autograd.gradcheck(lambda z: stablemax_cross_entropy(z, labels), (keep,))


def test_ignored_positions_do_not_count():
    logits, labels = problem()
    masked = labels.clone()
    masked[0], masked[2, 3] = -100, -100
    count = masked != -100
    each = released(logits, labels)[count]
    torch.testing.assert_close(stablemax_cross_entropy(logits, masked), each.mean())
    torch.testing.assert_close(stablemax_cross_entropy(logits, masked, reduction="sum"), each.sum())
    assert not stablemax_cross_entropy(logits, masked, reduction="none")[~count].any()
    torch.testing.assert_close(
        stablemax_cross_entropy(logits, torch.where(count, labels, 7), ignore_index=7), each.mean()
    )


def test_autocast_does_not_take_the_float64_away():
    logits, labels = problem(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        inside = stablemax_cross_entropy(logits, labels)
    assert inside.dtype == torch.float64 and torch.equal(inside, stablemax_cross_entropy(logits, labels))


@pytest.mark.parametrize(
    ("logits", "labels", "options", "error", "message"),
    [
        (
            torch.zeros(2, 3),
            torch.zeros(2).long(),
            {"reduction": "max"},
            ValueError,
            r"got reduction='max', expected",
        ),
        (
            torch.zeros(2, 3).long(),
            torch.zeros(2).long(),
            {},
            TypeError,
            r"dtype torch.int64, expected floating",
        ),
        (
            torch.zeros(2, 6, 4),
            torch.zeros(2, 4).long(),
            {},
            ValueError,
            r"got logits \(2, 6, 4\) and labels \(2, 4\), expected \[\*batch, classes\].*last axis",
        ),
        (torch.tensor(1.0), torch.tensor(0), {}, ValueError, r"got logits \(\) and labels \(\), expected"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(logits, labels, options, error, message):
    with pytest.raises(error, match=message):
        stablemax_cross_entropy(logits, labels, **options)


def test_logits_of_plus_and_minus_one_have_a_finite_gradient():
    """There, the branch not taken has an infinite slope, and 0 times infinity is not 0."""
    logits = torch.tensor([[-1.0, 1.0, 0.5]], requires_grad=True)
    (gradient,) = torch.autograd.grad(stablemax_cross_entropy(logits, torch.tensor([0])), logits)
    (expected,) = torch.autograd.grad(-(0.5 / (0.5 + (logits[0, 1:] + 1).sum())).log(), logits)
    torch.testing.assert_close(gradient[0, 1:], expected[0, 1:])
    torch.testing.assert_close(gradient[0, 0], torch.tensor(-0.5 + 0.25 / 4))
