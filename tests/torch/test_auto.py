"""``sites="auto"`` chooses by names and checks that on the first forward: corrected, or refused with what was seen."""

from __future__ import annotations

import copy
import logging
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from anglewise.torch import AttachError, RadialSuppression, radial_penalty

WIDTH = 8


class RMSNorm(nn.Module):
    """Written out, with a gain, as many models have it."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x):
        return self.gain * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6))


class MLP(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(WIDTH, 16), nn.GELU(), nn.Linear(16, WIDTH))


class Inside(nn.Module):
    """A sub-layer that adds the stream itself."""

    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(WIDTH, 16), nn.Linear(16, WIDTH)

    def forward(self, x, residual):
        return F.dropout(self.down(F.gelu(self.up(x))), 0.1) + residual


class Block(nn.Module):
    """One of several ways to put a block together; `how` names it."""

    def __init__(self, how):
        super().__init__()
        self.how, self.norm, self.post = how, nn.LayerNorm(WIDTH), RMSNorm()
        self.attn = nn.Linear(WIDTH, WIDTH)
        self.mlp = Inside() if how == "inside" else MLP()
        self.drop = nn.Dropout(0.2)

    def forward(self, x):
        if self.how == "parallel":
            return x + self.attn(self.norm(x)) + self.mlp(self.norm(x))
        if self.how == "in place":
            both = self.mlp(self.norm(x)).clone()  # no view of a matrix product
            both += self.attn(self.norm(x))
            return both + x
        if self.how == "view in place":
            both = self.mlp(self.norm(x))
            both += self.attn(self.norm(x))
            return both + x
        if self.how == "post-norm":
            x = self.norm(x + self.drop(self.attn(x)))
            return self.norm(x + self.drop(self.mlp(x)))
        if self.how == "norm after":
            x = x + self.post(self.attn(self.norm(x)))
            return x + self.post(self.mlp(self.norm(x)))
        x = x + self.drop(self.attn(self.norm(x)))
        if self.how == "inside":
            return self.mlp(self.norm(x), x)
        if self.how == "functional":
            return x + torch.sin(self.mlp(self.norm(x)))
        return x + 0.5 * self.drop(self.mlp(self.norm(x)))


class Other(nn.Module):
    """A block that no rule by names knows."""

    def __init__(self):
        super().__init__()
        self.mixer, self.channel = nn.Linear(WIDTH, WIDTH), MLP()

    def forward(self, x):
        x = x + self.mixer(x)
        return x + self.channel(x)


class Model(nn.Module):
    def __init__(self, *blocks, checkpointed=False):
        super().__init__()
        self.embed, self.blocks, self.checkpointed = nn.Linear(4, WIDTH), nn.ModuleList(blocks), checkpointed

    def forward(self, x):
        x = self.embed(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.checkpointed else block(x)
        return x


X = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))


def made(*hows, **settings):
    torch.manual_seed(0)
    return Model(*(Other() if how == "other" else Block(how) for how in hows), **settings)


def outputs(model, sites):
    """What the sites give, by the same random numbers."""
    twin, found = copy.deepcopy(model), {}
    for site in sites:
        twin.get_submodule(site).register_forward_hook(lambda m, a, h, site=site: found.update({site: h.clone()}))
    torch.manual_seed(1)
    twin(X)
    return [found[site] for site in sites]


def trained(model, suppression):
    torch.manual_seed(1)
    loss = 0 * model(X).sum() + (penalty := suppression.penalty())
    loss.backward()
    return penalty


NAMES = [f"blocks.{k}.{part}" for k in (0, 1) for part in ("attn", "mlp")]


@pytest.mark.parametrize("how", ["pre-norm", "post-norm", "parallel", "in place"])
def test_what_is_added_to_the_stream_stays_chosen(how, caplog):
    model = made(how, how)
    suppression = RadialSuppression(model, strength=1.0)
    for _ in range(2):
        wanted = sum(map(radial_penalty, outputs(model, NAMES)))
        torch.testing.assert_close(trained(model, suppression), wanted)
    assert suppression.sites == tuple(NAMES)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


RIGHT = ["blocks.0.attn", "blocks.0.mlp.down", "blocks.1.attn", "blocks.1.mlp.down"]


@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_module_that_adds_the_stream_itself_gives_way_to_what_it_adds(checkpointed, caplog):
    model = made("inside", "inside", checkpointed=checkpointed)
    suppression = RadialSuppression(model, strength=lambda step: 1.0)
    assert suppression.sites == tuple(NAMES)
    for _ in range(3):
        plain = made("inside", "inside")
        plain.load_state_dict(model.state_dict())
        wanted = sum(map(radial_penalty, outputs(plain, RIGHT)))
        wanted.backward()
        model.zero_grad()
        torch.manual_seed(1)
        loss = 0 * model(X).sum() + (penalty := suppression.penalty(step=0))
        loss.backward()
        torch.testing.assert_close(penalty, wanted)
        assert suppression.sites == tuple(RIGHT)
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == [
        "sites='auto' corrected its choice by what the blocks add to the stream: expected " + ", ".join(RIGHT)
    ]
    assert set(suppression.readings()) >= {f"{site}/radius" for site in RIGHT}
    suppression.detach()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_blocks_beside_those_that_names_know_are_covered():
    model = made("pre-norm", "other", "other")
    suppression = RadialSuppression(model, strength=1.0)
    assert suppression.sites == ("blocks.0.attn", "blocks.0.mlp")
    wanted = (*suppression.sites, "blocks.1.mixer", "blocks.1.channel", "blocks.2.mixer", "blocks.2.channel")
    torch.testing.assert_close(trained(model, suppression), sum(map(radial_penalty, outputs(model, wanted))))
    assert suppression.sites == wanted


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("norm after", "in blocks.0 the norm post stands before the addition, so that the length of what comes before"),
        ("functional", "what blocks.0 adds to its input comes from no module of its own"),
    ],
)
def test_what_cannot_be_right_is_refused_with_what_was_seen(how, said):
    model = made(how, how)
    suppression = RadialSuppression(model)
    for _ in range(2):  # and not only the first time
        model(X)
        with pytest.raises(AttachError, match=f"chose blocks.0.attn, .*, and {said}.*; name the sites"):
            suppression.penalty()
    assert RadialSuppression(model, "blocks.*.mlp").sites == ("blocks.0.mlp", "blocks.1.mlp")


def test_settings_for_each_site_are_not_carried_over_to_others():
    model = made("inside", "inside")
    suppression = RadialSuppression(model, strength={"*.attn": 0.1, "*": 0.2})
    model(X)
    with pytest.raises(AttachError, match=r"the additions to the stream are others: expected .*blocks.0.mlp.down"):
        suppression.penalty()


class Pixels(nn.Module):
    """Channels first: the width is no last axis."""

    def __init__(self, sequence):
        super().__init__()
        self.attn = nn.Conv2d(WIDTH, WIDTH, 1)
        self.mlp = nn.Sequential(nn.Conv2d(WIDTH, 16, 1), nn.GELU(), nn.Conv2d(16, WIDTH, 1))
        self.sequence = sequence

    def forward(self, x):
        x = x + self.attn(x)
        return x + self.mlp(x)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("size", [7, WIDTH])
def test_channels_are_the_width_wherever_they_are(size, first):
    torch.manual_seed(0)
    # where nothing is trained before the first block, what it adds cannot be told, but its channels can
    model, image = nn.Sequential(Pixels(0), Pixels(0)), torch.randn(2, WIDTH, size, size, requires_grad=not first)
    suppression = RadialSuppression(model, strength=1.0)
    for _ in range(2):
        model(image)
        penalty = suppression.penalty()
        x, wanted = image, 0.0
        for block in model:
            for part in (block.attn, block.mlp):
                h = copy.deepcopy(part).eval()(x)
                wanted, x = wanted + radial_penalty(h.movedim(1, -1)), x + h
        torch.testing.assert_close(penalty, wanted)


def test_a_convolution_whose_axis_is_a_place_in_the_image_is_refused():
    model = nn.Sequential(nn.Conv2d(1, 6, 1))
    suppression = RadialSuppression(model, "0")
    model(torch.randn(2, 1, 6, 6))
    with pytest.raises(AttachError, match=r"axis -1 of a convolution's output .* expected its 6 channels: pass axis=1"):
        suppression.penalty()


@pytest.mark.parametrize("how", ["pre-norm", "view in place"])
def test_what_could_not_be_checked_is_said(how, caplog):
    model = made(how, "pre-norm")
    model.embed.requires_grad_(how != "pre-norm")
    suppression = RadialSuppression(model)
    trained(model, suppression)
    assert suppression.sites == tuple(NAMES)
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == [
        "sites='auto' was chosen by names, and could not be checked in blocks.0"
    ]


def test_compiled_models_are_not_slowed_down_by_the_check(caplog):
    from torch._dynamo.testing import CompileCounterWithBackend

    counter = CompileCounterWithBackend("aot_eager")
    model = made("pre-norm", "pre-norm")
    suppression = RadialSuppression(model)
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    for _ in range(3):
        (compiled(X).sum() + suppression.penalty()).backward()
    assert counter.frame_count == 1
    assert [
        r.message for r in caplog.records if r.name == "anglewise.torch.sites" and r.levelno >= logging.WARNING
    ] == ["sites='auto' was chosen by names, and could not be checked in a compiled forward"]


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_made_before_the_first_forward_is_free_of_the_check(clone):
    model = made("inside")
    suppression = RadialSuppression(model)
    twin = clone(model)
    twin(3 * X)
    assert not suppression._watch.seen.added
    trained(model, suppression)
    assert suppression.sites == ("blocks.0.attn", "blocks.0.mlp.down")


def test_the_check_leaves_nothing_behind():
    model = made("pre-norm")
    suppression = RadialSuppression(model)
    trained(model, suppression)
    assert suppression._watch is None
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()) == 3  # a gate and two taps
    other = RadialSuppression(made("pre-norm"))
    other.detach()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in other._model.modules())
