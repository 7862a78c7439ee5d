"""Which activations are captured: input or output, any axis, one of several, again, overwritten; when freed."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from anglewise import radius
from anglewise.torch import RadialSuppression, radial_penalty


@pytest.mark.parametrize("keyword", [False, True])
def test_where_input_reads_what_goes_in(batch, keyword):
    class Scale(nn.Module):
        def forward(self, x):
            return 3 * x

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(8, 8), Scale()

        def forward(self, x):
            return self.second(x=self.first(x)) if keyword else self.second(self.first(x))

    model = Model()
    suppression = RadialSuppression(model, "second", 1.0, where="input")
    model(batch)
    assert torch.allclose(suppression.penalty(), radial_penalty(model.first(batch)))


def test_the_width_may_be_any_axis():
    conv = nn.Conv2d(1, 6, 1)
    suppression = RadialSuppression(nn.Sequential(conv), "0", 1.0, axis=1)
    image = torch.randn(2, 1, 3, 3)
    h = conv.eval()(image).movedim(1, -1)
    conv.train()
    suppression._model(image)
    assert torch.allclose(suppression.penalty(), radial_penalty(h))


class Seeing(nn.Module):
    """Channels first in one part, last in the other, and another number of vectors in each."""

    def __init__(self):
        super().__init__()
        self.conv, self.mix = nn.Conv2d(1, 6, 1), nn.Linear(6, 5)

    def forward(self, image):
        return self.mix(self.conv(image).flatten(2).mean(-1))


@pytest.mark.parametrize("axis", [[1, -1], {"conv": 1, "*": -1}])
def test_each_site_may_have_its_own_axis(axis):
    model, image = Seeing(), torch.randn(2, 1, 3, 3)
    suppression = RadialSuppression(model, ["conv", "mix"], 1.0, axis=axis)
    y = model(image)
    h = copy.deepcopy(model).conv(image).movedim(1, -1)
    assert torch.allclose(suppression.penalty(), radial_penalty(h) + radial_penalty(y))


def test_each_site_may_have_its_own_mask():
    model, image = Seeing(), torch.randn(2, 1, 3, 3)
    suppression = RadialSuppression(model, ["conv", "mix"], 1.0, axis={"conv": 1, "*": -1})
    keep = torch.tensor([1, 0])
    y = model(image)
    h = copy.deepcopy(model).conv(image).movedim(1, -1)
    got = suppression.penalty(mask={"mix": keep, "*": None})
    assert torch.allclose(got, radial_penalty(h) + radial_penalty(y[:1]))
    assert suppression.readings()["mix/radius"] == pytest.approx(float(radius(y[0].detach()) / 5**0.5))
    model(image)
    with pytest.raises(ValueError, match="mask: no glob matched no site and conv was left without a value"):
        suppression.penalty(mask={"mix": keep})


@pytest.mark.parametrize("select", [None, lambda output: output[1]["weights"]])
def test_of_a_tuple_the_first_tensor_counts_or_the_selected_one(batch, select):
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(8, 8)

        def forward(self, x):
            return self.linear(x), {"weights": 2 * self.linear(x)}

    model = nn.Sequential(Attention())
    suppression = RadialSuppression(model, "0", 1.0, select=select)
    first, rest = model(batch)
    assert torch.allclose(suppression.penalty(), radial_penalty(first if select is None else rest["weights"]))


def test_a_module_called_twice_counts_like_two_modules_with_its_weights(batch):
    shared, one, two = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
    one.load_state_dict(shared.state_dict())
    two.load_state_dict(shared.state_dict())
    values = []
    for model in (nn.Sequential(shared, shared), nn.Sequential(one, two)):
        suppression = RadialSuppression(model, "*")
        model(batch)
        values.append(suppression.penalty())
        assert math.isfinite(suppression.readings()["0/radius_q95"])
    assert torch.equal(*values)


@pytest.mark.parametrize("inplace", [False, True])
def test_an_inplace_module_after_the_site_changes_nothing(batch, inplace):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(inplace), nn.Linear(8, 1))
    suppression = RadialSuppression(model, "0", 1.0)
    model(batch)
    suppression.penalty().backward()
    got, model[0].weight.grad = model[0].weight.grad.clone(), None
    radial_penalty(model[0](batch)).backward()
    assert torch.allclose(got, model[0].weight.grad)


def test_a_forward_without_gradients_leaves_the_captured_one_alone(make_net, batch):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.*.mlp")
    net(batch)
    wanted = suppression.penalty()
    net(batch)
    with torch.no_grad():
        net(3 * batch)
    assert torch.equal(suppression.penalty(), wanted)


class Overwrites(nn.Module):
    """What follows the first site writes over it, by no module that says so."""

    def __init__(self, how):
        super().__init__()
        self.a, self.b, self.how = nn.Linear(8, 16), nn.Linear(16, 16), how

    def forward(self, x):
        h = self.a(x)
        h = {"relu": nn.functional.relu, "relu_": torch.relu_, "+=": lambda h: h.__iadd__(1.0)}[self.how](h)
        return self.b(h)


@pytest.mark.parametrize("how", ["relu_", "+="])
@pytest.mark.parametrize("compiled", [False, True])
def test_what_is_overwritten_in_place_is_penalised_as_it_was(batch, how, compiled):
    torch.manual_seed(0)
    model = Overwrites(how)
    run = torch.compile(model, backend="aot_eager") if compiled else model
    suppression = RadialSuppression(model, "*", 1.0)
    for _ in range(3):
        model.zero_grad()
        (run(batch).sum() * 0 + suppression.penalty()).backward()
        got = model.a.weight.grad.clone()
    suppression.detach()
    model.zero_grad()
    h = model.a(batch)
    after = torch.relu(h) if how == "relu_" else h + 1
    (radial_penalty(h) + radial_penalty(model.b(after))).backward()
    torch.testing.assert_close(got, model.a.weight.grad)


def test_activations_are_copied_only_until_they_were_seen_to_be_left_alone(batch):
    model = Overwrites("relu_")
    suppression = RadialSuppression(model, "*", 1.0)
    assert suppression._log.untouched == set()
    model(batch)
    assert [site for site, *_ in suppression._log.watched] == ["a", "b"]
    suppression.penalty()
    assert suppression._log.untouched == {"b"} and not suppression._log.watched
    model(batch)
    assert [site for site, *_ in suppression._log.watched] == ["a"]


def test_detaching_and_leaving_the_context_remove_every_hook(make_net, batch):
    net = make_net()
    with RadialSuppression(net, "blocks.*.mlp") as suppression:
        assert any(m._forward_hooks for m in net.modules())
    net(batch)
    assert suppression.penalty() == 0
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_a_suppression_that_is_dropped_takes_its_hooks_along(make_net, batch):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.0.mlp")
    suppression = RadialSuppression(net, "blocks.1.mlp")
    assert sum(len(m._forward_hooks) for m in net.modules()) == 1
    assert repr(suppression).startswith("RadialSuppression(sites=('blocks.1.mlp',)")


def test_activations_are_let_go_once_the_penalty_is_taken(make_net, batch):
    import gc
    import weakref

    net = make_net()
    suppression = RadialSuppression(net, "blocks.*.mlp")
    net(batch)
    radii = [weakref.ref(rho) for _, rho, _ in suppression._log.captures]
    suppression.penalty().backward()
    gc.collect()
    assert len(radii) == 2 and all(r() is None for r in radii)
